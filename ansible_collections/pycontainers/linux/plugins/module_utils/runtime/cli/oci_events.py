# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb events: what a container uses, told as a JSON object per line."""
from __future__ import annotations

import json
import os
import re
import select
import sys
import time

from ..errors import Failure, InvalidValue
from ..kernel.cgroups import killed_for_memory
from ..oci import container, limits
from ..oci.statistics import statistics
from ..typed import Any
from .oci_call import Call

INTERVAL = "5s"
LOOK = 1.0
"""Seconds between two looks at whether the kernel has ended a process for want of memory."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|)", re.ASCII)


def events(call: Call) -> int:
    """Print statistics: once with --stats, else at each interval until the container ends, and each ``oom``."""
    (identity,) = call.chosen.only(1, "a container id")
    interval = _seconds(call.chosen.text("interval", INTERVAL))
    record = call.containers.load(identity)
    if call.containers.status(record) == container.STOPPED:
        raise Failure(f"tell events of container {identity}", "container not running")
    if not record.cgroup:
        raise Failure(f"tell events of container {identity}", "it was created without a cgroup")
    if call.chosen.flag("stats"):
        _tell("stats", record, statistics(limits.groups(), record.cgroup))
        return 0
    _follow(record, interval)
    return 0


def _follow(record: container.Record, interval: float) -> None:
    groups, poll = limits.groups(), select.poll()
    try:
        descriptor = os.pidfd_open(record.init.pid)
    except ProcessLookupError:
        return
    poll.register(descriptor, select.POLLIN)
    try:
        killed, due = killed_for_memory(groups, record.cgroup), time.monotonic() + interval
        while record.init.alive and not poll.poll(1000 * max(0.0, min(LOOK, due - time.monotonic()))):
            before, killed = killed, killed_for_memory(groups, record.cgroup)
            if killed > before:
                _tell("oom", record)
            if time.monotonic() >= due:
                _tell("stats", record, statistics(groups, record.cgroup))
                due += interval
        if killed_for_memory(groups, record.cgroup) > killed:
            _tell("oom", record)
    finally:
        os.close(descriptor)


def _tell(kind: str, record: container.Record, data: dict[str, Any] | None = None) -> None:
    event = {"type": kind, "id": record.id, **({"data": data} if data is not None else {})}
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _seconds(said: str) -> float:
    """A duration as Go writes it, of one unit."""
    match = _DURATION.fullmatch(said)
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        raise InvalidValue("--interval", said, "it is not a time above zero", "give one such as 5s, 500ms or 1m")
    return seconds
