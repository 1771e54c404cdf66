# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What extended headers say of a member, and what they may not say."""
from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import pax
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.tar import Source, members
from ansible_collections.pycontainers.linux.tests.unit.image.archives import extension, header, octal, record, with_pax
from ansible_collections.pycontainers.linux.tests.unit.image.test_tar import read


def test_every_field_of_a_header_can_be_extended() -> None:
    """Name, target, owner, group, time and size; the header's own stay where a value is empty."""
    said = [("path", "n" * 300), ("linkpath", "t" * 300), ("uid", 4_000_000_000), ("gid", 7), ("mtime", "1.5")]
    member = read(with_pax(*said, kind=b"2", content=b""))[0][0]
    assert (member.name, member.target) == ("n" * 300, "t" * 300)
    assert (member.uid, member.gid, member.mtime) == (4_000_000_000, 7, 1_500_000_000)
    member, content = read(with_pax(("size", 512), ("path", ""), ("uid", ""), ("mtime", "")))[0]
    assert (member.name, member.uid, member.mtime, len(content)) == ("f", 0, 0, 512)


def test_the_last_of_a_key_counts() -> None:
    """A later value takes an earlier one's place, in one header or in several."""
    assert read(with_pax(("path", "a"), ("path", "b")))[0][0].name == "b"
    assert read(extension(b"a\0", b"L") + with_pax(("path", "b")))[0][0].name == "b"


def test_names_are_bytes() -> None:
    """A name that is no UTF-8 stays what it is."""
    assert read(with_pax(("path", b"\xff\xfe/\n")))[0][0].name.encode(errors="surrogateescape") == b"\xff\xfe/\n"
    assert read(header(b"\xe4"))[0][0].name.encode(errors="surrogateescape") == b"\xe4"


TIMES = {
    "0": 0, "1": 10**9, "1.5": 1_500_000_000, "-1.5": -1_500_000_000, "-0.5": -500_000_000,
    "1700000000.123456789999": 1_700_000_000_123_456_789, "3.": 3 * 10**9,
}  # fmt: skip


@pytest.mark.parametrize(("text", "nanoseconds"), TIMES.items(), ids=TIMES)
def test_times_are_exact(text: str, nanoseconds: int) -> None:
    """Seconds with a fraction are nanoseconds, without passing through a float."""
    assert read(with_pax(("mtime", text)))[0][0].mtime == nanoseconds


def test_attributes_of_both_kinds_are_read() -> None:
    """Star's are plain bytes, libarchive's are encoded; where a file has both, star's count."""
    said = [
        ("LIBARCHIVE.xattr.user.a%3Db", "AAEC/w"), ("LIBARCHIVE.xattr.user.c", "b2xk"),
        ("SCHILY.xattr.user.c", b"\0new\n"), ("LIBARCHIVE.xattr.user.padded", "AA=="), ("SCHILY.xattr.user.empty", ""),
    ]  # fmt: skip
    wanted = {"user.a=b": b"\0\1\2\xff", "user.c": b"\0new\n", "user.padded": b"\0", "user.empty": b""}
    assert read(with_pax(*said))[0][0].xattrs == wanted


