# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with holes, in each of the formats that GNU tar writes, and maps that say what can't be."""
from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import pax, sparse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.tar import Member
from ansible_collections.pycontainers.linux.tests.unit.image.archives import with_pax
from ansible_collections.pycontainers.linux.tests.unit.image.test_tar import broken, read

FORMATS = {
    "gnu": ["--format=gnu"],
    "0.0": ["--format=pax", "--sparse-version=0.0"],
    "0.1": ["--format=pax", "--sparse-version=0.1"],
    "1.0": ["--format=pax", "--sparse-version=1.0"],
}
LAYOUTS = {
    "holes around": (300_000, [(65_536, b"a" * 70_000), (262_144, b"b" * 5)]),
    "a hole at the end": (10 << 20, [(0, b"begin")]),
    "nothing but a hole": (1 << 20, []),
    "many": (4 << 20, [(at, b"%d" % at) for at in range(0, 4 << 20, 65_536)]),
}


def filled(length: int, parts: list[tuple[int, bytes]]) -> bytes:
    """Write the content of a file with holes as a whole."""
    content = bytearray(length)
    for at, part in parts:
        content[at : at + len(part)] = part
    return bytes(content)


def scattered(member: Member, content: bytes) -> bytes:
    """Put a member's content where its map says."""
    assert member.fragments is not None
    parts, at = [], 0
    for offset, count in member.fragments:
        parts.append((offset, content[at : at + count]))
        at += count
    return filled(member.length, parts)


@pytest.mark.parametrize(("length", "parts"), LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("options", FORMATS.values(), ids=FORMATS)
def test_files_with_holes_are_what_gnu_tar_wrote(
    tmp_path: Path, options: list[str], length: int, parts: list[tuple[int, bytes]]
) -> None:
    """The map and the data make the file again, in all four formats; what follows in the archive is found."""
    if "GNU" not in subprocess.run(["tar", "--version"], capture_output=True, text=True, check=False).stdout:
        pytest.skip("GNU tar is not installed")
    with open(tmp_path / "file", "wb") as file:
        file.truncate(length)
        for at, part in parts:
            file.seek(at)
            file.write(part)
    (tmp_path / "next").write_bytes(b"next")
    command = ["tar", "--create", "--sparse", *options, "--directory", str(tmp_path), "file", "next"]
    archive = subprocess.run(command, capture_output=True, check=True).stdout
    (member, content), (after, last) = read(archive)
    assert (member.name, member.length) == ("file", length)
    assert len(content) < length
    assert scattered(member, content) == filled(length, parts)
    assert (after.name, last) == ("next", b"next")


def old_gnu(fields: bytes, more: bytes = b"\0", length: int = 1000) -> bytes:
    """Write a header of type S for 600 bytes of content, with a map of these fields."""
    sparse_map = fields.ljust(96, b"\0") + more + b"%011o\0" % length
    return broken(156, b"S" + bytes(100) + b"ustar  \0" + bytes(121) + sparse_map)


def entry(offset: int, count: int) -> bytes:
    """Write an entry of GNU's old map."""
    return b"%011o\0%011o\0" % (offset, count)


MAP, SIZE = "GNU.sparse.map", ("GNU.sparse.size", 1000)
ONE = [("GNU.sparse.major", 1), ("GNU.sparse.minor", 0), ("GNU.sparse.realsize", 1000)]


def block(text: bytes) -> bytes:
    """Fill a map up to whole blocks, and add a block of content."""
    return text + bytes(-len(text) % 512) + b"x" * 512


BROKEN = {
    "old: overlapping": (old_gnu(entry(0, 400) + entry(300, 200)), "overlap"),
    "old: backwards": (old_gnu(entry(500, 400) + entry(0, 200)), "overlap"),
    "old: beyond the end": (old_gnu(entry(500, 600)), "outside"),
    "old: negative": (old_gnu(b"\xff" * 12 + b"%011o\0" % 600), "overlap"),
    "old: too little": (old_gnu(entry(0, 100)), "does not fit its content of 600 bytes"),
    "old: too much": (old_gnu(entry(0, 900)), "does not fit its content of 600 bytes"),
    "old: endless": (old_gnu(b"", b"\1")[:512] + (bytes(504) + b"\1" * 8) * 4000, "more than 65536 parts"),
    "0.1: odd": (with_pax((MAP, "0,512,5"), SIZE), "not as many numbers"),
    "0.1: another count": (with_pax((MAP, "0,512"), SIZE, ("GNU.sparse.numblocks", 2)), "not as many numbers"),
    "0.1: no number": (with_pax((MAP, "0,5_12"), SIZE), "no whole number"),
    "0.1: no size": (with_pax((MAP, "0,512")), "without a size"),
    "0.1: negative size": (with_pax((MAP, "0,512"), ("GNU.sparse.size", -1)), "out of range"),
    "0.1: too many": (with_pax((MAP, ",".join(["0"] * (2 << 17))), SIZE), "more than 65536 parts"),
    "0.0: out of turn": (with_pax((pax.OFFSET, 0), (pax.OFFSET, 0), SIZE), "do not take turns"),
    "0.0: half": (with_pax((pax.OFFSET, 0), SIZE), "not as many numbers"),
    "1.0: no map": (with_pax(*ONE), "line without an end"),
    "1.0: too many": (with_pax(*ONE, content=block(b"99999999\n")), "more than 65536 parts"),
    "1.0: negative": (with_pax(*ONE, content=block(b"-1\n")), "more than 65536 parts"),
    "1.0: no number": (with_pax(*ONE, content=block(b"1\n0x0\n512\n")), "no whole number"),
    "1.0: longer than the content": (with_pax(*ONE, content=block(b"90\n"))[:-512], "no whole number|in the middle"),
    "2.0": (with_pax(("GNU.sparse.major", 2), ("GNU.sparse.minor", 0), SIZE), "not known"),
    "of a folder": (with_pax((MAP, "0,0"), SIZE, kind=tarfile.DIRTYPE, content=b""), "by its extended header only"),
}  # fmt: skip


@pytest.mark.parametrize(("archive", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_map_that_cannot_be_is_refused(archive: bytes, reason: str) -> None:
    """Parts follow each other, lie in the file and are all of the content; their number is limited."""
    with pytest.raises(ValueError, match=reason):
        read(archive)


def test_an_old_map_in_its_header_is_read() -> None:
    """A map of two entries needs no more blocks."""
    member, content = read(old_gnu(entry(100, 200) + entry(400, 400)))[0]
    assert (member.length, member.fragments, len(content)) == (1000, [(100, 200), (400, 400)], 600)


def test_the_name_of_a_file_with_holes_is_its_own() -> None:
    """The header's name is one for readers that don't know the format, so that they don't write a wrong file."""
    member = read(with_pax((MAP, "0,512"), SIZE, ("GNU.sparse.name", "real"), ("path", "GNUSparseFile.1/f")))[0][0]
    assert member.name == "real"
    assert read(with_pax(("GNU.sparse.name", "real")))[0][0].name == "f"


def test_as_many_parts_as_are_allowed_are_read() -> None:
    """The limit itself is within it."""
    text = b"%d\n" % sparse.MOST_FRAGMENTS + b"0\n0\n" * sparse.MOST_FRAGMENTS
    archive = with_pax(*ONE, content=text + bytes(-len(text) % 512))
    member = read(archive)[0][0]
    assert (len(member.fragments or []), member.size) == (sparse.MOST_FRAGMENTS, 0)
