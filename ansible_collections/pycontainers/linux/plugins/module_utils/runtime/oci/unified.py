# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cgroup version 2 for the OCI command line: controllers and owners of groups, ``linux.resources`` as their texts.

Sources: the kernel's admin-guide/cgroup-v2.rst, runtime-spec config-linux.md.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from ..errors import Failure, InvalidValue
from ..kernel.cgroup_values import PERIOD, UNLIMITED, cpu_weight, io_weight
from ..kernel.cgroup_writes import Text
from ..kernel.cgroups import V2, Cgroups, Group, idle_controllers, read_file, write_file
from .config_devices import BlockIO
from .config_resources import Cpu, Memory, Resources, rdma

_DELEGATED: tuple[str, ...] = ("cgroup.procs", "cgroup.threads", "cgroup.subtree_control")
"""The files that belong to whom a group is handed over to, by kernels that do not list them."""

_OF_THREADS = {"cpu", "cpuset", "perf_event", "pids"}
"""The controllers that a group may hand down while it has processes itself."""


class Unified(V2):
    """The hierarchy with all its controllers, as many of them as each group can hand down."""

    def hand_down(self, directory: str) -> None:
        """Enable all controllers for the children of a group that has no processes of its own, or is the root.

        Those that the kernel refuses stay off: a container without limits needs none. With processes in it a group
        could hand down some, but its children would only take threads of these processes then.
        """
        missing = idle_controllers(directory)
        if not missing or (os.path.exists(f"{directory}/cgroup.type") and read_file(f"{directory}/cgroup.threads")):
            return
        control = f"{directory}/cgroup.subtree_control"
        try:
            write_file(control, " ".join(f"+{name}" for name in missing))
        except OSError:
            # One write is all or nothing.
            for name in missing:
                with suppress(OSError):
                    write_file(control, f"+{name}")

    def why_missing(self, path: str, controller: str) -> str:
        """The reason why a group lacks a controller; nothing if it has it, or no group above has it either."""
        above = self.root
        for name in path.split("/"):
            if controller in idle_controllers(above):
                place = above.removeprefix(self.root) or "/"
                busy = read_file(f"{above}/cgroup.threads")
                reason = "has processes of its own" if busy else "does not hand it down"
                return f"it lacks the controller {controller}, since the group {place} above it {reason}"
            above = f"{above}/{name}"
        return ""


def texts(groups: Cgroups, path: str, resources: Resources) -> Iterator[Text]:
    """What is to be written, in an order that the kernel takes. Raises :class:`Failure`."""
    group = Group(groups, path)
    yield from _memory(group, resources.memory)
    yield from _cpu(group, resources.cpu)
    if resources.pids is not None:
        yield "pids.max", _most(resources.pids)
    yield from _io(group, resources.block_io)
    for size, limit in resources.hugepages:
        # Limits are on what is reserved, where the kernel counts it, and on what is used.
        names = (f"hugetlb.{size}.rsvd.max", f"hugetlb.{size}.max")
        yield from ((name, str(limit)) for name in names if name == names[1] or group.has(name))
    yield from (("rdma.max", text) for text in rdma(resources))
    for name, content in resources.unified:
        # The kernel takes one line at a time.
        yield from ((name, line) for line in content.splitlines() or [""])


def _memory(group: Group, memory: Memory) -> Iterator[Text]:
    used = int(group.text("memory.current") or 0)
    for limit in (memory.limit, memory.swap):
        if memory.check_before_update and limit not in (None, UNLIMITED) and (limit or 0) < used:
            raise Failure(f"set the memory of cgroup {group.path} to {limit}", f"{used} bytes are in use")
    swap = _swap(group, memory)
    # A kernel without swap has no limit for it, and needs none to have none of it used.
    if swap and (group.has("memory.swap.max") or swap not in ("0", "max")):
        yield "memory.swap.max", swap
    if memory.limit is not None:
        yield "memory.max", _most(memory.limit)
    if memory.reservation is not None:
        yield "memory.low", _most(memory.reservation)


def _swap(group: Group, memory: Memory) -> str:
    """The limit of swap alone: configurations speak of memory and swap together. Empty to leave it."""
    if memory.swap is None:
        # Version 1 has no limit of both below that of memory, so clients know that one takes the other away.
        return "max" if memory.limit == UNLIMITED else ""
    if memory.swap == UNLIMITED:
        return "max"
    limit = memory.limit
    if limit is None:
        now = group.text("memory.max")
        limit = int(now) if now.isdigit() else UNLIMITED
    if limit == UNLIMITED:
        reason = "it includes memory, which has no limit"
        raise InvalidValue("memory.swap", memory.swap, reason, "set memory.limit too")
    if memory.swap < limit:
        raise InvalidValue("memory.swap", memory.swap, f"it includes memory, whose limit is {limit}")
    return str(memory.swap - limit)


