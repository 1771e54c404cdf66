# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import (
    BOOL,
    NAME,
    TEXT,
    limit_size,
    show_limit,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import (
    Change,
    Effect,
    Kind,
    argument_spec,
    diff,
    option,
    parse,
    record,
    rows,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue

LIMIT = Kind("limit", {"type": "str"}, limit_size, show_limit)


@dataclass(frozen=True, kw_only=True)
class Sized:
    """Rows that another model inherits."""

    memory: int | None = option(LIMIT, Effect.LIVE, v2="memory.max")


@dataclass(frozen=True, kw_only=True)
class Kiosk(Sized):
    """A model with a row of every sort."""

    name: str = option(NAME, required=True)
    state: str = option(TEXT, default="open", choices=("absent", "open"))
    word: str | None = option(TEXT, Effect.RESTART, secret=True)
    lamp: bool | None = option(BOOL, Effect.RECREATE, aliases=("light", "bulb"))
    haste: str | None = option(TEXT, default="none", request=True)
    id: str | None = option(TEXT, internal=True)
    seen: str | None = option(TEXT, Effect.LIVE, internal=True)
    note: tuple[str, ...] = ()


KIOSK = Kiosk(name="north", memory=1024, word="sesame", lamp=True, haste="none", id="1", seen="up")


def test_values_are_brought_to_their_normal_form() -> None:
    """A model holds normal forms: of what is said, and of the default where nothing is."""
    assert parse(Kiosk, {"name": "north", "memory": "1k", "lamp": None}) == Kiosk(name="north", memory=1024)
    assert parse(Kiosk, {"name": "north"}).state == "open"


@pytest.mark.parametrize(
    ("values", "option_name", "value", "sentence"),
    [
        ({"name": "../x"}, "name", "../x", "cannot use '../x' as name: a name starts with"),
        ({"name": "n", "memory": "lots"}, "memory", "lots", "cannot use 'lots' as memory: it is not a size"),
        ({"name": "n", "lamp": "on"}, "lamp", "on", "cannot use 'on' as lamp: it is neither true nor false"),
        ({"name": "n", "state": "ajar"}, "state", "ajar", "cannot use 'ajar' as state: it is not one of absent, open"),
        ({}, "name", None, "cannot use None as name: a value is required"),
        ({"name": None}, "name", None, "cannot use None as name: a value is required"),
        (
            {"name": "n", "depth": 3},
            "depth",
            3,
            "cannot use 3 as depth: there is no such option; options are memory, name, state, word, lamp, haste, id, ",
        ),
        ({"name": "n", "note": "x"}, "note", "x", "cannot use 'x' as note: there is no such option"),
    ],
)
def test_what_can_not_be_is_named(values: dict[str, Any], option_name: str, value: Any, sentence: str) -> None:
    """A value that an option does not take is refused with the option, the value and the reason."""
    with pytest.raises(InvalidValue) as caught:
        parse(Kiosk, values)
    assert (caught.value.option, caught.value.value) == (option_name, value)
    assert str(caught.value).startswith(sentence)


def test_a_secret_is_not_in_its_error() -> None:
    """An error about a secret names the option and hides the value."""
    with pytest.raises(InvalidValue, match="as word: it contains a NUL byte") as caught:
        parse(Kiosk, {"name": "north", "word": "sesame\0"})
    assert "sesame" not in str(caught.value)
    assert caught.value.value == "(hidden)"


def test_a_record_keeps_what_is_declared() -> None:
    """A record has every value as JSON, secrets and internal ones too, but no request and nothing left out."""
    kept = record(replace(KIOSK, memory=-1, lamp=None, note=("x",), haste="much"))
    assert kept == {"memory": "max", "name": "north", "state": "open", "word": "sesame", "id": "1", "seen": "up"}
    assert parse(Kiosk, record(KIOSK)) == KIOSK


def test_equal_things_do_not_differ() -> None:
    """A thing that is as it should be has no changes."""
    assert diff(KIOSK, KIOSK) == ()


def test_differences_are_shown_with_their_cost() -> None:
    """Each row that differs is one change, in the order of the rows, as people write the values."""
    want = replace(KIOSK, memory=-1, lamp=False)
    assert diff(want, KIOSK) == (
        Change("memory", 1024, "max", Effect.LIVE),
        Change("lamp", True, False, Effect.RECREATE),
    )


def test_what_is_left_out_never_differs() -> None:
    """None means "not managed": whatever is there stays."""
    assert diff(Kiosk(name="north"), KIOSK) == ()


def test_requests_never_differ() -> None:
    """How to go about it this once is no property of the thing."""
    assert diff(replace(KIOSK, haste="much"), KIOSK) == ()


def test_internal_rows_differ_if_that_costs_something() -> None:
    """An internal row with an effect is compared, one without only tells of the thing."""
    assert diff(replace(KIOSK, id="2"), KIOSK) == ()
    assert diff(replace(KIOSK, seen="down"), KIOSK) == (Change("seen", "up", "down", Effect.LIVE),)


def test_of_a_new_thing_everything_differs() -> None:
    """Where there is nothing yet, every row that is asked for differs from nothing."""
    changes = diff(KIOSK, None)
    assert [change.path for change in changes] == ["memory", "name", "state", "word", "lamp", "seen"]
    assert {change.before for change in changes} == {None}


def test_secrets_are_hidden_in_differences() -> None:
    """A secret's change is seen, its values are not: neither when it is new, nor when it is another."""
    assert diff(replace(KIOSK, word="mellon"), KIOSK) == (
        Change("word", "(hidden)", "(hidden, other)", Effect.RESTART),
    )
    assert "sesame" not in str(diff(KIOSK, None))
    assert [change.before for change in diff(KIOSK, replace(KIOSK, word=None))] == [None]


def test_a_models_rows_are_its_options() -> None:
    """Ansible's argument specification has each row that is no internal one, and all that the row says."""
    assert argument_spec(Kiosk) == {
        "memory": {"type": "str"},
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "default": "open", "choices": ["absent", "open"]},
        "word": {"type": "str", "no_log": True},
        "lamp": {"type": "bool", "aliases": ["light", "bulb"]},
        "haste": {"type": "str", "default": "none"},
    }


def test_rows_carry_what_the_code_needs() -> None:
    """A row has the facts it was made with, and the name of its field."""
    first = rows(Kiosk)[0]
    assert (first.name, first.facts, first.effect) == ("memory", {"v2": "memory.max"}, Effect.LIVE)


def test_costs_are_in_order() -> None:
    """What several changes cost is what the dearest of them costs."""
    assert max(Effect) == Effect.RECREATE
    assert sorted(Effect) == [Effect.NONE, Effect.LIVE, Effect.RESTART, Effect.RECREATE]
