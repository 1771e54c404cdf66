# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overlays of many lowers, volatile ones, ones that somebody has changed, and ones that go with all they hold."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import overlay as overlays
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.overlay import Overlay, mount_by_links
from ansible_collections.pycontainers.linux.tests.kernel.rootfs_bench import Place

BOOT = "trusted.pycontainers.boot"


def stack(place: Place, count: int) -> list[str]:
    """Make lowers with a file that all have and one that none other has."""
    lower = []
    for number in range(count):
        folder = place.folder / f"layer-with-a-name-of-some-length-{number:03d}"
        folder.mkdir()
        (folder / f"file{number}").write_text(str(number))
        (folder / "common").write_text(str(number))
        lower.append(str(folder))
    return lower


def unmount(path: str) -> None:
    """Unmount by hand."""
    subprocess.run(["umount", path], check=True)


def shown_volatile(path: str) -> bool:
    """Whether the kernel shows that an overlay never syncs."""
    mount = mounted(path)
    return mount is not None and any("volatile" in each.split("=") for each in mount.options)


def test_as_many_lowers_as_the_kernel_stacks(place: Place) -> None:
    """Five hundred lowers are mounted, read from the top, written above, and seen as they are."""
    lower = stack(place, overlays.MOST_LOWERS)
    place.declare(lower=lower, **place.above)
    assert [place.read(name) for name in ("file0", "file499", "common")] == ["0", "499", "0"]
    Path(place.path, "common").write_text("new")
    assert (place.folder / "upper/common").read_text() == "new"
    assert not place.declare(lower=lower, **place.above).changed
    (place.folder / "upper/common").unlink()
    assert [each.path for each in place.declare(lower=lower[1:]).changes] == ["lower"]
    assert place.read("common") == "1"


def test_one_lower_more_is_refused(place: Place) -> None:
    """What the kernel does not stack is refused with both numbers."""
    lower = [str(place.folder / str(number)) for number in range(501)]
    with pytest.raises(Failure, match="at most 500 lower directories, and these are 501"):
        place.declare(lower=lower)


def test_many_lowers_for_a_kernel_that_takes_one_string(place: Place) -> None:
    """Lowers by short names, as older kernels need them, are seen as what they are, and leave nothing."""
    lower = stack(place, 150)
    names = place.layout.overlay(place.path)
    for each in ("merged", "upper", "work"):
        (place.folder / each).mkdir()
    here = os.getcwd()
    mount_by_links(place.path, Overlay(tuple(lower), place.above["upper"], place.above["work"]), names)
    assert os.getcwd() == here
    assert [place.read(name) for name in ("file0", "file149", "common")] == ["0", "149", "0"]
    assert not place.declare(lower=lower, **place.above).changed
    assert [each.path for each in place.declare(check=True, lower=lower[1:]).changes] == ["lower"]
    place.declare(state="absent")
    assert not os.path.exists(names)


def test_names_that_no_call_takes_whole(place: Place) -> None:
    """Lowers that do not fit one string, with names too long for one value, are mounted by short names."""
    long = place.folder / ("long-" * 30) / ("longer-" * 30)
    lower = [str(long / str(number)) for number in range(20)]
    for each in lower:
        Path(each).mkdir(parents=True)
        Path(each, "common").write_text(each)
    place.declare(lower=lower, **place.above)
    assert place.read("common") == lower[0]
    assert len(os.listdir(place.layout.overlay(place.path))) == 20
    assert not place.declare(lower=lower, **place.above).changed
    subprocess.run(["umount", place.path], check=True)
    assert place.declare(lower=lower[1:], **place.above).changed
    assert place.read("common") == lower[1]
    assert not place.declare(lower=lower[1:]).changed


def test_a_read_only_stack_of_many(place: Place) -> None:
    """Many lowers without an upper can't be written to."""
    lower = stack(place, 150)
    assert place.declare(lower=lower).facts["overlay_rootfs"]["writable"] is False
    with pytest.raises(OSError, match="Read-only"):
        Path(place.path, "new").write_text("")
    assert not place.declare(lower=lower).changed


@pytest.mark.parametrize("count", [2, 150])
def test_a_volatile_overlay_comes_and_goes(place: Place, count: int) -> None:
    """Volatile is what the kernel shows; it can be given and taken, and what was written stays."""
    lower = stack(place, count)
    place.declare(lower=lower, volatile=True, **place.above)
    assert shown_volatile(place.path)
    Path(place.path, "kept").write_text("kept")
    assert not place.declare(lower=lower, volatile=True, **place.above).changed
    assert [each.path for each in place.declare(volatile=False).changes] == ["volatile"]
    assert not shown_volatile(place.path)
    assert place.read("kept") == "kept"


def test_a_volatile_overlay_that_was_unmounted_by_hand(place: Place) -> None:
    """The host has not gone down since, so all is there: it is mounted again, which the kernel by itself refuses."""
    place.declare(lower=place.lower, volatile=True, **place.above)
    Path(place.path, "kept").write_text("kept")
    unmount(place.path)
    for volatile in (True, False):
        assert place.declare(lower=place.lower, volatile=volatile, **place.above).changed
        assert place.read("kept") == "kept"
        assert shown_volatile(place.path) == volatile


def test_what_was_volatile_in_a_crash_is_not_trusted(place: Place) -> None:
    """An upper directory of another boot, mounted volatile at its end, is refused until it has been removed."""
    place.declare(lower=place.lower, volatile=True, **place.above)
    Path(place.path, "kept").write_text("kept")
    unmount(place.path)
    os.setxattr(place.above["work"], BOOT, b"another boot")
    for check in (True, False):
        with pytest.raises(Failure, match=r"volatile when the host went down, so what is in .*upper may be damaged"):
            place.declare(check=check, lower=place.lower, **place.above)
    assert (place.folder / "upper/kept").exists()
    place.declare(state="absent", purge=True, **place.above)
    assert place.declare(lower=place.lower, **place.above).changed
    assert not Path(place.path, "kept").exists()


def test_one_that_was_made_read_only_is_made_writable(place: Place) -> None:
    """A remount by hand is seen and mended, while a file of it is open."""
    place.declare(lower=place.lower, **place.above)
    subprocess.run(["mount", "-o", "remount,ro", place.path], check=True)
    with Path(place.path, "a").open():
        told = place.declare(check=True)
        assert [(each.path, each.before, each.after) for each in told.changes] == [("writable", False, True)]
        with pytest.raises(OSError, match="Read-only"):
            Path(place.path, "new").write_text("")
        done = place.declare()
        assert (done.changes, done.actions) == (told.changes, told.actions)
        Path(place.path, "new").write_text("")
    assert not place.declare().changed


def test_purge_takes_what_was_written(place: Place) -> None:
    """Removed with purge, upper and work go too, and the lowers stay; a check says so and keeps all."""
    place.declare(lower=place.lower, **place.above)
    Path(place.path, "written").write_text("")
    told = place.declare(check=True, state="absent", purge=True)
    assert (place.folder / "upper/written").exists()
    done = place.declare(state="absent", purge=True)
    assert done.actions == told.actions
    assert sorted(os.listdir(place.folder)) == ["a", "b", "merged"]
    assert not place.declare(state="absent", purge=True).changed


def test_purge_of_what_is_not_mounted(place: Place) -> None:
    """Directories that an earlier removal has kept go when they are named."""
    place.declare(lower=place.lower, **place.above)
    place.declare(state="absent")
    assert place.declare(state="absent", purge=True, **place.above).changed
    assert sorted(os.listdir(place.folder)) == ["a", "b", "merged"]
