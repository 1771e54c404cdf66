# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers that mean well and layers that do not, unpacked by the kernel."""
from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, layer, tree
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.erase import erase
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.tests.unit.image.archives import with_pax

DIR, SYM, LNK, FIFO, CHR, BLK = (
    tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE,
)  # fmt: skip
CAP_NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
"""A ``security.capability`` attribute, version 2 (capabilities(7), "File capability extended attribute versioning")."""


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", text: bytes = b"", **fields: object) -> bytes:
    """Write one member as it stands in an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, len(text)
    for key, value in fields.items():
        setattr(info, key, value)
    header = info.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape")
    return header + text + bytes(-len(text) % 512)


def xattr(name: str, value: bytes) -> dict[str, str]:
    """Give a member an attribute; bytes survive as surrogates."""
    return {f"SCHILY.xattr.{name}": value.decode("utf-8", "surrogateescape")}


def unpack(
    layout: Layout, archive: bytes, pack: Callable[[bytes], bytes] = gzip.compress, below: tuple[str, ...] = ()
) -> Path:
    """Unpack an archive as a layer, and return its directory."""
    content.prepare(layout)
    diff_id = "sha256:" + hashlib.sha256(archive).hexdigest()
    blob = Path(layout.root, "blob")
    blob.write_bytes(pack(archive))
    layer.unpack(layout, str(blob), diff_id, below)
    return Path(layout.layer(diff_id))


def test_everything_a_layer_can_hold_arrives(layout: Layout) -> None:
    """Types, contents, owners, modes, times, devices and attributes are those of the archive."""
    root = unpack(
        layout,
        member("./", DIR, mode=0o751, uid=5, gid=6, mtime=7)
        + member("bin", DIR, mode=0o1755, uid=1, gid=2, mtime=1000)
        + member("bin/su", text=b"x" * 3_000_000, mode=0o4755, uid=0, gid=3, mtime=1.25)
        + member("bin/ping", mode=0o755, pax_headers=xattr("security.capability", CAP_NET_RAW))
        + member("bin/sh", LNK, "bin/su")
        + member("bin/bash", SYM, "/no/such/../place", uid=8, gid=9, mtime=10)
        + member("dev/null", CHR, devmajor=1, devminor=3, mode=0o666, uid=11)
        + member("dev/sda", BLK, devmajor=8, devminor=300, mode=0o2660)
        + member("dev/pipe", FIFO, mode=0o1622, mtime=12)
        + member("d\xe4/\udcff", text=b"bytes", pax_headers={"hdrcharset": "BINARY"}),
    )
    bash, ping, su = root / "bin/bash", root / "bin/ping", (root / "bin/su").stat()
    assert stat.S_IMODE(root.stat().st_mode) == 0o751
    assert (root.stat().st_uid, root.stat().st_gid, root.stat().st_mtime) == (5, 6, 7)
    assert stat.S_IMODE((root / "bin").stat().st_mode) == 0o1755
    assert (root / "bin").stat().st_mtime == 1000
    assert (stat.S_IMODE(su.st_mode), su.st_uid, su.st_gid, su.st_mtime_ns) == (0o4755, 0, 3, 1_250_000_000)
    assert (root / "bin/su").read_bytes() == b"x" * 3_000_000
    assert (root / "bin/sh").samefile(root / "bin/su")
    assert os.getxattr(ping, "security.capability") == CAP_NET_RAW
    assert bash.readlink() == Path("/no/such/../place")
    assert (bash.lstat().st_uid, bash.lstat().st_gid, bash.lstat().st_mtime) == (8, 9, 10)
    null, sda, pipe = ((root / "dev" / name).stat() for name in ("null", "sda", "pipe"))
    assert (stat.S_ISCHR(null.st_mode), stat.S_IMODE(null.st_mode), null.st_rdev, null.st_uid) == (
        True, 0o666, os.makedev(1, 3), 11,
    )  # fmt: skip
    assert (stat.S_ISBLK(sda.st_mode), stat.S_IMODE(sda.st_mode), sda.st_rdev) == (True, 0o2660, os.makedev(8, 300))
    assert (stat.S_ISFIFO(pipe.st_mode), stat.S_IMODE(pipe.st_mode), pipe.st_mtime) == (True, 0o1622, 12)
    assert (root / os.fsdecode("d\xe4".encode()) / os.fsdecode(b"\xff")).read_bytes() == b"bytes"


def gzip_twice(raw: bytes) -> bytes:
    """Compress in two pieces, one after the other."""
    return gzip.compress(raw[:700]) + gzip.compress(raw[700:])


@pytest.mark.parametrize("pack", [gzip.compress, gzip_twice, bytes])
def test_gzip_in_one_piece_or_more_and_plain_archives_are_the_same(
    layout: Layout, pack: Callable[[bytes], bytes]
) -> None:
    """What counts is the uncompressed stream: its digest is the diff id."""
    assert (unpack(layout, member("f", text=b"text"), pack) / "f").read_bytes() == b"text"


def test_a_layer_is_unpacked_once(layout: Layout) -> None:
    """What is there under its diff id is left alone."""
    root = unpack(layout, member("f", text=b"text"))
    (root / "mark").touch()
    assert (unpack(layout, member("f", text=b"text")) / "mark").exists()


def test_a_layer_is_out_of_reach_for_others(layout: Layout) -> None:
    """Programs with set-user-ID bits lie below a folder that only root may enter."""
    root = unpack(layout, member("su", mode=0o4755))
    assert stat.S_IMODE(root.parent.stat().st_mode) == 0o700


def test_modes_do_not_depend_on_the_umask(layout: Layout) -> None:
    """On a hardened host, too, a container's users may enter what the archive leaves to us."""
    before = os.umask(0o077)
    try:
        root = unpack(layout, member("a/f", mode=0o666) + member("a/fifo", FIFO, mode=0o666))
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((root / name).stat().st_mode) for name in (".", "a", "a/f", "a/fifo")]
    assert modes == [0o755, 0o755, 0o666, 0o666]


