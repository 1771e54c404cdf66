# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is of no use goes, the rest stays, and a check tells of it exactly."""
from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import check, content, garbage
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.check_layers import check_layers
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.room import size_of
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.prune import PRUNE, Prune
from ansible_collections.pycontainers.linux.tests.kernel.cli_bench import ok
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot

ALL: dict[str, Any] = {"containers": True, "images": True, "images_filters": {"dangling": False}, "networks": True}


def prune(host: Host, check: bool = False, **values: Any) -> Outcome[Prune]:
    """Prune, or tell what that would do."""
    return converge(PRUNE, host.layout, parse(Prune, values), check)


def names(host: Host) -> list[str]:
    """The names of all images."""
    return sorted(content.entry_name(each) for each in content.entries(host.layout))


def taken(host: Host) -> int:
    """The room that images and containers take."""
    return size_of([host.layout.images, host.layout.layer(""), host.layout.containers])


def build(folder: Path) -> None:
    """Fill a layer."""
    folder.joinpath("file").write_bytes(os.urandom(1 << 20))


def test_a_check_tells_exactly_what_the_run_removes(host: Host) -> None:
    """Stopped containers, unused images, layers and networks go as predicted; what runs keeps all that it needs."""
    host.network("used")
    host.network("unused", "10.92.0.0/24")
    old = host.image("old", {}, build)
    host.run(name="runs", networks=[{"name": "used"}])
    host.converge("stopped", image=old, command=["true"], state="stopped", networks=["unused"])
    stopped = host.observed("stopped")
    before = snapshot(host.layout)
    predicted = prune(host, check=True, **ALL)
    assert snapshot(host.layout) == before
    room = taken(host)
    done = prune(host, **ALL)
    assert (done.facts, done.actions, done.changes) == (predicted.facts, predicted.actions, predicted.changes)
    assert done.facts["containers"] == [stopped.id]
    assert done.facts["images"] == [old]
    assert len(done.facts["layers"]) == 1
    assert done.facts["networks"] == ["unused"]
    assert done.facts["images_space_reclaimed"] > 1 << 20
    freed = done.facts["containers_space_reclaimed"] + done.facts["images_space_reclaimed"]
    assert abs(room - taken(host) - freed) <= 8192  # the folders that listed them may shrink
    assert host.pid("runs")
    assert names(host) == [host.busybox]
    assert check.check(host.layout) == []
    assert not prune(host, **ALL).changed


def test_only_what_is_asked_for_goes(host: Host) -> None:
    """Containers stay where images are pruned, and so do their images; names stay unless dangling is false."""
    old = host.image("old", {}, build)
    host.converge("stopped", image=old, command=["true"], state="stopped")
    assert not prune(host).changed
    assert not prune(host, images=True).changed
    assert not prune(host, networks=True).changed
    spare = host.image("spare", {}, build)
    assert prune(host, images=True, images_filters={"dangling": False}).facts["images"] == [host.busybox, spare]
    assert names(host) == [old]
    done = prune(host, containers=True)
    assert len(done.facts["containers"]) == 1
    assert done.facts["layers"] == []
    assert names(host) == [old]


def test_filters_choose(host: Host) -> None:
    """Labels and ages of containers and images choose what goes."""
    keep = host.image("keep", {"Labels": {"keep": "yes"}})
    go = host.image("go", {"Labels": {"go": "yes"}}, build)
    for name, image in (("one", keep), ("two", go), ("three", go)):
        labels = {"name": name}
        host.converge(name, image=image, command=["true"], state="stopped", labels=labels)
    assert not prune(host, containers=True, containers_filters={"until": "1h"}).changed
    prune(host, containers=True, containers_filters={"label": "go", "label!": "name=three"})
    assert [each for each in ("one", "two", "three") if container_state.identity_of(host.layout, each)] == [
        "one",
        "three",
    ]
    prune(host, containers=True)
    assert not prune(host, images=True, images_filters={"dangling": False, "label": "nothing"}).changed
    prune(host, images=True, images_filters={"dangling": False, "label!": "keep"})
    assert names(host) == [keep]
    with pytest.raises(Failure, match="dangling: false"):
        prune(host, images=True, images_filters={"label": "keep"})


def test_networks_can_not_be_chosen_by_their_age(host: Host) -> None:
    """They keep no time: the module refuses, and the verb leaves them all where one is asked for."""
    with pytest.raises(Failure, match="networks keep no time of their making; choose by labels"):
        prune(host, check=True, networks=True, networks_filters={"until": "24h"})
    host.network("idle", "10.92.0.0/24")
    assert "idle" not in ok(host, "prune", "--dry-run", "--filter", "until=24h")
    assert "remove network idle" in ok(host, "prune", "-f")


def test_what_comes_into_use_meanwhile_stays(host: Host) -> None:
    """Between telling and doing somebody starts a container and makes another of an image: both stay."""
    old = host.image("old", {}, build)
    host.converge("c", image=host.busybox, command=["sleep", "1000"], state="stopped", stop_timeout=0)
    want = parse(Prune, ALL)
    have = PRUNE.observe(host.layout, want)
    plan = PRUNE.plan(host.layout, PRUNE.resolve(host.layout, want, have), have)
    host.converge("c", state="started")
    host.converge("new", image=old, command=["true"], state="stopped")
    for step in plan.purge:
        step.do()
    assert host.pid("c")
    assert names(host) == sorted([host.busybox, old])
    assert check.check(host.layout) == []


