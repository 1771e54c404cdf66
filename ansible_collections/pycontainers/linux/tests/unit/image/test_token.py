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
    realm,
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
    "an empty entry": ("r.e/c", {"r.e": {}}, None),
    "an identity token": ("r.e/c", {"r.e": {**login("x:"), "identitytoken": "t"}}, "<token>:t"),
    "an identity token of nothing": ("r.e/c", {"r.e": {**login("u:p"), "identitytoken": ""}}, "u:p"),
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
    assert files({"HOME": "/h"})[-2] == "/h/.config/containers/auth.json"
    assert files({"HOME": "/h", "XDG_CONFIG_HOME": "/s"})[-2] == "/s/containers/auth.json"
    assert files({"XDG_RUNTIME_DIR": "/run/user/7"})[0] == "/run/user/7/containers/auth.json"


def test_basic_logins_are_utf_8() -> None:
    """RFC 7617's own example."""
    assert basic("test:123£") == "Basic dGVzdDoxMjPCow=="


def test_the_first_file_with_a_login_decides(tmp_path: Path) -> None:
    """Podman's own is before Docker's; what one lacks may be in the other."""
    docker = {"r.e": login("x:y"), "q.e": login("d:d")}
    for folder, entries in (("containers", {"r.e": login("u:p")}), (".docker", docker)):
        (tmp_path / folder).mkdir()
        name = "auth.json" if folder == "containers" else "config.json"
        (tmp_path / folder / name).write_text(json.dumps({"auths": entries}))
    environment = {"XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}
    assert credentials(parse_reference("r.e/a"), environment) == "u:p"
    assert credentials(parse_reference("q.e/a"), environment) == "d:d"


HELPER = """\
#!/bin/sh
[ "$1" = get ] || exit 9
read -r registry
case $registry in
r.e) echo '{"ServerURL": "r.e", "Username": "ann", "Secret": "secret"}' ;;
https://index.docker.io/v1/) echo '{"Username": "<token>", "Secret": "long"}' ;;
garbled.e) echo '{"Username": 5}' ;;
broken.e) echo 'the keychain is locked' && exit 1 ;;
*) echo 'credentials not found in native keychain' && exit 1 ;;
esac
"""

HELPED = {
    "for a registry": ("r.e/a", {"credHelpers": {"r.e": "test"}}, "ann:secret"),
    "for another": ("q.e/a", {"credHelpers": {"r.e": "test"}}, None),
    "before what is written": ("r.e/a", {"credHelpers": {"r.e": "test"}, "auths": {"r.e": login("u:p")}}, "ann:secret"),
    "for all": ("r.e/a", {"credsStore": "test", "auths": {"r.e": {}}}, "ann:secret"),
    "for all, without an entry": ("r.e/a", {"credsStore": "test"}, "ann:secret"),
    "Docker's own name for its registry": ("nginx", {"credsStore": "test"}, "<token>:long"),
    "what is written, before that for all": ("r.e/a", {"credsStore": "test", "auths": {"r.e": login("u:p")}}, "u:p"),
    "that has none": ("z.e/a", {"credsStore": "test"}, None),
}


@pytest.fixture
def helped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have a credential helper in PATH; gives the file that is to name it."""
    program = tmp_path / "docker-credential-test"
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "config.json"


@pytest.mark.parametrize(("text", "kept", "expected"), HELPED.values(), ids=HELPED)
def test_a_helper_is_asked(helped: Path, text: str, kept: dict[str, object], expected: str | None) -> None:
    """Docker's helpers give a registry's login, where a file names them."""
    helped.write_text(json.dumps(kept))
    assert credentials(parse_reference(text), {"REGISTRY_AUTH_FILE": str(helped)}) == expected


HELPLESS = {
    "missing": ("r.e/a", "nosuch", "there is no such program in PATH; install docker-credential-nosuch, or keep"),
    "no name": ("r.e/a", "../sh", "its credential helper '../sh' is no name of a program"),
    "garbled": ("garbled.e/a", "test", "its answer has no Username and Secret"),
    "failing": ("broken.e/a", "test", "it failed with status 1: the keychain is locked"),
}


@pytest.mark.parametrize(("text", "name", "reason"), HELPLESS.values(), ids=HELPLESS)
def test_a_helper_that_does_not_help_is_said(helped: Path, text: str, name: str, reason: str) -> None:
    """A login that can't be had is an error, not a pull without one."""
    helped.write_text(json.dumps({"credsStore": name}))
    with pytest.raises(Failure, match=reason):
        credentials(parse_reference(text), {"REGISTRY_AUTH_FILE": str(helped)})


REALMS = {
    "another host by TLS": ("https://auth.example/token?x=1", "https://r.e/v2/a", True),
    "another host in plain": ("http://auth.example/token", "https://r.e/v2/a", False),
    "the same host in plain": ("http://r.e/token", "https://r.e/v2/a", False),
    "of a plain registry, by TLS": ("https://auth.example/token", "http://r.e:5000/v2/a", True),
    "of a plain registry, its host": ("http://r.e:5001/token", "http://r.e:5000/v2/a", True),
    "of a plain registry, another host in plain": ("http://auth.example/token", "http://r.e:5000/v2/a", False),
    "with a user": ("https://r.e@auth.example/token", "https://r.e/v2/a", False),
    "a file": ("file:///etc/passwd", "http://r.e/v2/a", False),
    "no URL": ("token", "https://r.e/v2/a", False),
    "no address": ("https://[/", "https://r.e/v2/a", False),
}


@pytest.mark.parametrize(("text", "base", "good"), REALMS.values(), ids=REALMS)
def test_logins_go_to_a_realm_by_tls(text: str, base: str, good: bool) -> None:
    """In plain HTTP only to the very host that is spoken to in plain HTTP anyway."""
    assert (realm(text, base) is not None) == good
