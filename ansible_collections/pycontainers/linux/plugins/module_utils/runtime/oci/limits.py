# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing ``linux.resources`` to a cgroup's files, all or nothing, and what it is in those of version 1.

Sources: runtime-spec config-linux.md, the kernel's admin-guide/cgroup-v1/.
"""
from __future__ import annotations

import os

from ..core import store
from ..errors import Failure, explain
from ..kernel.cgroup_values import UNLIMITED
from ..kernel.cgroup_writes import Refused, Text, write_all
from ..kernel.cgroups import V1, Cgroups, cgroups
from .config_resources import Cpu, Memory, Resources, rdma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROLLERS = (
    *("memory", "cpu", "cpuacct", "cpuset", "pids", "blkio", "freezer", "devices", "hugetlb"),
    *("net_cls", "net_prio", "perf_event", "rdma"),
)
"""The version 1 hierarchies that a container of the OCI command line gets a group in, where they are mounted."""

_LOOKS: list[Cgroups | None] = []
"""Empty for a look at every question; else what was found, None before the first."""


def remember() -> None:
    """Look for the control groups once only from now on: for a process of one verb, during which they stay."""
    _LOOKS[:] = [None]


def groups() -> Cgroups:
    """The host's control groups with all controllers that limits are known for."""
    found = (_LOOKS[0] if _LOOKS else None) or _look()
    _LOOKS[:] = [found] if _LOOKS else []
    return found


def _look() -> Cgroups:
    found = cgroups(CONTROLLERS, ())
    if isinstance(found, V1):
        return found
    from .unified import Unified

    return Unified(found.directories("")[0].rstrip("/"))


def apply(groups: Cgroups, path: str, resources: Resources) -> tuple[Text, ...]:
    """Write the limits; returns what :func:`put_back` takes.

    Raises :class:`Failure` for the first that the kernel refuses; those before are put back.
    """
    try:
        return write_all(groups, path, _texts(groups, path, resources))
    except Refused as refused:
        reason = _lacking(groups, path, refused.name) or explain(refused.error)
        raise Failure(f"set {refused.name} of cgroup {path} to {refused.text}", reason) from refused


def _texts(groups: Cgroups, path: str, resources: Resources) -> tuple[Text, ...]:
    if groups.version == 1:
        return tuple(_version_1(groups, path, resources))
    from .unified import texts

    return tuple(texts(groups, path, resources))


def _lacking(groups: Cgroups, path: str, name: str) -> str:
    """Why the group has no such file, if it is for want of the controller."""
    from .unified import Unified

    controller = name.partition(".")[0]
    return groups.why_missing(path, controller) if isinstance(groups, Unified) else ""


def _version_1(groups: Cgroups, path: str, resources: Resources) -> Iterator[Text]:
    yield from _memory_1(groups, path, resources.memory)
    yield from _cpu_1(groups, path, resources.cpu)
    if resources.pids is not None:
        yield "pids/pids.max", _most(resources.pids)
    block = resources.block_io
    # Which of the two a kernel has depends on its schedulers.
    fair = "" if os.path.exists(groups.file(path, "blkio/blkio.weight")) else "bfq."
    yield from _given((f"blkio/blkio.{fair}weight", block.weight), ("blkio/blkio.leaf_weight", block.leaf_weight))
    for word, entries in (
        (f"{fair}weight_device", block.weights),
        ("leaf_weight_device", block.leaf_weights),
        ("throttle.read_bps_device", block.read_bps),
        ("throttle.write_bps_device", block.write_bps),
        ("throttle.read_iops_device", block.read_iops),
        ("throttle.write_iops_device", block.write_iops),
    ):
        for major, minor, value in entries:
            yield f"blkio/blkio.{word}", f"{major}:{minor} {value}"
    for size, limit in resources.hugepages:
        # Limits are on what is reserved, where the kernel counts it, and on what is used.
        for name in (f"hugetlb/hugetlb.{size}.rsvd.limit_in_bytes", f"hugetlb/hugetlb.{size}.limit_in_bytes"):
            if "rsvd" not in name or os.path.exists(groups.file(path, name)):
                yield name, str(limit)
    yield from _given(("net_cls/net_cls.classid", resources.class_id))
    yield from (("net_prio/net_prio.ifpriomap", f"{name} {priority}") for name, priority in resources.priorities)
    yield from (("rdma/rdma.max", text) for text in rdma(resources))


def _memory_1(groups: Cgroups, path: str, memory: Memory) -> Iterator[Text]:
    """Limits of memory, and of memory and swap, which the kernel never lets be the smaller: the order depends."""
    both = [
        *_given(("memory/memory.limit_in_bytes", memory.limit)),
        *_given(("memory/memory.memsw.limit_in_bytes", memory.swap)),
    ]
    swap_file = "memory/memory.memsw.limit_in_bytes"
    if memory.limit == UNLIMITED and memory.swap is None and os.path.exists(groups.file(path, swap_file)):
        both.insert(0, (swap_file, str(UNLIMITED)))
    elif len(both) == 2:
        now = int(store.read(groups.file(path, swap_file)) or 0)
        if memory.swap == UNLIMITED or (memory.swap or 0) > now:
            both.reverse()
    yield from both
    yield from _given(
        ("memory/memory.soft_limit_in_bytes", memory.reservation),
        ("memory/memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp),
        ("memory/memory.swappiness", memory.swappiness),
    )
    if memory.disable_oom_killer is not None:
        yield "memory/memory.oom_control", str(int(memory.disable_oom_killer))


def _cpu_1(groups: Cgroups, path: str, cpu: Cpu) -> Iterator[Text]:
    """The texts for version 1's cpu and cpuset; a period comes before what must fit into it."""
    shares, idle = ("cpu/cpu.shares", cpu.shares), ("cpu/cpu.idle", cpu.idle)
    # An idle group takes no shares.
    yield from _given(*((shares, idle) if cpu.idle else (idle, shares)))
    yield from _given(("cpu/cpu.rt_period_us", cpu.realtime_period), ("cpu/cpu.rt_runtime_us", cpu.realtime_runtime))
    most = (("cpu/cpu.cfs_period_us", cpu.period), ("cpu/cpu.cfs_quota_us", cpu.quota))
    burst = ("cpu/cpu.cfs_burst_us", cpu.burst)
    # A burst is never above the quota, neither before nor after.
    lower = cpu.burst is not None and cpu.burst < int(store.read(groups.file(path, burst[0])) or 0)
    yield from _given(*((burst, *most) if lower else (*most, burst)))
    yield from _given(("cpuset/cpuset.cpus", cpu.cpus or None), ("cpuset/cpuset.mems", cpu.mems or None))


def _given(*pairs: tuple[str, object]) -> Iterator[Text]:
    return ((name, str(value)) for name, value in pairs if value is not None)


def _most(value: int) -> str:
    return "max" if value == UNLIMITED else str(value)
