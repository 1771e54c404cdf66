# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.tar import Member, Source, members

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT}


def pieces(archive: bytes, size: int) -> Iterator[bytes]:
    """Cut an archive into pieces."""
    return (archive[start : start + size] for start in range(0, len(archive), size))


def read(archive: bytes, size: int = 1000) -> list[tuple[Member, bytes]]:
    """Read all members with their contents."""
    source = Source(pieces(archive, size))
    found = []
    for member in members(source):
        found.append((member, b"".join(bytes(piece) for piece in source.content(member.size))))
        source.pad(member.size)
    return found


def written(entries: list[tarfile.TarInfo], contents: dict[str, bytes], kind: int) -> bytes:
    """Write an archive by the standard library."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        for entry in entries:
            entry.size = len(contents.get(entry.name, b""))
            archive.addfile(entry, io.BytesIO(contents.get(entry.name, b"")))
    return file.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, **fields: object) -> tarfile.TarInfo:
    """Make one header."""
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in fields.items():
        setattr(found, key, value)
    return found


@pytest.mark.parametrize("kind", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("size", [1, 511, 512, 513, 1 << 20])
def test_members_are_what_was_written(kind: int, size: int) -> None:
    """All types, in all formats, however the stream is cut."""
    entries = [
        entry("d", tarfile.DIRTYPE, mode=0o1755, uid=1, gid=2, mtime=3),
        entry("d/f", mode=0o4711, uid=1000, gid=1001, mtime=1_700_000_000),
        entry("d/empty"),
        entry("d/l", tarfile.SYMTYPE, linkname="../f"),
        entry("d/h", tarfile.LNKTYPE, linkname="d/f"),
        entry("d/p", tarfile.FIFOTYPE),
        entry("d/c", tarfile.CHRTYPE, devmajor=1, devminor=3),
        entry("d/b", tarfile.BLKTYPE, devmajor=8, devminor=300),
        entry("d/" + "n" * 90),
    ]
    contents = {"d/f": b"x" * 1025, "d/" + "n" * 90: b"last"}
    found = read(written(entries, contents, kind), size)
    assert [member.name.rstrip("/") for member, _ in found] == [each.name for each in entries]
    for (member, content), each in zip(found, entries, strict=True):
        assert content == contents.get(each.name, b"")
        assert (member.mode, member.uid, member.gid) == (each.mode, each.uid, each.gid)
        assert member.mtime == each.mtime * 10**9
        assert member.target == each.linkname
        assert member.device == (each.devmajor, each.devminor)


@pytest.mark.parametrize("kind", ["pax", "gnu"])
def test_long_and_foreign_names_and_large_numbers_are_read(kind: str) -> None:
    """Names beyond a header's 100 bytes, names that are no ASCII, and owners beyond its octal digits."""
    entries = [
        entry("d/" * 100 + "fä", mode=0o644, uid=3_000_000_000, gid=4_000_000_000, mtime=-5),
        entry("l", tarfile.SYMTYPE, linkname="x" * 300),
    ]
    found = read(written(entries, {}, FORMATS[kind]))
    first, second = (member for member, _ in found)
    assert (first.name, first.uid, first.gid) == (entries[0].name, 3_000_000_000, 4_000_000_000)
    assert first.mtime == -5 * 10**9
    assert second.target == "x" * 300


def test_names_of_posix_headers_have_their_prefix() -> None:
    """A ustar name of more than 100 bytes is in two fields."""
    name = "p" * 120 + "/" + "n" * 60
    assert read(written([entry(name)], {}, tarfile.USTAR_FORMAT))[0][0].name == name


def test_extended_headers_give_attributes_and_exact_times() -> None:
    """Attributes keep every byte; times keep every nanosecond, also before 1970."""
    header = entry("f", pax_headers={"mtime": "1700000000.123456789", "SCHILY.xattr.user.a": "b=c"})
    other = entry("g", pax_headers={"mtime": "-1.5"})
    first, second = (member for member, _ in read(written([header, other], {}, tarfile.PAX_FORMAT)))
    assert first.mtime == 1_700_000_000_123_456_789
    assert first.xattrs == {"user.a": b"b=c"}
    assert second.mtime == -1_500_000_000
    assert second.xattrs == {}


