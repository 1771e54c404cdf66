# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory as a layer's archive (image-spec, layer.md): POSIX ustar with pax headers where a field is too small.

The same files give the same bytes: names are sorted, times are whole seconds as Docker has them, and nothing is
said of who packed it. Files are opened by descriptor from the root on, and no symbolic link is followed.
"""
from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from .names import DEEPEST, LONGEST, OPAQUE, WHITEOUT
from .overlay import is_opaque, is_whiteout
from .tar import BLOCK, BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, FILE, HARD_LINK, SYMLINK

PIECE = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TYPES = {
    stat.S_IFREG: FILE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK_DEVICE,
    stat.S_IFIFO: FIFO,
}
_NOT_WHOLE = ("trusted.overlay.metacopy", "trusted.overlay.redirect")
"""What overlayfs marks files by whose content or name is in a lower directory."""


class Packing:
    """The archive of what is below ``root``, a directory's path.

    With ``overlay`` it is the upper directory of an overlay: devices 0:0 and opaque folders are packed as the
    whiteouts that they stand for. ``newest`` is the latest time of any file so far, in seconds.
    Raises ``ValueError`` for what has no form in an archive.
    """

    def __init__(self, root: str, overlay: bool = False) -> None:
        self.root = root
        self.newest = 0
        self._overlay = overlay
        self._links: dict[tuple[int, int], bytes] = {}

    def pieces(self) -> Iterator[bytes]:
        """The archive in pieces."""
        self._links.clear()
        root = os.open(self.root, _FOLDER)
        try:
            yield self._header(b"./", os.fstat(root), DIRECTORY, xattrs=_xattrs(root))
            yield from self._below(root, b"")
        finally:
            os.close(root)
        yield bytes(2 * BLOCK)

    def _below(self, folder: int, path: bytes) -> Iterator[bytes]:
        if self._overlay and is_opaque(folder):
            yield self._empty(path + OPAQUE.encode())
        for name in sorted(os.fsencode(each) for each in os.listdir(folder)):
            there = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if self._overlay and is_whiteout(there):
                yield self._empty(path + WHITEOUT.encode() + name)
            elif name.startswith(WHITEOUT.encode()):
                raise ValueError(f"{os.fsdecode(path + name)!r} would be taken for a whiteout")
            elif not stat.S_ISSOCK(there.st_mode):  # no archive has sockets
                yield from self._member(folder, name, path + name, there)

    def _member(self, folder: int, name: bytes, path: bytes, there: os.stat_result) -> Iterator[bytes]:
        kind = _TYPES[stat.S_IFMT(there.st_mode)]
        if path.count(b"/") >= DEEPEST or len(path) >= LONGEST:
            reason = f"is more than {DEEPEST} folders deep, or its path has more than {LONGEST - 1} bytes"
            raise ValueError(f"{os.fsdecode(path[:100])!r}… {reason}")
        if kind == DIRECTORY:
            descriptor = os.open(name, _FOLDER, dir_fd=folder)
            try:
                there = os.fstat(descriptor)
                yield self._header(path + b"/", there, kind, xattrs=_xattrs(descriptor, path))
                yield from self._below(descriptor, path + b"/")
            finally:
                os.close(descriptor)
            return
        inode = (there.st_dev, there.st_ino)
        if there.st_nlink > 1 and inode in self._links:
            yield self._header(path, there, HARD_LINK, target=self._links[inode])
            return
        self._links[inode] = path
        if kind == FILE:
            yield from self._file(folder, name, path)
        elif kind == SYMLINK:
            yield self._header(path, there, kind, target=os.readlink(name, dir_fd=folder))
        else:
            yield self._header(path, there, kind)

    def _file(self, folder: int, name: bytes, path: bytes) -> Iterator[bytes]:
        """A file has the size that its header said, even if somebody writes to it meanwhile."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(name, flags, dir_fd=folder), "rb", buffering=0) as file:
            there = os.fstat(file.fileno())
            if not stat.S_ISREG(there.st_mode):
                raise ValueError(f"{os.fsdecode(path)!r} was replaced meanwhile")
            yield self._header(path, there, FILE, size=there.st_size, xattrs=_xattrs(file.fileno(), path))
            left = there.st_size
            while left:
                piece = file.read(min(left, PIECE)) or bytes(min(left, PIECE))
                left -= len(piece)
                yield piece
            yield bytes(-there.st_size % BLOCK)

    def _empty(self, path: bytes) -> bytes:
        """A whiteout, which is nobody's and of no time."""
        return header(path, FILE, 0o644)

    def _header(
        self,
        path: bytes,
        there: os.stat_result,
        kind: str,
        size: int = 0,
        target: bytes = b"",
        xattrs: dict[str, bytes] | None = None,
    ) -> bytes:
        mtime = int(there.st_mtime_ns // 10**9)
        self.newest = max(self.newest, mtime)
        device = (os.major(there.st_rdev), os.minor(there.st_rdev)) if kind in (CHARACTER, BLOCK_DEVICE) else (0, 0)
        mode = stat.S_IMODE(there.st_mode)
        return header(path, kind, mode, there.st_uid, there.st_gid, size, mtime, target, device, xattrs or {})


def header(
    path: bytes,
    kind: str,
    mode: int,
    uid: int = 0,
    gid: int = 0,
    size: int = 0,
    mtime: int = 0,
    target: bytes = b"",
    device: tuple[int, int] = (0, 0),
    xattrs: dict[str, bytes] | None = None,
) -> bytes:
    """A member's header (pax(1), "ustar Interchange Format"), with a pax header before it for what does not fit."""
    extended = {f"SCHILY.xattr.{name}".encode(): value for name, value in (xattrs or {}).items()}
    fields = {b"uid": (uid, 7), b"gid": (gid, 7), b"size": (size, 11), b"mtime": (mtime, 11)}
    extended |= {name: b"%d" % number for name, (number, digits) in fields.items() if not 0 <= number < 8**digits}
    for name, text in ((b"path", path), (b"linkpath", target)):
        if len(text) > 100 or not text.isascii():
            extended[name] = text
    numbers = {name: number if 0 <= number < 8**digits else 0 for name, (number, digits) in fields.items()}
    block = _block(path, kind, mode, numbers, target, device)
    if not extended:
        return block
    records = b"".join(_record(name, extended[name]) for name in sorted(extended))
    numbers = {b"uid": 0, b"gid": 0, b"mtime": 0, b"size": len(records)}
    before = _block(b"././@PaxHeader", "x", 0o644, numbers, b"", (0, 0))
    return before + records + bytes(-len(records) % BLOCK) + block


def _record(name: bytes, value: bytes) -> bytes:
    """``length name=value`` and a line's end, where the length counts its own digits."""
    rest = len(name) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, name, value)


def _block(
    path: bytes, kind: str, mode: int, numbers: dict[bytes, int], target: bytes, device: tuple[int, int]
) -> bytes:
    fields = (
        path[:100].ljust(100, b"\0"),
        b"%07o\0" % mode,
        b"%07o\0" % numbers[b"uid"],
        b"%07o\0" % numbers[b"gid"],
        b"%011o\0" % numbers[b"size"],
        b"%011o\0" % numbers[b"mtime"],
        b" " * 8,
        kind.encode(),
        target[:100].ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        b"%07o\0%07o\0" % device,
        bytes(155 + 12),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _xattrs(descriptor: int, path: bytes = b"") -> dict[str, bytes]:
    """What of a file's attributes belongs to it and not to this host: capabilities, and what users have set."""
    found = {}
    for name in sorted(os.listxattr(descriptor)):
        if name in _NOT_WHOLE:
            raise ValueError(f"{os.fsdecode(path)!r} has {name}: its content or its name is in a layer below")
        if name == "security.capability" or (name.startswith("user.") and not name.startswith("user.overlay.")):
            found[name] = os.getxattr(descriptor, name)
    return found
