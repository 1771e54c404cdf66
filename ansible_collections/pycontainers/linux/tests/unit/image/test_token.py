# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.token import (
    Challenge,
    basic,
    challenge,
    credentials,
    files,
)

BEARER = 'Bearer realm="https://a.example/token",service="reg, one",scope="repository:a/b:pull"'
BEARER_OFFER = Challenge("bearer", "https://a.example/token", "reg, one", "repository:a/b:pull")

OFFERS = {
    "bearer": ([BEARER], BEARER_OFFER),
    "basic": (['Basic realm="x"'], Challenge("basic", "x")),
    "bearer beats basic in one header": ([f'Basic realm="x", {BEARER}'], BEARER_OFFER),
    "bearer beats basic in two headers": (["Basic realm=x", BEARER], BEARER_OFFER),
    "case": (['BEARER Realm="https://a.example/t"'], Challenge("bearer", "https://a.example/t")),
    "bare": (["basic"], Challenge("basic")),
    "unknown": (["Negotiate abc"], None),
    "none": ([], None),
}


@pytest.mark.parametrize(("headers", "offer"), OFFERS.values(), ids=OFFERS)
def test_a_challenge_is_read(headers: list[str], offer: Challenge | None) -> None:
    """The offer that is taken is a token where there is one."""
    assert challenge(headers) == offer


def auths(path: Path, entries: dict[str, object]) -> dict[str, str]:
    """Write an auth file, and return the environment that names it."""
    path.write_text(json.dumps({"auths": entries}))
    return {"REGISTRY_AUTH_FILE": str(path)}


def login(text: str) -> dict[str, str]:
    """Encode one entry's login."""
    return {"auth": base64.b64encode(text.encode()).decode()}


LOGINS = {
    "the registry": ("r.example:5000/a/b", {"r.example:5000": login("u:p")}, "u:p"),
    "as a URL": ("r.example/a", {"https://r.example/v2/": login("u:p")}, "u:p"),
    "Docker's own": ("nginx", {"https://index.docker.io/v1/": login("u:p")}, "u:p"),
    "docker.io": ("nginx", {"docker.io": login("u:p")}, "u:p"),
    "a repository beats its registry": ("r.e/a/b", {"r.e": login("x:y"), "r.e/a": login("u:p")}, "u:p"),
    "another repository": ("r.e/c", {"r.e/a": login("u:p")}, None),
    "another port": ("r.e:1/c", {"r.e:2": login("u:p"), "r.e": login("u:p")}, None),
    "a colon in the password": ("r.e/c", {"r.e": login("u:p:q")}, "u:p:q"),
    "kept by a helper": ("r.e/c", {"r.e": {}}, None),
    "none": ("r.e/c", {}, None),
}


@pytest.mark.parametrize(("text", "entries", "expected"), LOGINS.values(), ids=LOGINS)
def test_the_login_is_the_registrys(
    tmp_path: Path, text: str, entries: dict[str, object], expected: str | None
) -> None:
    """A login is only given to the registry or repository that it is kept for."""
    assert credentials(parse_reference(text), auths(tmp_path / "auth.json", entries)) == expected


@pytest.mark.parametrize("auth", ["%%%", base64.b64encode(b"no colon").decode(), 5])
def test_a_damaged_login_is_said(tmp_path: Path, auth: object) -> None:
    """A login that can't be read is an error that names file and registry and not the login."""
    environment = auths(tmp_path / "auth.json", {"r.e": {"auth": auth}})
    with pytest.raises(Failure, match=r"auth.json: the auth of r.e is not user:password"):
        credentials(parse_reference("r.e/a"), environment)


def test_the_files_are_podmans_and_dockers() -> None:
    """A file that is named is the only one."""
    assert files({"REGISTRY_AUTH_FILE": "/x"}) == ["/x"]
    assert files({"HOME": "/h"})[-1] == "/h/.docker/config.json"
    assert files({"HOME": "/h", "DOCKER_CONFIG": "/d"})[-1] == "/d/config.json"


def test_basic_logins_are_utf_8() -> None:
    """RFC 7617's own example."""
    assert basic("test:123£") == "Basic dGVzdDoxMjPCow=="
