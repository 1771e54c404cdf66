# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers that mean harm: what each holds, and what becomes of it.

A case is a function from the path of a folder outside to an archive, and either the reason for which the layer is
refused or the content of files that it then has. A layer below, packing and limits are said where they matter.
"""
from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.pycontainers.linux.tests.kernel.test_image_layers import (
    BLK,
    CAP_NET_RAW,
    CHR,
    DIR,
    FIFO,
    LNK,
    SYM,
    member,
    xattr,
)
from ansible_collections.pycontainers.linux.tests.unit.image.archives import (
    extension,
    header,
    octal,
    padded,
    record,
    with_pax,
)

NEIGHBOUR = "0" * 64
"""A layer that is in the store already."""

LIMIT, MEMBERS = 8 << 20, 2000
"""What a layer may unpack to here, and how many files it may have."""

Files = dict[str, bytes]


@dataclass(frozen=True)
class Case:
    """A layer, and the reason or the files that come of it."""

    archive: Callable[[str], bytes]
    outcome: str | Files
    below: Callable[[str], bytes] | None = None
    pack: Callable[[bytes], bytes] = gzip.compress


def big(name: bytes, size: int, kind: bytes = b"0") -> bytes:
    """Write the header of a member that says it has this size."""
    return header(name, kind, size=octal(size) if size < 8**11 else b"\x80" + size.to_bytes(11, "big"))


def holes(length: int) -> bytes:
    """Write a file of a block and a hole."""
    return with_pax(("GNU.sparse.map", "0,512"), ("GNU.sparse.size", length))


def zeros_in_a_row(raw: bytes) -> bytes:
    """Compress an archive, and 16 MB of zeros after it, each megabyte by itself."""
    return gzip.compress(raw) + gzip.compress(bytes(1 << 20)) * 16


LEADS, LINK, NONE = "leads out of a folder by '..'", "which is a symbolic link", "no earlier file of the layer"
ROOT, RANGE, CUT = "would replace the layer's own root", "out of range", "ends in the middle of a member"

NAMES = {
    "up": Case(lambda out: member("../evil", text=b"!"), LEADS),
    "up from within": Case(lambda out: member("a/../../evil", text=b"!"), LEADS),
    "up, absolute": Case(lambda out: member("/../../../evil", text=b"!"), LEADS),
    "up and back": Case(lambda out: member("a/../b"), LEADS),
    "up to another layer": Case(lambda out: member(f"../{NEIGHBOUR}/f", text=b"!"), LEADS),
    "up by a long name": Case(lambda out: member("x/" * 100 + "../" * 120 + "evil"), LEADS),
    "up by a pax name": Case(lambda out: with_pax(("path", "../evil")), LEADS),
    "up by a long name of GNU": Case(lambda out: extension(b"../evil\0", b"L") + header(), LEADS),
    "up by the name of a sparse file": Case(
        lambda out: with_pax(("GNU.sparse.map", "0,512"), ("GNU.sparse.size", 512), ("GNU.sparse.name", "../evil")),
        LEADS,
    ),
    "up as a folder": Case(lambda out: member("..", DIR, mode=0o777), LEADS),
    "absolute": Case(lambda out: member(f"{out}/evil", text=b"!"), {}),
    "many slashes": Case(lambda out: member(f"//{out}///./evil", text=b"!"), {}),
    "the root as a link": Case(lambda out: member(".", SYM, out) + member("evil"), ROOT),
    "the root as a file": Case(lambda out: member("./", text=b"!"), ROOT),
    "the root as a device": Case(lambda out: member("/", BLK, devmajor=8), ROOT),
    "the root as a hard link": Case(lambda out: member(".", LNK, "f"), ROOT),
    "the root without a name": Case(lambda out: header(b"", b"2", target=b"/etc"), ROOT),
    "the root of everybody": Case(lambda out: member(".", DIR, mode=0o777, uid=1000), {}),
    "a name of 300 bytes": Case(lambda out: member("n" * 300), "can't be made"),
    "a path of 300 folders": Case(lambda out: member("d/" * 300 + "f"), "more than 255 folders"),
    "a path of 4100 bytes": Case(lambda out: member(("n" * 200 + "/") * 21), "path of more than 4095 bytes"),
    "a path of a megabyte": Case(lambda out: member(("n" * 200 + "/") * 5000), "more than 255 folders"),
    "a NUL in a name": Case(lambda out: with_pax(("path", b"a\0b")), "NUL byte"),
    "a NUL in a target": Case(lambda out: with_pax(("linkpath", b"a\0b"), kind=SYM, content=b""), "NUL byte"),
    "a name that is not UTF-8": Case(
        lambda out: header(b"\xff\xfe", size=octal(1)) + padded(b"x"), {"\udcff\udcfe": b"x"},
    ),
    "a name of control characters": Case(
        lambda out: header(b"\x1b[2J\n\r", size=octal(1)) + padded(b"x"), {"\x1b[2J\n\r": b"x"},
    ),
}  # fmt: skip

LINKS = {
    "a file through a link": Case(lambda out: member("l", SYM, out) + member("l/evil", text=b"!"), f"'l', {LINK}"),
    "a folder through a link": Case(lambda out: member("l", SYM, out) + member("l/d", DIR), LINK),
    "the linked folder itself": Case(lambda out: member("l", SYM, out) + member("l/", DIR, mode=0o777), {}),
    "a file through two links": Case(
        lambda out: member("a", SYM, "b") + member("b", SYM, out) + member("a/evil"), LINK,
    ),
    "a file through a chain of links": Case(
        lambda out: b"".join(member(f"l{n}", SYM, f"l{n + 1}") for n in range(50)) + member("l50", SYM, out)
        + member("l0/evil"), LINK,
    ),
    "a file through a link and ..": Case(lambda out: member("l", SYM, out) + member("l/../evil"), LEADS),
    "a file through a relative link": Case(
        lambda out: member("d", DIR) + member("d/l", SYM, "../../..") + member("d/l/evil"), LINK,
    ),
    "a file through a link to the root": Case(lambda out: member("l", SYM, "/") + member(f"l{out}/evil"), LINK),
    "a file through a link of procfs": Case(lambda out: member("l", SYM, "/proc/self/root") + member("l/evil"), LINK),
    "a file through a link that becomes one": Case(
        lambda out: member("d/f") + member("d", SYM, out) + member("d/evil", text=b"!"), LINK,
    ),
    "a whiteout through a link": Case(lambda out: member("l", SYM, out) + member("l/.wh.secret"), LINK),
    "an opaque mark through a link": Case(lambda out: member("l", SYM, out) + member("l/.wh..wh..opq"), LINK),
    "a link through a link": Case(lambda out: member("l", SYM, out) + member("l/k", SYM, "x"), LINK),
    "a device through a link": Case(lambda out: member("l", SYM, out) + member("l/sda", BLK, devmajor=8), LINK),
    "a pipe through a link": Case(lambda out: member("l", SYM, out) + member("l/p", FIFO), LINK),
    "a file in a link's place": Case(
        lambda out: member("l", SYM, f"{out}/secret") + member("l", text=b"mine"), {"l": b"mine"},
    ),
    "a folder in a link's place": Case(
        lambda out: member("l", SYM, out) + member("l", DIR, mode=0o777) + member("l/secret", text=b"mine"),
        {"l/secret": b"mine"},
    ),
    "a link to itself": Case(lambda out: member("l", SYM, "l") + member("l/f"), LINK),
    "a link to nothing": Case(lambda out: header(b"l", SYM), "is a link to nothing"),
    "a link of 5000 bytes": Case(lambda out: member("l", SYM, "t" * 5000), "can't be made"),
    "a file through a link below": Case(
        lambda out: member("l/f", text=b"mine"), {}, below=lambda out: member("l", SYM, out),
    ),
    "a file through a link below that leads up": Case(
        lambda out: member("l/evil", text=b"mine"), {"evil": b"mine"}, below=lambda out: member("l", SYM, "../../.."),
    ),
    "a whiteout through a link below": Case(
        lambda out: member("l/.wh.secret"), {}, below=lambda out: member("l", SYM, out),
    ),
    "a hard link through a link below": Case(
        lambda out: member("h", LNK, "l/secret"), NONE, below=lambda out: member("l", SYM, out),
    ),
    "a file through a link below to procfs": Case(
        lambda out: member("l/f", text=b"mine"), {"proc/self/root/f": b"mine"},
        below=lambda out: member("l", SYM, "/proc/self/root"),
    ),
    "links below in a circle": Case(
        lambda out: member("a/f"), "more than 40 links",
        below=lambda out: member("a", SYM, "b") + member("b", SYM, "/a/"),
    ),
}  # fmt: skip

HARD_LINKS = {
    "out": Case(lambda out: member("h", LNK, f"{out}/secret"), NONE),
    "up": Case(lambda out: member("h", LNK, "../../outside/secret"), LEADS),
    "to another layer": Case(lambda out: member("h", LNK, f"../{NEIGHBOUR}/f"), LEADS),
    "to a file below": Case(lambda out: member("h", LNK, "f"), NONE, below=lambda out: member("f", text=b"other")),
    "to a later file": Case(lambda out: member("h", LNK, "f") + member("f"), NONE),
    "to a file that is gone": Case(
        lambda out: member("f") + member("f", SYM, out) + member("h", LNK, "f/secret"), LINK,
    ),
    "to a file of a folder that is gone": Case(
        lambda out: member("d/f") + member("d") + member("h", LNK, "d/f"), "a file",
    ),
    "through a link": Case(
        lambda out: member("l", SYM, out) + member("h", LNK, "l/secret"), f"leads through 'l', {LINK}",
    ),
    "through a link within": Case(
        lambda out: member("d/f") + member("l", SYM, "d") + member("h", LNK, "l/f"), f"leads through 'l', {LINK}",
    ),
    "to itself": Case(lambda out: member("h") + member("h", LNK, "h"), NONE),
    "to itself by another name": Case(lambda out: member("d/h") + member("./d//h", LNK, "/d/./h"), NONE),
    "to itself, not there": Case(lambda out: member("h", LNK, "h"), NONE),
    "to a folder": Case(lambda out: member("d", DIR) + member("h", LNK, "d"), NONE),
    "to the root": Case(lambda out: member("h", LNK, "."), NONE),
    "to nothing": Case(lambda out: header(b"h", LNK), "is a link to nothing"),
    "to a whiteout": Case(lambda out: member(".wh.f") + member("h", LNK, "f"), NONE),
    "to a link out": Case(lambda out: member("l", SYM, f"{out}/secret") + member("h", LNK, "l"), {}),
    "to a link out, then a file": Case(
        lambda out: member("l", SYM, f"{out}/secret") + member("h", LNK, "l") + member("h", mode=0o666, text=b"mine"),
        {"h": b"mine"},
    ),
    "to a device": Case(lambda out: member("n", CHR, devmajor=1, devminor=3) + member("h", LNK, "n"), {}),
    "to a file, then a file": Case(
        lambda out: member("f", text=b"first") + member("h", LNK, "f") + member("h", text=b"second"),
        {"f": b"first", "h": b"second"},
    ),
    "with set-user-ID": Case(
        lambda out: member("f", mode=0o644, text=b"x") + member("h", LNK, "f", mode=0o4755, uid=0),
        {"f": b"x", "h": b"x"},
    ),
    "with a capability": Case(
        lambda out: member("f", mode=0o644, text=b"x")
        + member("h", LNK, "f", pax_headers=xattr("security.capability", CAP_NET_RAW)), {"f": b"x"},
    ),
    "with content": Case(
        lambda out: member("f", text=b"x") + header(b"h", LNK, target=b"f", size=octal(512)), {"h": b"x"},
    ),
}  # fmt: skip

TYPES = {
    "a file below a file": Case(lambda out: member("f") + member("f/g"), "leads through 'f', which is a file"),
    "a file below a device": Case(
        lambda out: member("f", CHR, devmajor=1, devminor=3) + member("f/g"), "which is a file",
    ),
    "a folder full, and a file in its place": Case(
        lambda out: member("d/l", SYM, out) + member("d/e/f") + member("d", text=b"file"), {"d": b"file"},
    ),
    "the same file three times": Case(
        lambda out: member("f", text=b"1") + member("./f", text=b"22") + member("/f", text=b"333"), {"f": b"333"},
    ),
    "every type under one name": Case(
        lambda out: member("n", text=b"1") + member("n", DIR) + member("n/f") + member("n", SYM, out)
        + member("n", FIFO)
        + member("n", CHR, devmajor=1, devminor=3) + member("o")
        + member("n", LNK, "o") + member("n", text=b"last"),
        {"n": b"last", "o": b""},
    ),
    "a device of the host's disk": Case(lambda out: member("sda", BLK, devmajor=8, mode=0o666), {}),
    "a device that is no longer one": Case(
        lambda out: member("n", CHR, devmajor=1, devminor=1) + member("n", text=b"mine"), {"n": b"mine"},
    ),
    "a device out of range": Case(lambda out: member("f", CHR, devmajor=2**20), RANGE),
    "a negative device": Case(lambda out: header(kind=CHR, major=b"\xff" * 8), RANGE),
    "a pipe": Case(lambda out: member("p", FIFO, mode=0o666) + member("q", LNK, "p"), {}),
    "a pipe that becomes a file": Case(lambda out: member("p", FIFO) + member("p", text=b"1"), {"p": b"1"}),
    "a socket": Case(lambda out: header(kind=b"s"), "unknown type 's'"),
    "a dump of a folder": Case(lambda out: header(kind=b"D"), "unknown type 'D'"),
    "a volume's name": Case(lambda out: header(kind=b"V"), "unknown type 'V'"),
    "a continued volume": Case(lambda out: header(kind=b"M"), "unknown type 'M'"),
    "a type of no letter": Case(lambda out: header(kind=b"\xff"), "unknown type"),
    "a folder with content": Case(lambda out: header(b"d", DIR, size=octal(512)) + header(b"f"), {"f": b""}),
    "overlayfs's own attributes": Case(
        lambda out: member("d", DIR, pax_headers=xattr("trusted.overlay.redirect", b"/etc"))
        + member("e", DIR, pax_headers=xattr("trusted.overlay.opaque", b"y"))
        + member("f", text=b"x", pax_headers=xattr("trusted.overlay.metacopy", b""))
        + member("g", text=b"x", pax_headers=xattr("user.overlay.opaque", b"y"))
        + member("h", text=b"x", pax_headers={"LIBARCHIVE.xattr.trusted.overlay.redirect": "L2V0Yw"}),
        {"f": b"x"},
    ),
    "the security modules' attributes": Case(
        lambda out: member("f", text=b"x", pax_headers=xattr("security.selinux", b"u") | xattr("security.ima", b"\1")),
        {"f": b"x"},
    ),
}  # fmt: skip

WHITEOUTS = {
    "of ..": Case(lambda out: member("a/.wh..."), "hides no file"),
    "of .": Case(lambda out: member("a/.wh.."), "hides no file"),
    "of nothing": Case(lambda out: member(".wh."), "hides no file"),
    "with a file in it": Case(lambda out: member(".wh.a/b"), "is a whiteout"),
    "with a way up in it": Case(lambda out: member(".wh.a/../../b"), LEADS),
    "of what is not there": Case(lambda out: member(".wh.a") + member("a/.wh.b"), {}),
    "of a name of 251 bytes": Case(lambda out: member(".wh." + "n" * 251), {}),
    "of a name of 252 bytes": Case(lambda out: member(".wh." + "n" * 252), {}),
    "of a name of 256 bytes": Case(lambda out: member(".wh." + "n" * 256), "can't be made"),
    "as a folder": Case(lambda out: member(".wh.a", DIR, mode=0o777), {}),
    "as a link": Case(lambda out: member(".wh.a", SYM, out), {}),
    "as a hard link": Case(lambda out: member(".wh.a", LNK, f"{out}/secret"), {}),
    "as a device": Case(lambda out: member(".wh.a", BLK, devmajor=8), {}),
    "with content": Case(lambda out: member(".wh.a", text=b"x" * 3000) + member("b", text=b"b"), {"b": b"b"}),
    "of a whiteout": Case(lambda out: member(".wh..wh.a") + member(".wh.a.wh.b"), {}),
    "opaque twice": Case(lambda out: member("d/.wh..wh..opq") * 2 + member("d/f", text=b"x"), {"d/f": b"x"}),
    "opaque, as a folder": Case(lambda out: member("d/.wh..wh..opq", DIR) + member("d/f", text=b"x"), {"d/f": b"x"}),
    "opaque, with a file in it": Case(lambda out: member("d/.wh..wh..opq/f"), "is a whiteout"),
    "of what this layer has": Case(lambda out: member("f", text=b"x") + member(".wh.f"), {"f": b"x"}),
    "by a device": Case(lambda out: member("f", CHR, mode=0o666) + member("f/g", text=b"x"), {"f/g": b"x"}),
    "of aufs": Case(lambda out: member(".wh..wh.plnk", DIR) + member(".wh..wh.plnk/5.6", text=b"x"), {}),
    "of aufs, up": Case(lambda out: member(".wh..wh.plnk/../../x"), LEADS),
}  # fmt: skip

SIZES = {
    "a giant": Case(lambda out: big(b"f", 2**60), "'f' says it has 1152921504606846976 bytes, more than"),
    "a giant beyond all": Case(lambda out: big(b"f", 2**80), "'f' says it has [0-9]+ bytes, more than"),
    "a giant by pax": Case(lambda out: with_pax(("size", 2**60)), "'f' says it has 1152921504606846976 bytes"),
    "negative": Case(lambda out: header(size=b"\xff" * 12), RANGE),
    "negative by pax": Case(lambda out: with_pax(("size", -512)), RANGE),
    "another by pax": Case(lambda out: with_pax(("size", 100)), {"f": b"x" * 100}),
    "a time beyond all": Case(lambda out: header(mtime=b"\x80" + b"\xff" * 11), RANGE),
    "a time before all": Case(lambda out: header(mtime=b"\xff\x80" + bytes(10)), RANGE),
    "a time before 1970": Case(lambda out: header(mtime=b"\xff" * 12), {"f": b""}),
    "the latest time": Case(lambda out: with_pax(("mtime", 2**63 - 1), content=b""), {"f": b""}),
    "the earliest time": Case(lambda out: with_pax(("mtime", -(2**63)), content=b""), {"f": b""}),
    "an owner beyond all": Case(lambda out: with_pax(("uid", 2**32)), RANGE),
    "no owner": Case(lambda out: with_pax(("uid", 2**32 - 1)), RANGE),
    "an octal that is none": Case(lambda out: header(size=b"0000000008\0"), "not octal"),
    "an octal with a sign": Case(lambda out: header(size=b"-0000000010\0"), "not octal"),
    "a bomb of zeros": Case(
        lambda out: member("f", text=bytes(LIMIT - 4096)) + member("g", text=bytes(8192)), "unpacks to more",
    ),
    "a bomb of zeros after the end": Case(
        lambda out: member("f") + bytes(1024), "unpacks to more", pack=zeros_in_a_row,
    ),
    "a bomb of holes": Case(lambda out: holes(1 << 40), "'f' says it has 1099511627776 bytes"),
    "a bomb of many holes": Case(lambda out: holes(LIMIT // 2) * 3, "'f' says it has"),
    "a bomb of members": Case(
        lambda out: b"".join(member(f"f{n}") for n in range(MEMBERS + 1)), "more than 2000 members",
    ),
    "a bomb of one member": Case(lambda out: member("f") * (MEMBERS + 1), "more than 2000 members"),
    "a bomb of implied folders": Case(
        lambda out: b"".join(member(f"{n}/" + "d/" * 200 + "f") for n in range(20)), "more than 2000 members",
    ),
    "a bomb of headers": Case(lambda out: extension(b"", b"x") * 3000 + header(), "more than 16 extended headers"),
    "a bomb of headers for all": Case(lambda out: extension(record("a", "b"), b"g") * 3000, "more than 16 extended"),
    "a bomb of records": Case(lambda out: extension(record("a", "") * 300_000) + header(), "more than 1048576"),
    "a header of a gigabyte": Case(lambda out: big(b"x", 1 << 30, b"x"), "more than 1048576"),
    "a name of a gigabyte": Case(lambda out: big(b"x", 1 << 30, b"L"), "more than 1048576"),
    "an endless map of holes": Case(
        lambda out: header(kind=b"S")[:482] + b"\1" + bytes(29) + (bytes(504) + b"\1" * 8) * 4000, "checksum",
    ),
    "an attribute of a megabyte": Case(
        lambda out: member("f", pax_headers=xattr("user.a", b"x" * 900_000)), "can't be set",
    ),
    "ten thousand attributes": Case(
        lambda out: with_pax(*((f"SCHILY.xattr.security.{n}", "x" * 50) for n in range(10_000))), {"f": b"x" * 512},
    ),
}  # fmt: skip

BYTES = {
    "nothing": Case(lambda out: b"", {}),
    "a script": Case(lambda out: b"#!/bin/sh\n" * 100, "not octal|checksum"),
    "zeros": Case(lambda out: bytes(10240), {}),
    "cut in a header": Case(lambda out: member("f")[:300], CUT),
    "cut in an extended header": Case(lambda out: member("n" * 300)[:700], CUT),
    "cut after an extended header": Case(lambda out: extension(record("path", "f")), "ends after an extended header"),
    "cut in the content": Case(lambda out: member("f", text=b"x" * 5000)[:3000], CUT),
    "cut in the gzip": Case(
        lambda out: member("f"), "ends too early|ends in the middle", pack=lambda raw: gzip.compress(raw)[:-9],
    ),
    "garbage after the end": Case(lambda out: member("f", text=b"x") + bytes(1024) + b"garbage" * 1000, {"f": b"x"}),
    "an archive after the end": Case(
        lambda out: member("f", text=b"x") + bytes(1024) + member("../evil") + member("f", text=b"y"), {"f": b"x"},
    ),
    "garbage after half an end": Case(lambda out: member("f") + bytes(512) + b"g" * 512, "half the mark of its end"),
    "garbage after the gzip": Case(
        lambda out: member("f"), "something follows", pack=lambda raw: gzip.compress(raw) + b"!",
    ),
    "a wrong checksum": Case(lambda out: b"x" + member("f")[1:], "checksum is wrong"),
    "raw deflate": Case(lambda out: member("f"), "not octal|checksum|in the middle", pack=zlib.compress),
}  # fmt: skip

CASES = {
    f"{subject}: {name}": case
    for subject, cases in (
        ("name", NAMES), ("link", LINKS), ("hard link", HARD_LINKS), ("type", TYPES), ("whiteout", WHITEOUTS),
        ("size", SIZES), ("bytes", BYTES),
    )
    for name, case in cases.items()
}  # fmt: skip
