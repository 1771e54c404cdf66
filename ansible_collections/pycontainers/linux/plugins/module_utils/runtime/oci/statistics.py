# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cgroup has used, in the shape that clients of ``events`` read: the same for both cgroup versions.

Bytes and nanoseconds; what a host does not count is left out. Sources: the kernel's admin-guide/cgroup-v2.rst and
admin-guide/cgroup-v1/.
"""
from __future__ import annotations

import os

from ..kernel.cgroup_values import page_sizes
from ..kernel.cgroups import Cgroups, Group
from ..typed import Any

NO_LIMIT = 2**64 - 1
"""How a limit that is not set is told: the largest number of 64 bits."""

_TICK = 10**9 // os.sysconf("SC_CLK_TCK")
"""Nanoseconds of version 1's unit of time in cpuacct.stat."""

_IO = {"rbytes": ("Read", "ioServiceBytesRecursive"), "wbytes": ("Write", "ioServiceBytesRecursive")}
_IO |= {"rios": ("Read", "ioServicedRecursive"), "wios": ("Write", "ioServicedRecursive")}


_HUGE_1 = "hugetlb/hugetlb"


class _Files(Group):
    """The files of one cgroup; one that is missing reads as nothing."""

    def number(self, name: str) -> int:
        said = self.text(name)
        return NO_LIMIT if said == "max" else int(said) if said.isdigit() else 0

    def entry(self, name: str, key: str) -> int:
        """The number behind one word of a table."""
        _, _, rest = f"\n{self.text(name)}".partition(f"\n{key} ")
        value = rest.partition("\n")[0]
        return int(value) if value.isdigit() else 0

    def table(self, name: str) -> dict[str, int]:
        lines = (line.split() for line in self.text(name).splitlines())
        return {words[0]: int(words[1]) for words in lines if len(words) == 2 and words[1].isdigit()}

    def pressure(self, controller: str) -> dict[str, Any]:
        """How long processes have waited for it, as ``psi``; nothing where the kernel does not tell."""
        lines = (line.split() for line in self.text(f"{controller}.pressure").splitlines())
        found = {kind: dict(_waited(pair) for pair in pairs) for kind, *pairs in lines}
        return {"psi": found} if found else {}


def _waited(pair: str) -> tuple[str, float]:
    """Percents of some time, or the total in microseconds."""
    name, _, value = pair.partition("=")
    return name, int(value) if name == "total" else float(value)


def statistics(groups: Cgroups, path: str) -> dict[str, Any]:
    """The ``data`` of an event of type stats."""
    files = _Files(groups, path)
    found = _version_1(files) if groups.version == 1 else _version_2(files)
    return {**found, "intel_rdt": {}, "network_interfaces": None}


def swap(groups: Cgroups, path: str, memory: dict[str, Any]) -> tuple[int, int | None]:
    """Bytes of swap in use, and how many may be, None for no limit; ``memory`` is that part of the statistics."""
    files = _Files(groups, path)
    if groups.version == 2:
        most = files.text("memory.swap.max")
        return files.number("memory.swap.current"), int(most) if most.isdigit() else None
    limit, both = memory["usage"]["limit"], memory["swap"]["limit"]
    # What version 1 has for no limit is its largest number of pages, a little below this.
    return memory["raw"].get("total_swap", 0), max(0, both - limit) if 0 < both < 2**62 else None


def memory_events(groups: Cgroups, path: str) -> dict[str, int]:
    """How often memory ran out, and what came of it, by the kernel's words; version 1 counts less of it."""
    files = _Files(groups, path)
    if groups.version == 2:
        return files.table("memory.events")
    killed = files.entry("memory/memory.oom_control", "oom_kill")
    return {"max": files.number("memory/memory.failcnt"), "oom_kill": killed}


def brief(groups: Cgroups, path: str) -> dict[str, Any]:
    """What is used, without all that goes into it: a look at many groups reads a quarter of the files.

    Bytes, processes and nanoseconds; ``pressure`` is what processes have waited for, where the kernel tells.
    """
    files = _Files(groups, path)
    found = _brief_1(files) if groups.version == 1 else _brief_2(files)
    return {**found, "memory_events": memory_events(groups, path)}


def _brief_1(files: _Files) -> dict[str, Any]:
    used, both = (files.number(f"memory/memory.{each}usage_in_bytes") for each in ("", "memsw."))
    return {
        "memory": used,
        "memory_peak": files.number("memory/memory.max_usage_in_bytes"),
        # A kernel that does not count swap has no file for both.
        "swap": max(0, both - used) if both else 0,
        "pids": files.number("pids/pids.current"),
        "cpu": files.number("cpuacct/cpuacct.usage"),
        "cpu_throttled": files.entry("cpu/cpu.stat", "throttled_time"),
        "pressure": {},
    }


def _brief_2(files: _Files) -> dict[str, Any]:
    cpu, waited = files.table("cpu.stat"), {each: files.pressure(each) for each in ("cpu", "memory", "io")}
    return {
        "memory": files.number("memory.current"),
        "memory_peak": files.number("memory.peak"),
        "swap": files.number("memory.swap.current"),
        "pids": files.number("pids.current"),
        "cpu": cpu.get("usage_usec", 0) * 1000,
        "cpu_throttled": cpu.get("throttled_usec", 0) * 1000,
        "pressure": {name: each["psi"] for name, each in waited.items() if each},
    }