def overlay(layout: Layout, *layers: Path) -> list[str]:
    """List what is seen through layers, the lowest first."""
    merged = Path(layout.root, "merged")
    merged.mkdir()
    lower = ":".join(map(str, reversed(layers)))
    syscalls.mount("overlay", str(merged), "overlay", options=f"lowerdir={lower}")
    try:
        return sorted(str(path.relative_to(merged)) for path in merged.rglob("*"))
    finally:
        syscalls.umount(str(merged))


LOWER = member("a", DIR) + member("a/x") + member("a/y") + member("b", DIR) + member("b/z", text=b"old") + member("c")
SEEN = {
    "a file": (member(".wh.c"), ["a", "a/x", "a/y", "b", "b/z"]),
    "a file in a folder": (member("a/.wh.x"), ["a", "a/y", "b", "b/z", "c"]),
    "a folder": (member(".wh.b"), ["a", "a/x", "a/y", "c"]),
    "what is not there": (member(".wh.d") + member("a/.wh.q"), ["a", "a/x", "a/y", "b", "b/z", "c"]),
    "a folder's content": (member("a", DIR) + member("a/.wh..wh..opq"), ["a", "b", "b/z", "c"]),
    "a folder's content, the new one first": (
        member("a/n") + member("a/.wh..wh..opq"), ["a", "a/n", "b", "b/z", "c"],
    ),
    "a folder's content, the new one last": (
        member("a/.wh..wh..opq") + member("a/n"), ["a", "a/n", "b", "b/z", "c"],
    ),
    "a folder that comes again": (member(".wh.a") + member("a", DIR) + member("a/n"), ["a", "a/n", "b", "b/z", "c"]),
    "a folder that comes again by a file in it": (member(".wh.a") + member("a/n"), ["a", "a/n", "b", "b/z", "c"]),
    "a folder that came before": (member("a/n") + member(".wh.a"), ["a", "a/n", "b", "b/z", "c"]),
    "a file that comes again": (member(".wh.c") + member("c"), ["a", "a/x", "a/y", "b", "b/z", "c"]),
    "a file that came before": (member("c") + member(".wh.c"), ["a", "a/x", "a/y", "b", "b/z", "c"]),
    "aufs's own": (member(".wh..wh.aufs") + member(".wh..wh.plnk/7.1"), ["a", "a/x", "a/y", "b", "b/z", "c"]),
}  # fmt: skip


@pytest.mark.parametrize(("upper", "seen"), SEEN.values(), ids=SEEN)
def test_whiteouts_hide_what_lies_below(layout: Layout, upper: bytes, seen: list[str]) -> None:
    """Seen through overlayfs, deletions hide the layers below, and nothing of their own layer."""
    assert overlay(layout, unpack(layout, LOWER), unpack(layout, upper)) == seen


def test_a_folder_that_is_only_implied_stays_what_it_is_below(layout: Layout) -> None:
    """A layer with tmp/x and no tmp does not make /tmp root's own: overlayfs shows the uppermost folder."""
    root = unpack(layout, member(".", DIR, mode=0o711, mtime=1) + member("tmp", DIR, mode=0o1777, uid=4, mtime=9))
    middle = unpack(layout, member("tmp", text=b"in between it is a file"), below=(str(root),))
    archive = member("tmp/x") + member("new/x") + member("gone/x") + member("gone")
    upper = unpack(layout, archive, below=(str(middle), str(root)))
    tmp = (upper / "tmp").stat()
    assert (stat.S_IMODE(tmp.st_mode), tmp.st_uid, tmp.st_mtime) == (0o1777, 4, 9)
    assert (stat.S_IMODE(upper.stat().st_mode), upper.stat().st_mtime) == (0o711, 1)
    assert stat.S_IMODE((upper / "new").stat().st_mode) == 0o755
    assert (upper / "gone").is_file()