def test_global_headers_are_passed_over() -> None:
    """A pax header of type g changes no member: nor does it for Docker, containerd and what scans images."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"uid": "7"}) as archive:
        archive.addfile(entry("f"))
        archive.addfile(entry("g"))
    assert [member.uid for member, _ in read(file.getvalue())] == [0, 0]


def test_an_archive_may_end_without_its_marks() -> None:
    """Umoci and others leave out the zeros at the end, and even the last member's padding."""
    archive = written([entry("f")], {"f": b"content"}, tarfile.USTAR_FORMAT)
    for end in (512 + 7, 512 + 100, 1024, 1536):
        assert [content for _, content in read(archive[:end])] == [b"content"]
    assert read(b"") == []


ARCHIVE = written([entry("f", mode=0o644), entry("g")], {"f": b"x" * 600, "g": b"y"}, tarfile.USTAR_FORMAT)


def broken(at: int, by: bytes) -> bytes:
    """Make an archive with some bytes of its first header replaced and its checksum made right."""
    header = bytearray(ARCHIVE[:512])
    header[at : at + len(by)] = by
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + ARCHIVE[512:]


BROKEN = {
    "cut in a header": (ARCHIVE[:300], "ends in the middle"),
    "cut in the content": (ARCHIVE[: 512 + 100], "ends in the middle"),
    "cut in the second header": (ARCHIVE[: 512 + 1024 + 20], "ends in the middle"),
    "checksum": (b"y" + ARCHIVE[1:], "checksum"),
    "later checksum": (ARCHIVE[:1536] + b"z" + ARCHIVE[1537:], "checksum"),
    "size not octal": (broken(124, b"zzz"), "not octal"),
    "negative size": (broken(124, b"\xff" * 12), "out of range"),
    "unknown type": (broken(156, b"V"), "unknown type"),
    "sparse type without a map": (broken(156, b"S"), "map does not fit its content of 600 bytes"),
    "giant extended header": (broken(156, b"x")[:124] + broken(156, b"x")[124:], "wrong length"),
    "owner too large": (broken(108, b"\x80\0\0\1\0\0\0\0"), "out of range"),
    "a block of zeros in the middle": (ARCHIVE[:1536] + bytes(512) + ARCHIVE[1536:], "half the mark"),
    "random": (os.urandom(2048), "checksum|octal"),
}


@pytest.mark.parametrize(("archive", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_archive_is_refused(archive: bytes, reason: str) -> None:
    """Nothing wrong with an archive is passed over as its end."""
    with pytest.raises(ValueError, match=reason):
        read(archive)


def test_an_extended_header_cannot_fill_the_memory() -> None:
    """A header that says a gigabyte of names follows is refused before it is read."""
    archive = bytearray(broken(156, b"x"))
    archive[124:136] = b"10000000000\0"
    archive[148:156] = b" " * 8
    archive[148:156] = b"%06o\0 " % sum(archive[:512])
    with pytest.raises(ValueError, match="more than"):
        read(bytes(archive))


@given(st.binary(max_size=4096))
def test_no_bytes_make_the_reader_fail_otherwise(archive: bytes) -> None:
    """Whatever comes, members come out or a ``ValueError`` does."""
    try:
        read(archive)
    except ValueError:
        return


@given(st.integers(0, 511), st.binary(min_size=1, max_size=8))
def test_no_header_makes_the_reader_fail_otherwise(at: int, by: bytes) -> None:
    """The same for headers whose checksum is right."""
    try:
        read(broken(at, by)[: len(ARCHIVE)])
    except ValueError:
        return


@given(
    st.lists(st.tuples(st.text("abä/.", min_size=1, max_size=200), st.binary(max_size=1500)), max_size=6),
    st.sampled_from(["pax", "gnu"]),
)
def test_the_standard_library_reads_the_same(files: list[tuple[str, bytes]], kind: str) -> None:
    """Our reader and tarfile agree on names and contents."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=FORMATS[kind]) as writer:
        for name, content in files:
            header = entry(name)
            header.size = len(content)
            writer.addfile(header, io.BytesIO(content))
    archive.seek(0)
    with tarfile.open(fileobj=archive) as reader:
        theirs = [(each.name, reader.extractfile(each).read() if each.isreg() else b"") for each in reader]  # type: ignore[union-attr]
    ours = [(member.name.rstrip("/"), content) for member, content in read(archive.getvalue())]
    assert ours == [(name.rstrip("/"), content) for name, content in theirs]
