# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images into a real registry: what is sent, what is not, and that others can read it."""
from __future__ import annotations

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
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_push import (
    IMAGE_PUSH,
    ImagePush,
)
from ansible_collections.pycontainers.linux.tests.kernel.flaky import flaky
from ansible_collections.pycontainers.linux.tests.kernel.push_bench import (
    be_quick,
    brought,
    check_whole,
    push,
    writes,
)
from testbed.registry import Server, registry

MULTI = {"mediaType": "application/vnd.oci.image.index.v1+json", "schemaVersion": 2}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Server]:
    """Run a registry with nothing in it, to push to."""
    with registry(tmp_path / "empty", filled=False) as running:
        yield running


@pytest.fixture(params=["latest"])
def name(layout: Layout, server: Server, request: pytest.FixtureRequest) -> str:
    """Pull an image into the store; its name there."""
    return brought(layout, server, request.param)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Try again at once, in small pieces."""
    be_quick(monkeypatch, tmp_path)


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


def test_a_moved_tag_is_told_as_old_and_new_digest(layout: Layout, empty: Server, server: Server) -> None:
    """What the tag named and what it is to name are the difference; what both images share is not sent again."""
    to, other = f"{empty.address}/web:1", f"{server.address}/nginx:latest"
    for each in (f"{server.address}/nginx:next", other):
        pull(layout, parse_reference(each))
    push(layout, other, to)
    old = empty.digest("web", "1")
    done = push(layout, f"{server.address}/nginx:next", to)
    (change,) = done.changes
    assert (change.path, change.before, change.after) == ("digest", old, empty.digest("web", "1"))
    assert old != change.after
    shared = content.images(layout)
    assert len([each for each in done.actions if each.startswith("bring blob")]) < 2 + min(
        len(each.diff_ids) for each in shared if "nginx" in each.references[0]
    )


@pytest.mark.parametrize("name", ["multi"], indirect=True)
def test_a_name_that_leads_to_the_images_index_is_left(layout: Layout, server: Server, name: str) -> None:
    """The other platforms of a name are not lost by a push of what was pulled by it, unless the digest is asked for."""
    index_digest, image = server.digest("busybox", "multi"), content.find(layout, parse_reference(name))
    assert image is not None
    done = push(layout, name, name)
    assert (done.actions, done.changes, done.facts["image_push"]["digest"]) == ((), (), index_digest)
    exact = model.parse(ImagePush, {"name": name, "digest": image.manifest_digest})
    (change,) = converge(IMAGE_PUSH, layout, exact, check=True).changes
    assert (change.before, change.after) == (index_digest, image.manifest_digest)


def test_blobs_of_the_same_registry_are_mounted(layout: Layout, server: Server, name: str) -> None:
    """What another repository of the registry has is not sent: the registry is asked to take it from there."""
    before = len(writes(server))
    push(layout, name, f"{server.address}/mounted/web:1")
    assert {line.split()[0] for line in writes(server)[before:]} == {"POST", "PUT"}
    assert [line for line in writes(server)[before:] if line.startswith("PUT")] == [
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


def test_a_mount_that_is_refused_is_an_upload(layout: Layout, server: Server, name: str) -> None:
    """A registry that may not or will not mount gets the blobs."""
    for number, status in enumerate((401, 403, 404, 405)):
        fault = {"method": "POST", "path": "mount=", "do": status, "times": 99}
        with flaky(server.address, fault) as proxy:
            other = f"{proxy.address}/busybox:latest"
            pull(layout, parse_reference(other))
            push(layout, other, f"{proxy.address}/copy{number}:1")
            assert [each["status"] for each in proxy.asked("POST")] == [status, 202] * 3


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
        "pycontainers: cannot find image nosuch: there is none of this name or id; see pycontainers images\n"
    )


def test_an_id_is_pushed_to_a_name(
    layout: Layout, empty: Server, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is begun like an id is the image of that id; what it is called at the registry has to be said."""
    image = content.find(layout, parse_reference(name))
    assert image is not None
    command = ["--root", layout.root, "--run", layout.run, "push", image.id.partition(":")[2][:12]]
    assert main(command) == 1
    assert "an id is no name at a registry; give the name there as DESTINATION" in capsys.readouterr().err
    assert main([*command, f"{empty.address}/web:1"]) == 0
    check_whole(layout, empty, name, "web:1")


def test_an_image_made_here_is_pushed(layout: Layout, empty: Server, tmp_path: Path) -> None:
    """What was made of a root filesystem on this host is pulled by others as it is here."""
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "rootfs/hello").write_text("hello")
    name = f"{empty.address}/made:1"
    command = ["--root", layout.root, "--run", layout.run]
    assert main([*command, "import", f"{tmp_path}/rootfs", name]) == 0
    assert main([*command, "push", name]) == 0
    check_whole(layout, empty, name, "made:1")


def test_what_was_pushed_is_read_by_others(layout: Layout, empty: Server, name: str, tmp_path: Path) -> None:
    """Skopeo copies the whole of it from the registry, verifying each blob."""
    push(layout, name, f"{empty.address}/web:1")
    copy = ["skopeo", "--insecure-policy", "copy", "--src-tls-verify=false"]
    subprocess.run([*copy, f"docker://{empty.address}/web:1", f"dir:{tmp_path}/copy"], check=True, capture_output=True)
    assert "sha256:" + hashlib.sha256((tmp_path / "copy/manifest.json").read_bytes()).hexdigest() == (
        empty.digest("web", "1")
    )
