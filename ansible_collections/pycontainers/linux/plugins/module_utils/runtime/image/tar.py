# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of a tar archive, read as a stream: POSIX ustar and pax (pax(1)), and GNU's extensions.

Everything in here comes from strangers. Names are only taken apart here, never used. What is wrong with an
archive is a ``ValueError``; nothing wrong is passed over, as it would be the end of an archive to one reader
and a file to another.
"""
from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from . import pax, sparse
from .pax import Extended
from .sparse import Fragment

BLOCK = 512
LONGEST_SHOWN = 80
FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = "0", "1", "2", "3", "4", "5", "6"
_FILES, _SPARSE = ("0", "\0", "7"), "S"
_HEADER_ONLY = (HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO)
_ZEROS = bytes(BLOCK)
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s8s64x8s8s155s12x")
_MAJOR, _MINOR = 1 << 12, 1 << 20
"""What a device's numbers are below (linux/kdev_t.h)."""


@dataclass(slots=True)
class Member:
    """A header with its extended headers laid over it. ``mtime`` is in nanoseconds.

    ``size`` is the bytes of content that follow in the archive, ``length`` those of the file: it is longer where
    it has holes, and then ``fragments`` says where in it the content belongs.
    """

    name: str
    kind: str
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    target: str
    device: tuple[int, int]
    xattrs: dict[str, bytes] = field(default_factory=dict)
    length: int = 0
    fragments: list[Fragment] | None = None


class Source:
    """Bytes out of pieces of any size."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._piece = memoryview(b"")

    def content(self, length: int) -> Iterator[memoryview]:
        """The next ``length`` bytes in pieces. Raises ``ValueError`` if there are fewer."""
        while length:
            if not self._piece and not self._next():
                raise ValueError("it ends in the middle of a member")
            part, self._piece = self._piece[:length], self._piece[length:]
            length -= len(part)
            yield part

    def take(self, length: int) -> bytes:
        """The next ``length`` bytes."""
        if len(self._piece) >= length:
            part, self._piece = self._piece[:length], self._piece[length:]
            return bytes(part)
        return b"".join(self.content(length))

    def pad(self, size: int) -> None:
        """Pass over what fills a member's last block; the last member may lack it (umoci-insert(1) writes so)."""
        missing = -size % BLOCK
        if len(self._piece) >= missing:
            self._piece = self._piece[missing:]
            return
        while missing and not self.at_end():
            missing -= len(self.take(min(missing, len(self._piece))))

    def at_end(self) -> bool:
        """Whether there is nothing more."""
        return not self._piece and not self._next()

    def drain(self) -> None:
        """Read to the end."""
        while self._next():
            pass

    def _next(self) -> bool:
        for piece in self._pieces:
            if piece:
                self._piece = memoryview(piece)
                return True
        self._piece = memoryview(b"")
        return False


def members(source: Source) -> Iterator[Member]:
    """The members in order. What of a member's content the caller did not read must be read before the next one.

    A pax header for all members (type g) is passed over, as other readers of layers do: if only we heeded it, what
    looks into an image elsewhere would see other files than those that run here.
    """
    extended, ahead = Extended(), pax.MOST_BYTES
    while not source.at_end():
        block = source.take(BLOCK)
        if block == _ZEROS:
            if not source.at_end() and source.take(BLOCK) != _ZEROS:
                raise ValueError("it goes on after a block of zeros, which is half the mark of its end")
            break
        kind = _checked(block)
        if kind in "xgLK":
            size = _number(block[124:136])
            extended.admit(size)
            ahead -= size
            if ahead < 0:
                raise ValueError(f"its extended headers have more than {pax.MOST_BYTES} bytes")
            content = source.take(size)
            source.take(-size % BLOCK)
            if kind != "g":
                extended.add(kind, content)
            continue
        yield _member(block, kind, extended, source)
        if extended:
            extended = Extended()
    if extended.values:
        raise ValueError("it ends after an extended header")
    source.drain()


def _checked(block: bytes) -> str:
    """The type of a header whose checksum is right."""
    if sum(block) - sum(block[148:156]) + 8 * ord(" ") != _number(block[148:156]):
        raise ValueError("a header's checksum is wrong")
    return chr(block[156])


