# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import rootfs
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.rootfs import ROOTFS, OverlayRootfs
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.rootfs_size import Room

LAYOUT = Layout("/nowhere/root", "/nowhere/run")


def said(**options: Any) -> OverlayRootfs:
    """What a playbook says of the overlay on /m."""
    return parse(OverlayRootfs, {"path": "/m", **options})


WELL: dict[str, Any] = {"lower": ["/b", "/a"], "upper": "/u", "work": "/w"}
FOLDERS = ["make directory /m", "make directory /u", "make directory /w"]
UNMOUNT = "unmount overlay from /m"


@pytest.mark.parametrize(
    ("want", "have", "verbs"),
    [
        (replace(said(**WELL), missing=("/m", "/u", "/w")), None, [*FOLDERS, "mount"]),
        (replace(said(lower=["/a"]), missing=("/m",)), None, ["make directory /m", "mount"]),
        (said(**WELL), None, ["mount"]),
        (said(**WELL), said(**WELL), []),
        (said(**{**WELL, "lower": ["/a", "/b"]}), said(**WELL), [UNMOUNT, "mount"]),
        (said(lower=["/b", "/a"]), said(**WELL), []),
        (replace(said(**WELL), writable=True), replace(said(**WELL), writable=False), ["make overlay on /m writable"]),
        (said(**WELL, volatile=True), said(**WELL, volatile=False), [UNMOUNT, "mount"]),
        (said(state="absent"), said(**WELL), [UNMOUNT]),
        (said(state="absent"), None, []),
        (
            replace(said(state="absent"), rubbish=("/u", "/w")),
            said(**WELL),
            [UNMOUNT, "remove directory /u with all that is in it", "remove directory /w with all that is in it"],
        ),
    ],
)
def test_a_plan_is_what_differs(want: OverlayRootfs, have: OverlayRootfs | None, verbs: list[str]) -> None:
    """An overlay is mounted with the folders it needs, mounted anew if its directories differ, or unmounted."""
    lines = ROOTFS.plan(LAYOUT, want, have).describe()
    assert ["mount" if line.startswith("mount overlay") else line for line in lines] == verbs


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Folders "a" and "b" to put together, and a file."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("options", "option", "reason"),
    [
        ({"lower": None}, "lower", "a new overlay needs at least one lower directory"),
        ({"lower": ["c"]}, "lower", "there is no such directory"),
        ({"lower": ["file"]}, "lower", "it is not a directory"),
        ({"upper": "u"}, "work", "upper and work go together"),
        ({"work": "w"}, "upper", "upper and work go together"),
        ({"upper": "u", "work": "u/w"}, "work", "it overlaps upper"),
        ({"upper": "a/u", "work": "w"}, "lower", "it overlaps upper"),
        ({"upper": "u", "work": "u"}, "work", "it overlaps upper"),
        ({"path": "a"}, "lower", "it overlaps path"),
        ({"path": "."}, "lower", "it overlaps path"),
        ({"lower": ["a", "a"]}, "lower", "it overlaps lower"),
        ({"lower": ["a"] * 501}, "lower", "at most 500 lower directories, and these are 501"),
        ({"volatile": True}, "volatile", "a read-only overlay writes nothing"),
        ({"size": "1g"}, "size", "a read-only overlay takes nothing"),
        ({"inodes": 5}, "inodes", "a read-only overlay takes nothing"),
    ],
)
def test_directories_that_do_not_go_together_are_refused(
    folders: Path, options: dict[str, Any], option: str, reason: str
) -> None:
    """What the kernel could not combine is refused before anything is touched."""
    given = {"path": "m", "lower": ["a", "b"], **options}

    def there(value: Any) -> Any:
        """The value with its names in the folder."""
        if isinstance(value, list):
            return list(map(there, value))
        return f"{folders}/{value}" if isinstance(value, str) and value != "1g" else value

    values = {key: there(value) for key, value in given.items()}
    with pytest.raises(InvalidValue) as caught:
        ROOTFS.resolve(LAYOUT, parse(OverlayRootfs, values), None)
    assert caught.value.option == option
    assert reason in str(caught.value)
    assert sorted(path.name for path in folders.iterdir()) == ["a", "b", "file"]


