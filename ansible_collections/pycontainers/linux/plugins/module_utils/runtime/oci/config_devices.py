# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits by device in an OCI configuration: which may be used (``resources.devices``), and how fast (``blockIO``)."""
from __future__ import annotations

from ..kernel.cgroup_values import HEAVIEST, LIGHTEST
from ..kernel.devices import LETTERS, DeviceRule
from ..typed import NamedTuple
from .config_linux import LARGEST_MAJOR, LARGEST_MINOR
from .fields import Field

RULE_TYPES = {"a": "a", "b": "b", "c": "c", "u": "c"}
"""Types in rules; mknod(1) knows ``u`` as another word for ``c``."""

_THROTTLES = {
    "throttleReadBpsDevice": "read_bps",
    "throttleWriteBpsDevice": "write_bps",
    "throttleReadIOPSDevice": "read_iops",
    "throttleWriteIOPSDevice": "write_iops",
}


class BlockIO(NamedTuple):
    """Weights and rates; each entry is (major, minor, value), a rate of 0 takes the limit away."""

    weight: int | None
    leaf_weight: int | None
    weights: tuple[tuple[int, int, int], ...]
    leaf_weights: tuple[tuple[int, int, int], ...]
    read_bps: tuple[tuple[int, int, int], ...]
    write_bps: tuple[tuple[int, int, int], ...]
    read_iops: tuple[tuple[int, int, int], ...]
    write_iops: tuple[tuple[int, int, int], ...]


def device_rules(field: Field) -> tuple[DeviceRule, ...]:
    """The rules in order, without those for the default devices. Raises :class:`InvalidValue`."""
    return tuple(_rule(each) for each in field.each())


def _rule(field: Field) -> DeviceRule:
    allow, kind = field.member("allow"), field.member("type").text("") or "a"
    allow.required()
    if kind not in RULE_TYPES:
        raise field.member("type").refusal(f"it is not one of {', '.join(RULE_TYPES)}")
    major = _number(field.member("major"), LARGEST_MAJOR)
    minor = _number(field.member("minor"), LARGEST_MINOR)
    return DeviceRule(allow.truth(), RULE_TYPES[kind], major, minor, _access(field.member("access")))


def _number(field: Field, largest: int) -> int | None:
    """A device number, or None for all, which clients say as -1 too."""
    value = field.whole(-1, largest, -1)
    return None if value < 0 else value


def _access(field: Field) -> int:
    bits = 0
    for letter in field.text("", longest=16) or "rwm":
        if letter not in LETTERS:
            raise field.refusal("it is made of the letters r, w and m")
        bits |= LETTERS[letter]
    return bits


def block_io(field: Field) -> BlockIO:
    """Weights and rates of block devices. Weights of 0 say nothing."""
    return BlockIO(
        weight=_weight(field.member("weight")),
        leaf_weight=_weight(field.member("leafWeight")),
        weights=_entries(field.member("weightDevice"), "weight"),
        leaf_weights=_entries(field.member("weightDevice"), "leafWeight"),
        **{ours: _rates(field.member(theirs)) for theirs, ours in _THROTTLES.items()},
    )


def _weight(field: Field) -> int | None:
    value = field.whole(0, HEAVIEST, 0)
    if 0 < value < LIGHTEST:
        raise field.refusal(f"it is not between {LIGHTEST} and {HEAVIEST}")
    return value or None


def _place(field: Field) -> tuple[int, int]:
    field.required()
    return field.member("major").whole(0, LARGEST_MAJOR), field.member("minor").whole(0, LARGEST_MINOR)


def _entries(field: Field, name: str) -> tuple[tuple[int, int, int], ...]:
    found = ((*_place(each), _weight(each.member(name))) for each in field.each())
    return tuple((major, minor, weight) for major, minor, weight in found if weight)


def _rates(field: Field) -> tuple[tuple[int, int, int], ...]:
    return tuple((*_place(each), each.member("rate").whole(0, 2**64 - 1)) for each in field.each())