def _cpu(group: Group, cpu: Cpu) -> Iterator[Text]:
    share = [("cpu.weight", str(cpu_weight(cpu.shares)))] if cpu.shares is not None else []
    idle = [("cpu.idle", str(cpu.idle))] if cpu.idle is not None else []
    # An idle group takes no weight.
    yield from [*share, *idle] if cpu.idle else [*idle, *share]
    most = [("cpu.max", _bandwidth(group, cpu))] if cpu.quota is not None or cpu.period is not None else []
    burst = [("cpu.max.burst", str(cpu.burst))] if cpu.burst is not None else []
    # A burst is never above the quota, neither before nor after.
    lower = cpu.burst is not None and cpu.burst < int(group.text("cpu.max.burst") or 0)
    yield from [*burst, *most] if lower else [*most, *burst]
    if cpu.cpus:
        yield "cpuset.cpus", cpu.cpus
    if cpu.mems:
        yield "cpuset.mems", cpu.mems


def _bandwidth(group: Group, cpu: Cpu) -> str:
    """Quota and period; one that is not given stays."""
    quota, _, period = (group.text("cpu.max") or f"max {PERIOD}").partition(" ")
    return f"{quota if cpu.quota is None else _most(cpu.quota)} {cpu.period or period}"


def _io(group: Group, block: BlockIO) -> Iterator[Text]:
    # Which of the two a kernel has depends on its schedulers; weights of bfq are those of version 1.
    fair = group.has("io.bfq.weight")
    name = "io.bfq.weight" if fair else "io.weight"
    weights = [("", block.weight)] if block.weight is not None else []
    for device, value in weights + [(f"{major}:{minor} ", value) for major, minor, value in block.weights]:
        yield name, f"{device}{value if fair else io_weight(value)}"
    rates = {"rbps": block.read_bps, "wbps": block.write_bps, "riops": block.read_iops, "wiops": block.write_iops}
    for word, entries in rates.items():
        for major, minor, rate in entries:
            yield "io.max", f"{major}:{minor} {word}={rate or 'max'}"


def _most(value: int) -> str:
    return "max" if value == UNLIMITED else str(value)


def takes_processes(groups: Cgroups, path: str) -> None:
    """Raise :class:`Failure` for a group that the kernel lets no process join (cgroup-v2.rst, "Threads")."""
    group = Group(groups, path)
    kind = group.text("cgroup.type")
    enabled = set(group.text("cgroup.subtree_control").split()) - _OF_THREADS
    if enabled:
        reason = f"it hands {', '.join(sorted(enabled))} down to groups below it, so that it takes no processes itself"
        raise Failure(f"take the cgroup {path}", reason, "take one below it")
    if kind in ("threaded", "domain invalid"):
        raise Failure(f"take the cgroup {path}", f"it is {kind}: a group above it is shared by threads of a process")


def within_reach(groups: Cgroups, path: str) -> bool:
    """Whether the caller may make a group and move a process of its own there (cgroup-v2.rst, "Delegation").

    It needs to write to the group above both that and where it is now.
    """
    above = groups.directories("")[0].rstrip("/")
    own = read_file("/proc/self/cgroup").rpartition("0::/")[2].split("/")
    for mine, wanted in zip(own, path.split("/"), strict=False):
        if mine != wanted:
            break
        above = f"{above}/{mine}"
    place = groups.directories(path)[0]
    while not os.path.isdir(place):
        place = os.path.dirname(place)
    return all(os.access(each, os.W_OK) for each in (place, f"{place}/cgroup.procs", f"{above}/cgroup.procs"))


def hand_over(directory: str, owner: int) -> None:
    """Let a user make groups below one and move its processes between them, but not change its limits.

    Raises ``OSError``. Source: cgroup-v2.rst, "Delegation"; runtime-spec config-linux.md, "Cgroup ownership".
    """
    names = _DELEGATED
    with suppress(OSError):
        names = tuple(read_file("/sys/kernel/cgroup/delegate").split())
    for path in (directory, *(f"{directory}/{name}" for name in names)):
        with suppress(FileNotFoundError):
            os.chown(path, owner, -1)


def joinable(groups: Cgroups, path: str, pid: int) -> str:
    """The group for another program of the container whose first process is ``pid``: ``path``, or one below it.

    A group that has handed controllers down takes no processes, so what runs in it, such as an init system that looks
    after groups of its own, has moved below.
    """
    if Group(groups, path).text("cgroup.subtree_control"):
        with suppress(OSError):
            own = read_file(f"/proc/{pid}/cgroup").removeprefix("0::/")
            return own if own.startswith(f"{path}/") else path
    return path
