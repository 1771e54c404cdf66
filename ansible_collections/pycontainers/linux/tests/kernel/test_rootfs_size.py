# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the writable layer of an overlay may take: by quota on ext4 and xfs, by an image where there is none."""
from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import loop, quota
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import rootfs_size, rootfs_size_steps
from ansible_collections.pycontainers.linux.tests.kernel.rootfs_bench import (
    MIB,
    Place,
    by_image,
    fill,
    held_files,
    may_grow,
)


def have(place: Place) -> rootfs_size.Room | None:
    """What the kernel says of the layer."""
    return rootfs_size.observe(place.above["upper"])


def test_a_layer_takes_no_more_than_its_size(sized: Place) -> None:
    """Beyond the size writing fails; a check says what the run does, and a second run does nothing."""
    wanted: dict[str, Any] = {"lower": sized.lower, "size": "32m", **sized.above}
    told = sized.declare(check=True, **wanted)
    assert sorted(os.listdir(sized.folder)) == ["a", "b"]
    done = sized.declare(**wanted)
    assert (done.changes, done.actions) == (told.changes, told.actions)
    found = done.facts["overlay_rootfs"]
    assert (found["size"], found["size_by"]) == (32 * MIB, "image" if by_image(sized) else "quota")
    with Path(sized.path, "big").open("wb", buffering=0) as file:
        assert 16 * MIB <= fill(file.fileno(), 64 * MIB) <= 32 * MIB
    again = sized.declare(**wanted)
    assert (again.changed, again.changes) == (False, ())
    assert not sized.declare(lower=sized.lower).changed
    assert sized.read("both") == "a"


def test_a_layer_grows_while_it_is_written(sized: Place) -> None:
    """A program that has met the end goes on in the same file once the size is larger; nothing is mounted anew."""
    sized.declare(lower=sized.lower, size="32m", **sized.above)
    may_grow(by_image(sized))
    with Path(sized.path, "big").open("wb", buffering=0) as file:
        fill(file.fileno(), 64 * MIB)
        before = Path("/proc/self/mountinfo").read_text()
        told = sized.declare(check=True, size="64m")
        grown = sized.declare(size="64m")
        assert (grown.changes, grown.actions) == (told.changes, told.actions)
        assert [(each.path, each.after, each.effect.name) for each in grown.changes] == [("size", 64 * MIB, "LIVE")]
        assert 24 * MIB <= fill(file.fileno(), 64 * MIB) <= 34 * MIB
    assert Path("/proc/self/mountinfo").read_text() == before
    assert not sized.declare(size="64m").changed


def test_a_layer_that_was_put_away_is_larger_the_next_time(sized: Place) -> None:
    """A size that is given with the mount holds from then on, and what was written is there."""
    sized.declare(lower=sized.lower, size="32m", **sized.above)
    may_grow(by_image(sized))
    Path(sized.path, "kept").write_text("kept")
    sized.declare(state="absent")
    sized.declare(lower=sized.lower, size="64m", **sized.above)
    with Path(sized.path, "big").open("wb", buffering=0) as file:
        assert fill(file.fileno(), 96 * MIB) >= 40 * MIB
    assert sized.read("kept") == "kept"


def test_a_smaller_size(sized: Place) -> None:
    """A quota is set below what is used, and then nothing more is written; a filesystem is refused with both sizes."""
    sized.declare(lower=sized.lower, size="32m", **sized.above)
    with Path(sized.path, "big").open("wb", buffering=0) as file:
        fill(file.fileno(), 12 * MIB)
        if by_image(sized):
            for check in (True, False):
                with pytest.raises(Failure, match=f"use {8 * MIB} as size: .* has {32 * MIB} bytes and can only grow"):
                    sized.declare(check=check, size="8m")
            return
        assert sized.declare(size="8m").changed
        fill(file.fileno(), 32 * MIB)  # xfs has taken some in advance
        assert os.fstat(file.fileno()).st_size < 32 * MIB
        assert fill(file.fileno(), 4 * MIB) == 0
        file.truncate(0)
        assert fill(file.fileno(), 4 * MIB) == 4 * MIB


