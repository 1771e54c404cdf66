# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health of a container that runs: which check is in force, what the last checks said, what follows from that.

``health.json`` beside what else is known of the process is there just while a check is in force, and is the checker's
to write. A damaged one is as good as one without any history.
"""
from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..image import healthcheck
from ..image.healthcheck import Healthcheck
from ..lean.dataclasses import dataclass, replace
from ..oci import lifecycle
from .container_model import Container

STARTING, HEALTHY, UNHEALTHY = "starting", "healthy", "unhealthy"
"""What a health can be, in Docker's words."""

NONE = "none"
"""What the command line calls the health of what is not checked, as Docker does."""

THERE, LOST = "there", "lost"
"""What the row ``checker`` of a container that runs says."""

LONGEST_LOG = 5
"""How many checks are kept, as with Docker."""

LONGEST_OUTPUT = 4096
"""How many bytes of what a check says are kept, from its beginning, as with Docker."""

FAILED = -1
"""What Docker has as the exit status of a check that did not come to an end."""

ROOM = "health"
"""The cgroup below a container's that its checks run in: what one has started is known by it."""

UNCHECKED = "neither it nor its image says how its health is checked"
CHECK_IT = "give it a healthcheck, or ask for started"

SECOND = 10**9


@dataclass(frozen=True)
class Result:
    """What came of a check; times in seconds since the epoch."""

    start: float
    end: float
    code: int
    output: str


@dataclass(frozen=True)
class Health:
    """A health, how many checks have failed in a row, and the last of them."""

    status: str = STARTING
    streak: int = 0
    log: tuple[Result, ...] = ()


def begun(before: Health | None) -> Health:
    """The health at a start, which keeps what the checks before said."""
    return Health(log=before.log if before else ())


def after(health: Health, result: Result, check: Healthcheck, age: float) -> Health:
    """The health after a check that began when the run was so many seconds old."""
    log = (*health.log, result)[-LONGEST_LOG:]
    if result.code == 0:
        return Health(HEALTHY, 0, log)
    if health.status == STARTING and age * SECOND < check.start_period:
        return replace(health, log=log)
    streak = health.streak + 1
    return Health(UNHEALTHY if streak >= check.retries else health.status, streak, log)


def delay(health: Health, check: Healthcheck, age: float) -> float:
    """Seconds from now, when the run is so many seconds old, to the next check."""
    beginning = health.status == STARTING and age * SECOND < check.start_period
    return (check.start_interval if beginning else check.interval) / SECOND


def in_force(container: Container, image: Mapping[str, Any]) -> Healthcheck | None:
    """The check of a container of an image of this configuration; None for none."""
    return healthcheck.in_force(container.healthcheck, healthcheck.of_image(image))


def arguments(check: Healthcheck, image: Mapping[str, Any]) -> list[str]:
    """What is executed for a check: a program, or the image's shell."""
    kind, *words = check.test
    if kind == healthcheck.COMMAND:
        return words
    shell = image.get("Shell")
    known = isinstance(shell, list) and shell and all(isinstance(each, str) for each in shell)
    return [*(shell if known and isinstance(shell, list) else ("/bin/sh", "-c")), *words]


def path(layout: Layout, identity: str) -> str:
    """Where the health is kept."""
    return layout.running(identity, "health.json")


def read(layout: Layout, identity: str) -> Health | None:
    """The health of a container; None where no check is in force."""
    try:
        kept = store.read_json(path(layout, identity))
    except Failure:
        return Health()
    if kept is None:
        return None
    try:
        log = tuple(_result(each) for each in kept["Log"])
        status, streak = kept["Status"], kept["FailingStreak"]
    except (KeyError, TypeError, ValueError):
        return Health()
    sound = status in (STARTING, HEALTHY, UNHEALTHY) and type(streak) is int
    return Health(status, streak, log) if sound else Health()


def _result(said: Any) -> Result:
    code, output = said["ExitCode"], said["Output"]
    if type(code) is not int or not isinstance(output, str):
        raise ValueError("it is no result of a check")
    return Result(float(said["Started"]), float(said["Ended"]), code, output)


def write(layout: Layout, identity: str, health: Health | None) -> None:
    """Keep the health, or that there is none. It need not survive a power cut."""
    if health is None:
        store.remove(path(layout, identity))
        return
    log = [{"Started": each.start, "Ended": each.end, "ExitCode": each.code, "Output": each.output}
           for each in health.log]  # fmt: skip
    told = {"Status": health.status, "FailingStreak": health.streak, "Log": log}
    os.makedirs(layout.running(identity), mode=0o700, exist_ok=True)
    store.write_json(path(layout, identity), told, durable=False)


def facts(health: Health, runs: bool) -> dict[str, Any]:
    """What ``inspect`` tells of it. What does not run is not healthy, as with Docker."""
    log = [
        {"Start": _time(each.start), "End": _time(each.end), "ExitCode": each.code, "Output": each.output}
        for each in health.log
    ]
    return {"Status": health.status if runs else UNHEALTHY, "FailingStreak": health.streak, "Log": log}


def _time(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"


def observe(layout: Layout, identity: str) -> dict[str, Any]:
    """The rows of a container that runs: its health, and whether somebody checks it. Empty for one that nobody does."""
    health = read(layout, identity)
    if health is None:
        return {}
    return {"health": health.status, "checker": THERE if lifecycle.checker(layout, identity) else LOST}


def note(layout: Layout, container: Container, image: Mapping[str, Any]) -> float | None:
    """Keep that a run begins. Seconds to its first check; None if it is not checked."""
    identity, check = container.id or "", in_force(container, image)
    health = begun(read(layout, identity)) if check else None
    write(layout, identity, health)
    return delay(health, check, 0) if check and health else None
