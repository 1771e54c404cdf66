# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with holes in an archive: only their data is there, and a map of where in the file it belongs.

GNU tar has had four formats (its manual, "Storing Sparse Files"): a member of type S with the map in its header,
and pax 0.0, 0.1 and 1.0, the last of which has the map before the data.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator

from .pax import Extended, decimal

BLOCK = 512
MOST_FRAGMENTS = 1 << 16
_MAP = "map of a sparse file"

Fragment = tuple[int, int]
"""Where in the file, and how many bytes."""

Take = Callable[[int], bytes]
Number = Callable[[bytes], int]


def of_header(block: bytes, take: Take, number: Number) -> tuple[int, list[Fragment]]:
    """The length of a file and its map, from a header of type S and the blocks that go on with it."""
    length, more, entries = number(block[483:495]), block[482], list(_entries(block[386:482], number))
    blocks = 0
    while more:
        blocks += 1
        if blocks * 21 > MOST_FRAGMENTS:
            raise _too_many()
        block = take(BLOCK)
        entries += _entries(block[:504], number)
        more = block[504]
    return length, entries


def _entries(fields: bytes, number: Number) -> Iterator[Fragment]:
    for at in range(0, len(fields), 24):
        if not fields[at]:
            break
        yield number(fields[at : at + 12]), number(fields[at + 12 : at + 24])


def of_pax(extended: Extended, take: Take) -> tuple[int, list[Fragment], int] | None:
    """The length of a file, its map and the bytes of the member's content that were the map; None without holes."""
    major, minor, mapped = (extended.text(f"GNU.sparse.{key}") for key in ("major", "minor", "map"))
    listed = extended.fragments or (mapped.split(b",") if mapped else [])
    if not (major or minor or listed):
        return None
    if (major, minor) not in ((b"", b""), (b"0", b"0"), (b"0", b"1"), (b"1", b"0")):
        raise ValueError("it holds a sparse file of a format that is not known")
    length = extended.number("GNU.sparse.size")
    length = extended.number("GNU.sparse.realsize") if length is None else length
    if length is None:
        raise ValueError("it holds a sparse file without a size")
    if major == b"1":
        return length, *_before_content(take)
    count = extended.number("GNU.sparse.numblocks")
    if len(listed) > 2 * MOST_FRAGMENTS:
        raise _too_many()
    if len(listed) % 2 or (count is not None and count * 2 != len(listed)):
        raise ValueError("a sparse file's map has not as many numbers as it should")
    numbers = [decimal(each, _MAP) for each in listed]
    return length, list(zip(numbers[::2], numbers[1::2], strict=True)), 0


def _before_content(take: Take) -> tuple[list[Fragment], int]:
    """The map of pax 1.0: a line of digits each, the first of which is how many pairs follow, in whole blocks."""
    text, taken = b"", 0

    def number() -> int:
        nonlocal text, taken
        while b"\n" not in text:
            if taken and len(text) >= BLOCK:
                raise ValueError(f"an extended header's {_MAP} has a line without an end")
            text += take(BLOCK)
            taken += BLOCK
        line, _, text = text.partition(b"\n")
        return decimal(line, _MAP)

    count = number()
    if not 0 <= count <= MOST_FRAGMENTS:
        raise _too_many()
    return [(number(), number()) for _ in range(count)], taken


def check(name: str, length: int, fragments: list[Fragment], size: int) -> None:
    """Raise ``ValueError`` unless the fragments follow each other within the file and are all of its content."""
    if length < 0:
        raise ValueError(f"{name} has a size, owner or group out of range")
    end = 0
    for offset, count in fragments:
        if offset < end or count < 0 or offset + count > length:
            raise ValueError(f"{name} is a sparse file whose parts overlap or lie outside of it")
        end = offset + count
    if sum(count for _, count in fragments) != size:
        raise ValueError(f"{name} is a sparse file whose map does not fit its content of {size} bytes")


def _too_many() -> ValueError:
    return ValueError(f"it holds a sparse file of more than {MOST_FRAGMENTS} parts")
