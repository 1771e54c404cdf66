# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers that nobody thought of: members in any order, and archives with any byte changed.

``./dev soak`` tries more of them.
"""
from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, layer
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.below import MARK
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.erase import erase
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.tests.kernel.hostile_layers import LIMIT, MEMBERS
from ansible_collections.pycontainers.linux.tests.kernel.test_image_hostile import everything
from ansible_collections.pycontainers.linux.tests.unit.image.archives import extension, header, octal, padded, record

T = TypeVar("T")

EXAMPLES = int(os.environ.get("PYCONTAINERS_EXAMPLES", "500"))
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="PYCONTAINERS_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
PYTHONS = re.compile(r"invalid literal|embedded|surrogate|codec|too large to convert|unpack requires|exceeds the limit")
"""What Python says of a value that should have been looked at before."""

OUTSIDE = f"/tmp/pycontainers-outside-{os.getpid()}"
"""The path of the canary: known before there is one, as archives are made of it."""

OFTEN = [b"a", b"b", b"c", b"d", b"e", b"f", b"l"]
PARTS = [b".", b"..", b"", b".wh.a", b".wh.l", b".wh..wh..opq", b".wh.", b".wh..wh.x", b"n" * 256]
LASTS = [b".wh.a", b".wh.l", b".wh..wh..opq", b".wh.b", b".wh..wh.x", b""]
USUAL = [b"0", b"5", b"2", b"0", b"5", b"0", b"6", b"3"]
TYPES = [b"0", b"5", b"2", b"1"] * 4 + [b"3", b"4", b"6", b"7", b"\0", b"S", b"g", b"V", b"s"]
NUMBERS = [0, 1, -1, 7, 512, 600, 0o4755, 65534, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, -(2**63), 2**88]
KEYS = [
    "path", "linkpath", "size", "uid", "gid", "mtime", "SCHILY.xattr.user.a", "SCHILY.xattr.security.capability",
    "SCHILY.xattr.trusted.overlay.opaque", "LIBARCHIVE.xattr.user.b", "GNU.sparse.map", "GNU.sparse.size",
    "GNU.sparse.offset", "GNU.sparse.numbytes", "GNU.sparse.numblocks", "GNU.sparse.major", "GNU.sparse.minor",
    "GNU.sparse.realsize", "GNU.sparse.name", "hdrcharset", "",
]  # fmt: skip


TEXTS = [b"", b"0,512", b"0,100,300,212", b"1.5", b"-1.25", b"AAAA", b"\0\xff", b"9" * 30, b"1e3", b" 1"]
CONTENTS = [b"", b"x", b"y" * 512, b"z" * 700, b"1\n0\n512\n" + bytes(504 + 512)]


class Dice:
    """Choices out of bytes: one draw of hypothesis for an archive, where a draw for each choice takes all the time.

    Half of the archives are tame: mostly right, so that they get far.
    """

    def __init__(self, thrown: bytes) -> None:
        self.left = list(reversed(thrown))
        self.tame = self.one([True, False])

    def one(self, options: Sequence[T]) -> T:
        """Choose."""
        return options[(self.left.pop() if self.left else 0) % len(options)]

    def upto(self, most: int) -> int:
        """A number up to one, at most 65535."""
        return (self.one(range(256)) << 8 | self.one(range(256))) % (most + 1)

    def bytes(self, count: int) -> bytes:
        """Any bytes."""
        return bytes(self.one(range(256)) for _ in range(count))


def name(dice: Dice) -> bytes:
    """A path, sometimes from the root, sometimes of the canary."""
    parts = [dice.one(dice.one([OFTEN] * 6 + [OFTEN if dice.tame else PARTS])) for _ in range(dice.one([1, 1, 2, 3]))]
    if dice.tame:
        return b"/".join([*parts, dice.one(LASTS)] if dice.one(range(4)) == 0 else parts)
    return dice.one([b""] * 9 + [b"/", b"../", os.fsencode(OUTSIDE) + b"/"]) + b"/".join(parts)


def number(dice: Dice, width: int) -> bytes:
    """A number of a header's field, octal, in base 256 or neither."""
    kind = dice.one(["octal"] * 6 + ["base 256", "bytes"])
    if kind == "octal":
        return b"%0*o\0" % (width - 1, dice.upto(0o7777))
    if kind == "bytes":
        return dice.bytes(width)
    large = dice.one(NUMBERS)
    return bytes([0xFF if large < 0 else 0x80]) + (large % (1 << 8 * (width - 1))).to_bytes(width - 1, "big")


def value(dice: Dice) -> bytes:
    """A value of a pax record."""
    kind = dice.one(["name", "number", "text", "bytes"])
    if kind == "name":
        return name(dice)
    if kind == "number":
        return b"%d" % dice.one(NUMBERS)
    return dice.one(TEXTS) if kind == "text" else dice.bytes(dice.one(range(20)))


def before(dice: Dice) -> bytes:
    """What may stand before a member: mostly nothing, else pax records or a long name."""
    kind = b"" if dice.tame else dice.one([b""] * 5 + [b"x", b"x", b"x", b"g", b"L", b"K"])
    if kind in (b"L", b"K"):
        return extension(name(dice) + b"\0", kind)
    records = (record(dice.one(KEYS), value(dice)) for _ in range(dice.one([1, 1, 2, 3, 4])))
    return extension(b"".join(records), kind) if kind else b""


