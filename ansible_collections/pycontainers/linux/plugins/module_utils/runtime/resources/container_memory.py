# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel has killed in a container for want of memory, kept beyond the cgroup that counts it.

A cgroup is there from a start by somebody to the end, over all runs that the restart policy makes of it. In the
status, ``oom_counted`` is what the cgroup had counted when it was last looked at, ``oom_kills`` what all cgroups of
the container have, ``oom_last_run`` how many were killed in the run that ended last. ``oom_ended_at`` is the end of
the last run whose program itself was killed so.
"""
from __future__ import annotations

import signal
import time
from typing import Any

from ..core.kinds import UNLIMITED
from ..kernel import cgroups
from ..lean.dataclasses import replace
from . import container_state
from .container_model import Container
from .container_state import Status
from .limits import observe_limits

KILLED = 128 + signal.SIGKILL
"""The exit status of a program that the kernel has killed."""


def carried_over(container: Container, before: Status, begun: Status) -> Status:
    """The status of a start by somebody, with what was known of killed processes before it."""
    counted = _counted(container)
    return replace(begun, oom_kills=before.oom_kills, oom_ended_at=before.oom_ended_at, oom_counted=counted)


def recorded(container: Container, ended: Status, stopped: bool = False) -> Status:
    """The status of a run that has ended, with what was killed in it. Its cgroup is still there.

    Of a program that was ``stopped`` it is known who has killed it.
    """
    counted = _counted(container)
    return after_run(ended, counted, _limit(container) if counted else UNLIMITED, stopped)


def ended(container: Container, known: Status, code: int) -> Status:
    """The status of a run that has just ended so, and that nobody has recorded yet."""
    return recorded(container, replace(known, exit_code=code, finished_at=time.time()))


def after_run(ended: Status, counted: int, limit: int, stopped: bool) -> Status:
    """The same by what the cgroup has counted, and its limit."""
    killed = _killed(ended, counted)
    status = replace(ended, oom_kills=ended.oom_kills + killed, oom_last_run=killed, oom_counted=counted)
    if not killed or stopped or ended.exit_code != KILLED:
        return status
    return replace(status, oom_ended_at=ended.finished_at, error=_sentence("program", ended.finished_at, limit))


def killed_at_start(container: Container, begun: Status) -> str:
    """Why a start has failed, if the kernel has killed the container's first process; else nothing."""
    if not _killed(begun, _counted(container)):
        return ""
    return _sentence("first process", time.time(), _limit(container))


def ended_by_it(status: Status) -> bool:
    """Whether the run that ended last did so since the kernel killed its program for want of memory."""
    return bool(status.oom_ended_at) and status.oom_ended_at == status.finished_at


def facts(container: Container, status: Status, running: bool) -> dict[str, Any]:
    """What ``inspect`` tells of it.

    ``OOMKilled`` is Docker's: whether any process of this run, or of the last one, was killed. ``OomKills`` are all of
    the container's, and ``OomKilledAt`` is when its program last was one of them. Those of a run whose end has not been
    recorded yet are among them.
    """
    killed = _killed(status, _counted(container))
    return {
        "OOMKilled": bool(killed or (not running and status.oom_last_run)),
        "OomKills": status.oom_kills + killed,
        "OomKilledAt": container_state.timestamp(status.oom_ended_at),
    }


def _killed(status: Status, counted: int) -> int:
    """How many of what the cgroup has counted are not in the status yet."""
    return max(0, counted - status.oom_counted)


def _counted(container: Container) -> int:
    return cgroups.killed_for_memory(cgroups.cgroups(), container_state.cgroup(container))


def _limit(container: Container) -> int:
    held: int | None = observe_limits(cgroups.cgroups(), container_state.cgroup(container))["memory"]
    return UNLIMITED if held is None else held


def _sentence(what: str, moment: float, limit: int) -> str:
    said = f"the kernel killed its {what} for want of memory at {container_state.timestamp(moment)}"
    if limit == UNLIMITED:
        return f"{said}, with no memory limit of its own: the host's memory had run out"
    return f"{said}, with a memory limit of {limit} bytes"
