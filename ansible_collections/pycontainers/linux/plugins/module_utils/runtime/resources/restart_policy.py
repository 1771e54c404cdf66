# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a restart policy asks for, in Docker's sense ("Start containers automatically"). Decides, and does nothing."""
from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .container_model import Container
    from .container_state import Status

FIRST_DELAY, LONGEST_DELAY = 0.1, 60.0
"""Seconds before a restart: doubled from one to the other, as Docker has it."""

HEALTHY_AFTER = 10.0
"""Seconds after which a run counts as a good one, and the delay begins anew."""


def delay(restarts: int) -> float:
    """Seconds to wait before a restart, when there have been so many in a row."""
    return float(min(FIRST_DELAY * 2 ** min(restarts, 30), LONGEST_DELAY))


def in_a_row(status: Status, ended: float) -> int:
    """How many restarts there have been since the last good run, when a run has ended at a time of :func:`clock`."""
    return 0 if ended - status.started_clock >= HEALTHY_AFTER else status.in_a_row


def clock() -> float:
    """Seconds on a clock that goes on while the machine sleeps, and that setting the time does not move."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def restarts(container: Container, wanted: str, count: int, code: int, unhealthy: bool = False) -> bool:
    """Whether a container is started again whose program has ended by itself, after ``count`` restarts.

    One that was ended since it was ``unhealthy`` is, whatever its exit status, and by the policy ``no`` too.
    """
    if wanted == "stopped":
        return False
    policy = container.restart_policy or "no"
    if policy == "on-failure":
        allowed = container.restart_retries or 0
        return (code != 0 or unhealthy) and (not allowed or count < allowed)
    return unhealthy or policy in ("always", "unless-stopped")


def boots(container: Container, status: Status) -> bool:
    """Whether a container is started at boot: ``always`` in any case, others if they ran when the host went down."""
    policy = container.restart_policy or "no"
    if policy == "always":
        return True
    return policy in ("unless-stopped", "on-failure") and status.wanted == "running"
