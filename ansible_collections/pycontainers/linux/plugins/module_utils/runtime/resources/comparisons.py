# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``comparisons`` of a container: options of which a difference does not count, or only what is missing does."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.kinds import mapping
from ..core.model import Kind, Row, rows
from ..errors import InvalidValue
from ..lean.dataclasses import replace

STRICT, IGNORE, MORE, ALL = "strict", "ignore", "allow_more_present", "*"
UNCOMPARED = ("name", "state")
"""Options that say which container, and what is to become of it."""

ONE_VALUE = ("command", "entrypoint", "healthcheck")
"""Lists and dictionaries that are one value."""


def comparisons(value: Any) -> tuple[tuple[str, str], ...]:
    """How options are compared, by name, sorted."""
    value = mapping(value)
    for name, way in value.items():
        if way not in (STRICT, IGNORE, MORE):
            raise ValueError(f"{way!r} for {name} is not one of {STRICT}, {IGNORE} and {MORE}")
        if name == ALL and way == MORE:
            raise ValueError(f"{MORE} is not for all options, as not all are lists")
    return tuple(sorted((str(name), str(way)) for name, way in value.items()))


COMPARISONS = Kind("comparisons", {"type": "dict"}, comparisons, dict)


def compared(want: Any, kept: Any) -> Any:
    """What a task wants, so that what it does not compare is as it is kept. Raises :class:`InvalidValue`."""
    known = {alias: row for row in rows(type(want)) if not row.internal for alias in (row.name, *row.aliases)}
    ways = {known[name].name if name in known else name: way for name, way in want.comparisons}
    for name, way in ways.items():
        _check(name, way, known)
    if kept is None:
        return want
    changed: dict[str, Any] = {}
    for row in {row.name: row for row in known.values()}.values():
        value, before = getattr(want, row.name), getattr(kept, row.name)
        if value is None or row.request or row.name in UNCOMPARED:
            continue
        way = ways.get(row.name, ways.get(ALL, STRICT))
        if way == IGNORE:
            changed[row.name] = None
        elif way == MORE and before:
            changed[row.name] = _with_more(row, value, before)
    return replace(want, **changed)


def _check(name: str, way: str, known: Mapping[str, Row]) -> None:
    reason, fix = "", "leave it out"
    if name == ALL:
        return
    if name not in known:
        reason = "there is no such option"
    elif known[name].request or name in UNCOMPARED:
        reason = "it is no property of a container that is compared"
    elif way == MORE and (known[name].kind.spec["type"] not in ("list", "dict") or known[name].name in ONE_VALUE):
        reason, fix = "it is one value, beside which there is no more", f"compare it as {STRICT} or {IGNORE}"
    if reason:
        raise InvalidValue(f"comparisons['{name}']", way, reason, fix)


def _with_more(row: Row, value: tuple[Any, ...], before: tuple[Any, ...]) -> Any:
    """What is wanted, and what there is beside of other names or at other places."""
    named = set(map(_key, value))
    merged = (*value, *(each for each in before if _key(each) not in named))
    if row.name == "networks":
        return merged  # In order, and with what is to be cleared.
    try:
        return row.kind.parse(row.kind.show(merged))
    except ValueError as error:
        shown = row.kind.show(before)
        reason = f"what is to stay ({shown}) does not go with it: {error}"
        raise InvalidValue(row.name, row.kind.show(value), reason, f"compare it as {STRICT}") from error


def _key(each: Any) -> object:
    """What tells one entry from another: its place or name; of what is nothing else, itself."""
    for name in ("asked", "target", "name"):
        if hasattr(each, name):
            return getattr(each, name)
    return each if isinstance(each, str) or hasattr(each, "protocol") else each[0]