BROKEN = {
    "a size in words": (with_pax(("size", "many")), "size is 'many', which is no whole number"),
    "a size with a sign": (with_pax(("size", "+512")), "no whole number"),
    "a size with a space": (with_pax(("size", " 512")), "no whole number"),
    "a size with an underscore": (with_pax(("size", "5_12")), "no whole number"),
    "a size in other digits": (with_pax(("size", "٥١٢")), "no whole number"),
    "a negative size": (with_pax(("size", "-512")), "out of range"),
    "an endless size": (with_pax(("size", "9" * 5000)), "no whole number"),
    "an owner too large": (with_pax(("uid", 2**32)), "out of range"),
    "the owner that is none": (with_pax(("uid", 2**32 - 1)), "out of range"),
    "a negative owner": (with_pax(("gid", -1)), "out of range"),
    "a time in words": (with_pax(("mtime", "now")), "no time"),
    "a time without seconds": (with_pax(("mtime", ".5")), "no time"),
    "a time with an exponent": (with_pax(("mtime", "1e9")), "no time"),
    "a time beyond all": (with_pax(("mtime", 2**63)), "time out of range"),
    "a time beyond all, in base 256": (header(mtime=b"\x80" + b"\xff" * 11), "time out of range"),
    "a time before all, in base 256": (header(mtime=b"\xff\x80" + bytes(10)), "time out of range"),
    "a NUL in a name": (with_pax(("path", b"a\0b")), "NUL byte"),
    "a NUL in a target": (with_pax(("linkpath", b"a\0b"), kind=b"2"), "NUL byte"),
    "a link to nothing": (header(kind=b"2"), "'f' is a link to nothing"),
    "a hard link to nothing": (header(kind=b"1"), "'f' is a link to nothing"),
    "a device out of range": (header(kind=b"3", major=b"\x80\0\0\0\0\0\x10\0"), "numbers are out of range"),
    "a negative device": (header(kind=b"4", minor=b"\xff" * 8), "device whose numbers are out of range"),
    "an attribute that is not base64": (with_pax(("LIBARCHIVE.xattr.user.a", "%%%%")), "'user.a' has a value"),
    "half a base64": (with_pax(("LIBARCHIVE.xattr.user.a", "A")), "'user.a' has a value"),
    "a record of length 0": (extension(b"0 a=b\n"), "wrong length"),
    "a record of length 1": (extension(b"1 a=b\n"), "wrong length"),
    "a record longer than all": (extension(b"99 a=b\n"), "wrong length"),
    "a record with an endless length": (extension(b"9" * 5000 + b" a=b\n"), "wrong length"),
    "a record with a signed length": (extension(b"+6 a=b\n"), "wrong length"),
    "a record without a value": (extension(b"6 abc\n"), "not key=value"),
    "a record without a key": (extension(b"6 =bc\n"), "not key=value"),
    "a record without an end": (extension(b"6 a=bc"), "not key=value"),
    "a header of a negative size": (header(kind=b"x", size=b"\xff" * 12), "no size"),
    "a header of a gigabyte": (header(kind=b"x", size=octal(1 << 30)), "more than 1048576"),
    "a name of a gigabyte": (header(kind=b"L", size=octal(1 << 30)), "more than 1048576"),
    "headers of a megabyte together": (extension(b"n" * 400_000, b"L") * 3 + header(), "1048576 bytes of them"),
    "headers without end": (extension(b"", b"x") * 1000 + header(), "more than 16 extended headers"),
    "headers for all without end": (extension(record("a", "b"), b"g") * 1000 + header(), "more than 16 extended"),
    "a header for nothing": (extension(record("path", "x")), "ends after an extended header"),
}  # fmt: skip


@pytest.mark.parametrize(("archive", "reason"), BROKEN.values(), ids=BROKEN)
def test_what_no_archiver_writes_is_refused(archive: bytes, reason: str) -> None:
    """Nothing is guessed, since other readers would guess otherwise."""
    with pytest.raises(ValueError, match=reason):
        read(archive)


def test_headers_do_not_pile_up_in_memory() -> None:
    """Headers of nearly a megabyte each, for each of two hundred members, take the memory of some."""
    value = extension(record("SCHILY.xattr.user.a", b"x" * 1_000_000)) + header()

    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield value

    tracemalloc.start()
    count = sum(1 for _ in members(Source(pieces())))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200
    assert peak < 8 * pax.LARGEST


def test_the_headers_of_an_archive_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of five bytes cost more time than all else of the same size."""
    monkeypatch.setattr(pax, "MOST_BYTES", 1000)
    assert len(read(with_pax(("path", "n" * 480)) * 2)) == 2
    with pytest.raises(ValueError, match="its extended headers have more than 1000 bytes"):
        read(with_pax(("path", "n" * 480)) * 3)