def test_a_bomb_is_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that unpacks to far more than its own size stops at the limit, and leaves nothing."""
    monkeypatch.setattr(layer, "LEAST_LIMIT", 1 << 20)
    with pytest.raises(ValueError, match=r"unpacks to more than [0-9]+ bytes, the limit"):
        unpack(layout, b"".join(member(f"f{number}", text=bytes(500_000)) for number in range(10)))
    assert os.listdir(layout.layer("")) == []


def test_too_many_members_are_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty files cost inodes, so their number is limited, too."""
    monkeypatch.setattr(layer, "MOST_MEMBERS", 10)
    with pytest.raises(ValueError, match="more than 10 members"):
        unpack(layout, b"".join(member(f"f{number}") for number in range(11)))
    assert os.listdir(layout.layer("")) == []


def test_members_that_jump_about_are_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each way into a folder and out again takes time, so all ways of an archive together are limited."""
    monkeypatch.setattr(tree, "MOST_STEPS", 60)
    ways = member("a/b/c/1") + member("d/e/f/1")
    assert (unpack(layout, ways * 4) / "a/b/c/1").exists()
    with pytest.raises(ValueError, match="its members lead in and out of more than 60 folders"):
        unpack(layout, ways * 20)


def test_sparse_files_of_too_many_parts_are_refused(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a file with holes takes more time than space, so all parts of an archive are limited."""
    monkeypatch.setattr(layer, "MOST_FRAGMENTS", 7)
    file = with_pax(("GNU.sparse.map", "0,256,512,256"), ("GNU.sparse.size", 768))
    assert (unpack(layout, file * 3) / "f").read_bytes() == b"x" * 256 + bytes(256) + b"x" * 256
    with pytest.raises(ValueError, match="its sparse files have more than 7 parts"):
        unpack(layout, file * 4)


def test_a_folder_of_many_names_is_removed_in_little_memory(tmp_path: Path) -> None:
    """Neither its names nor those of folders in it are listed all at once, and links are not followed."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/f").touch()
    (tmp_path / "d/e").mkdir(parents=True)
    for number in range(3000):
        (tmp_path / f"d/e/{number}").symlink_to("../../kept")
    tracemalloc.start()
    erase(str(tmp_path / "d"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "f"]


BAD_BLOBS = {
    "another layer": (lambda raw: gzip.compress(member("g")), "unpacked it has the digest"),
    "gzip cut off": (lambda raw: gzip.compress(raw)[:-20], "compressed content ends too early|ends in the middle"),
    "gzip without its end": (lambda raw: gzip.compress(raw)[:-4], "compressed content ends too early"),
    "gzip damaged": (lambda raw: gzip.compress(raw)[:-8] + bytes(8), "can't be uncompressed"),
    "gzip with more": (lambda raw: gzip.compress(raw) + b"more", "something follows"),
    "gzip's header only": (lambda raw: b"\x1f\x8b\x08\0", "ends too early"),
    "raw deflate": (lambda raw: zlib.compress(raw), "not octal|checksum|in the middle"),
    "zstd": (lambda raw: b"\x28\xb5\x2f\xfd" + raw, "zstd|can't be uncompressed"),
    "nothing": (lambda raw: b"", "unpacked it has the digest"),
}


@pytest.mark.parametrize(("pack", "reason"), BAD_BLOBS.values(), ids=BAD_BLOBS)
def test_a_blob_that_is_not_the_layer_is_refused(
    layout: Layout, pack: Callable[[bytes], bytes], reason: str
) -> None:
    """A layer gets its name only if the whole of it was read and has the diff id of the image."""
    with pytest.raises(ValueError, match=reason):
        unpack(layout, member("f", text=b"text"), pack)
    assert os.listdir(layout.layer("")) == []


def test_a_full_disk_leaves_nothing(layout: Layout, tmp_path: Path) -> None:
    """The error is the kernel's, and what was unpacked so far is gone."""
    os.makedirs(layout.root)
    syscalls.mount("tmpfs", layout.root, "tmpfs", options="size=2m")
    try:
        with pytest.raises(OSError, match="No space left"):
            unpack(layout, b"".join(member(f"f{number}", text=bytes(100_000)) for number in range(40)))
        assert os.listdir(layout.layer("")) == []
    finally:
        syscalls.umount(layout.root)


def test_reading_a_layer_takes_no_memory_for_its_size(layout: Layout) -> None:
    """Zeros compress a thousandfold; they come out a piece at a time."""
    packed = io.BytesIO(gzip.compress(bytes(64 << 20), 1))
    assert max(map(len, layer.decompressed(packed))) <= layer.PIECE
