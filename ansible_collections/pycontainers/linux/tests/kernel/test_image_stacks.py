# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers on layers: what a layer's folders are when only the layers below say it, and how far their links lead."""
from __future__ import annotations

import os
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, names, tar, tree
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import overlay as overlays
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.test_image_layers import (
    DIR,
    LNK,
    SYM,
    member,
    overlay,
    unpack,
    xattr,
)
from ansible_collections.pycontainers.linux.tests.unit.image.archives import with_pax

USR = member("usr", DIR, mode=0o755) + member("usr/lib", DIR, mode=0o711, uid=4, mtime=9) + member("usr/lib/old")
MERGED = USR + member("lib", SYM, "usr/lib") + member("absolute", SYM, "/usr/./lib/") + member("twice", SYM, "lib")


def stacked(layout: Layout, *archives: bytes) -> list[Path]:
    """Unpack archives on each other, and return the layers' directories, the lowest first."""
    roots: list[Path] = []
    for archive in archives:
        roots.append(unpack(layout, archive, below=tuple(map(str, reversed(roots)))))
    return roots


def seen(layout: Layout, *archives: bytes) -> list[str]:
    """List what is seen through archives that are unpacked on each other."""
    return overlay(layout, *stacked(layout, *archives))


KEPT = ["absolute", "lib", "twice", "usr", "usr/lib"]
FOLLOWED = {
    "a relative link": (member("lib/new"), [*KEPT, "usr/lib/new", "usr/lib/old"]),
    "an absolute link": (member("absolute/new"), [*KEPT, "usr/lib/new", "usr/lib/old"]),
    "a link to a link": (member("twice/new"), [*KEPT, "usr/lib/new", "usr/lib/old"]),
    "a folder behind a link": (member("lib/a/new"), [*KEPT, "usr/lib/a", "usr/lib/a/new", "usr/lib/old"]),
    "a whiteout behind a link": (member("lib/.wh.old"), KEPT),
    "an opaque folder behind a link": (member("lib/.wh..wh..opq") + member("lib/new"), [*KEPT, "usr/lib/new"]),
    "a hard link between both names": (
        member("usr/lib/f") + member("lib/g", LNK, "absolute/f"), [*KEPT, "usr/lib/f", "usr/lib/g", "usr/lib/old"],
    ),
    "a folder in a link's place": (
        member("lib", DIR) + member("lib/new"), ["absolute", "lib", "lib/new", *KEPT[2:], "usr/lib/old"],
    ),
    "a link that this layer deletes": (
        member(".wh.lib") + member("lib/new"), ["absolute", "lib", "lib/new", *KEPT[2:], "usr/lib/old"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("upper", "wanted"), FOLLOWED.values(), ids=FOLLOWED)
def test_links_of_the_layers_below_are_followed(layout: Layout, upper: bytes, wanted: list[str]) -> None:
    """With /lib a link to usr/lib below, lib/new is usr/lib/new, and /lib stays the link."""
    assert seen(layout, MERGED, upper) == wanted


def test_links_lead_nowhere_but_into_the_layer(layout: Layout, tmp_path: Path) -> None:
    """A link below that leads up ends at the layer's root, one to a folder of the host's at a new one of that path."""
    outside = tmp_path / "outside"
    outside.mkdir()
    links = member("up", SYM, "../../../../../..") + member("host", SYM, str(outside)) + member("a", DIR)
    links += member("a/b", SYM, "../up/../c")
    upper = stacked(layout, links, member("up/f") + member("host/f") + member("a/b/f"))[1]
    assert os.listdir(outside) == []
    assert sorted(os.listdir(upper)) == ["a", "c", "f", str(outside).split("/")[1]]
    assert (upper / str(outside)[1:] / "f").is_file()
    assert (upper / "c/f").is_file()


def test_links_that_never_end_are_refused(layout: Layout) -> None:
    """The kernel's limit for one path holds here, too."""
    with pytest.raises(ValueError, match="'a' leads through more than 40 links of the layers below"):
        stacked(layout, member("a", SYM, "b") + member("b", SYM, "a"), member("a/f"))
    long = member("l0", DIR) + b"".join(member(f"l{number}", SYM, f"l{number - 1}") for number in range(1, 42))
    assert (stacked(layout, long, member("l40/f"))[1] / "l0/f").is_file()
    with pytest.raises(ValueError, match="'l41' leads through more than 40 links of the layers below"):
        stacked(layout, long, member("l41/f"))


def test_implied_folders_have_the_attributes_of_those_below(layout: Layout) -> None:
    """What a program has noted at a folder is not lost by a file that comes into it."""
    lower = member("d", DIR, mode=0o2770, uid=1, gid=2, mtime=3, pax_headers=xattr("user.note", b"\0kept"))
    folder = stacked(layout, lower, member("d/f"))[1] / "d"
    assert os.getxattr(folder, "user.note") == b"\0kept"
    there = folder.stat()
    assert (stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid, there.st_mtime) == (0o2770, 1, 2, 3)


class Coming(Sequence[str]):
    """A layer below that counts how often it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, 0

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        if index:
            raise IndexError(index)
        self.asked += 1
        return str(self.folder)


@pytest.mark.parametrize(("archive", "asked"), [(member("d", DIR) + member("d/f"), 0), (member("d/f"), 1)])
def test_layers_below_are_asked_for_when_it_matters(tmp_path: Path, archive: bytes, asked: int) -> None:
    """Layers come at the same time: one waits for those below only for a folder that it implies, for the root last."""
    (tmp_path / "below").mkdir(0o711)
    (tmp_path / "made").mkdir()
    below, root = Coming(tmp_path / "below"), os.open(tmp_path / "made", os.O_RDONLY)
    with tree.Tree(root, below) as made:
        for each in tar.members(tar.Source(iter([archive]))):
            made.add(each, iter(()))
        assert (below.asked > 0) == bool(asked)
        made.finish()
    os.close(root)
    assert below.asked > asked
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o711


HIDDEN = {
    "by a whiteout": [member("d", DIR, mode=0o777), member(".wh.d"), member("d/f")],
    "by an opaque folder": [member("a/d", DIR, mode=0o777), member("a/.wh..wh..opq"), member("a/d/f")],
    "by an opaque root": [member("d", DIR, mode=0o777), member(".wh..wh..opq"), member("d/f")],
    "by a whiteout of the same layer": [member("d", DIR, mode=0o777), member(".wh.d") + member("d/f")],
    "by an opaque folder of the same layer": [
        member("a/d", DIR, mode=0o777), member("a/.wh..wh..opq") + member("a/d/f"),
    ],
    "by a file of the same layer": [member("d", DIR, mode=0o777), member("d") + member("d", DIR, mode=0o755)],
}  # fmt: skip


@pytest.mark.parametrize("archives", HIDDEN.values(), ids=HIDDEN)
def test_folders_that_are_hidden_below_do_not_come_back(layout: Layout, archives: list[bytes]) -> None:
    """A folder that a layer deletes is a new one when it comes again, with nothing of the old one's."""
    top = stacked(layout, *archives)[-1]
    folder = next(path for path in top.rglob("d") if path.is_dir())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_an_image_has_no_layers_below_one_that_hides_all(host: Host) -> None:
    """Overlayfs does not heed an opaque root, so what lies below one is not mounted."""
    reference = host.image("opaque", {}, lambda root: overlays.mark_opaque(str(root)))
    found = content.find(host.layout, parse_reference(reference))
    assert found is not None
    assert found.layers == (host.layout.layer(found.diff_ids[-1]),)
    assert len(found.diff_ids) > 1


def test_nothing_below_comes_back_in_a_folder_that_was_a_file(layout: Layout) -> None:
    """A name that is first a file and then a folder hides what the file hid."""
    assert seen(layout, member("d", DIR) + member("d/old"), member("d") + member("d", DIR) + member("d/new")) == [
        "d", "d/new",
    ]  # fmt: skip


@pytest.mark.parametrize("opaque_first", [True, False])
def test_deletions_in_opaque_folders_show_no_names(layout: Layout, opaque_first: bool) -> None:
    """An opaque folder has nothing below it to delete from; overlayfs would list the deleted names."""
    marks = [member("d/.wh..wh..opq"), member("d/.wh.x") + member("d/e/.wh.y")]
    upper = b"".join(marks if opaque_first else reversed(marks))
    lower = member("d", DIR, mtime=7) + member("d/x") + member("d/e/y")
    roots = stacked(layout, lower, upper)
    assert overlay(layout, *roots) == ["d", "d/e"]
    assert (roots[1] / "d").stat().st_mtime == 7


def test_holes_stay_holes(layout: Layout) -> None:
    """A file of 16 MB with a block of content takes some blocks, and is as long as it should be."""
    said = [("GNU.sparse.map", "8388608,512"), ("GNU.sparse.size", 16 << 20)]
    there = unpack(layout, with_pax(*said)) / "f"
    assert there.read_bytes() == bytes(8 << 20) + b"x" * 512 + bytes((8 << 20) - 512)
    assert there.stat().st_blocks * 512 < 1 << 20


def test_a_file_of_nothing_but_holes_counts_for_what_it_says(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads the file gets zeros for holes, so holes count to the limit as content does."""
    said = [("GNU.sparse.map", "0,512"), ("GNU.sparse.size", 2 << 30)]
    with pytest.raises(ValueError, match="'f' says it has 2147483648 bytes, more than 1073741824"):
        unpack(layout, with_pax(*said))
    half = with_pax(("GNU.sparse.map", "0,512"), ("GNU.sparse.size", 700 << 20))
    with pytest.raises(ValueError, match="'f' says it has 734003200 bytes, more than 1073741824"):
        unpack(layout, half + half)


def test_looking_up_folders_below_is_limited(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each folder that an archive implies is looked for in all layers below: that takes time as entering it does."""
    monkeypatch.setattr(tree, "MOST_STEPS", 150)
    lower = [member("a/" * 6 + f"{number}/x") for number in range(4)]
    assert stacked(layout, *lower, member("a/" * 6 + "0/f"))
    with pytest.raises(ValueError, match="its members lead in and out of more than 150 folders"):
        stacked(layout, *lower, b"".join(member("a/" * 6 + f"{number}/f") for number in range(6)))


SHARED = {
    "a mode": (member("d", DIR, mode=0o777), member("d", DIR, mode=0o7), "/d is 0007 of 0:0 where it was 0777 of 0:0"),
    "an owner": (member("d", DIR, mode=0o755, uid=7), b"", "/d is 0755 of 0:0 where it was 0755 of 7:0"),
    "a link": (member("d", SYM, "x"), member("d", SYM, "y"), "/d is a link to y where it was a link to x"),
    "a link that is none": (member("d", SYM, "x"), member("d", DIR), "/d is 0644 of 0:0 where it was a link to x"),
}  # fmt: skip


@pytest.mark.parametrize(("first", "second", "differs"), SHARED.values(), ids=SHARED)
def test_a_layer_is_not_shared_where_it_would_be_another(
    layout: Layout, first: bytes, second: bytes, differs: str
) -> None:
    """What an image gives the folders of a layer, by the layers below it, is not what another image gets of it."""
    upper = member("d/f", text=b"f")
    stacked(layout, first, upper)
    stacked(layout, first, upper)
    with pytest.raises(Failure, match=f"cannot unpack layer sha256:.*here {differs}; remove the images that have it"):
        stacked(layout, second, upper)


def test_a_layer_is_shared_where_only_times_and_the_root_differ(layout: Layout) -> None:
    """Another version of the layer below has new times, and the root that shows is the container's own."""
    for number in (1, 2):
        lower = member(".", DIR, mode=0o700 + number) + member("d", DIR, mode=0o700, mtime=number)
        for upper in (member("d/f"), member("d", DIR), b""):
            stacked(layout, lower, upper)


def test_a_layer_may_come_twice_in_an_image(layout: Layout) -> None:
    """On itself it need not be compared: it is mounted once."""
    upper = member("a/b/c") + member("a") + member("a", DIR, mode=0o700)
    assert len(set(stacked(layout, member("a", DIR, mode=0o755), upper, upper, upper))) == 2


def test_a_layer_that_depends_on_much_is_shared_by_the_same_layers(layout: Layout) -> None:
    """More than an attribute has room for is not compared one by one."""
    upper = b"".join(member(f"{'n' * 100}{number}/f") for number in range(50))
    stacked(layout, member("a"), upper)
    assert len(stacked(layout, member("a"), upper)) == 2
    with pytest.raises(Failure, match="here these are not the same layers"):
        stacked(layout, member("b"), upper)


LONG = "/".join(["n" * 255] * 15)
UNFIT = {
    "a value of a megabyte": (member("f", pax_headers=xattr("user.a", b"x" * 900_000)), "attribute 'user.a' of 'f'"),
    "a name of a thousand bytes": (member("f", pax_headers=xattr("user." + "n" * 1000, b"")), "the attribute 'user.nn"),
    "a capability that is none": (member("f", pax_headers=xattr("security.capability", b"x")), "capability' of 'f'"),
    "a NUL in the name": (member("f", pax_headers={"SCHILY.xattr.user.a\0b": "x"}), "the attribute 'user.a"),
    "a path that is too long": (member(LONG + "/" + "n" * 255 + "/f", DIR), "is a path of more than 4095 bytes"),
    "a target that is too long": (member("l", SYM, "t" * 5000), "'l' can't be made"),
}  # fmt: skip


@pytest.mark.parametrize(("archive", "reason"), UNFIT.values(), ids=UNFIT)
def test_what_linux_cannot_hold_is_the_layers_fault(layout: Layout, archive: bytes, reason: str) -> None:
    """The reason is said as one of the layer, not of the disk."""
    with pytest.raises(ValueError, match=reason):
        unpack(layout, archive)


def test_the_longest_path_is_made(layout: Layout) -> None:
    """A path of 4095 bytes is within the limit."""
    name = LONG + "/" + "n" * (names.LONGEST - len(LONG) - 1 - 1)
    assert len(name) + 1 == names.LONGEST
    root = unpack(layout, member(name, tarfile.REGTYPE))
    assert [len(files) for _, _, files, _ in os.fwalk(root) if files] == [1]
