# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of a tar archive, read as a stream: POSIX ustar and pax (pax(1)), and GNU's long names.

Everything in here comes from strangers. Names are only taken apart here, never used. What is wrong with an
archive is a ``ValueError``; nothing wrong is passed over, as it would be the end of an archive to one reader
and a file to another.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

BLOCK = 512
LARGEST_HEADER = 1 << 20
"""Bytes of an extended header: names and attributes; Linux has no name and no attribute above 64 KiB."""

FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = "0", "1", "2", "3", "4", "5", "6"
_FILES = ("0", "\0", "7")
_HEADER_ONLY = (HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO)
_XATTR = "SCHILY.xattr."
_ZEROS = bytes(BLOCK)


@dataclass
class Member:
    """A header with its extended headers laid over it. ``mtime`` is in nanoseconds."""

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
    """The members in order. What of a member's content the caller did not read must be read before the next one."""
    everywhere: dict[str, bytes] = {}
    extended: dict[str, bytes] = {}
    while not source.at_end():
        block = source.take(BLOCK)
        if block == _ZEROS:
            if not source.at_end() and source.take(BLOCK) != _ZEROS:
                raise ValueError("it goes on after a block of zeros, which is half the mark of its end")
            break
        kind = _checked(block)
        if kind in "xgLK":
            _extend(kind, _extension(source, _number(block[124:136])), everywhere, extended)
            continue
        yield _member(block, kind, everywhere | extended)
        extended = {}
    if extended:
        raise ValueError("it ends after an extended header")
    source.drain()


def _checked(block: bytes) -> str:
    """The type of a header whose checksum is right."""
    if sum(block) - sum(block[148:156]) + 8 * ord(" ") != _number(block[148:156]):
        raise ValueError("a header's checksum is wrong")
    return chr(block[156])


def _extension(source: Source, size: int) -> bytes:
    if size > LARGEST_HEADER:
        raise ValueError(f"an extended header has {size} bytes, more than {LARGEST_HEADER}")
    content = source.take(size)
    source.take(-size % BLOCK)
    return content


def _extend(kind: str, content: bytes, everywhere: dict[str, bytes], extended: dict[str, bytes]) -> None:
    if kind == "L":
        extended["path"] = _string(content)
    elif kind == "K":
        extended["linkpath"] = _string(content)
    else:
        (everywhere if kind == "g" else extended).update(_records(content))


def _records(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The records of a pax header, each ``length key=value`` and a line's end (pax(1), "pax Extended Header")."""
    while content:
        length, space, _ = content.partition(b" ")
        if not space or not length.isdigit() or not len(length) + 3 <= int(length) <= len(content):
            raise ValueError("an extended header's record has a wrong length")
        record, content = content[len(length) + 1 : int(length)], content[int(length) :]
        key, equals, value = record[:-1].partition(b"=")
        if not equals or not record.endswith(b"\n"):
            raise ValueError("an extended header's record is not key=value")
        yield os.fsdecode(key), value


def _member(block: bytes, kind: str, extended: dict[str, bytes]) -> Member:
    if any(key.startswith("GNU.sparse.") for key in extended):
        raise ValueError("it holds a sparse file, a form that layers don't have")
    name = extended.get("path") or _name(block)
    if kind in _FILES:
        # The oldest tar had no type for directories.
        kind = DIRECTORY if kind == "\0" and name.endswith(b"/") else FILE
    elif kind not in _HEADER_ONLY:
        raise ValueError(f"it holds a member of the unknown type {kind!r}")
    size = int(extended["size"]) if "size" in extended else _number(block[124:136])
    mtime = _seconds(extended["mtime"]) if "mtime" in extended else _number(block[136:148]) * 10**9
    member = Member(
        name=os.fsdecode(name),
        kind=kind,
        mode=_number(block[100:108]) & 0o7777,
        uid=int(extended["uid"]) if "uid" in extended else _number(block[108:116]),
        gid=int(extended["gid"]) if "gid" in extended else _number(block[116:124]),
        size=0 if kind in _HEADER_ONLY else size,
        mtime=mtime,
        target=os.fsdecode(extended.get("linkpath") or _string(block[157:257])),
        device=(_number(block[329:337]), _number(block[337:345])) if kind in (CHARACTER, BLOCK_DEVICE) else (0, 0),
        xattrs={key[len(_XATTR) :]: value for key, value in extended.items() if key.startswith(_XATTR)},
    )
    if member.size < 0 or not 0 <= member.uid < 2**32 - 1 or not 0 <= member.gid < 2**32 - 1:
        raise ValueError(f"{member.name!r} has a size, owner or group out of range")
    if "\0" in member.name or "\0" in member.target:
        raise ValueError(f"{member.name!r} has a NUL byte in its name")
    return member


def _name(block: bytes) -> bytes:
    """The name in a header; POSIX's has a prefix, where GNU's (magic ``ustar  ``) has times."""
    name, prefix = _string(block[:100]), _string(block[345:500])
    return prefix + b"/" + name if prefix and block[257:263] == b"ustar\0" else name


def _string(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """Octal digits, or base 256 where the first bit is set (GNU tar, "Extensions to the standard format")."""
    if field[0] in (0x80, 0xFF):
        value = int.from_bytes(field[1:], "big")
        return value if field[0] == 0x80 else value - (1 << 8 * (len(field) - 1))
    digits = field.split(b"\0", 1)[0].strip()
    if not digits:
        return 0
    if not digits.isdigit():
        raise ValueError("a header's number is not octal")
    return int(digits, 8)


def _seconds(text: bytes) -> int:
    """Seconds with a fraction, in nanoseconds, exactly."""
    whole, _, fraction = text.partition(b".")
    nanoseconds = int((fraction + b"000000000")[:9])
    return int(whole or b"0") * 10**9 + (-nanoseconds if whole.startswith(b"-") else nanoseconds)
