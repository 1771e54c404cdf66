# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``linux.resources`` as texts in a cgroup's files, of both versions (runtime-spec config-linux.md)."""
from __future__ import annotations

from ..core import store
from ..errors import Failure, InvalidValue, explain
from ..kernel.cgroups import V1, Cgroups, cgroups, read_file, write_file
from ..lean.contextlib import suppress
from .config_resources import UNLIMITED, Cpu, Memory, Resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CONTROLLERS = (
    *("memory", "cpu", "cpuacct", "cpuset", "pids", "blkio", "freezer", "devices", "hugetlb"),
    *("net_cls", "net_prio", "perf_event", "rdma"),
)
"""The version 1 hierarchies that a container of the OCI command line gets a group in, where they are mounted."""

Text = tuple[str, str]
"""A file of the cgroup (version 1 with its controller before) and what is written to it."""


class Hierarchies(V1):
    """Version 1 with cpuset, whose new groups take no process before they have CPUs and memory nodes."""

    def create(self, path: str) -> None:
        """Make the directories, and give cpuset's what those above have."""
        super().create(path)
        top = self.hierarchies.get("cpuset")
        if top is None:
            return
        above = top
        for part in path.split("/"):
            folder = f"{above}/{part}"
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not read_file(f"{folder}/{name}"):
                    write_file(f"{folder}/{name}", read_file(f"{above}/{name}"))
            above = folder


def groups() -> Cgroups:
    """The host's control groups with all controllers that limits are known for."""
    found = cgroups(CONTROLLERS)
    return Hierarchies(found.hierarchies) if isinstance(found, V1) else found


def apply(groups: Cgroups, path: str, resources: Resources) -> None:
    """Write the limits. Raises :class:`Failure` for the first that the kernel refuses; those before are put back."""
    written: list[Text] = []
    wanted = _version_1(groups, path, resources) if groups.version == 1 else version_2(resources)
    for name, text in wanted:
        try:
            file = groups.file(path, name)
            before = read_file(file)
            write_file(file, text)
        except OSError as error:
            for changed, old in reversed(written):
                with suppress(OSError):
                    write_file(changed, old)
            raise Failure(f"set {name} of cgroup {path} to {text}", explain(error)) from error
        written += [(file, before)] if "\n" not in before and ":" not in before else []


def version_2(resources: Resources) -> Iterator[Text]:
    """The texts for the unified hierarchy."""
    yield from _memory_2(resources.memory)
    cpu = resources.cpu
    if cpu.shares is not None:
        yield "cpu.weight", str(1 + (cpu.shares - 2) * 9999 // 262142)
    if cpu.quota is not None or cpu.period is not None:
        quota = "max" if cpu.quota in (None, UNLIMITED) else str(cpu.quota)
        yield "cpu.max", f"{quota} {cpu.period}" if cpu.period else quota
    yield from _given(("cpu.max.burst", cpu.burst), ("cpu.idle", cpu.idle))
    yield from _given(("cpuset.cpus", cpu.cpus or None), ("cpuset.mems", cpu.mems or None))
    if resources.pids is not None:
        yield "pids.max", _most(resources.pids)
    block = resources.block_io
    if block.weight is not None:
        yield "io.weight", str(1 + (block.weight - 10) * 9999 // 990)
    for major, minor, weight in block.weights:
        yield "io.weight", f"{major}:{minor} {1 + (weight - 10) * 9999 // 990}"
    rates = {"rbps": block.read_bps, "wbps": block.write_bps, "riops": block.read_iops, "wiops": block.write_iops}
    for word, entries in rates.items():
        for major, minor, rate in entries:
            yield "io.max", f"{major}:{minor} {word}={rate or 'max'}"
    for size, limit in resources.hugepages:
        yield f"hugetlb.{size}.max", str(limit)
    yield from (("rdma.max", text) for text in _rdma(resources))
    yield from resources.unified


def _memory_2(memory: Memory) -> Iterator[Text]:
    if memory.swap is not None:
        if memory.swap == UNLIMITED:
            yield "memory.swap.max", "max"
        elif memory.limit is None or memory.limit == UNLIMITED:
            reason = "it includes memory, whose limit is not given with it"
            raise InvalidValue("memory.swap", memory.swap, reason, "set memory.limit too")
        else:
            yield "memory.swap.max", str(memory.swap - memory.limit)
    if memory.limit is not None:
        yield "memory.max", _most(memory.limit)
    if memory.reservation is not None:
        yield "memory.low", _most(memory.reservation)


def _version_1(groups: Cgroups, path: str, resources: Resources) -> Iterator[Text]:
    yield from _memory_1(groups, path, resources.memory)
    yield from cpu_1(resources.cpu)
    if resources.pids is not None:
        yield "pids/pids.max", _most(resources.pids)
    block = resources.block_io
    yield from _given(("blkio/blkio.weight", block.weight), ("blkio/blkio.leaf_weight", block.leaf_weight))
    for word, entries in (
        ("weight_device", block.weights),
        ("leaf_weight_device", block.leaf_weights),
        ("throttle.read_bps_device", block.read_bps),
        ("throttle.write_bps_device", block.write_bps),
        ("throttle.read_iops_device", block.read_iops),
        ("throttle.write_iops_device", block.write_iops),
    ):
        for major, minor, value in entries:
            yield f"blkio/blkio.{word}", f"{major}:{minor} {value}"
    for size, limit in resources.hugepages:
        yield f"hugetlb/hugetlb.{size}.limit_in_bytes", str(limit)
    yield from _given(("net_cls/net_cls.classid", resources.class_id))
    yield from (("net_prio/net_prio.ifpriomap", f"{name} {priority}") for name, priority in resources.priorities)
    yield from (("rdma/rdma.max", text) for text in _rdma(resources))


def _memory_1(groups: Cgroups, path: str, memory: Memory) -> Iterator[Text]:
    """Limits of memory, and of memory and swap, which the kernel never lets be the smaller: the order depends."""
    both = [
        *_given(("memory/memory.limit_in_bytes", memory.limit)),
        *_given(("memory/memory.memsw.limit_in_bytes", memory.swap)),
    ]
    if len(both) == 2:
        now = int(store.read(groups.file(path, both[1][0])) or 0)
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


def cpu_1(cpu: Cpu) -> Iterator[Text]:
    """The texts for version 1's cpu and cpuset; a period comes before what must fit into it."""
    yield from _given(
        ("cpu/cpu.shares", cpu.shares),
        ("cpu/cpu.rt_period_us", cpu.realtime_period),
        ("cpu/cpu.rt_runtime_us", cpu.realtime_runtime),
        ("cpu/cpu.cfs_period_us", cpu.period),
        ("cpu/cpu.cfs_quota_us", cpu.quota),
        ("cpu/cpu.cfs_burst_us", cpu.burst),
        ("cpu/cpu.idle", cpu.idle),
        ("cpuset/cpuset.cpus", cpu.cpus or None),
        ("cpuset/cpuset.mems", cpu.mems or None),
    )


def _rdma(resources: Resources) -> Iterator[str]:
    """A line per device, the same for both versions (admin-guide/cgroup-v1/rdma.rst)."""
    for device, handles, objects in resources.rdma:
        limits = _given(("hca_handle", handles), ("hca_object", objects))
        yield " ".join((device, *(f"{name}={text}" for name, text in limits)))


def _given(*pairs: tuple[str, object]) -> Iterator[Text]:
    return ((name, str(value)) for name, value in pairs if value is not None)


def _most(value: int) -> str:
    return "max" if value == UNLIMITED else str(value)
