# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``linux.resources`` of an OCI configuration (runtime-spec config-linux.md): limits, of a config.json or an update.

None is "nothing said". Where zero makes no sense as a limit it is taken for nothing said too, since clients send zeros
for fields that their users left alone.
"""
from __future__ import annotations

from ..kernel.cgroup_values import (
    LARGEST_QUOTA,
    LARGEST_UINT32,
    LONGEST_PERIOD,
    MOST_NODES,
    PID_MAX_LIMIT,
    SHARES_MAX,
    SHARES_MIN,
    SHORTEST_PERIOD,
    SHORTEST_QUOTA,
    UNLIMITED,
    ranges,
    rdma_line,
)
from ..kernel.devices import DeviceRule
from ..kernel.process_attributes import MOST_CPUS
from ..typed import NamedTuple
from .config_devices import BlockIO, block_io, device_rules
from .config_process import numbers
from .fields import Field, first_repeated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_INT64, LARGEST_UINT64 = 2**63 - 1, 2**64 - 1

_PAGE_SIZE = r"[1-9][0-9]{0,8}[KMGTPE]B"
_FILE = r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_-]+)+"
_MOVES_PROCESSES = ("cgroup.procs", "cgroup.threads", "cgroup.kill", "cgroup.type")


class Memory(NamedTuple):
    """Bytes, or :data:`UNLIMITED`. ``swap`` is memory and swap together, as the specification has it."""

    limit: int | None
    reservation: int | None
    swap: int | None
    kernel_tcp: int | None
    swappiness: int | None
    disable_oom_killer: bool | None
    check_before_update: bool


class Cpu(NamedTuple):
    """Times are microseconds; quota and realtime_runtime may be :data:`UNLIMITED`. Lists are as in cpuset's files."""

    shares: int | None
    quota: int | None
    period: int | None
    burst: int | None
    realtime_runtime: int | None
    realtime_period: int | None
    cpus: str
    mems: str
    idle: int | None


class Resources(NamedTuple):
    """All limits.

    ``hugepages`` are (page size as in hugetlb's file names, bytes), ``priorities`` (interface, priority), ``rdma``
    (device, handles or None, objects or None), ``unified`` (file, text) of version 2.
    """

    memory: Memory
    cpu: Cpu
    pids: int | None
    block_io: BlockIO
    hugepages: tuple[tuple[str, int], ...]
    class_id: int | None
    priorities: tuple[tuple[str, int], ...]
    rdma: tuple[tuple[str, int | None, int | None], ...]
    unified: tuple[tuple[str, str], ...]
    devices: tuple[DeviceRule, ...]


def resources(field: Field, *, fresh: bool) -> Resources:
    """The normal form of a ``resources`` object. ``fresh`` is whether the group has no limits yet, as it is at create.

    Raises :class:`InvalidValue` with the field's path.
    """
    network = field.member("network")
    return Resources(
        memory=_memory(field.member("memory"), fresh),
        cpu=_cpu(field.member("cpu")),
        pids=_limit(field.member("pids").member("limit"), PID_MAX_LIMIT, negative=True),
        block_io=block_io(field.member("blockIO")),
        hugepages=_hugepages(field.member("hugepageLimits")),
        class_id=network.member("classID").whole(0, LARGEST_UINT32, 0) or None,
        priorities=tuple(_priority(each) for each in network.member("priorities").each()),
        rdma=tuple(_rdma(name, entry) for name, entry in field.member("rdma").entries()),
        unified=tuple(_unified(name, entry) for name, entry in field.member("unified").entries()),
        devices=device_rules(field.member("devices")),
    )


def _limit(field: Field, high: int = LARGEST_INT64, *, low: int = 1, negative: bool = False) -> int | None:
    """A limit of which zero says nothing and -1 takes the limit away; ``negative`` lets any negative number do so."""
    value = field.whole(-(2**63), LARGEST_INT64, 0)
    if value == UNLIMITED or (value < 0 and negative):
        return UNLIMITED
    if value and not low <= value <= high:
        raise field.refusal(f"it is not between {low} and {high}, nor -1 for no limit")
    return value or None


