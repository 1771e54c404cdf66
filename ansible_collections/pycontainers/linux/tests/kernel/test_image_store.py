# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store of images under kills, damage and company."""
from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import check as damage
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, garbage
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import (
    Reference,
    parse_reference,
)
from testbed.registry import Server

REPOSITORY = Path(__file__).resolve().parents[5]


def named(server: Server, name: str) -> Reference:
    """Name an image of the registry."""
    return parse_reference(f"{server.address}/{name}")


def pulling(layout: Layout, reference: Reference) -> subprocess.Popen[bytes]:
    """Pull in a process of its own."""
    program = (
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n"
        f"from {pull.__module__} import pull\n"
        f"from {Layout.__module__} import Layout\n"
        f"from {Reference.__module__} import parse_reference\n"
        f"pull(Layout({layout.root!r}, {layout.run!r}), parse_reference({str(reference)!r}))\n"
    )
    return subprocess.Popen([sys.executable, "-I", "-S", "-B", "-c", program])


def listing(folder: str) -> list[str]:
    """List what is in a layer, with sizes and modes."""
    found = []
    for path in sorted(Path(folder).rglob("*")):
        there = path.lstat()
        found.append(f"{path.relative_to(folder)} {there.st_mode:o} {there.st_size if not path.is_dir() else 0}")
    return found


def check(layout: Layout, whole: dict[str, list[str]]) -> None:
    """Check that whatever has its final name is whole and verified."""
    blobs = f"{layout.images}/blobs/sha256"
    for name in os.listdir(blobs) if os.path.isdir(blobs) else ():
        if not name.endswith(content.ASIDE):
            assert hashlib.sha256(Path(blobs, name).read_bytes()).hexdigest() == name
    for name in os.listdir(layout.layer("")) if os.path.isdir(layout.layer("")) else ():
        if not name.endswith(content.ASIDE):
            assert listing(layout.layer(f"sha256:{name}")) == whole[name]


def left_aside(layout: Layout) -> list[Path]:
    """List what is not complete."""
    return list(Path(layout.root).rglob(f"*{content.ASIDE}"))


@pytest.mark.parametrize("moment", [0.2, 0.5, 0.8])
def test_a_killed_pull_leaves_a_right_store_that_the_next_completes(
    layout: Layout, server: Server, tmp_path: Path, moment: float
) -> None:
    """Killed early, midway or late, nothing half done has a final name, and what was there before stays."""
    other = Layout(str(tmp_path / "other"), str(tmp_path / "other-run"))
    reference = named(server, "nginx:latest")
    start = time.monotonic()
    assert pulling(other, reference).wait() == 0
    took = time.monotonic() - start
    image = content.find(other, reference)
    assert image is not None
    whole = {os.path.basename(folder): listing(folder) for folder in image.layers}
    busybox = pull(layout, named(server, "busybox:latest"))
    whole |= {os.path.basename(folder): listing(folder) for folder in busybox.layers}

    child = pulling(layout, reference)
    time.sleep(took * (moment + random.uniform(-0.15, 0.15)))
    child.send_signal(signal.SIGKILL)
    child.wait()

    check(layout, whole)
    assert content.find(layout, named(server, "busybox:latest")) == busybox
    early = content.find(layout, reference)
    assert early is None or early.id == image.id
    pull(layout, reference)
    check(layout, whole)
    found = content.find(layout, reference)
    assert found is not None
    assert (found.id, found.diff_ids) == (image.id, image.diff_ids)
    assert left_aside(layout) == []


def test_two_pulls_at_once_take_turns(layout: Layout, server: Server) -> None:
    """Processes that pull the same and another image at the same time all succeed."""
    names = ["nginx:latest", "nginx:latest", "busybox:multi"]
    children = [pulling(layout, named(server, name)) for name in names]
    assert [child.wait() for child in children] == [0, 0, 0]
    assert all(content.find(layout, named(server, name)) for name in names)
    assert len(content.entries(layout)) == 2


DAMAGES = ('{"manifests": [', "[]", '{"manifests": {}}', '{"manifests": [{"digest": "../x"}]}')


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_index_is_said_and_nothing_is_lost(layout: Layout, server: Server, damage: str) -> None:
    """Looking, pulling, pruning and removing all stop with one sentence, and touch nothing."""
    reference = named(server, "busybox:latest")
    pull(layout, reference)
    index = Path(layout.images, "index.json")
    good = index.read_text()
    index.write_text(damage)
    files = sorted(path for path in Path(layout.root).rglob("*"))
    actions = (
        lambda: content.find(layout, reference),
        lambda: pull(layout, named(server, "busybox:multi")),
        lambda: garbage.prune(layout),
        lambda: garbage.remove(layout, reference),
    )
    for action in actions:
        with pytest.raises(Failure, match=f"^cannot read {index}: .*; restore it from a backup, or remove it"):
            action()
    assert sorted(path for path in Path(layout.root).rglob("*")) == files
    assert index.read_text() == damage
    index.write_text(good)
    assert content.find(layout, reference)


def test_a_container_record_that_cannot_be_read_stops_the_removal_of_layers(layout: Layout, server: Server) -> None:
    """If it can't be told what a container uses, nothing is removed."""
    image = pull(layout, named(server, "busybox:latest"))
    record = Path(layout.container("c1", "container.json"))
    record.parent.mkdir(parents=True)
    record.write_text("{")
    with pytest.raises(Failure, match=f"cannot read {record}"):
        garbage.remove(layout, named(server, "busybox:latest"))
    assert all(map(os.path.isdir, image.layers))