def test_what_is_left_out_stays(folders: Path) -> None:
    """Of an overlay that is there, directories that are not named stay as they are, and nothing is to do."""
    for name in ("m", "u", "w"):
        (folders / name).mkdir()
    place = f"{folders}/m"
    values: dict[str, Any] = {"lower": (f"{folders}/a",), "upper": f"{folders}/u", "work": f"{folders}/w"}
    have = OverlayRootfs(path=place, **values, volatile=False, writable=True)
    want = ROOTFS.resolve(LAYOUT, parse(OverlayRootfs, {"path": place}), have)
    assert want == have
    assert ROOTFS.plan(LAYOUT, want, have).describe() == []


def test_missing_directories_are_made_from_above(folders: Path) -> None:
    """All that is missing on the way to a directory is made, each after the one that it is in."""
    values = {"path": f"{folders}/x/y", "lower": [f"{folders}/a"], "upper": f"{folders}/b/u", "work": f"{folders}/b/w"}
    want = ROOTFS.resolve(LAYOUT, parse(OverlayRootfs, values), None)
    made = [f"make directory {folders}/{each}" for each in ("b/u", "b/w", "x", "x/y")]
    assert ROOTFS.plan(LAYOUT, want, None).describe()[:-1] == made


def quota(size: int, inodes: int = -1) -> Room:
    """A quota of so many bytes."""
    return Room("quota", size, inodes)


@pytest.mark.parametrize(
    ("wish", "have", "verbs"),
    [
        (None, None, []),
        (quota(5), None, ["count /u in a project of its own", "let /u take 5 bytes and max inodes"]),
        (quota(5), quota(5), []),
        (quota(5, 9), quota(7), ["let /u take 5 bytes and 9 inodes"]),
        (quota(-1), quota(7), ["let /u take max bytes and max inodes"]),
        (Room("image", 5), Room("image", 5), []),
        (Room("image", 7), Room("image", 5), ["grow filesystem /u.img from 5 to 7 bytes"]),
    ],
)
def test_a_size_changes_in_place(wish: Room | None, have: Room | None, verbs: list[str]) -> None:
    """Another size takes its own steps and no mount."""
    want, there = said(**WELL), said(**WELL)
    want, there = (rootfs._sized(each, room) if room else each for each, room in ((want, wish), (there, have)))
    assert ROOTFS.plan(LAYOUT, want, there).describe() == verbs


def test_an_image_comes_beneath_the_overlay() -> None:
    """Where an image holds the size the overlay is mounted anew on it, and it is unmounted with it."""
    image = Room("image", 5)
    want = rootfs._sized(said(**WELL), image)
    made, mount = "make filesystem /u.img of 5 bytes", "mount filesystem /u.img on /u"
    lines = ROOTFS.plan(LAYOUT, want, said(**WELL)).describe()
    assert lines == [made, UNMOUNT, mount, "mount overlay of 2 lower on /m"]
    gone = replace(said(state="absent", purge=True), upper="/u", held=image, beneath=True)
    removed = "remove filesystem /u.img with all that is in it"
    assert ROOTFS.plan(LAYOUT, gone, want).describe() == ["unmount filesystem /u.img", UNMOUNT, removed]


def test_another_filesystem_is_left_alone() -> None:
    """Where something else is mounted no overlay is, and none can be removed."""
    for state in ("present", "absent"):
        with pytest.raises(InvalidValue, match="a proc filesystem is mounted there"):
            ROOTFS.resolve(LAYOUT, parse(OverlayRootfs, {"path": "/proc", "state": state, "lower": ["/usr"]}), None)
