# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of a cgroup: one row each, with the kernel files of both cgroup versions and the way between.

A ``cgroup_limit`` sets them on a container by itself; a ``container`` has the same rows among its own.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..core.kinds import UNLIMITED, limit_count, limit_size, show_limit
from ..core.model import Effect, Kind, Row, option, rows
from ..kernel import cgroups
from ..kernel.cgroups import Cgroups, Knob

PAGE = 4096
"""Memory limits are kept by the kernel in whole pages; a limit is rounded down to one, as the kernel does it."""

MEMORY_UNLIMITED = (2**63 - 1) // PAGE * PAGE
"""What version 1 shows for no limit: the largest whole number of pages."""

PIDS_MOST = 4_194_304
"""The largest number of processes that the kernel takes as a limit (linux/threads.h, PID_MAX_LIMIT)."""

CPU_PERIOD = 100_000
"""Microseconds over which a cpu quota is counted: the kernel's own default."""

CPU_QUANTUM = 1_000_000_000 // CPU_PERIOD
"""Nanoseconds of cpu per second that one microsecond of quota stands for: what ``cpus`` is rounded to."""

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

CPU_LEAST = 0.01
"""The smallest ``cpus``: the kernel takes no quota below 1,000 microseconds (sched/core.c, min_cfs_quota_period)."""


def memory(value: Any) -> int:
    """A memory limit in bytes, in whole pages, or UNLIMITED."""
    limit = limit_size(value)
    if limit == UNLIMITED or limit >= MEMORY_UNLIMITED:
        return UNLIMITED
    if limit < PAGE:
        raise ValueError(f"it is below one page ({PAGE} bytes)")
    return limit // PAGE * PAGE


def cpus(value: Any) -> int:
    """Processors, as a number such as 1.5, in billionths of one; UNLIMITED for ``max`` and 0."""
    said = str(value).strip().lower()
    if said in ("max", "unlimited", "-1"):
        return UNLIMITED
    if not _NUMBER.fullmatch(said):
        raise ValueError("it is not a number of processors, such as 1.5")
    number = float(said)
    if number == 0:
        return UNLIMITED
    if not CPU_LEAST <= number <= 10_000:
        raise ValueError(f"it is not between {CPU_LEAST} and 10000 processors")
    return round(number * CPU_PERIOD) * CPU_QUANTUM


def pids(value: Any) -> int:
    """A number of processes that the kernel takes, or UNLIMITED."""
    limit = limit_count(value)
    if limit > PIDS_MOST:
        raise ValueError(f"it is above {PIDS_MOST}, the most processes that the kernel can count")
    return limit


def show_cpus(value: int) -> Any:
    """Processors as a number, ``max`` for no limit."""
    return "max" if value == UNLIMITED else value / 1_000_000_000


MEMORY = Kind("memory", {"type": "str"}, memory, show_limit)
CPUS = Kind("cpus", {"type": "str"}, cpus, show_cpus)
PIDS = Kind("pids", {"type": "str"}, pids, show_limit)


def _number(limit: int, unlimited: str) -> str:
    return unlimited if limit == UNLIMITED else str(limit)


def _read_number(said: str) -> int:
    """A number of the kernel's; ``max``, and in version 1 -1 or the largest whole number of pages, mean no limit."""
    return UNLIMITED if said in ("max", "-1") or int(said) >= MEMORY_UNLIMITED else int(said)


def _quota(limit: int) -> int:
    return limit // CPU_QUANTUM


def _read_quota(quota: str, period: str) -> int:
    return UNLIMITED if quota in ("max", "-1") else round(int(quota) * CPU_PERIOD / int(period)) * CPU_QUANTUM


MEMORY_V2 = Knob(("memory.max",), lambda limit: (_number(limit, "max"),), lambda texts: _read_number(texts[0]))
MEMORY_V1 = Knob(
    ("memory/memory.limit_in_bytes",), lambda limit: (_number(limit, "-1"),), lambda texts: _read_number(texts[0])
)
CPUS_V2 = Knob(
    ("cpu.max",),
    lambda limit: ("max" if limit == UNLIMITED else f"{_quota(limit)} {CPU_PERIOD}",),
    lambda texts: _read_quota(*texts[0].split()),
)
CPUS_V1 = Knob(
    ("cpu/cpu.cfs_period_us", "cpu/cpu.cfs_quota_us"),
    lambda limit: (str(CPU_PERIOD), "-1" if limit == UNLIMITED else str(_quota(limit))),
    lambda texts: _read_quota(texts[1], texts[0]),
)
PIDS_V2 = Knob(("pids.max",), lambda limit: (_number(limit, "max"),), lambda texts: _read_number(texts[0]))
PIDS_V1 = Knob(("pids/pids.max",), PIDS_V2.encode, PIDS_V2.decode)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limit rows, each with its knob in both versions."""

    memory: int | None = option(MEMORY, Effect.LIVE, v2=MEMORY_V2, v1=MEMORY_V1)
    cpus: int | None = option(CPUS, Effect.LIVE, v2=CPUS_V2, v1=CPUS_V1)
    pids_limit: int | None = option(PIDS, Effect.LIVE, v2=PIDS_V2, v1=PIDS_V1)


LIMIT_ROWS = rows(Limits)


def knob(row: Row, groups: Cgroups) -> Knob:
    """The row's knob on this host."""
    found: Knob = row.facts[f"v{groups.version}"]
    return found


def observe_limits(groups: Cgroups, path: str) -> dict[str, int]:
    """The limits of a cgroup as the kernel holds them, by row name."""
    return {row.name: cgroups.read(groups, path, knob(row, groups)) for row in LIMIT_ROWS}