def member(dice: Dice) -> bytes:
    """A member with what is before it."""
    kind, text = dice.one(USUAL if dice.tame else TYPES), b""
    fields = {"mode": b"%07o\0" % dice.upto(0o7777), "mtime": octal(dice.upto(65535)), "target": name(dice)[:100]}
    if kind in (b"0", b"7", b"\0", b"S"):
        text = dice.one(CONTENTS)
        fields["size"] = octal(len(text))
    if not dice.tame and dice.one(range(8)) == 0:
        field = dice.one(["mode", "size", "uid", "gid", "mtime", "major", "minor"])
        fields[field] = number(dice, 12 if field in ("size", "mtime") else 8)
    return before(dice) + header(name(dice)[:100], kind, **fields) + padded(text)


def archive(thrown: bytes) -> bytes:
    """Members one after another."""
    dice, found = Dice(thrown), b""
    while dice.left:
        found += member(dice)
    return found


def damaged(thrown: bytes, changes: bytes) -> bytes:
    """An archive with some of its bytes changed and the checksums made right, blocks moved, or its end cut off."""
    found, dice = bytearray(archive(thrown)), Dice(changes)
    while dice.left:
        block = dice.upto(max(0, len(found) // 512 - 1)) * 512
        change = dice.one(["field"] * 12 + ["cut", "twice", "away", "zero"])
        if change == "cut":
            del found[dice.upto(len(found)) :]
        elif change == "twice":
            found[block:block] = found[block : block + 512]
        elif change == "away":
            del found[block : block + 512]
        elif change == "zero":
            found[block:block] = bytes(512)
        else:
            at, new = block + dice.upto(511), dice.bytes(dice.one(range(1, 12)))
            found[at : at + len(new)] = new
            found[block + 148 : block + 156] = b" " * 8
            found[block + 148 : block + 156] = b"%06o\0 " % sum(found[block : block + 512])
    return bytes(found)


THROWN = st.binary(min_size=20, max_size=200)


class Place:
    """A store beside a canary; a layer is unpacked and judged by what is then there."""

    def __init__(self, layout: Layout, outside: Path) -> None:
        self.layout, self.outside = layout, outside
        self.before = everything(outside)
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.outcomes: dict[str, int] = {}

    def unpack(self, raw: bytes, below: tuple[str, ...] = ()) -> str | None:
        """The directory of the layer, or None if it is refused, which is for a reason of ours."""
        diff_id = "sha256:" + hashlib.sha256(raw).hexdigest()
        blob = Path(self.layout.root) / "blob"
        blob.write_bytes(raw)
        refused: ValueError | None = None
        try:
            layer.unpack(self.layout, str(blob), diff_id, below)
        except ValueError as error:
            refused = error
        assert everything(self.outside) == self.before
        assert len(os.listdir("/proc/self/fd")) == self.descriptors
        outcome = "unpacked" if refused is None else re.sub(r"'.*'|[0-9]+", "", str(refused))
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if refused is None:
            return self.layout.layer(diff_id)
        assert type(refused) is ValueError
        assert not PYTHONS.search(str(refused)), refused
        assert not os.path.exists(self.layout.layer(diff_id))
        return None

    def judge(self, root: str) -> None:
        """See that a layer has no attribute and no file that no layer may have."""
        for folder, _, files, within in os.fwalk(root):
            may = {"trusted.overlay.opaque", "security.capability", "user.a", "user.b", MARK}
            assert set(os.listxattr(within)) <= may
            assert folder == root or MARK not in os.listxattr(within)
            for name in files:
                there = os.stat(name, dir_fd=within, follow_symlinks=False)
                assert there.st_size <= LIMIT or stat.S_ISLNK(there.st_mode), (folder, name)

    def clear(self) -> None:
        """Remove the layers."""
        for name in os.listdir(self.layout.layer("")):
            erase(f"{self.layout.layer('')}/{name}")


@pytest.fixture
def place(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A store on a small disk, with a canary beside it."""
    monkeypatch.setattr(layer, "LEAST_LIMIT", LIMIT)
    monkeypatch.setattr(layer, "MOST_MEMBERS", MEMBERS)
    outside = Path(OUTSIDE)
    (outside / "a").mkdir(parents=True)
    for name in ("b", "a/b"):
        (outside / name).write_text("outside")
    os.makedirs(layout.root)
    syscalls.mount("tmpfs", layout.root, "tmpfs", options="size=64m")
    content.prepare(layout)
    yield Place(layout, outside)
    syscalls.umount(layout.root)
    erase(OUTSIDE)


def test_any_members_in_any_order(place: Place) -> None:
    """On a layer of any members, or alone, a layer is unpacked within its folder or refused."""

    @SETTINGS
    @given(THROWN, st.one_of(st.just(b""), THROWN))
    def attempt(thrown: bytes, below: bytes) -> None:
        try:
            lower = place.unpack(archive(below)) if below else None
            root = place.unpack(archive(thrown), (lower,) if lower else ())
            if root:
                place.judge(root)
        finally:
            place.clear()

    attempt()
    assert place.outcomes["unpacked"] > EXAMPLES // 10, place.outcomes
    assert len(place.outcomes) > 10, place.outcomes


def test_any_damage_to_an_archive(place: Place) -> None:
    """Whatever bytes are changed, moved or missing, a layer is unpacked within its folder or refused."""

    @SETTINGS
    @given(THROWN, st.binary(min_size=1, max_size=40))
    def attempt(thrown: bytes, changes: bytes) -> None:
        try:
            root = place.unpack(damaged(thrown, changes))
            if root:
                place.judge(root)
        finally:
            place.clear()

    attempt()
    assert place.outcomes["unpacked"] > EXAMPLES // 20, place.outcomes
    assert len(place.outcomes) > 10, place.outcomes