def _member(block: bytes, kind: str, extended: Extended, source: Source) -> Member:
    name, mode, uid, gid, size, mtime, _, _, target, magic, major, minor, prefix = _HEADER.unpack(block)
    name = _string(name)
    if prefix[0] and magic.startswith(b"ustar\0"):
        # Where POSIX has a prefix, GNU (magic "ustar  ") has times.
        name = _string(prefix) + b"/" + name
    member = Member(
        name=os.fsdecode(name),
        kind=kind,
        mode=_number(mode) & 0o7777,
        uid=_number(uid),
        gid=_number(gid),
        size=_number(size),
        mtime=_number(mtime) * 10**9,
        target=os.fsdecode(_string(target)) if target[0] else "",
        device=(_number(major), _number(minor)) if kind in (CHARACTER, BLOCK_DEVICE) else (0, 0),
    )
    if extended:
        _extend(member, extended)
    _set_type(member)
    member.length = member.size
    if kind == _SPARSE:
        member.length, member.fragments = sparse.of_header(block, source.take, _number)
    elif extended:
        _set_holes(member, extended, source)
    _check(member)
    return member


def _extend(member: Member, extended: Extended) -> None:
    if extended.text("path"):
        member.name = os.fsdecode(extended.text("path"))
    if extended.text("linkpath"):
        member.target = os.fsdecode(extended.text("linkpath"))
    size, uid, gid = extended.number("size"), extended.number("uid"), extended.number("gid")
    member.size = member.size if size is None else size
    member.uid = member.uid if uid is None else uid
    member.gid = member.gid if gid is None else gid
    mtime = extended.nanoseconds("mtime")
    member.mtime = member.mtime if mtime is None else mtime
    member.xattrs = extended.xattrs()


def _set_type(member: Member) -> None:
    if member.kind in _FILES or member.kind == _SPARSE:
        # The oldest tar had no type for directories.
        member.kind = DIRECTORY if member.kind == "\0" and member.name.endswith("/") else FILE
    elif member.kind not in _HEADER_ONLY:
        raise ValueError(f"it holds a member of the unknown type {member.kind!r}")
    if member.kind in _HEADER_ONLY:
        member.size = 0


def _set_holes(member: Member, extended: Extended, source: Source) -> None:
    found = sparse.of_pax(extended, source.take)
    if not found:
        return
    if member.kind != FILE:
        raise ValueError(f"{shown(member.name)} is a sparse file by its extended header only")
    member.length, member.fragments, taken = found
    member.size -= taken
    # The header's own name is one that a reader without this extension makes an ordinary file of.
    member.name = os.fsdecode(extended.text("GNU.sparse.name")) or member.name


def shown(name: str) -> str:
    """A name as a sentence can hold it: strangers' names may be of a megabyte."""
    return repr(name) if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]!r}…"


def _check(member: Member) -> None:
    name = member.name
    if member.size < 0 or not 0 <= member.uid < 2**32 - 1 or not 0 <= member.gid < 2**32 - 1:
        raise ValueError(f"{shown(name)} has a size, owner or group out of range")
    if not -(2**63) <= member.mtime // 10**9 < 2**63:
        raise ValueError(f"{shown(name)} has a time out of range")
    if not 0 <= member.device[0] < _MAJOR or not 0 <= member.device[1] < _MINOR:
        raise ValueError(f"{shown(name)} is a device whose numbers are out of range")
    if "\0" in name or "\0" in member.target:
        raise ValueError(f"{shown(name)} has a NUL byte in its name")
    if member.kind in (SYMLINK, HARD_LINK) and not member.target:
        raise ValueError(f"{shown(name)} is a link to nothing")
    if member.fragments is not None:
        sparse.check(shown(name), member.length, member.fragments, member.size)


def _string(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


@lru_cache(maxsize=4096)
def _number(field: bytes) -> int:
    """Octal digits, or base 256 where the first bit is set (GNU tar, "Extensions to the standard format")."""
    if field[0] in (0x80, 0xFF):
        value = int.from_bytes(field[1:], "big")
        return value if field[0] == 0x80 else value - (1 << 8 * (len(field) - 1))
    digits = field.split(b"\0", 1)[0].strip(b" ")
    if not digits:
        return 0
    if digits.strip(b"01234567"):
        raise ValueError("a header's number is not octal")
    return int(digits, 8)