def test_layers_below_a_mount_stay(host: Host, tmp_path: Path) -> None:
    """An overlay that somebody has mounted of an image keeps its layers."""
    host.image("old", {}, build)
    content.forget(host.layout, "registry.test/old:latest")
    layers = [host.layout.layer(f":{each}") for each in garbage.unused(host.layout).layers]
    assert len(layers) == 1
    folders = [tmp_path / each for each in ("other", "merged")]
    for each in folders:
        each.mkdir()
    syscalls.mount("overlay", str(folders[1]), "overlay", options=f"lowerdir={layers[0]}:{folders[0]}")
    try:
        prune(host, images=True)
        assert os.path.isdir(layers[0])
    finally:
        syscalls.umount(str(folders[1]))
    prune(host, images=True)
    assert not os.path.isdir(layers[0])


def test_the_verb_shows_first_and_asks(host: Host) -> None:
    """Nothing goes that was not agreed to; --dry-run only shows, -f does not ask, --json is for programs."""
    old = host.image("old", {}, build)
    refused = host.cli("prune", "-a", stdin="n\n")
    assert refused.returncode == 1
    assert old in refused.stdout
    assert "Total reclaimed space: " in refused.stdout
    assert "y/N" in refused.stderr
    shown = json.loads(host.ok("image", "prune", "-a", "--dry-run", "--json"))
    assert old in names(host)
    assert json.loads(host.ok("image", "prune", "-a", "-f", "--json")) == shown
    assert old not in names(host)
    assert "0B" in host.ok("prune", "-a", "-f", "--filter", "until=1h")
    assert "KEY=VALUE" in host.failure("prune", "--filter", "x")


def test_a_whole_store_is_found_whole(host: Host) -> None:
    """There is nothing to say of a store in order, and nothing of none."""
    assert host.ok("image", "check") == "all images are whole\n"
    assert json.loads(host.ok("--root", f"{host.layout.root}/none", "image", "check", "--json")) == []


@pytest.mark.parametrize("part", ["manifest", "config", "blob", "layer"])
@pytest.mark.parametrize("damage", ["gone", "changed", "cut", "empty"])
def test_damage_is_found(host: Host, part: str, damage: str) -> None:
    """What is missing or has another content is named with its path and what helps, and the status is 1."""
    (image,) = content.images(host.layout)
    manifest = json.loads(Path(content.blob(host.layout, image.manifest_digest)).read_bytes())
    path = Path(
        {
            "manifest": content.blob(host.layout, image.manifest_digest),
            "config": content.blob(host.layout, image.id),
            "blob": content.blob(host.layout, manifest["layers"][0]["digest"]),
            "layer": image.layers[0],
        }[part]
    )
    if part == "layer" or damage == "gone":
        os.rename(path, f"{path}.away")  # the files are links to those of all tests
    else:
        good = path.read_bytes()
        path.unlink()
        path.write_bytes({"cut": good[:-1], "changed": good[:-1] + b"x", "empty": b""}[damage])
    said = host.cli("image", "check", *(["--layers"] if damage == "empty" else []))
    assert said.returncode == 1
    assert f"{path}: " in said.stdout
    assert "pull or load it again" in said.stdout


def test_leftovers_are_told_and_harmless(host: Host) -> None:
    """What is only left over is told of, and is no failure; an index or a record that can't be read is one."""
    content.forget(host.layout, host.busybox)
    aside = Path(content.blob(host.layout, "sha256:" + "0" * 64) + content.ASIDE)
    aside.write_text("half")
    found = check.check(host.layout)
    assert found
    assert all(each.harmless for each in found)
    assert str(aside) in host.ok("image", "check")
    record = Path(host.layout.container("c1", "container.json"))
    record.parent.mkdir(parents=True)
    record.write_text("{")
    assert str(record) in host.cli("image", "check").stdout
    record.unlink()
    record.parent.rmdir()
    Path(host.layout.images, "index.json").write_text("{")
    assert host.cli("image", "check").returncode == 1


@pytest.mark.parametrize("change", ["nothing", "content", "mode", "attribute", "more", "less"])
def test_a_changed_layer_is_found(host: Host, change: str) -> None:
    """A file that was changed in an unpacked layer is named, whatever of it was; the quick check does not see it."""
    (image,) = content.images(host.layout)
    layer = Path(image.layers[-1])
    file = next(each for each in sorted(layer.rglob("*")) if each.is_file() and not each.is_symlink())
    there, folder, text = file.stat(), file.parent.stat(), file.read_bytes()
    file.unlink()  # it is a link to that of all tests
    file.write_bytes(text if change != "content" else b"x" + text[1:])
    file.chmod(0o600 if change == "mode" else stat.S_IMODE(there.st_mode))
    os.utime(file, ns=(there.st_atime_ns, there.st_mtime_ns))
    if change == "attribute":
        os.setxattr(file, "user.note", b"x")
    elif change == "more":
        file.with_name("new").write_text("")
    elif change == "less":
        file.unlink()
    os.utime(file.parent, ns=(folder.st_atime_ns, folder.st_mtime_ns))
    assert check.check(host.layout) == []
    found = list(check_layers(host.layout))
    assert [each.path for each in found] == ([] if change == "nothing" else [str(layer)])
    assert all("is not as in its blob" in each.reason for each in found)
    assert list(Path(host.layout.root).rglob(f"*{content.ASIDE}")) == []
    if change in ("nothing", "more"):
        assert host.cli("image", "check", "--layers").returncode == (change == "more")