def test_what_an_image_leads_to_is_no_garbage(layout: Layout, server: Server) -> None:
    """All of its blobs and layers stay when others go; the check names one that is missing or cut short."""
    image = pull(layout, named(server, "busybox:latest"))
    files = listing(layout.root)
    garbage.prune(layout)
    assert listing(layout.root) == files
    pull(layout, named(server, "nginx:latest"))
    garbage.remove(layout, named(server, "nginx:latest"))
    assert listing(layout.root) == files
    assert damage.check(layout) == []
    manifest = json.loads(Path(content.blob(layout, image.manifest_digest)).read_bytes())
    blob = Path(content.blob(layout, manifest["layers"][0]["digest"]))
    os.truncate(blob, 7)
    assert any("has not the" in each.reason for each in damage.check(layout) if each.path == str(blob))
    blob.unlink()
    assert [each.path for each in damage.check(layout)] == [str(blob)]


@pytest.mark.parametrize("damage", [None, "digit"])
def test_a_configuration_that_a_container_needs_stops_the_removal(
    layout: Layout, server: Server, damage: str | None
) -> None:
    """If it is missing, or another one by a single digit, the layers of a stopped container stay."""
    image = pull(layout, named(server, "busybox:latest"))
    record = Path(layout.container("c1", "container.json"))
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({"image_id": image.id}))
    path = Path(content.blob(layout, image.id))
    if damage:
        first = image.diff_ids[0]
        path.write_text(path.read_text().replace(first, first[:-1] + ("0" if first[-1] != "0" else "1")))
    else:
        path.unlink()
    for act in (lambda: garbage.prune(layout), lambda: garbage.remove(layout, named(server, "busybox:latest"))):
        with pytest.raises(Failure, match=f"^cannot read {path}: .*; pull or load the image again"):
            act()
    assert all(map(os.path.isdir, image.layers))


@pytest.mark.parametrize("part", ["layer", "config", "manifest", "blob"])
def test_what_is_missing_is_pulled_again(layout: Layout, server: Server, part: str) -> None:
    """An image of which something was deleted counts as missing where that matters, and pulling it repairs it."""
    reference = named(server, "busybox:latest")
    image = pull(layout, reference)
    manifest = json.loads(Path(content.blob(layout, image.manifest_digest)).read_bytes())
    missing = {
        "layer": image.layers[0],
        "config": content.blob(layout, image.id),
        "manifest": content.blob(layout, image.manifest_digest),
        "blob": content.blob(layout, manifest["layers"][0]["digest"]),
    }[part]
    content.discard(missing)
    assert (content.find(layout, reference) is None) == (part != "blob")
    content.set_entry(layout, reference, None)
    assert pull(layout, reference) == image
    assert os.path.exists(missing)


@pytest.mark.parametrize("part", ["config", "manifest"])
@pytest.mark.parametrize("damage", ["{", "[]", '{"config": 1}', '{"layers": null, "config": {}}'])
def test_a_damaged_document_makes_one_image_incomplete(
    layout: Layout, server: Server, part: str, damage: str
) -> None:
    """Others are found; a pull mends it; it can be removed; of others nothing goes while it may use what they have."""
    damaged, other = named(server, "busybox:latest"), named(server, "nginx:latest")
    image, whole = pull(layout, damaged), pull(layout, other)
    path = Path(content.blob(layout, image.manifest_digest if part == "manifest" else image.id))
    path.write_text(damage)
    assert (content.find(layout, damaged), content.find(layout, other)) == (None, whole)
    assert content.images(layout) == [whole]
    files = listing(layout.root)
    for act in (lambda: garbage.prune(layout), lambda: garbage.remove(layout, other)):
        with pytest.raises(Failure, match=r"^cannot read .*; pull or load the image again; .* image check"):
            act()
    assert listing(layout.root) == files
    assert pull(layout, damaged) == image
    path.write_text(damage)
    assert garbage.remove(layout, damaged)
    assert content.images(layout) == [whole]


def test_leftovers_are_removed_by_the_next_pull(layout: Layout, server: Server) -> None:
    """What a killed pull or removal left aside goes; what other programs put into the layout stays."""
    pull(layout, named(server, "busybox:latest"))
    layer = Path(layout.layer("sha256:" + "0" * 64) + content.ASIDE)
    (layer / "deep/er").mkdir(parents=True)
    blob = Path(content.blob(layout, "sha256:" + "0" * 64) + content.ASIDE)
    blob.write_text("half")
    index = Path(layout.images, "index.json")
    foreign = {"mediaType": "x/y", "digest": "sha256:" + "1" * 64, "size": 1}
    said = json.loads(index.read_text())
    index.write_text(json.dumps({**said, "manifests": [foreign, *said["manifests"]]}))
    pull(layout, named(server, "busybox:multi"))
    assert left_aside(layout) == []
    assert foreign in content.entries(layout)


def test_a_lock_is_waited_for_and_may_be_asked_for_again(layout: Layout, server: Server) -> None:
    """While one process holds the store another one waits; the holder itself goes on."""
    with content.lock(layout), content.lock(layout):
        child = pulling(layout, named(server, "busybox:latest"))
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=1)
        assert content.entries(layout) == []
    assert child.wait() == 0
    assert content.find(layout, named(server, "busybox:latest"))