def _version_2(files: _Files) -> dict[str, Any]:
    cpu, memory = files.table("cpu.stat"), files.table("memory.stat")
    events = files.table("memory.events")
    usage = {
        "total": cpu.get("usage_usec", 0) * 1000,
        "kernel": cpu.get("system_usec", 0) * 1000,
        "user": cpu.get("user_usec", 0) * 1000,
    }
    io: dict[str, list[dict[str, Any]]] = {}
    for line in files.text("io.stat").splitlines():
        device, *words = line.split()
        for word in words:
            name, _, value = word.partition("=")
            if name in _IO:
                operation, list_name = _IO[name]
                io.setdefault(list_name, []).append(_transfer(device, operation, value))
    now, most = files.number("memory.current"), files.number("memory.max")
    swapped, swap_most = files.number("memory.swap.current"), files.number("memory.swap.max")
    return {
        "cpu": {
            "usage": usage,
            "throttling": _throttling(cpu, cpu.get("throttled_usec", 0) * 1000),
            **files.pressure("cpu"),
        },
        "memory": {
            "cache": memory.get("file", 0),
            "usage": {
                "usage": now,
                "limit": most,
                "max": files.number("memory.peak"),
                "failcnt": events.get("max", 0),
            },
            # Clients know it from version 1 as what memory and swap come to together.
            "swap": {"usage": now + swapped, "limit": min(most + swap_most, NO_LIMIT)},
            "raw": memory,
            **files.pressure("memory"),
        },
        "pids": _pids(files, ""),
        "blkio": {**io, **files.pressure("io")},
        "hugetlb": {size: _huge_2(files, size) for size in page_sizes() if files.text(f"hugetlb.{size}.max")},
    }


def _huge_2(files: _Files, size: str) -> dict[str, int]:
    """Bytes in huge pages: what is reserved, where the kernel counts that."""
    name = f"hugetlb.{size}"
    reserved = f"{name}.rsvd" if files.text(f"{name}.rsvd.current") else name
    return {"usage": files.number(f"{reserved}.current"), "failcnt": files.table(f"{name}.events").get("max", 0)}


def _huge_1(files: _Files, size: str) -> dict[str, int]:
    name = f"{_HUGE_1}.{size}"
    reserved = f"{name}.rsvd" if files.text(f"{name}.rsvd.usage_in_bytes") else name
    names = {"usage": "usage_in_bytes", "max": "max_usage_in_bytes", "failcnt": "failcnt"}
    return {key: files.number(f"{reserved}.{file}") for key, file in names.items()}


def _version_1(files: _Files) -> dict[str, Any]:
    times, periods = files.table("cpuacct/cpuacct.stat"), files.table("cpu/cpu.stat")
    memory = files.table("memory/memory.stat")
    usage = {
        "total": files.number("cpuacct/cpuacct.usage"),
        "percpu": [int(each) for each in files.text("cpuacct/cpuacct.usage_percpu").split()],
        "kernel": times.get("system", 0) * _TICK,
        "user": times.get("user", 0) * _TICK,
    }
    io = {}
    for list_name, file in (
        ("ioServiceBytesRecursive", "blkio/blkio.throttle.io_service_bytes_recursive"),
        ("ioServicedRecursive", "blkio/blkio.throttle.io_serviced_recursive"),
    ):
        lines = [line.split() for line in files.text(file).splitlines()]
        io[list_name] = [_transfer(*words) for words in lines if len(words) == 3]
    return {
        "cpu": {"usage": usage, "throttling": _throttling(periods, periods.get("throttled_time", 0))},
        "memory": {
            "cache": memory.get("cache", 0),
            "usage": _memory(files, "memory."),
            "swap": _memory(files, "memory.memsw."),
            "kernel": _memory(files, "memory.kmem."),
            "kernelTCP": _memory(files, "memory.kmem.tcp."),
            "raw": memory,
        },
        "pids": _pids(files, "pids/"),
        "blkio": io,
        "hugetlb": {size: _huge_1(files, size) for size in page_sizes() if files.text(f"{_HUGE_1}.{size}.failcnt")},
    }


def _throttling(counts: dict[str, int], nanoseconds: int) -> dict[str, int]:
    return {
        "periods": counts.get("nr_periods", 0),
        "throttledPeriods": counts.get("nr_throttled", 0),
        "throttledTime": nanoseconds,
    }


def _memory(files: _Files, prefix: str) -> dict[str, int]:
    names = {"usage": "usage_in_bytes", "limit": "limit_in_bytes", "max": "max_usage_in_bytes", "failcnt": "failcnt"}
    return {key: files.number(f"memory/{prefix}{name}") for key, name in names.items()}


def _pids(files: _Files, prefix: str) -> dict[str, int]:
    """Its limit is 0 where there is none."""
    most = files.number(f"{prefix}pids.max")
    return {"current": files.number(f"{prefix}pids.current"), "limit": 0 if most == NO_LIMIT else most}


def _transfer(device: str, operation: str, value: str) -> dict[str, Any]:
    major, _, minor = device.partition(":")
    return {"major": int(major), "minor": int(minor), "op": operation, "value": int(value)}
