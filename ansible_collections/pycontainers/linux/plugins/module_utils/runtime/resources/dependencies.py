# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``depends_on`` of a container: which others have to run before it is started."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.kinds import NAME
from ..core.model import Kind
from ..lean.dataclasses import dataclass

STARTED, HEALTHY = "started", "healthy"
CONDITIONS = (STARTED, HEALTHY)


@dataclass(frozen=True, order=True)
class Dependency:
    """A container that has to run first, by its name, and what has to be so of it."""

    name: str
    condition: str = STARTED


def dependencies(value: Any) -> tuple[Dependency, ...]:
    """Others, each as its name or as a dictionary with ``name`` and ``condition``; none twice, sorted."""
    if not isinstance(value, list | tuple):
        raise ValueError("it is not a list")
    found = sorted(map(_dependency, value))
    names = [each.name for each in found]
    twice = [each for each in names if names.count(each) > 1]
    if twice:
        raise ValueError(f"a container is named twice: {twice[0]}")
    return tuple(found)


def _dependency(value: Any) -> Dependency:
    given = value if isinstance(value, Mapping) else {"name": value}
    unknown = [key for key in given if key not in ("name", "condition")]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known of a dependency; name and condition are")
    if given.get("name") is None:
        raise ValueError("a dependency has no name")
    condition = given.get("condition")
    if condition is None:
        condition = STARTED
    if condition not in CONDITIONS:
        raise ValueError(f"the condition {condition!r} is not one of {', '.join(CONDITIONS)}")
    return Dependency(NAME.parse(given["name"]), condition)


def _shown(value: tuple[Dependency, ...]) -> list[dict[str, str]]:
    return [{"name": each.name, "condition": each.condition} for each in value]


DEPENDENCIES = Kind("dependencies", {"type": "list", "elements": "raw"}, dependencies, _shown)