def test_no_size_any_more(sized: Place) -> None:
    """A quota can be taken away, a filesystem can't; where there never was a limit none is no change."""
    sized.declare(lower=sized.lower, **sized.above)
    assert not sized.declare(size="max", inodes="max").changed
    sized.declare(state="absent", purge=True)
    sized.declare(lower=sized.lower, size="32m", **sized.above)
    if by_image(sized):
        with pytest.raises(Failure, match="can only grow"):
            sized.declare(size="max")
        return
    assert [(each.before, each.after) for each in sized.declare(size="max").changes] == [(32 * MIB, "max")]
    with Path(sized.path, "big").open("wb", buffering=0) as file:
        assert fill(file.fileno(), 40 * MIB) == 40 * MIB
    assert not sized.declare(size="max").changed


def test_a_limit_that_somebody_has_changed(quotas: Place) -> None:
    """A quota that was changed by hand is seen, and set again."""
    wanted: dict[str, Any] = {"lower": quotas.lower, "size": "32m", "inodes": 100, **quotas.above}
    quotas.declare(**wanted)
    upper = quotas.above["upper"]
    quota.set_quota(upper, quota.project(upper), quota.Quota(16 * MIB, 0))
    changes = quotas.declare(**wanted).changes
    assert [(each.path, each.before, each.after) for each in changes] == [
        ("size", 16 * MIB, 32 * MIB),
        ("inodes", "max", 100),
    ]
    assert have(quotas) == rootfs_size.Room("quota", 32 * MIB, 100)


def test_so_many_files(quotas: Place) -> None:
    """Beyond the number of files none can be made; the number can be raised meanwhile."""
    quotas.declare(lower=quotas.lower, inodes=20, **quotas.above)

    def made() -> int:
        count = 0
        with suppress(OSError):
            for count in range(100):
                Path(quotas.path, f"file{count}").touch()
        return count

    assert 5 <= made() <= 20
    quotas.declare(inodes=200)
    assert made() == 99


def test_files_need_a_quota(layout: Layout, place: Place) -> None:
    """Without a quota a number of files is refused, before anything is touched."""
    if quota.enforced(str(place.folder)):
        pytest.skip("the folder of the tests has project quotas")
    before = sorted(os.listdir(place.folder))
    with pytest.raises(Failure, match=r"use 20 as inodes: the filesystem of .*upper has no project quota"):
        place.declare(lower=place.lower, inodes=20, **place.above)
    assert sorted(os.listdir(place.folder)) == before


def test_a_size_for_what_is_there(sized: Place) -> None:
    """A quota counts the files that were there, while they are used; a filesystem can't come beneath them."""
    sized.declare(lower=sized.lower, **sized.above)
    Path(sized.path, "folder").mkdir()
    os.symlink("big", Path(sized.path, "folder/link"))
    with Path(sized.path, "folder/big").open("wb", buffering=0) as file:
        fill(file.fileno(), 12 * MIB)
        if not quota.enforced(str(sized.folder)):
            with pytest.raises(Failure, match="there are files in it already"):
                sized.declare(size="32m")
            return
        changes = sized.declare(size="32m").changes
        assert [(each.path, each.effect.name) for each in changes] == [("size", "LIVE"), ("inodes", "LIVE")]
        assert 16 * MIB <= fill(file.fileno(), 64 * MIB) <= 20 * MIB


def test_projects_are_given_once(quotas: Place) -> None:
    """Each layer has a project of its own, the same one whenever it is made; one that is in use is not given."""
    upper = quotas.above["upper"]
    Path(upper).mkdir()
    first = rootfs_size_steps.choose(upper)
    assert rootfs_size_steps.choose(upper) == first
    quotas.declare(lower=quotas.lower, size="32m", **quotas.above)
    assert (quota.project(upper), quota.project(quotas.above["work"])) == (first, first)
    quotas.declare(state="absent", purge=True)
    assert quota.quota(str(quotas.folder), first)[:2] == (0, 0)
    Path(upper).mkdir()
    quota.set_quota(upper, first, quota.Quota(MIB, 0))
    quotas.declare(lower=quotas.lower, size="32m", **quotas.above)
    assert quota.project(upper) == first + 1
    quota.set_quota(upper, first, quota.Quota(0, 0))
    assert not quotas.declare(lower=quotas.lower, size="32m", **quotas.above).changed


