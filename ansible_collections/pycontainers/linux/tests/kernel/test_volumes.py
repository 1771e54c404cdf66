# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes by themselves: declared, told of, removed, pruned, by module and by command line."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import volume_model
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.prune import PRUNE, Prune
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.volume import VOLUME
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.volume_info import VOLUME_INFO
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.volume_model import Volume
from ansible_collections.pycontainers.linux.tests.kernel.cli_bench import failure, ok
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot, wait


def volume(host: Host, name: str = "files", *, check: bool = False, **values: Any) -> Outcome[Volume]:
    """Declare a volume."""
    return converge(VOLUME, host.layout, parse(Volume, {"name": name, **values}), check)


def info(host: Host, **values: Any) -> list[dict[str, Any]]:
    """What is told of volumes."""
    asked = parse(VOLUME_INFO.model, values)
    found: list[dict[str, Any]] = converge(VOLUME_INFO, host.layout, asked, check=False).facts["volumes"]
    return found


def test_a_volume_is_declared_once(host: Host) -> None:
    """A check tells what the run does; the second run has nothing to do; labels change and what is in it stays."""
    before = snapshot(host.layout)
    predicted = volume(host, labels={"a": "b"}, check=True)
    assert snapshot(host.layout) == before
    done = volume(host, labels={"a": "b"})
    assert (done.actions, done.changes) == (predicted.actions, predicted.changes)
    assert done.actions == ("make volume files",)
    assert {each.path for each in done.changes} == {"name", "state", "driver", "driver_options", "labels"}
    document: Any = done.facts["volume"]
    assert (document["Labels"], document["Driver"], document["Options"]) == ({"a": "b"}, "local", {})
    Path(document["Mountpoint"], "kept").touch()
    same: dict[str, Any]
    for same in ({}, {"labels": {"a": "b"}}, {"driver": "local"}, {"driver_options": {}}):
        assert not volume(host, **same).changed
    changed = volume(host, labels={"c": "d"})
    assert [(each.path, each.after, each.effect.name) for each in changed.changes] == [("labels", {"c": "d"}, "LIVE")]
    assert Path(document["Mountpoint"], "kept").exists()
    assert volume(host, state="absent").actions == ("remove volume files",)
    assert not volume(host, state="absent").changed
    assert os.listdir(host.layout.volumes) == []


def test_a_folder_that_is_gone_is_made_again(host: Host) -> None:
    """Somebody removes the folder by hand: a check shows it, a run makes it."""
    volume(host)
    place = Path(host.layout.volume("files", "_data"))
    place.rmdir()
    shown = volume(host, check=True).changes
    assert [(each.path, each.before, each.after) for each in shown] == [("folder", "missing", "there")]
    volume(host)
    assert place.is_dir()
    assert not volume(host).changed


def test_a_volume_in_use_is_not_removed(host: Host) -> None:
    """The error names the containers, be they running or not; a check is refused as the run is."""
    volume(host)
    for name in ("one", "two"):
        host.converge(name, image=host.busybox, state="stopped", volumes=["files:/x"])
    for check in (True, False):
        with pytest.raises(Failure, match="remove the volume files: containers use it: one, two; remove them first"):
            volume(host, state="absent", check=check)
    Path(host.layout.container(host.observed("one").id or "", "container.json")).write_text('{"volumes": ["files:/x"]}')
    host.converge("two", state="absent")
    with pytest.raises(Failure, match="containers use it"):
        volume(host, state="absent")
    host.converge("one", state="absent")
    assert volume(host, state="absent").changed


def test_what_is_mounted_can_not_be_changed(host: Host, tmp_path: Path) -> None:
    """driver_options change while no container runs with them; what is bound keeps its content when the volume goes."""
    (tmp_path / "bound").mkdir()
    (tmp_path / "bound/file").touch()
    options = {"type": "none", "o": "bind,ro", "device": str(tmp_path / "bound")}
    volume(host, driver_options=options)
    assert not volume(host, driver_options=options).changed
    container = host.shell("ls /x; touch /x/new || echo refused; sleep 1000", volumes=["files:/x"])
    wait(lambda: "refused" in host.log(container))
    with pytest.raises(Failure, match="mounted for containers: c; stop them first"):
        volume(host, driver_options={})
    host.converge(state="stopped")
    changed = volume(host, driver_options={"type": "tmpfs", "o": "size=1m"}).changes
    assert [(each.path, each.effect.name) for each in changed] == [("driver_options", "RESTART")]
    volume(host, driver_options=options)
    host.converge(state="started")
    host.converge(state="absent")
    volume(host, state="absent")
    assert (tmp_path / "bound/file").exists()


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"driver_options": {"what": "x"}}, "'what' is no option of the driver local"),
        ({"driver_options": {"device": "/x"}}, "type is missing, and o has no bind"),
        ({"driver_options": {"type": "ext4"}}, "device is missing"),
        ({"driver_options": {"o": "bind", "device": "x"}}, "it is not an absolute path"),
        ({"driver": "nfs"}, "it is not one of local"),
        ({"name": "../x"}, "a name starts with a letter or digit"),
    ],
)
def test_what_can_not_be_is_refused(host: Host, values: dict[str, Any], reason: str) -> None:
    """A wrong value is refused by the option's name, before anything is there."""
    with pytest.raises(Failure, match=reason):
        parse(Volume, {"name": "files", **values})


