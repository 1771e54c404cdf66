# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``overlay_rootfs``: overlays that are declared by themselves."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.tests.kernel.rootfs_bench import Place


def test_layers_are_merged_and_written_above(place: Place) -> None:
    """The first lower is on top of the second, and what is written goes to the upper directory."""
    assert place.declare(lower=place.lower, **place.above).changed
    assert [place.read(name) for name in ("a", "b", "both")] == ["a", "b", "a"]
    Path(place.path, "both").write_text("new")
    assert (place.folder / "upper/both").read_text() == "new"
    assert (place.folder / "a/both").read_text() == "a"


def test_a_second_run_changes_nothing(place: Place) -> None:
    """What is mounted already, whatever of it is named, is left alone."""
    place.declare(lower=place.lower, **place.above)
    same: tuple[dict[str, Any], ...] = ({"lower": place.lower, **place.above}, {"lower": place.lower}, {})
    for values in same:
        outcome = place.declare(**values)
        assert (outcome.changed, outcome.changes) == (False, ())


def test_a_check_tells_and_changes_nothing(place: Place) -> None:
    """A check makes no directory and no mount, and tells just what the run after it does."""
    before = sorted(os.listdir(place.folder))
    told = place.declare(check=True, lower=place.lower, **place.above)
    assert sorted(os.listdir(place.folder)) == before
    assert mounted(place.path) is None
    done = place.declare(lower=place.lower, **place.above)
    assert (done.changes, done.actions) == (told.changes, told.actions)


def test_without_upper_it_is_read_only(place: Place) -> None:
    """An overlay of lowers alone can't be written."""
    place.declare(lower=place.lower)
    with pytest.raises(OSError, match="Read-only"):
        Path(place.path, "new").write_text("")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"lower": ["/no/such"]}, "cannot use '/no/such' as lower: there is no such directory"),
        ({"lower": ["/etc/passwd"]}, "cannot use '/etc/passwd' as lower: it is not a directory"),
        ({}, "cannot use None as lower: a new overlay needs at least one lower directory"),
        ({"lower": ["A", "B"], "upper": "/tmp/u"}, "as work: upper and work go together"),
        ({"lower": ["A", "B"], "upper": "A/x", "work": "W"}, "overlaps"),
        ({"lower": ["A", "A"]}, "overlaps"),
    ],
)
def test_what_can_not_be_mounted_is_refused(place: Place, values: dict[str, Any], reason: str) -> None:
    """Directories that are missing or overlap are named before anything is touched."""
    names = {"A": place.lower[0], "B": place.lower[1], "W": place.above["work"], "A/x": f"{place.lower[0]}/x"}
    before = sorted(os.listdir(place.folder))
    given: dict[str, Any] = {
        key: names.get(value, value) if isinstance(value, str) else [names.get(each, each) for each in value]
        for key, value in values.items()
    }
    with pytest.raises(Failure) as caught:
        place.declare(**given)
    assert reason in str(caught.value)
    assert sorted(os.listdir(place.folder)) == before


def test_more_lowers_than_fit_by_their_names(place: Place) -> None:
    """Seventy lowers whose names together exceed the mount option's page are mounted, and seen as they are."""
    lower = []
    for number in range(70):
        folder = place.folder / ("a-long-name-of-a-folder-" * 3) / f"layer-with-a-long-name-{number:03d}"
        folder.mkdir(parents=True)
        (folder / f"file{number}").write_text(str(number))
        (folder / "common").write_text(str(number))
        lower.append(str(folder))
    assert len(":".join(lower)) > 4096
    place.declare(lower=lower, **place.above)
    assert [place.read(name) for name in ("file0", "file69", "common")] == ["0", "69", "0"]
    assert not place.declare(lower=lower, **place.above).changed
    assert place.declare(lower=lower[1:]).changed
    assert place.read("common") == "1"


def test_an_unmounted_overlay_is_mounted_again(place: Place) -> None:
    """An overlay that somebody has unmounted comes back with what was written."""
    place.declare(lower=place.lower, **place.above)
    Path(place.path, "kept").write_text("kept")
    subprocess.run(["umount", place.path], check=True)
    assert place.declare(lower=place.lower, **place.above).changed
    assert place.read("kept") == "kept"


def test_other_lowers_are_seen_and_mended(place: Place) -> None:
    """An overlay of other lowers than declared is shown as such, and mounted as declared."""
    (place.folder / "merged").mkdir()
    options = f"lowerdir={place.lower[1]}:{place.lower[0]}"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, place.path], check=True)
    outcome = place.declare(lower=place.lower)
    assert [(each.path, each.before) for each in outcome.changes] == [("lower", place.lower[::-1])]
    assert place.read("both") == "a"
    assert not place.declare(lower=place.lower).changed


def test_a_change_that_fails_keeps_the_old_mount(place: Place) -> None:
    """When the kernel refuses the new directories, the old overlay is mounted again and no directory is left."""
    place.declare(lower=place.lower, **place.above)
    Path(place.path, "kept").write_text("kept")
    before = sorted(os.listdir(place.folder))
    with pytest.raises(Failure, match="cannot mount overlay"):
        place.declare(lower=place.lower, upper=str(place.folder / "new/upper"), work="/dev/shm/pycontainers-test-work")
    assert sorted(os.listdir(place.folder)) == before
    assert not os.path.exists("/dev/shm/pycontainers-test-work")
    assert place.read("kept") == "kept"


def test_an_overlay_in_use_is_not_taken_away(place: Place) -> None:
    """While a file of it is open an overlay can't be unmounted: the error says so, and it stays."""
    place.declare(lower=place.lower, **place.above)
    with Path(place.path, "a").open(), pytest.raises(Failure, match="busy"):
        place.declare(state="absent")
    assert place.read("a") == "a"


def test_absent_keeps_what_was_written(place: Place) -> None:
    """Absent unmounts and leaves the upper directory; another time it changes nothing."""
    place.declare(lower=place.lower, **place.above)
    Path(place.path, "kept").write_text("kept")
    assert place.declare(state="absent").changed
    assert mounted(place.path) is None
    assert (place.folder / "upper/kept").read_text() == "kept"
    assert not place.declare(state="absent").changed


def test_another_filesystem_is_left_alone(place: Place) -> None:
    """Where something else is mounted, neither present nor absent touches it."""
    Path(place.path).mkdir()
    syscalls.mount("none", place.path, "tmpfs")
    for state in ("present", "absent"):
        with pytest.raises(Failure, match="a tmpfs filesystem is mounted there"):
            place.declare(state=state, lower=place.lower)
    syscalls.umount(place.path)


def test_names_with_colons_commas_and_backslashes(place: Place) -> None:
    """Directories may have names that mean something in mount options."""
    lower = [str(place.folder / name) for name in ("with:colon", "with,comma", "with\\backslash", "with space")]
    for each in lower:
        Path(each).mkdir()
        Path(each, Path(each).name).touch()
    place.declare(lower=lower)
    assert sorted(os.listdir(place.path)) == sorted(Path(each).name for each in lower)
    assert not place.declare(lower=lower).changed
