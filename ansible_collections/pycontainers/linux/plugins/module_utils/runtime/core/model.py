# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Option rows: what a resource can be asked to be.

A model is a frozen dataclass whose fields are made by :func:`option`. One row says all there is to know of an
option: its grammar (:class:`Kind`), what changing it costs (:class:`Effect`), its aliases, and facts for the
code that applies it (a cgroup file, say). Parsing, the argument specification, records on disk, comparison
and the diff all follow from the rows, so adding an option is adding one row.

``None`` means "not managed": the option was left out, and whatever is there stays.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, TypeVar

from ..errors import InvalidValue
from ..lean.dataclasses import dataclass, field, fields, replace

Model = TypeVar("Model")

HIDDEN, HIDDEN_OTHER = "(hidden)", "(hidden, other)"
"""What is shown instead of a secret, and of one that differs from it."""


class Effect(IntEnum):
    """What changing a field costs something that runs."""

    NONE = 0
    LIVE = 1
    RESTART = 2
    RECREATE = 3


@dataclass(frozen=True)
class Kind:
    """A grammar of values.

    ``parse`` turns what a playbook may say into the one normal form that is compared, and raises
    ``ValueError`` with the reason. ``show`` turns it back into plain JSON values for people and for records;
    ``parse(show(x)) == x`` holds for every normal form x. ``spec`` is the type as Ansible's argument
    specification has it.
    """

    name: str
    spec: Mapping[str, Any]
    parse: Callable[[Any], Any]
    show: Callable[[Any], Any] = lambda value: value


@dataclass(frozen=True)
class Row:
    """One option of a model. ``facts`` belong to the code that applies the row."""

    name: str
    kind: Kind
    effect: Effect
    default: Any
    aliases: tuple[str, ...]
    required: bool
    choices: tuple[str, ...]
    secret: bool
    internal: bool
    request: bool
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One difference: which row, from what, to what (both as shown), and what it costs.

    ``of`` is the name of the thing that differs, where one resource stands for several.
    """

    path: str
    before: Any
    after: Any
    effect: Effect
    of: str = ""


def option(
    kind: Kind,
    effect: Effect = Effect.NONE,
    *,
    default: Any = None,
    aliases: tuple[str, ...] = (),
    required: bool = False,
    choices: tuple[str, ...] = (),
    secret: bool = False,
    internal: bool = False,
    request: bool = False,
    **facts: Any,
) -> Any:
    """A row, as the default of a dataclass field.

    ``default`` is a playbook's value and is parsed like one. ``secret`` hides the values in every output.
    ``internal`` rows are kept in records and compared, but are no option of the module. ``request`` rows say how
    to go about it this once: they are neither kept nor compared.
    """
    row = Row("", kind, effect, default, aliases, required, choices, secret, internal, request, facts)
    normal = None if default is None else kind.parse(default)
    return field(default=normal, metadata={"row": row})


_ROWS: dict[type, tuple[Row, ...]] = {}
_BY_NAME: dict[type, dict[str, Row]] = {}


def rows(model: type) -> tuple[Row, ...]:
    """The rows of a model, in the order of its fields. A field that is no row is none of a playbook's business."""
    if model not in _ROWS:
        named = ((each.name, each.metadata.get("row")) for each in fields(model))
        _ROWS[model] = tuple(replace(row, name=name) for name, row in named if row is not None)
    return _ROWS[model]


def _by_name(model: type) -> dict[str, Row]:
    if model not in _BY_NAME:
        _BY_NAME[model] = {row.name: row for row in rows(model)}
    return _BY_NAME[model]


def parse(model: type[Model], values: Mapping[str, Any]) -> Model:
    """A model from a playbook's or a record's values. Unknown keys are an error, ``None`` is "left out".

    Raises :class:`InvalidValue` that names the option and the value.
    """
    known = _by_name(model)
    for key in values:
        if key not in known:
            raise InvalidValue(key, values[key], "there is no such option", f"options are {', '.join(known)}")
    for row in rows(model):
        if row.required and values.get(row.name) is None:
            raise InvalidValue(row.name, None, "a value is required")
    normal = {}
    for name, value in values.items():
        row = known[name]
        if value is None:
            continue
        try:
            normal[name] = row.kind.parse(value)
        except (ValueError, TypeError) as error:
            raise InvalidValue(name, HIDDEN if row.secret else value, str(error)) from error
        if row.choices and normal[name] not in row.choices:
            raise InvalidValue(name, HIDDEN if row.secret else value, f"it is not one of {', '.join(row.choices)}")
    return model(**normal)


def record(model: object) -> dict[str, Any]:
    """The model as plain JSON values; :func:`parse` reads it back."""
    shown = ((row, getattr(model, row.name)) for row in rows(type(model)))
    return {row.name: row.kind.show(value) for row, value in shown if value is not None and not row.request}


def diff(want: object, have: object | None) -> tuple[Change, ...]:
    """What must change to get from ``have`` to ``want``.

    Rows that ``want`` leaves out never differ, nor do internal ones without an effect: those only tell of the thing.
    """
    changes = []
    for row in rows(type(want)):
        after = getattr(want, row.name)
        before = None if have is None else getattr(have, row.name)
        if row.request or after is None or after == before or (row.internal and not row.effect):
            continue
        old, new = (HIDDEN, HIDDEN_OTHER) if row.secret else (_shown(row, before), _shown(row, after))
        changes.append(Change(row.name, None if before is None else old, new, row.effect))
    return tuple(changes)


def _shown(row: Row, value: Any) -> Any:
    return None if value is None else row.kind.show(value)


def argument_spec(model: type) -> dict[str, dict[str, Any]]:
    """The model as Ansible's argument specification."""
    spec = {}
    for row in rows(model):
        if row.internal:
            continue
        entry = dict(row.kind.spec)
        if row.default is not None:
            entry["default"] = row.default
        if row.aliases:
            entry["aliases"] = list(row.aliases)
        if row.required:
            entry["required"] = True
        if row.choices:
            entry["choices"] = list(row.choices)
        if row.secret:
            entry["no_log"] = True
        spec[row.name] = entry
    return spec
