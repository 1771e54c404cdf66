# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers use: processors, memory, network, block devices, processes, in numbers for programs.

Bytes, nanoseconds and counts since the container was started, percents of now. What a host does not count is None.
"""
from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..core.layout import Layout
from ..errors import Failure
from ..kernel import cgroups, links
from ..kernel.cgroups import Cgroups
from ..lean.dataclasses import dataclass
from ..oci import lifecycle
from ..oci.statistics import NO_LIMIT, statistics, swap
from . import container_network, container_state
from .container_kinds import HOST
from .container_model import Container

_PRESSURE = {"cpu": "cpu", "memory": "memory", "io": "blkio"}
"""What processes wait for, and the part of the statistics that tells how long they did."""


@dataclass(frozen=True)
class Reading:
    """What the kernel has counted of a container at a moment, which is by a clock that nobody sets."""

    moment: float
    group: Mapping[str, Any]
    networks: Mapping[str, links.Counters]
    swap: tuple[int, int | None] = (0, None)
    killed: int = 0


def machine_memory() -> int:
    """How many bytes of memory the host has: the limit of those that have none of their own."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def read(layout: Layout, groups: Cgroups, container: Container) -> Reading | None:
    """What there is to count of a container; None if it does not run, or has ended meanwhile."""
    init = lifecycle.running(layout, container.id or "")
    if init is None:
        return None
    path = container_state.cgroup(container)
    moment = time.monotonic()
    group = statistics(groups, path)
    found = Reading(
        moment,
        group,
        networks=_networks(layout, container),
        swap=swap(groups, path, group["memory"]),
        killed=cgroups.killed_for_memory(groups, path),
    )
    # Its cgroup is there as long as it lives, and what has been read of that is whole.
    return found if init.alive else None


def _networks(layout: Layout, container: Container) -> dict[str, links.Counters]:
    """The counters of its interfaces; none where these are the host's."""
    with suppress(OSError, Failure):
        if container.network_mode != HOST:
            return links.counters(container_network.path(layout, container))
    return {}


def document(container: Container, now: Reading | None, before: Reading | None, machine: int) -> dict[str, Any]:
    """What a container uses; the share of processors since ``before``. ``machine`` is the memory of the host.

    Of one that does not run all numbers are None.
    """
    named = {"id": container.id, "name": container.name, "running": now is not None}
    return named | (_document(now, before, machine) if now else _NOTHING)


_NOTHING: dict[str, Any] = dict.fromkeys(
    "cpu_percent cpu_usage cpu_usage_user cpu_usage_system cpu_throttled cpu_throttled_periods cpu_periods "
    "memory_usage memory_limit memory_percent memory_peak memory_cache swap_usage swap_limit oom_kills networks "
    "block_read_bytes block_write_bytes block_read_ops block_write_ops pids_current pids_limit pressure".split()
)
_NOTHING |= {"networks": {}, "pressure": {}}


def _document(now: Reading, before: Reading | None, machine: int) -> dict[str, Any]:
    cpu, memory, pids = (now.group[name] for name in ("cpu", "memory", "pids"))
    return {
        "cpu_percent": _cpu_percent(now, before),
        "cpu_usage": cpu["usage"]["total"],
        "cpu_usage_user": cpu["usage"]["user"],
        "cpu_usage_system": cpu["usage"]["kernel"],
        "cpu_throttled": cpu["throttling"]["throttledTime"],
        "cpu_throttled_periods": cpu["throttling"]["throttledPeriods"],
        "cpu_periods": cpu["throttling"]["periods"],
        **_memory(memory, machine),
        "swap_usage": now.swap[0],
        "swap_limit": now.swap[1],
        "oom_kills": now.killed,
        "networks": {name: each._asdict() for name, each in now.networks.items()},
        **_blocks(now.group["blkio"]),
        "pids_current": pids["current"],
        "pids_limit": pids["limit"] or None,
        "pressure": {name: now.group[part]["psi"] for name, part in _PRESSURE.items() if "psi" in now.group[part]},
    }


def _cpu_percent(now: Reading, before: Reading | None) -> float | None:
    """Hundred is one processor. None where there is nothing to compare with, as after a start in between."""
    if before is None or now.moment <= before.moment:
        return None
    spent = now.group["cpu"]["usage"]["total"] - before.group["cpu"]["usage"]["total"]
    return round(spent / (now.moment - before.moment) / 1e7, 2) if spent >= 0 else None


def _memory(found: Mapping[str, Any], machine: int) -> dict[str, Any]:
    """Without the cache that has not been used lately, as Docker counts: the kernel takes that back when it has to."""
    said, raw = found["usage"], found["raw"]
    usage = max(0, said["usage"] - raw.get("total_inactive_file", raw.get("inactive_file", 0)))
    limit = min(said["limit"], raw.get("hierarchical_memory_limit", NO_LIMIT), machine)
    return {
        "memory_usage": usage,
        "memory_limit": limit,
        "memory_percent": round(100 * usage / limit, 2) if limit else None,
        "memory_peak": said["max"] or None,
        "memory_cache": found["cache"],
    }


def _blocks(found: Mapping[str, Any]) -> dict[str, int]:
    """Bytes and operations of all devices."""
    return {
        f"block_{operation.lower()}_{what}": sum(
            each["value"] for each in found.get(part, ()) if each["op"] == operation
        )
        for what, part in (("bytes", "ioServiceBytesRecursive"), ("ops", "ioServicedRecursive"))
        for operation in ("Read", "Write")
    }


class Watch:
    """Containers that are looked at again and again. One that ends or is removed between two looks is no error."""

    def __init__(self, layout: Layout, asked: Sequence[str] | None = None, every: bool = False) -> None:
        """Of these ids, or else all that run; also those that do not run, if ``every``."""
        self.layout, self.asked, self.every = layout, asked, every or asked is not None
        self.unreadable: dict[str, str] = {}
        self._machine = machine_memory()
        self._groups = cgroups.cgroups()
        self._known: dict[str, Container] = {}
        self._before: dict[str, Reading] = {}

    def look(self) -> list[dict[str, Any]]:
        """What each uses now, with its share of the processors since the look before."""
        now, found = {}, []
        for container in self._there():
            identity = container.id or ""
            reading = read(self.layout, self._groups, container)
            if reading:
                now[identity] = reading
            if reading or self.every:
                at = container_state.timestamp(time.time())
                found.append(document(container, reading, self._before.get(identity), self._machine) | {"read": at})
        self._before = now
        return found

    def _there(self) -> list[Container]:
        """Those that have a name: by name, or in the order in which they were asked for."""
        there = container_state.identities(self.layout)
        if self.asked is not None:
            there = [each for each in self.asked if each in there]
        found = [container for each in there if (container := self._container(each))]
        return found if self.asked is not None else sorted(found, key=lambda each: each.name)

    def _container(self, identity: str) -> Container | None:
        """A container by its record, which is read once: nothing in it that matters here changes."""
        try:
            known = self._known.get(identity) or container_state.load(self.layout, identity)
        except Failure as error:
            self.unreadable[identity] = str(error)
            return None
        if known is None or container_state.identity_of(self.layout, known.name) != identity:
            return None
        self._known[identity] = known
        return known
