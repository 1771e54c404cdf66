# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container that a task runs to its end: ``detach: false``."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.layout import Layout
from ..core.plan import Ending, Plan, Resource, Step, converge
from ..errors import Failure, InvalidValue
from ..kernel.process import Process
from ..lean.dataclasses import dataclass, field
from ..oci import lifecycle
from . import container_logs, container_observed, container_state
from .container_facts import inspect
from .container_model import Container
from .container_target import restarts
from .container_words import short

LAST_LINES = 10
"""Lines of what a program said that are in the error about its end."""

BETWEEN_RUNS = 0.05
"""Seconds until it is looked again whether a container that waits for its next run has begun that."""


@dataclass(frozen=True)
class AwaitEnd:
    """The step that waits for the end of a container's program. What it has said since ``place`` of its log is told."""

    layout: Layout
    container: Container
    place: Mapping[tuple[int, int], int] = field(compare=False, repr=False)
    told: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def describe(self) -> str:
        """Which container."""
        return f"wait for the end of container {short(self.container)}"

    def do(self) -> None:
        """Wait, and keep what came of it. Raises :class:`Failure`, with that, if its exit status is not 0."""
        identity = self.container.id or ""
        while process := self._alive(identity):
            process.wait(3600 if process == lifecycle.running(self.layout, identity) else BETWEEN_RUNS)
        with container_state.held(self.layout, identity) as kept:
            if kept is None:
                raise Failure(self.describe(), "it was removed meanwhile")
            status = container_state.status(self.layout, identity)
            output = container_logs.since(self.layout, identity, self.place)
            now = container_observed.observed(self.layout, kept)
            self.told.update(container=inspect(self.layout, now) | {"Output": output}, status=status.exit_code)
        if status.exit_code:
            reason = f"its program ended with status {status.exit_code}{status.error and f' ({status.error})'}"
            lines = output.strip().splitlines()[-LAST_LINES:]
            failure = Failure(f"run container {self.container.name} to its end", reason, _last_words(lines))
            failure.facts = {"changed": True} | self.told
            raise failure

    def _alive(self, identity: str) -> Process | None:
        return lifecycle.running(self.layout, identity) or lifecycle.waiter(self.layout, identity)

    def undo(self) -> None:
        """Nothing was done."""


def _last_words(lines: list[str]) -> str:
    return f"it said last: {' | '.join(lines)}" if lines else "it said nothing"


@dataclass(frozen=True)
class RemoveEnded:
    """The step that removes a container which has ended as it should, with its volumes that have no name."""

    resource: Resource[Container]
    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container."""
        return f"remove container {short(self.container)}"

    def do(self) -> None:
        """Remove it, unless somebody has meanwhile."""
        name = self.container.name
        if container_state.identity_of(self.layout, name) == self.container.id:
            gone = Container(name=name, state="absent", keep_volumes=False)
            converge(self.resource, self.layout, gone, check=False)

    def undo(self) -> None:
        """Nothing can bring it back."""
        raise Failure(f"bring back container {short(self.container)}", "what a container wrote is gone with it")


def check(full: Container) -> None:
    """Refuse to wait for what has no end, or none that could be told of. Raises :class:`InvalidValue`."""
    if full.restart_policy in ("always", "unless-stopped"):
        reason = f"restart_policy is {full.restart_policy}: its program has no end to wait for"
        raise InvalidValue("detach", False, reason, "leave out one of the two")
    if full.paused:
        reason = "paused is true: its program does not get to its end"
        raise InvalidValue("detach", False, reason, "leave out one of the two")
    if full.auto_remove:
        reason = "with auto_remove nobody could tell how its program ended"
        raise InvalidValue("detach", False, reason, "use cleanup in place of auto_remove")


def ending(
    resource: Resource[Container], layout: Layout, want: Container, have: Container | None
) -> Ending:
    """Wait for the end of what has been started, or runs; and remove it then if that is asked for."""
    goes_on = have is not None and have.id == want.id and have.state == "started" and not restarts(want, have)
    wait = AwaitEnd(layout, want, {} if goes_on else container_logs.place(layout, want.id or ""))
    steps: list[Step] = [wait, *([RemoveEnded(resource, layout, want)] if want.cleanup else ())]
    return Ending(Plan(purge=tuple(steps)), wait.told)
