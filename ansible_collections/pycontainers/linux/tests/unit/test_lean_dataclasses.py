# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dataclasses with shared methods do as the library's, and the library's functions know them."""
from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.lean import dataclasses as lean


class Kinds(NamedTuple):
    """One set of classes, made by one of the two decorators."""

    plain: Any
    frozen: Any
    ordered: Any
    heir: Any


def made(of: Any) -> Kinds:
    """The classes."""

    @of.dataclass
    class Plain:
        """Can be changed."""

        first: int
        second: list[int] = dataclasses.field(default_factory=list)

    @of.dataclass(frozen=True)
    class Frozen:
        """Can't be changed."""

        first: int
        second: str = "b"
        third: int = dataclasses.field(default=3, compare=False, repr=False)

    @of.dataclass(frozen=True, order=True)
    class Ordered:
        """Has an order."""

        first: int
        second: str = ""

    @of.dataclass(frozen=True, kw_only=True)
    class Heir(Frozen):
        """Has fields of another's, a word of its own for itself, and fields that need a name."""

        fourth: tuple[int, ...] = ()

        def __repr__(self) -> str:
            return "heir"

    return Kinds(Plain, Frozen, Ordered, Heir)


OURS, THEIRS = made(lean), made(dataclasses)


def outcome(act: Any) -> Any:
    """What comes of it: a value as its fields, or the kind of error."""
    try:
        value = act()
    except (TypeError, AttributeError) as error:
        return type(error)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return repr(value).rpartition(".")[2], dataclasses.asdict(value)
    return value


@pytest.mark.parametrize(
    "act",
    [
        lambda of: of.plain(1),
        lambda of: of.plain(1, [2]),
        lambda of: of.plain(),
        lambda of: of.plain(1, first=1),
        lambda of: of.plain(1, [], 3),
        lambda of: of.plain(1, third=3),
        lambda of: of.plain(1).second is of.plain(1).second,
        lambda of: of.plain(1) == of.plain(1),
        lambda of: of.plain(1) == of.ordered(1),
        lambda of: hash(of.plain(1)),
        lambda of: setattr(of.plain(1), "first", 2),
        lambda of: of.frozen(1),
        lambda of: of.frozen(1, third=4),
        lambda of: of.frozen(1, third=4) == of.frozen(1),
        lambda of: of.frozen(1, "c") == of.frozen(1),
        lambda of: hash(of.frozen(1, third=4)) == hash(of.frozen(1)),
        lambda of: len({of.frozen(1), of.frozen(1), of.frozen(2)}),
        lambda of: setattr(of.frozen(1), "first", 2),
        lambda of: delattr(of.frozen(1), "first"),
        lambda of: [each.first for each in sorted(map(of.ordered, (3, 1, 2)))],
        lambda of: of.ordered(1, "b") < of.ordered(1, "a"),
        lambda of: of.ordered(1) < of.frozen(1),
        lambda of: of.frozen(1) < of.frozen(2),
        lambda of: max(of.ordered(1), of.ordered(2)),
        lambda of: of.heir(1, fourth=(4,)),
        lambda of: of.heir(1, "b", 3, (4,)),
        lambda of: of.heir(1) == of.frozen(1),
        lambda of: dataclasses.replace(of.frozen(1), second="c"),
        lambda of: [each.name for each in dataclasses.fields(of.heir)],
    ],
)
def test_they_do_as_the_librarys(act: Any) -> None:
    """The same values, or the same kind of error."""
    assert outcome(lambda: act(OURS)) == outcome(lambda: act(THEIRS))


@pytest.mark.parametrize("changes", [{}, {"second": "c"}, {"first": 2, "third": 5}, {"fifth": 1}])
def test_a_changed_copy_is_the_librarys(changes: dict[str, Any]) -> None:
    """Of both kinds of classes; a field that is not there is an error."""
    expected = outcome(lambda: dataclasses.replace(THEIRS.frozen(1), **changes))
    assert outcome(lambda: lean.replace(OURS.frozen(1), **changes)) == expected
    assert outcome(lambda: lean.replace(THEIRS.frozen(1), **changes)) == expected


def test_what_is_copied_stays() -> None:
    """The copy has the change, and what it is of does not."""
    value = OURS.frozen(1)
    assert lean.replace(value, first=2) != value
    assert value == OURS.frozen(1)
