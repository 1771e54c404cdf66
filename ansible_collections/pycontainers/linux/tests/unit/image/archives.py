# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives byte by byte, also such as no archiver writes."""
from __future__ import annotations

import tarfile

BLOCK = 512


def header(name: bytes = b"f", kind: bytes = b"0", **fields: bytes) -> bytes:
    """Write a ustar header whose checksum is right; fields are written as they are given."""
    places = {"mode": 100, "uid": 108, "gid": 116, "size": 124, "mtime": 136, "target": 157, "major": 329, "minor": 337}
    block = bytearray(tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT))
    block[: len(name)], block[156:157] = name, kind
    for field, value in fields.items():
        block[places[field] : places[field] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def octal(number: int) -> bytes:
    """Write a number of a field of 12 bytes."""
    return b"%011o\0" % number


def padded(content: bytes) -> bytes:
    """Fill the last block."""
    return content + bytes(-len(content) % BLOCK)


def extension(content: bytes, kind: bytes = b"x") -> bytes:
    """Write an extended header."""
    return header(b"extension", kind, size=octal(len(content))) + padded(content)


def record(key: str | bytes, value: object) -> bytes:
    """Write a record of a pax header."""
    name = key.encode() if isinstance(key, str) else key
    line = b" %b=%b\n" % (name, value if isinstance(value, bytes) else str(value).encode())
    length = len(line) + 1
    while len(str(length)) + len(line) != length:
        length += 1
    return str(length).encode() + line


def with_pax(*records: tuple[str, object], content: bytes = b"x" * BLOCK, kind: bytes = b"0") -> bytes:
    """Write the member ``f`` with a pax header of these records, which may have a key twice."""
    text = b"".join(record(key, value) for key, value in records)
    return extension(text) + header(kind=kind, size=octal(len(content))) + content