def test_a_damaged_record_is_told_of(host: Host) -> None:
    """It names the file; what is in the volume is not touched."""
    volume(host)
    Path(volume_model.record_path(host.layout, "files")).write_text("{")
    with pytest.raises(Failure, match=r"volume\.json: it is not JSON"):
        volume(host, state="absent")
    assert os.path.isdir(host.layout.volume("files", "_data"))


def test_a_removal_that_was_cut_short_goes_on(host: Host) -> None:
    """What is left of the folder aside goes with the next removal, and is in no container's way."""
    volume(host)
    folder = Path(host.layout.volume("files"))
    (folder / "_data/a").mkdir()
    os.rename(folder / "_data", folder / ".gone")
    assert volume(host, state="absent").changed
    assert not folder.exists()


def test_volumes_are_told_of(host: Host) -> None:
    """By name and all, with who uses them; the size on the disk only if it is asked for."""
    volume(host, "b", labels={"x": "y"})
    volume(host, "a")
    Path(host.layout.volume("a", "_data"), "file").write_bytes(bytes(1 << 20))
    host.converge(image=host.busybox, state="stopped", volumes=["b:/x"])
    assert [each["Name"] for each in info(host)] == ["a", "b"]
    (found,) = info(host, name=["b", "missing"])
    assert found["Containers"] == {host.observed().id: {"Name": "c"}}
    assert "UsageData" not in found
    (found,) = info(host, name=["a"], size=True)
    assert found["UsageData"]["Size"] >= 1 << 20
    assert found["UsageData"]["RefCount"] == 0


def test_the_verbs_are_dockers(host: Host) -> None:
    """Made, listed, shown and removed as hands know it; a name is made up for one that is given none."""
    assert ok(host, "volume", "create", "--label", "a=b", "-o", "type=tmpfs", "one") == "one\n"
    assert ok(host, "volume", "create", "one") == "one\n"
    assert "another --label" in failure(host, "volume", "create", "--label", "a=c", "one")
    unnamed = ok(host, "volume", "create").strip()
    assert len(unnamed) == 64
    ok(host, "create", "--name", "c", "-v", "one:/x", host.busybox, "true")
    assert ok(host, "volume", "ls", "-q").split() == sorted(["one", unnamed])
    assert ok(host, "volume", "ls", "-q", "--filter", "dangling=true").split() == [unnamed]
    assert ok(host, "volume", "ls", "-q", "--filter", "label=a", "--filter", "name=n").split() == ["one"]
    assert "DRIVER" in ok(host, "volume", "ls")
    assert json.loads(ok(host, "volume", "inspect", "one"))[0]["Options"] == {"device": "tmpfs", "type": "tmpfs"}
    assert "containers use it: c" in failure(host, "volume", "rm", "one")
    assert "there is none of this name" in failure(host, "volume", "inspect", "two")
    assert ok(host, "volume", "rm", unnamed) == f"{unnamed}\n"
    assert "there is none" in failure(host, "volume", "rm", unnamed)
    assert ok(host, "volume", "rm", "-f", unnamed) == f"{unnamed}\n"


def prune(host: Host, check: bool = False, **values: Any) -> Outcome[Prune]:
    """Prune, or tell what that would do."""
    return converge(PRUNE, host.layout, parse(Prune, values), check)


def test_named_volumes_are_pruned_only_when_asked_for(host: Host) -> None:
    """Those without a name go when nothing uses them, and what goes is what the check has told."""
    volume(host, "named", labels={"a": "b"})
    volume(host, "kept")
    host.converge("stays", image=host.busybox, state="stopped", volumes=["/x", "kept:/y"])
    host.converge("goes", image=host.busybox, state="stopped", volumes=["/x"])
    host.converge("goes", state="absent")
    assert not prune(host, containers=False, images=True).facts["volumes"]
    predicted = prune(host, check=True, volumes=True)
    done = prune(host, volumes=True)
    assert (predicted.facts, predicted.actions) == (done.facts, done.actions)
    assert len(done.facts["volumes"]) == 1
    assert done.facts["volumes_space_reclaimed"] > 0
    assert not prune(host, volumes=True).changed
    assert not prune(host, volumes=True, volumes_filters={"all": True, "label!": "a"}).changed
    assert prune(host, volumes=True, volumes_filters={"all": True}).facts["volumes"] == ["named"]
    both = prune(host, volumes=True, volumes_filters={"all": True}, containers=True)
    assert "kept" in both.facts["volumes"]
    assert len(both.facts["volumes"]) == 2
    assert volume_model.names(host.layout) == []


def test_prune_verbs_take_volumes(host: Host) -> None:
    """Prune alone leaves them; with --volumes those without a name go, with volume prune -a all of no use."""
    volume(host, "named")
    unnamed = ok(host, "volume", "create").strip()
    ok(host, "prune", "-f")
    assert volume_model.names(host.layout) == sorted(["named", unnamed])
    assert f"remove volume {unnamed}" in ok(host, "prune", "-f", "--volumes")
    assert ok(host, "volume", "prune", "-f").startswith("Total reclaimed space: 0")
    assert "remove volume named" in ok(host, "volume", "prune", "-f", "-a")
    assert volume_model.names(host.layout) == []
