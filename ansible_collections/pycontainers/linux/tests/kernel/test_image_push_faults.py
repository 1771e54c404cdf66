# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a registry that breaks, wants a login or refuses, and what becomes of a push then."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import upload
from ansible_collections.pycontainers.linux.tests.kernel.flaky import flaky
from ansible_collections.pycontainers.linux.tests.kernel.push_bench import (
    KIBI,
    be_quick,
    brought,
    check_whole,
    log_in,
    push,
    sent,
)
from testbed.registry import Server, registry


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Server]:
    """Run a registry with nothing in it, to push to."""
    with registry(tmp_path / "empty", filled=False) as running:
        yield running


@pytest.fixture
def name(layout: Layout, server: Server) -> str:
    """Pull an image into the store; its name there."""
    return brought(layout, server, "latest")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Try again at once, in small pieces."""
    be_quick(monkeypatch, tmp_path)


FAULTS = {
    "connection dropped before the answer": {"method": "PATCH", "skip": 1, "do": "mute"},
    "connection dropped halfway": {"method": "PATCH", "skip": 1, "do": "cut", "bytes": 1000},
    "busy": {"method": "PATCH", "skip": 1, "do": 503},
    "too many requests": {"method": "PATCH", "skip": 1, "do": 429},
    "connection dropped, the upload forgotten": {"method": "PATCH", "skip": 1, "do": 404},
    "range not satisfiable": {"method": "PATCH", "skip": 1, "do": 416},
    "begin dropped": {"method": "POST", "do": "mute"},
    "end dropped": {"method": "PUT", "path": "/blobs/", "do": "mute"},
    "manifest dropped": {"method": "PUT", "path": "/manifests/", "do": "mute"},
    "look refused twice": {"method": "HEAD", "path": "/blobs/", "do": 500, "times": 2},
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_broken_connection_is_gone_on_with(
    layout: Layout, empty: Server, name: str, fault: dict[str, Any]
) -> None:
    """Whatever breaks once, the image arrives whole."""
    with flaky(empty.address, fault) as proxy:
        assert push(layout, name, f"{proxy.address}/web:1").changed
        failed = [each for each in proxy.requests if each["status"] in (0, 404, 416, 429, 500, 503)]
        assert any(each["method"] == fault["method"] for each in failed)
    check_whole(layout, empty, name, "web:1")


def test_a_dropped_upload_goes_on_from_what_the_registry_has(layout: Layout, empty: Server, name: str) -> None:
    """The registry says how far it is, and nothing before that is sent again."""
    with flaky(empty.address, {"method": "PATCH", "skip": 1, "do": "part", "bytes": 1000}) as proxy:
        push(layout, name, f"{proxy.address}/web:1")
        edge = 256 * KIBI
        assert sent(proxy)[:3] == [
            (f"0-{edge - 1}", 202),
            (f"{edge}-{2 * edge - 1}", 0),
            (f"{edge + 1000}-{2 * edge + 999}", 202),
        ]
        assert len([each for each in proxy.asked("POST") if each["status"] == 202]) == 3, "one for each blob"
    check_whole(layout, empty, name, "web:1")


def test_a_blob_that_came_unheard_is_not_sent_again(layout: Layout, empty: Server, name: str) -> None:
    """Before an upload is begun anew, the registry is asked whether it has the blob by now."""
    with flaky(empty.address, {"method": "PUT", "path": "/blobs/", "do": "mute"}) as proxy:
        push(layout, name, f"{proxy.address}/web:1")
        assert len(proxy.asked("POST")) == 3


def test_a_resumed_upload_of_other_bytes_is_begun_anew(layout: Layout, empty: Server, name: str) -> None:
    """If what was put together has another digest, all of the blob is sent once more."""
    part = {"method": "PATCH", "skip": 1, "do": "part", "bytes": 1000}
    wrong = {"method": "PUT", "path": "/blobs/", "do": 400, "body": '{"errors": [{"code": "DIGEST_INVALID"}]}'}
    with flaky(empty.address, part, wrong) as proxy:
        push(layout, name, f"{proxy.address}/web:1")
        assert len([each for each, _ in sent(proxy) if each.startswith("0-")]) == 2
    check_whole(layout, empty, name, "web:1")


def test_a_registry_that_stays_busy_is_given_up(layout: Layout, empty: Server, name: str) -> None:
    """Three tries without a step forward are all, also where each begins the upload anew; the tag is not there."""
    second = f"{256 * KIBI}-"
    for fault, words in (
        ({"method": "PATCH", "do": 503, "times": 99}, r"is in trouble \(503\), in each of 3 tries; try again later"),
        ({"method": "PATCH", "do": "cut", "bytes": 9, "range": second, "times": 9}, r"dropped .*, in each of 3 tries"),
        ({"method": "PUT", "path": "/manifests/", "do": 500, "times": 99}, r"is in trouble \(500\), in each of 3"),
    ):
        with flaky(empty.address, fault) as proxy, pytest.raises(Failure, match=words):
            push(layout, name, f"{proxy.address}/web:1")
    assert not (empty.storage / "docker/registry/v2/repositories/web/_manifests").exists()
    assert push(layout, name, f"{empty.address}/web:1").changed


def test_pieces_are_as_large_as_the_registry_wants_them(layout: Layout, empty: Server, name: str) -> None:
    """A least size is kept to (distribution-spec, "Pushing a blob in chunks")."""
    least = {"method": "POST", "do": "away", "headers": {"OCI-Chunk-Min-Length": str(600 * KIBI)}, "times": 99}
    with flaky(empty.address, least) as proxy:
        push(layout, name, f"{proxy.address}/web:1")
        assert sent(proxy)[0] == (f"0-{600 * KIBI - 1}", 202)
        assert len(sent(proxy)) == 2


def test_a_blob_that_shrinks_meanwhile_is_an_error(tmp_path: Path) -> None:
    """A registry is not left waiting for bytes that do not come."""
    (tmp_path / "blob").write_bytes(b"12345")
    assert b"".join(upload.Part(f"{tmp_path}/blob", 1, 3)) == b"234"
    with pytest.raises(Failure, match=r"^cannot read .*/blob: it is 2 bytes shorter than it was; pull the image"):
        list(upload.Part(f"{tmp_path}/blob", 1, 6))


def test_a_login_pushes(layout: Layout, empty: Server, name: str, tmp_path: Path) -> None:
    """User and password are sent if they are asked for; without them, what to do is said."""
    with flaky(empty.address, login="ann:secret", scheme="basic") as proxy:
        with pytest.raises(Failure, match=r"wants a user and a password \(401\); log in with"):
            push(layout, name, f"{proxy.address}/web:1")
        log_in(tmp_path, proxy.address, "ann:wrong")
        with pytest.raises(Failure, match=r"does not let us push to web \(401\); log in with"):
            push(layout, name, f"{proxy.address}/web:1")
        log_in(tmp_path, proxy.address, "ann:secret")
        assert push(layout, name, f"{proxy.address}/web:1").changed


def test_a_login_that_ends_meanwhile_is_renewed(layout: Layout, empty: Server, name: str, tmp_path: Path) -> None:
    """A piece that was refused for want of a login is sent again with one, and no other."""
    ended = {"method": "PATCH", "skip": 1, "do": 401, "headers": {"WWW-Authenticate": 'Basic realm="flaky"'}}
    with flaky(empty.address, ended) as proxy:
        log_in(tmp_path, proxy.address, "ann:secret")
        push(layout, name, f"{proxy.address}/web:1")
        assert [status for _, status in sent(proxy)] == [202, 401, 202, 202, 202, 202]
        assert sent(proxy)[1][0] == sent(proxy)[2][0]
    check_whole(layout, empty, name, "web:1")


def test_one_token_is_good_for_all_of_a_push(layout: Layout, empty: Server, name: str, tmp_path: Path) -> None:
    """The token is asked for with pull and push at once, and once; once more for the look at what was done."""
    with flaky(empty.address, login="ann:secret", scheme="bearer") as proxy:
        log_in(tmp_path, proxy.address, "ann:secret")
        assert push(layout, name, f"{proxy.address}/team/web:1").changed
        assert [each["scope"] for each in proxy.requests if "scope" in each] == [
            "repository:team/web:pull,push",
            "repository:team/web:pull,push",
        ]


def test_no_login_follows_an_upload_to_another_host(
    layout: Layout, empty: Server, name: str, tmp_path: Path
) -> None:
    """An upload may go on elsewhere, as registries that keep blobs in a store of objects say; the login does not."""
    with flaky(empty.address) as elsewhere:
        away = {"method": "POST", "do": "away", "to": f"http://{elsewhere.address}", "times": 99}
        with flaky(empty.address, away, login="ann:secret", scheme="basic") as proxy:
            log_in(tmp_path, proxy.address, "ann:secret")
            push(layout, name, f"{proxy.address}/web:1")
        assert {each["login"] for each in elsewhere.requests} == {None}
        assert len(elsewhere.asked("PUT")) == 3
    check_whole(layout, empty, name, "web:1")


@pytest.mark.parametrize(
    ("status", "path", "words"),
    [
        (403, "/blobs/", r"does not let us push to web \(403 DENIED\): no; log in with"),
        (405, "/blobs/", r"takes no uploads \(405 DENIED\): no; push to a registry that is no mirror"),
        (413, "/blobs/", r"answered \(413 DENIED\): no; raise the limit that the registry, or a proxy before it"),
        (400, "/manifests/", r"answered \(400 DENIED\): no$"),
    ],
)
def test_what_a_registry_refuses_is_said(
    layout: Layout, empty: Server, name: str, status: int, path: str, words: str
) -> None:
    """An answer that another try does not change is told at once, with what to do."""
    body = json.dumps({"errors": [{"code": "DENIED", "message": "no"}]})
    faults = [{"method": method, "path": path, "do": status, "body": body} for method in ("POST", "PUT")]
    with flaky(empty.address, *faults) as proxy:
        to = f"{proxy.address}/web:1"
        with pytest.raises(Failure, match=f"^cannot push {re.escape(name)} to {re.escape(to)}: .*{words}"):
            push(layout, name, to)
        assert [each["status"] for each in proxy.requests].count(status) == 1


def test_an_upload_goes_nowhere_but_by_http(layout: Layout, empty: Server, name: str) -> None:
    """A Location of another scheme is refused: from TLS to plain it would be the same."""
    with (
        flaky(empty.address, {"method": "POST", "do": "away", "to": "ftp://127.0.0.1"}) as proxy,
        pytest.raises(Failure, match=r"sends us to 'ftp://.*' with an upload, which is no https; if it is behind"),
    ):
        push(layout, name, f"{proxy.address}/web:1")


def test_a_redirect_of_what_is_sent_is_not_followed(layout: Layout, empty: Server, name: str) -> None:
    """Registries do not do it; so whoever does may not have the image."""
    fault = {"method": "PUT", "path": "/manifests/", "do": 307, "headers": {"Location": f"http://{empty.address}/x"}}
    with (
        flaky(empty.address, fault) as proxy,
        pytest.raises(Failure, match=f"{proxy.address} redirects a PUT request, which is not followed"),
    ):
        push(layout, name, f"{proxy.address}/web:1")
