# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers come before which: those in ``depends_on``, and those whose processes or network one joins."""
from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from ..core import ids
from ..core.layout import Layout
from ..errors import Failure, InvalidValue, NotFound
from . import container_health, container_state
from .container_kinds import OTHER
from .container_model import Container
from .dependencies import HEALTHY

PATIENCE = 300.0
"""Seconds that a start waits for another container's health."""

LOOK = 0.05
"""Seconds between two looks at it."""

UNCHECKED = "nothing checks its health"


def needed(container: Container) -> tuple[str, ...]:
    """The names or ids of the containers that one needs, each once."""
    said = [each.name for each in container.depends_on or ()]
    modes = (container.pid_mode or "", container.network_mode or "")
    said += [mode.removeprefix(OTHER) for mode in modes if mode.startswith(OTHER)]
    return tuple(dict.fromkeys(said))


def check(layout: Layout, container: Container, starts: bool) -> None:
    """Refuse others that are not there or do not run, and such as need this one. Raises :class:`InvalidValue`."""
    conditions = {each.name: each.condition for each in container.depends_on or ()}
    said = list(conditions)
    for name in said:
        if name == container.name:
            raise InvalidValue("depends_on", name, "that is the container itself", "leave it out")
        try:
            other = container_state.find(layout, name)
        except NotFound as error:
            reason = "there is no container of this name"
            raise InvalidValue("depends_on", name, reason, "declare that one first, or leave it out") from error
        if starts and not _runs(layout, other):
            raise InvalidValue("depends_on", name, "it does not run", "start that container first")
        health = container_health.read(layout, other.id or "") if starts and conditions[name] == HEALTHY else None
        if health is not None and health.status != HEALTHY:
            reason = f"it is {health.status}, not healthy"
            raise InvalidValue("depends_on", name, reason, "declare that one with state: healthy first")
        if health is None and starts and conditions[name] == HEALTHY:
            raise InvalidValue("depends_on", name, UNCHECKED, "give it a healthcheck, or depend on it as started")
    for name in needed(container):
        way = _way(layout, name, container.name, ())
        if way:
            option = "depends_on" if name in said else _mode(container, name)
            reason = f"{' needs '.join(way)} needs {container.name} itself"
            raise InvalidValue(option, name, reason, "leave one of them out, so that there is a first one to start")


def _mode(container: Container, name: str) -> str:
    return "pid_mode" if container.pid_mode == f"{OTHER}{name}" else "network_mode"


def _way(layout: Layout, name: str, wanted: str, before: tuple[str, ...]) -> tuple[str, ...]:
    """The names from one container to the last of those that lead to another; nothing if none does."""
    with suppress(Failure):
        there = container_state.find(layout, name)
        if there.name in before:
            return ()
        way = (*before, there.name)
        for each in needed(there):
            if each == wanted or _named(layout, each) == wanted:
                return way
            if found := _way(layout, each, wanted, way):
                return found
    return ()


def _named(layout: Layout, said: str) -> str:
    with suppress(Failure):
        return container_state.find(layout, said).name
    return said


def _runs(layout: Layout, container: Container) -> bool:
    """Whether it runs, or its policy is about to start it again."""
    return container_state.limited(layout, container).state == "started"


def require(layout: Layout, container: Container) -> None:
    """Refuse to start a container that depends on one that does not run; wait for the health of one that has to be.

    Raises :class:`Failure`.
    """
    for each in container.depends_on or ():
        operation = f"start container {container.name}"
        try:
            other = container_state.find(layout, each.name)
        except NotFound as error:
            reason = f"there is no container {each.name}, on which it depends"
            raise Failure(operation, reason, "make that one, or take it out of depends_on") from error
        if not _runs(layout, other):
            raise Failure(operation, f"container {each.name}, on which it depends, does not run", "start that first")
        if each.condition == HEALTHY:
            _await_health(layout, operation, other)


def _await_health(layout: Layout, operation: str, other: Container) -> None:
    """Wait until a container that runs is healthy. Raises :class:`Failure` where it is not to be expected any more."""
    end, fix = time.monotonic() + PATIENCE, f"see pycontainers inspect {other.name}"
    while True:
        health = container_health.read(layout, other.id or "")
        if health is None:
            raise Failure(operation, f"container {other.name}, on which it depends: {UNCHECKED}", fix)
        if health.status == HEALTHY:
            return
        late = time.monotonic() > end or health.status == container_health.UNHEALTHY
        if late or not _runs(layout, other):
            raise Failure(operation, f"container {other.name}, on which it depends, is not healthy", fix)
        time.sleep(LOOK)


def edges(layout: Layout, containers: Iterable[Container]) -> dict[str, set[str]]:
    """The ids of containers, each with those of the others among them that it needs.

    Of those that need each other in a circle one is as good a first as another.
    """
    named = {each.name: each.id or "" for each in containers}
    found = {each.id or "": set(_ids(layout, each, named)) for each in containers}
    while circle := _circle(found):
        found[circle[1]].discard(circle[0])
    return found


def _ids(layout: Layout, container: Container, named: dict[str, str]) -> Iterator[str]:
    for each in needed(container):
        identity = named.get(each) or next((id_ for id_ in named.values() if ids.begins(id_, each)), "")
        if identity and identity != container.id:
            yield identity


def _circle(found: dict[str, set[str]]) -> list[str]:
    from graphlib import CycleError, TopologicalSorter

    try:
        TopologicalSorter(found).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1]
        return circle
    return []


def before(layout: Layout, container: Container) -> list[Container]:
    """The containers that one needs, and those that they need, in the order in which they are to be started."""
    found: dict[str, Container] = {}

    def add(each: Container, above: tuple[str, ...]) -> None:
        for name in needed(each):
            with suppress(NotFound):
                other = container_state.find(layout, name)
                if other.id not in (container.id, *above):
                    add(other, (*above, other.id or ""))
                    found.setdefault(other.id or "", other)

    add(container, ())
    return list(found.values())