def test_projects_of_the_host_are_not_given(quotas: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that the host's own files name is somebody's, also while it has neither files nor limits."""
    first = rootfs_size_steps.choose(str(quotas.folder))
    names, folders = quotas.folder / "projid", quotas.folder / "projects"
    names.write_text(f"# names\nweb:{first}\n")
    folders.write_text(f"{first + 1}:/srv/web\nnonsense\n")
    monkeypatch.setattr(rootfs_size_steps, "NAMED", ((str(names), 1), (str(folders), 0)))
    assert rootfs_size_steps.choose(str(quotas.folder)) == first + 2


def test_absent_keeps_the_layer(sized: Place) -> None:
    """What was written outlives a removal, and comes back; with purge it goes, and nothing of its limits is left."""
    wanted: dict[str, Any] = {"lower": sized.lower, "size": "32m", **sized.above}
    sized.declare(**wanted)
    Path(sized.path, "kept").write_text("kept")
    sized.declare(state="absent")
    assert (mounted(sized.path), mounted(sized.above["upper"])) == (None, None)
    assert [each for each in held_files() if each.startswith(sized.above["upper"])] == []
    sized.declare(**wanted)
    assert sized.read("kept") == "kept"
    sized.declare(state="absent", purge=True)
    assert sorted(os.listdir(sized.folder)) == ["a", "b", "merged"]


@pytest.mark.parametrize("lazily", [(), ("-l",)])
def test_what_was_unmounted_by_hand_comes_back(sized: Place, lazily: tuple[str, ...]) -> None:
    """Overlay and filesystem are mounted again, with all that was written and the same size."""
    wanted: dict[str, Any] = {"lower": sized.lower, "size": "32m", **sized.above}
    sized.declare(**wanted)
    Path(sized.path, "kept").write_text("kept")
    if by_image(sized):
        subprocess.run(["umount", *lazily, sized.above["upper"]], check=bool(lazily), capture_output=True)
    subprocess.run(["umount", sized.path], check=True)
    assert sized.declare(**wanted).changed
    assert sized.read("kept") == "kept"
    assert not sized.declare(**wanted).changed


def test_an_image_has_one_device(sized: Place) -> None:
    """While an overlay still holds an image that was unmounted by hand, it is mounted again from the same device."""
    sized.declare(lower=sized.lower, size="32m", **sized.above)
    upper = sized.above["upper"]
    if not by_image(sized):
        return
    subprocess.run(["umount", "-l", upper], check=True)
    loop.mount_image(rootfs_size.image(upper), upper)
    assert held_files().count(rootfs_size.image(upper)) == 1
    subprocess.run(["umount", "-l", upper], check=True)
    may_grow(image=True)
    sized.declare(size="64m")
    assert held_files().count(rootfs_size.image(upper)) == 1
    with Path(sized.path, "big").open("wb", buffering=0) as file:
        assert fill(file.fileno(), 96 * MIB) >= 40 * MIB


def test_a_way_that_leads_through_a_link(sized: Place) -> None:
    """Folders that are named by way of a link are those that it leads to: nothing is mounted or attached twice."""
    link = sized.folder / "link"
    link.symlink_to(sized.folder)
    wanted: dict[str, Any] = {"lower": sized.lower, "size": "32m"}
    wanted |= {name: f"{link}/{name}" for name in ("upper", "work")}
    straight, sized.path = sized.path, f"{link}/merged"
    sized.declare(**wanted)
    before = Path("/proc/self/mountinfo").read_text(), len(held_files())
    assert not sized.declare(**wanted).changed
    assert (Path("/proc/self/mountinfo").read_text(), len(held_files())) == before
    sized.declare(state="absent", purge=True)
    assert (mounted(straight), sorted(os.listdir(sized.folder))) == (None, ["a", "b", "link", "merged"])


def test_other_lowers_on_a_layer_of_a_size(sized: Place) -> None:
    """The overlay is mounted anew on the same layer, which keeps its size and what was written."""
    sized.declare(lower=sized.lower, size="32m", **sized.above)
    Path(sized.path, "kept").write_text("kept")
    assert [each.path for each in sized.declare(lower=sized.lower[::-1]).changes] == ["lower"]
    assert (sized.read("kept"), sized.read("both")) == ("kept", "b")
    room = have(sized)
    assert room is not None
    assert room.size == 32 * MIB


def test_no_tool_to_make_a_filesystem(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without quota and without mkfs.ext4 the error says what would help."""
    if quota.enforced(str(place.folder)):
        pytest.skip("the folder of the tests has project quotas")
    monkeypatch.setattr(rootfs_size, "PLACES", "/nowhere")
    with pytest.raises(Failure, match=r"there is no mkfs.ext4 .*install e2fsprogs, or mount it with prjquota"):
        place.declare(check=True, lower=place.lower, size="32m", **place.above)