def _memory(field: Field, fresh: bool) -> Memory:
    limit = _limit(field.member("limit"))
    swap_field = field.member("swap")
    swap = _limit(swap_field)
    if field.member("kernel").whole(-(2**63), LARGEST_INT64, 0) > 0:
        field.member("kernel").note("kernels since 5.4 have no limit of their own for kernel memory, it is left out")
    unlimited = limit == UNLIMITED or (fresh and limit is None)
    if swap is not None and swap != UNLIMITED:
        if unlimited:
            raise swap_field.refusal("it includes memory, which has no limit", "set memory.limit too")
        if limit is not None and swap < limit:
            raise swap_field.refusal(f"it includes memory, so it can't be below memory.limit, {limit}")
    killer = field.member("disableOOMKiller")
    # Accepted and not kept: every kernel that is supported accounts by hierarchy.
    field.member("useHierarchy").truth()
    return Memory(
        limit=limit,
        reservation=_limit(field.member("reservation")),
        swap=swap,
        kernel_tcp=_limit(field.member("kernelTCP")),
        swappiness=field.member("swappiness").whole_if_given(0, 100),
        disable_oom_killer=killer.truth() if killer.given else None,
        check_before_update=field.member("checkBeforeUpdate").truth(),
    )


def _cpu(field: Field) -> Cpu:
    quota, burst = _limit(field.member("quota"), LARGEST_QUOTA, low=SHORTEST_QUOTA), field.member("burst")
    extra = burst.whole_if_given(0, LARGEST_QUOTA)
    if extra and quota is not None and extra > (LARGEST_QUOTA if quota == UNLIMITED else quota):
        raise burst.refusal(f"it is above the quota, {quota}")
    runtime_field = field.member("realtimeRuntime")
    runtime, realtime_period = _limit(runtime_field), _period(field.member("realtimePeriod"), 1, LARGEST_INT64 // 1000)
    if runtime and realtime_period and runtime > realtime_period:
        raise runtime_field.refusal(f"it is longer than the period, {realtime_period}")
    return Cpu(
        shares=_shares(field.member("shares")),
        quota=quota,
        period=_period(field.member("period"), SHORTEST_PERIOD, LONGEST_PERIOD),
        burst=extra,
        realtime_runtime=runtime,
        realtime_period=realtime_period,
        cpus=_set(field.member("cpus"), MOST_CPUS),
        mems=_set(field.member("mems"), MOST_NODES),
        idle=field.member("idle").whole_if_given(0, 1),
    )


def _shares(field: Field) -> int | None:
    value = field.whole(0, SHARES_MAX, 0)
    return max(value, SHARES_MIN) if value else None


def _period(field: Field, low: int, high: int) -> int | None:
    value = field.whole(0, LARGEST_UINT64, 0)
    if value and not low <= value <= high:
        raise field.refusal(f"it is not between {low} and {high} microseconds")
    return value or None


def _set(field: Field, end: int) -> str:
    """A list of numbers as cpuset files take it, ranges joined: the shortest text for the same set."""
    return ranges(numbers(field, end) or ())


def _hugepages(field: Field) -> tuple[tuple[str, int], ...]:
    found = []
    for each in field.each():
        size = each.member("pageSize")
        if not _is(_PAGE_SIZE, size.text(longest=16)):
            raise size.refusal("it is not a page size such as 64KB, 2MB or 1GB")
        found.append((size.text(), each.member("limit").whole(0, LARGEST_UINT64)))
        if first_repeated(name for name, _ in found) is not None:
            raise size.refusal("there is a limit for this page size already")
    return tuple(found)


def _priority(field: Field) -> tuple[str, int]:
    name = field.member("name").text(longest=15)
    if not name or any(letter.isspace() or letter == "/" for letter in name):
        raise field.member("name").refusal("it is not the name of an interface")
    return name, field.member("priority").whole(0, LARGEST_UINT32)


def _rdma(name: str, field: Field) -> tuple[str, int | None, int | None]:
    if not name or any(letter.isspace() for letter in name):
        raise field.refusal("the name before it is not the name of a device")
    handles, objects = (each.whole_if_given(0, LARGEST_UINT32) for each in field.members("hcaHandles", "hcaObjects"))
    if handles is None and objects is None:
        raise field.refusal("neither hcaHandles nor hcaObjects is limited by it")
    return name, handles, objects


def rdma(resources: Resources) -> Iterator[str]:
    """A line per device."""
    return (rdma_line(*each) for each in resources.rdma)


def _unified(name: str, field: Field) -> tuple[str, str]:
    if not _is(_FILE, name):
        raise field.refusal("the name before it is not that of a cgroup's file, such as memory.high")
    if name in _MOVES_PROCESSES:
        raise field.refusal(f"{name} is no limit")
    return name, field.text(longest=4095)


def _is(pattern: str, said: str) -> bool:
    """Whether a text is of a form. The library is imported for the few configurations that have such a text."""
    import re

    return bool(re.fullmatch(pattern, said, re.ASCII))
