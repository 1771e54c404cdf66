# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in an archive before a member and is about it: pax headers (pax(1)), and GNU's long names.

A header is a stranger's text of any length, so what is kept of those before one member is bounded, and a number
is digits and nothing else that Python would take for one.
"""
from __future__ import annotations

import binascii
import os
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

LARGEST = 1 << 20
"""Bytes of the headers before one member: names and attributes; Linux has no name and no attribute above 64 KiB."""

MOST_BYTES = 1 << 28
"""Bytes of all extended headers of an archive: a record costs five of them, and the time of a hundred."""

MOST = 16
"""Headers before one member. Archivers write three: a long name, a long target and a pax header."""

OFFSET, LENGTH = "GNU.sparse.offset", "GNU.sparse.numbytes"
_SCHILY, _LIBARCHIVE = "SCHILY.xattr.", "LIBARCHIVE.xattr."
_DECIMAL = re.compile(rb"-?[0-9]{1,20}")
_TIME = re.compile(rb"(-?)([0-9]{1,20})(?:\.([0-9]*))?")


class Extended:
    """The headers before one member, a later value in place of an earlier one.

    ``fragments`` are the numbers of a sparse file's map in pax format 0.0, which has a key many times.
    """

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.fragments: list[bytes] = []
        self._bytes = self._headers = 0

    def __bool__(self) -> bool:
        return self._headers > 0

    def admit(self, size: int) -> None:
        """Count a header before it is read. Raises ``ValueError`` if it is one too many or too large."""
        self._headers += 1
        self._bytes += size
        if not 0 <= size <= LARGEST:
            raise ValueError(f"an extended header has {size} bytes, which is no size, or more than {LARGEST}")
        if self._headers > MOST or self._bytes > LARGEST:
            raise ValueError(f"a member has more than {MOST} extended headers, or more than {LARGEST} bytes of them")

    def add(self, kind: str, content: bytes) -> None:
        """Take in a header by its type: x of pax, L and K of GNU."""
        if kind == "L":
            self.values["path"] = content.partition(b"\0")[0]
        elif kind == "K":
            self.values["linkpath"] = content.partition(b"\0")[0]
        else:
            for key, value in _records(content):
                if key in (OFFSET, LENGTH):
                    if key != (LENGTH if len(self.fragments) % 2 else OFFSET):
                        raise ValueError("a sparse file's offsets and lengths do not take turns")
                    self.fragments.append(value)
                else:
                    self.values[key] = value

    def text(self, key: str) -> bytes:
        """A value, or nothing; one that is empty means what the member's own header says."""
        return self.values.get(key, b"")

    def number(self, key: str) -> int | None:
        """A whole number."""
        value = self.text(key)
        return decimal(value, key) if value else None

    def nanoseconds(self, key: str) -> int | None:
        """Seconds with a fraction, in nanoseconds, exactly; what is finer is cut off."""
        value = self.text(key)
        if not value:
            return None
        found = _TIME.fullmatch(value)
        if not found:
            raise ValueError(f"an extended header's {key} is {_shown(value)}, which is no time")
        fraction = int(((found[3] or b"") + b"000000000")[:9])
        time = int(found[2]) * 10**9 + fraction
        return -time if found[1] else time

    def xattrs(self) -> dict[str, bytes]:
        """Extended attributes, by star's key with plain bytes, or by libarchive's with an encoded name and value."""
        found = {}
        for key, value in self.values.items():
            if key.startswith(_LIBARCHIVE):
                name = os.fsdecode(unquote_to_bytes(os.fsencode(key.removeprefix(_LIBARCHIVE))))
                found[name] = _base64(name, value)
        for key, value in self.values.items():
            if key.startswith(_SCHILY):
                found[key.removeprefix(_SCHILY)] = value
        return found


def decimal(value: bytes, what: str) -> int:
    """Digits with or without a minus. Raises ``ValueError`` for all else."""
    if not _DECIMAL.fullmatch(value):
        raise ValueError(f"an extended header's {what} is {_shown(value)}, which is no whole number")
    return int(value)


def _shown(value: bytes) -> str:
    return repr(os.fsdecode(value[:40]))


def _base64(name: str, value: bytes) -> bytes:
    # libarchive leaves out the padding.
    try:
        return binascii.a2b_base64(value.rstrip(b"=") + b"=" * (-len(value.rstrip(b"=")) % 4), strict_mode=True)
    except binascii.Error:
        raise ValueError(f"the attribute {name[:60]!r} has a value that is not base64") from None


def _records(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The records of a pax header, each ``length key=value`` and a line's end (pax(1), "pax Extended Header")."""
    at = 0
    while at < len(content):
        space = content.find(b" ", at, at + 21)
        digits = content[at:space]
        if space < 0 or not digits.isdigit() or not len(digits) + 3 <= int(digits) <= len(content) - at:
            raise ValueError("an extended header's record has a wrong length")
        record, at = content[space + 1 : at + int(digits)], at + int(digits)
        key, equals, value = record[:-1].partition(b"=")
        if not key or not equals or not record.endswith(b"\n"):
            raise ValueError("an extended header's record is not key=value")
        yield os.fsdecode(key), value
