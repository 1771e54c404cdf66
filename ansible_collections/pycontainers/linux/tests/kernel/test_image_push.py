# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images into a real registry: what is sent, what is not, and what happens when the way there breaks."""
from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.main import main
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import model
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, upload
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import registry as client
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_push import (
    IMAGE_PUSH,
    ImagePush,
)
from ansible_collections.pycontainers.linux.tests.kernel.flaky import Flaky, flaky
from testbed.registry import Server, registry

MULTI = {"mediaType": "application/vnd.oci.image.index.v1+json", "schemaVersion": 2}
KIBI = 1024


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a registry with the testbed's images, to pull from."""
    with registry(tmp_path_factory.mktemp("source")) as running:
        yield running


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Server]:
    """Run a registry with nothing in it, to push to."""
    with registry(tmp_path / "empty", filled=False) as running:
        yield running


@pytest.fixture(params=["latest"])
def name(layout: Layout, source: Server, request: pytest.FixtureRequest) -> str:
    """Pull an image into the store; its name there."""
    found = f"{source.address}/busybox:{request.param}"
    pull(layout, parse_reference(found))
    return found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Try again at once, in pieces that an image of the testbed has several of, and know no logins."""
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(client, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(upload.Destination.__init__, "__defaults__", (256 * KIBI,))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))  # REGISTRY_AUTH_FILE would be a setting of the registry's too


def push(layout: Layout, name: str, to: str, check: bool = False) -> Outcome[ImagePush]:
    """Push an image, or see what that would do."""
    return converge(IMAGE_PUSH, layout, model.parse(ImagePush, {"name": name, "destination": to}), check)


def log_in(tmp_path: Path, address: str, login: str) -> None:
    """Keep a login for a registry."""
    auth = base64.b64encode(login.encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {address: {"auth": auth}}}))


def writes(server: Server) -> list[str]:
    """List what the registry was asked to take."""
    return re.findall(r'"((?:POST|PATCH|PUT) [^ ?]+)', server.log.read_text())


def check_whole(layout: Layout, server: Server, name: str, to: str) -> None:
    """Pulled by another host, the image is the one that was pushed, byte for byte."""
    other = Layout(f"{layout.root}-other", f"{layout.run}-other")
    pushed, pulled = content.find(layout, parse_reference(name)), pull(other, parse_reference(f"{server.address}/{to}"))
    assert pushed is not None
    assert (pulled.id, pulled.manifest_digest, pulled.diff_ids) == (pushed.id, pushed.manifest_digest, pushed.diff_ids)


@pytest.mark.parametrize("name", ["latest", "docker", "multi"], indirect=True)
def test_a_pushed_image_is_the_one_that_was_pulled(layout: Layout, empty: Server, name: str) -> None:
    """A check tells the very steps and changes nothing; the run does them; the next one has nothing to do."""
    to = f"{empty.address}/team/web:1"
    predicted = push(layout, name, to, check=True)
    assert writes(empty) == []
    assert predicted.facts == {"image_push": {"destination": to, "digest": None}}
    done = push(layout, name, to)
    assert (done.actions, done.changes) == (predicted.actions, predicted.changes)
    image = content.find(layout, parse_reference(name))
    assert image is not None
    assert done.facts == {"image_push": {"destination": to, "digest": image.manifest_digest}}
    assert done.actions[-1] == f"let {empty.address}/team/web:1 name {image.manifest_digest[:19]}"
    assert len(done.actions) == len(image.diff_ids) + 2
    before = len(empty.log.read_text().splitlines())
    assert push(layout, name, to).actions == push(layout, name, to, check=True).actions == ()
    asked = empty.log.read_text().splitlines()[before:]
    assert [re.findall('"([A-Z]+) /', line) for line in asked] == [["HEAD"]] * 2
    check_whole(layout, empty, name, "team/web:1")


def test_a_moved_tag_is_told_as_old_and_new_digest(layout: Layout, empty: Server, source: Server, name: str) -> None:
    """What the tag named and what it is to name are the difference; what both images share is not sent again."""
    to, other = f"{empty.address}/web:1", f"{source.address}/nginx:latest"
    for each in (f"{source.address}/nginx:next", other):
        pull(layout, parse_reference(each))
    push(layout, other, to)
    old = empty.digest("web", "1")
    done = push(layout, f"{source.address}/nginx:next", to)
    (change,) = done.changes
    assert (change.path, change.before, change.after) == ("digest", old, empty.digest("web", "1"))
    assert old != change.after
    shared = content.images(layout)
    assert len([each for each in done.actions if each.startswith("bring blob")]) < 2 + min(
        len(each.diff_ids) for each in shared if "nginx" in each.references[0]
    )


def test_blobs_of_the_same_registry_are_mounted(layout: Layout, source: Server, name: str) -> None:
    """What another repository of the registry has is not sent: the registry is asked to take it from there."""
    before = len(writes(source))
    push(layout, name, f"{source.address}/mounted/web:1")
    assert {line.split()[0] for line in writes(source)[before:]} == {"POST", "PUT"}
    assert [line for line in writes(source)[before:] if line.startswith("PUT")] == [
        "PUT /v2/mounted/web/manifests/1"
    ]


def test_an_index_goes_with_its_manifests(layout: Layout, empty: Server, name: str) -> None:
    """All that an index leads to is pushed before it; an image of it that is nowhere is refused before anything."""
    found = next(each for each in content.entries(layout) if content.entry_name(each) == name)
    child = {key: found[key] for key in ("mediaType", "digest", "size")}
    reference, to = "example.org/multi:1", f"{empty.address}/multi:1"
    index(layout, reference, [child, {**child, "digest": "sha256:" + "0" * 64}])
    with pytest.raises(Failure, match=r"leads to sha256:0000.*neither the store nor the registry has; pull its image"):
        push(layout, reference, to)
    assert writes(empty) == []
    digest = index(layout, reference, [child])
    done = push(layout, reference, to)
    assert [each.split()[0] for each in done.actions[-2:]] == ["put", "let"]
    assert empty.digest("multi", "1") == digest
    assert empty.digest("multi", child["digest"]) == child["digest"]
    assert not push(layout, reference, to).changed


def index(layout: Layout, reference: str, manifests: list[dict[str, Any]]) -> str:
    """Put an index into the store."""
    text = json.dumps({**MULTI, "manifests": manifests}).encode()
    digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
    Path(content.blob(layout, digest)).write_bytes(text)
    entry = {"mediaType": MULTI["mediaType"], "digest": digest, "size": len(text)}
    content.set_entry(layout, parse_reference(reference), entry)
    return digest


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


def sent(proxy: Flaky) -> list[tuple[str, int]]:
    """The ranges of the pieces that were sent, and how each was answered."""
    return [(each["range"], each["status"]) for each in proxy.asked("PATCH")]


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


def test_a_mount_that_is_refused_is_an_upload(layout: Layout, source: Server, name: str) -> None:
    """A registry that may not or will not mount gets the blobs."""
    for number, status in enumerate((401, 403, 404, 405)):
        fault = {"method": "POST", "path": "mount=", "do": status, "times": 99}
        with flaky(source.address, fault) as proxy:
            other = f"{proxy.address}/busybox:latest"
            pull(layout, parse_reference(other))
            push(layout, other, f"{proxy.address}/copy{number}:1")
            assert [each["status"] for each in proxy.asked("POST")] == [status, 202] * 3


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


def test_an_image_that_is_not_whole_is_not_pushed(layout: Layout, empty: Server, name: str) -> None:
    """What the store lacks or has damaged is found before anything is sent; what the registry has is not needed."""
    to = f"{empty.address}/web:1"
    with pytest.raises(NotFound, match=r"cannot push docker.io/library/no:1 to .*: it is not in the store; see"):
        push(layout, "no:1", to)
    with pytest.raises(Failure, match=r"the store has sha256:.* of that name, and sha256:0000.*; leave"):
        push(layout, name, f"{empty.address}/web@sha256:{'0' * 64}")
    image = content.find(layout, parse_reference(name))
    assert image is not None
    manifest = json.loads(Path(content.blob(layout, image.manifest_digest)).read_text())
    layer = Path(content.blob(layout, manifest["layers"][0]["digest"]))
    whole = layer.read_bytes()
    layer.write_bytes(whole[:-1])
    with pytest.raises(Failure, match=r"its blob sha256:.* is damaged in the store; remove it and pull it again"):
        push(layout, name, to)
    layer.unlink()
    with pytest.raises(Failure, match=r"neither the store nor the registry has its blob sha256:"):
        push(layout, name, to)
    assert writes(empty) == []
    layer.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(Failure, match=r"DIGEST_INVALID.*; the store is damaged: remove the image and pull it again"):
        push(layout, name, to)
    layer.write_bytes(whole)
    assert push(layout, name, to).changed
    layer.unlink()
    assert push(layout, name, f"{empty.address}/web:2").changed
    Path(content.blob(layout, image.manifest_digest)).write_text("{}")
    with pytest.raises(Failure, match=r"its manifest sha256:.* is damaged in the store; pull it again"):
        push(layout, name, to)


def test_the_command_pushes(layout: Layout, empty: Server, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The steps are told on stderr while they go on, name and digest on stdout; the second time there are none."""
    to = f"{empty.address}/web:1"
    command = ["--root", layout.root, "--run", layout.run, "push"]
    assert main([*command, name, to]) == 0
    said = capsys.readouterr()
    assert said.out == f"{to} {empty.digest('web', '1')}\n"
    assert [line.split()[0] for line in said.err.splitlines()] == ["bring", "bring", "bring", "let"]
    assert main([*command, "--json", name, to]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == {"destination": to, "digest": empty.digest("web", "1"), "changed": False}
    assert said.err == ""
    assert main([*command, "nosuch"]) == 1
    assert capsys.readouterr().err == (
        "pycontainers: cannot push docker.io/library/nosuch:latest: it is not in the store; "
        "see pycontainers images for what is, or pull it\n"
    )


def test_an_upload_goes_nowhere_but_by_http(layout: Layout, empty: Server, name: str) -> None:
    """A Location of another scheme is refused: from TLS to plain it would be the same."""
    with (
        flaky(empty.address, {"method": "POST", "do": "away", "to": "ftp://127.0.0.1"}) as proxy,
        pytest.raises(Failure, match=r"sends us to 'ftp://.*' with an upload, which is no https; if it is behind"),
    ):
        push(layout, name, f"{proxy.address}/web:1")


def test_what_was_pushed_is_read_by_others(layout: Layout, empty: Server, name: str, tmp_path: Path) -> None:
    """Skopeo copies the whole of it from the registry, verifying each blob."""
    push(layout, name, f"{empty.address}/web:1")
    copy = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false"]
    subprocess.run([*copy, f"docker://{empty.address}/web:1", f"dir:{tmp_path}/copy"], check=True, capture_output=True)
    assert "sha256:" + hashlib.sha256((tmp_path / "copy/manifest.json").read_bytes()).hexdigest() == (
        empty.digest("web", "1")
    )
