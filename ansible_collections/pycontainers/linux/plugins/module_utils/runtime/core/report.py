# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task returns of a convergence: what was done, and the differences for people and for programs."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .model import Change, Effect, rows
from .plan import Outcome, Resource


def tells_only(model: type) -> bool:
    """Whether a model only asks, and so there is nothing to say of what was done."""
    return model.__name__.endswith("Info")


def key(model: type) -> str:
    """The option that tells one thing of a kind from another; empty where a host has only one."""
    return next((row.name for row in rows(model) if row.required), "")


def result(title: str, by: str, outcome: Outcome[Any]) -> dict[str, Any]:
    """What the task returns: the facts, what was done, and the differences for people and for programs."""
    before, after = diff_text(outcome.changes, by)
    return {
        **outcome.facts,
        "changed": outcome.changed,
        "actions": list(outcome.actions),
        "changes": [_change(each) for each in outcome.changes],
        "diff": {"before_header": title, "after_header": title, "before": before, "after": after},
    }


def _change(change: Change) -> dict[str, Any]:
    """A difference for programs."""
    told = {"option": change.path, "before": change.before, "after": change.after, "effect": change.effect.name.lower()}
    return ({"name": change.of} if change.of else {}) | told


def diff_text(changes: tuple[Change, ...], by: str) -> tuple[str, str]:
    """The differences as two texts of ``option: value`` lines, which ``--diff`` prints as one with + and -.

    A line says what its change costs (live, restart, recreate) where there is something that it can cost:
    what is yet to be made, or goes, has no such remark. ``by`` is the key that only a new thing differs in; where a
    host has only one, it is new if nothing of it was there before.
    """
    there = [change.before is not None for change in changes if change.path == (by or change.path)]
    new = bool(there) and not any(there)
    before, after = [], []
    for change in changes:
        removal = change.path == "state" and change.after == "absent"
        costs = change.effect > Effect.NONE and not new and not removal
        remark = f"  # {change.effect.name.lower()}" if costs else ""
        path = f"{change.of}.{change.path}" if change.of else change.path
        for name, old, value in _lines(path, change.before, change.after):
            if old is not None:
                before.append(f"{name}: {_shown(old)}\n")
            if value is not None:
                after.append(f"{name}: {_shown(value, remark)}\n")
    return "".join(before), "".join(after)


def _lines(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """A change as name, old and new value; of a dictionary, the entries that differ and none that stay."""
    if not isinstance(after, Mapping):
        yield path, before, after
        return
    old = before or {}
    if before is None and not after:
        yield path, None, {}
    for name in sorted({*old, *after}):
        if old.get(name) != after.get(name):
            yield f"{path}.{name}", old.get(name), after.get(name)


def _shown(value: Any, remark: str = "") -> str:
    """A value in one line: text as it is where YAML reads it as that text, all else as JSON.

    Whole lines of text are shown a line each, as YAML has it, so that a diff tells which of them differ.
    """
    if isinstance(value, str) and value and value.isprintable() and value == value.strip():
        return value + remark
    lines = value.split("\n") if isinstance(value, str) and value.endswith("\n") else []
    if lines and lines[0].strip() and all(line.replace("\t", "").isprintable() for line in lines):
        return "\n  ".join([f"|{remark}", *lines[:-1]])
    return json.dumps(value, ensure_ascii=False) + remark


def named(resource: Resource[Any], params: Mapping[str, Any]) -> str:
    """The thing as a person calls it: ``container web``, ``overlay_rootfs /srv/web``."""
    kind = re.sub("(?<=.)([A-Z])", r"_\1", resource.model.__name__).lower()
    by = key(resource.model)
    # What can be named in one of several ways is titled by the one that is given.
    said = params[by] if by else params.get("name") or params.get("path")
    return f"{kind} {said}" if said else kind
