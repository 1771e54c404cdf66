# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that have a container's health checked, and that wait until a container runs well."""
from __future__ import annotations

import errno
import os
import time

from ..core.layout import Layout
from ..core.plan import Step
from ..errors import Failure
from ..kernel.cgroups import cgroups
from ..kernel.killing import end_all
from ..lean.dataclasses import dataclass, field
from ..oci import checker, lifecycle
from . import container_health, container_state, container_volumes, last_words, restart_policy
from .container_health import HEALTHY, ROOM, UNHEALTHY, Health
from .container_model import Container
from .container_target import Target
from .container_words import short

LOOK = 0.05
"""Seconds between two looks at a container that is waited for."""

ROOM_TO_GO_BACK = 1 << 16
"""Bytes on the disk that it takes to stop a container and to start it again: some small files, and its log's."""

MOMENT = 0.5
"""Seconds that the program of a container which takes another's place has to be there."""


def begin(layout: Layout, container: Container) -> None:
    """Have the health of a container checked that is about to run, if it is to be."""
    first = container_health.note(layout, container, container_volumes.image_config(layout, container))
    if first is not None:
        checker.begin(layout, container.id or "", first)


@dataclass(frozen=True)
class WatchHealth:
    """The step that has the health of a container that runs checked as is wanted now, or by a lost checker's like.

    ``former`` is filled as it is done: the health before.
    """

    layout: Layout
    before: Container
    after: Container
    former: list[Health | None] = field(default_factory=list, compare=False, repr=False)

    def describe(self) -> str:
        """Which container's."""
        return f"check the health of container {short(self.before)} as declared"

    def do(self) -> None:
        """End the checker there is, and start one if there is something to check. What has not changed goes on."""
        identity = self.before.id or ""
        health = container_health.read(self.layout, identity)
        self.former.append(health)
        image = container_volumes.image_config(self.layout, self.before)
        old, new = (container_health.in_force(each, image) for each in (self.before, self.after))
        self._bring(self.after, health if health and old == new else container_health.begun(health))

    def undo(self) -> None:
        """Go on with the check before, where that was."""
        health = self.former.pop()
        self._bring(self.before, health or Health())

    def _bring(self, container: Container, health: Health) -> None:
        identity = self.before.id or ""
        checker.end(self.layout, identity)
        end_all(cgroups(), f"{container_state.cgroup(self.before)}/{ROOM}")
        check = container_health.in_force(container, container_volumes.image_config(self.layout, self.before))
        container_health.write(self.layout, identity, health if check else None)
        if check:
            age = restart_policy.clock() - container_state.status(self.layout, identity).started_clock
            checker.begin(self.layout, identity, container_health.delay(health, check, age))


@dataclass(frozen=True)
class AwaitHealthy:
    """The step that waits until a container that runs is healthy, so many seconds at most; for ever if not above zero.

    Its lock is held meanwhile, so nobody starts its program again: that it ends is a failure.
    """

    layout: Layout
    container: Container
    seconds: float

    def describe(self) -> str:
        """Which container, and how long."""
        most = f", at most {self.seconds:g} s" if self.seconds > 0 else ""
        return f"wait until container {short(self.container)} is healthy{most}"

    def do(self) -> None:
        """Look again and again. Raises :class:`Failure` with the last check, and what the container has said last."""
        identity, end = self.container.id or "", time.monotonic() + self.seconds
        while True:
            health = container_health.read(self.layout, identity)
            if health and health.status == HEALTHY:
                return
            init = lifecycle.running(self.layout, identity)
            if init is None:
                raise last_words.failure(self.layout, self.container, self._operation, "before it was healthy")
            if health is None:
                raise Failure(self._operation, "nothing checks its health", "give it a healthcheck")
            acts = (self.container.on_unhealthy or "none") != "none"
            if health.status == UNHEALTHY and acts:
                raise last_words.unhealthy(self.layout, self.container, self._operation, "it has become unhealthy")
            if self.seconds > 0 and time.monotonic() > end:
                reason = f"after {self.seconds:g} s it is {health.status}"
                raise last_words.unhealthy(self.layout, self.container, self._operation, reason)
            init.wait(LOOK)

    @property
    def _operation(self) -> str:
        return f"wait until container {short(self.container)} is healthy"

    def undo(self) -> None:
        """Nothing: it has only looked."""


@dataclass(frozen=True)
class SurviveStart:
    """The step that sees whether the program of a container that takes another's place is still there in a moment."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container, and how long."""
        return f"see container {short(self.container)} run for {MOMENT:g} s"

    def do(self) -> None:
        """Wait. Raises :class:`Failure` if the program has ended, unless with status 0."""
        init = lifecycle.started(self.layout, self.container.id or "")
        if not init.wait(MOMENT):
            return
        operation = f"start container {short(self.container)}"
        if last_words.exit_status(self.layout, self.container):
            raise last_words.failure(self.layout, self.container, operation, "as soon as it had been started")

    def undo(self) -> None:
        """Nothing: it has only looked."""


@dataclass(frozen=True)
class SeeRoom:
    """The step that sees, before a container is stopped for another's sake, that there is room on the disk to go back.

    On a full one what is written down when it stops, and when it starts again, is lost, and the container with it.
    """

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container."""
        return f"see room on the disk to go back to container {short(self.container)}"

    def do(self) -> None:
        """Look. Raises ``OSError`` if there is less."""
        folder = self.layout.container(self.container.id or "")
        there = os.statvfs(folder)
        if there.f_bfree * there.f_frsize < ROOM_TO_GO_BACK:
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: less than {ROOM_TO_GO_BACK} bytes", folder)

    def undo(self) -> None:
        """Nothing: it has only looked."""


def see_steps(layout: Layout, want: Target, replaces: bool) -> list[Step]:
    """See a container that has just been started become what it is to be; one that replaces another at least run."""
    if want.awaited:
        return [AwaitHealthy(layout, want, want.healthy_wait_timeout)]
    return [SurviveStart(layout, want)] if replaces else []
