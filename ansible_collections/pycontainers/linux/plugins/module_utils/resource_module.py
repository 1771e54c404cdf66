# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A resource as an Ansible module: arguments in, one convergence, a result out."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .runtime.core.kinds import PATH
from .runtime.core.layout import DEFAULT_ROOT, DEFAULT_RUN, Layout
from .runtime.core.model import Change, Effect, Model, argument_spec, option, parse, rows
from .runtime.core.plan import Outcome, Resource, converge
from .runtime.errors import Failure


@dataclass(frozen=True, kw_only=True)
class Place:
    """The options that all modules have: where things are on the host."""

    root: str = option(PATH, default=DEFAULT_ROOT)
    run: str = option(PATH, default=DEFAULT_RUN)


def options(resource: Resource[Any]) -> dict[str, dict[str, Any]]:
    """The argument specification of a resource's module."""
    return {**argument_spec(resource.model), **argument_spec(Place)}


def run(resource: Resource[Any]) -> None:
    """Be the module of a resource: read the task's arguments, converge, print the result, exit."""
    module = AnsibleModule(argument_spec=options(resource), supports_check_mode=True)
    try:
        place = parse(Place, _given(Place, module.params))
        want = parse(resource.model, _given(resource.model, module.params))
        outcome = converge(resource, Layout(place.root, place.run), want, module.check_mode)
    except Failure as error:
        module.fail_json(msg=str(error), **getattr(error, "facts", {}))
    except OSError as error:
        module.fail_json(msg=str(Failure(f"bring {named(resource, module.params)} to what is declared", error)))
    except Exception as error:  # the last place that can turn it into a sentence
        reason = " ".join("".join(traceback.format_exception_only(error)).split())
        fix = (
            "this is a bug in pycontainers.linux: please report it with this task "
            "and the traceback that ANSIBLE_DISPLAY_TRACEBACK=error shows"
        )
        message = str(Failure(f"bring {named(resource, module.params)} to what is declared", reason, fix))
        module.fail_json(msg=message, exception=traceback.format_exc())
    if tells_only(resource.model):
        module.exit_json(changed=False, **outcome.facts)
    module.exit_json(**result(named(resource, module.params), key(resource.model), outcome))


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


def _given(model: type[Model], params: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that belong to a model; Ansible's own list has aliases in it too."""
    return {row.name: params[row.name] for row in rows(model) if row.name in params}
