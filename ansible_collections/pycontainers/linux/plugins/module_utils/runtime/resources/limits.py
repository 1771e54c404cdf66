# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits of a cgroup: one row each, with its place in both cgroup versions.

A ``cgroup_limit`` sets them on a container by itself; a ``container`` has the same rows among its own. A *place* is
the file that keeps a limit, and the knob that reads and writes it; limits that the kernel keeps together share a knob.
"""
from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any, NamedTuple

from ..core.kinds import BOOL, UNLIMITED
from ..core.model import Effect, Kind, Row, option, rows
from ..kernel.cgroup_values import MEMORY_UNLIMITED, PERIOD, WEIGHT, block_weight, io_weight, rdma_line
from ..kernel.cgroups import Cgroups, Group
from ..kernel.knobs import Either, Inherited, Knob, Lines, One, Pages, Rates
from ..kernel.knobs_coupled import (
    Bandwidth1,
    Bandwidth2,
    MemoryAndSwap1,
    MemoryAndSwap2,
    SharesAndIdle,
    number,
    read_number,
)
from ..lean.dataclasses import dataclass, fields, replace
from . import limit_kinds as kinds


class Place(NamedTuple):
    """The files that a limit can be in, of which a kernel has one (version 1 with the controller before)."""

    files: tuple[str, ...]
    knob: Knob

    @property
    def controller(self) -> str:
        """The controller whose files they are."""
        return self.files[0].partition("/" if "/" in self.files[0] else ".")[0]


def _place(knob: Knob, *files: str) -> Place:
    return Place(files, knob)


def _one(file: str, encode: Any = number, decode: Any = read_number) -> Place:
    return Place((file,), One(file, encode, decode))


def _zero(limit: int) -> str:
    return "0" if limit == UNLIMITED else str(limit)


def _read_zero(text: str) -> int:
    """A protection; all of it is the largest number."""
    return MEMORY_UNLIMITED if text == "max" else int(text) or UNLIMITED


def _legacy(limit: int) -> str:
    return number(limit, "-1")


def _switch(file: str) -> Place:
    return _one(file, lambda value: str(int(value)), lambda text: text == "1")


def _weight(encode: Any, decode: Any, usual: int, head: str = "") -> tuple[Any, Any]:
    """How a weight is written and read, where ``usual`` is what it is unless said otherwise."""

    def write(value: int) -> str:
        return f"{head}{usual if value == UNLIMITED else encode(value)}"

    def read(text: str) -> int:
        held = int(text.split("\n")[0].removeprefix("default "))
        return UNLIMITED if held == usual else int(decode(held))

    return write, read


_BFQ2 = One("io.bfq.weight", *_weight(int, int, WEIGHT, "default "))
_COST2 = One("io.weight", *_weight(io_weight, block_weight, WEIGHT, "default "))
_BFQ1 = One("blkio/blkio.bfq.weight", *_weight(int, int, WEIGHT))
_CFQ1 = One("blkio/blkio.weight", *_weight(int, int, 500))


def _rdma_encode(device: str, limits: tuple[int, int]) -> str:
    return rdma_line(device, *map(number, limits))


def _rdma_decode(text: str) -> tuple[int, ...]:
    said = dict(word.partition("=")[::2] for word in text.split())
    return tuple(read_number(said.get(name, "max")) for name in ("hca_handle", "hca_object"))


def _rdma(file: str) -> Place:
    return _place(Lines(file, _rdma_encode, _rdma_decode, (UNLIMITED, UNLIMITED)), file)


_MISC = Lines("misc.max", lambda name, limit: f"{name} {number(limit)}", read_number, UNLIMITED)

_MEMORY1, _MEMORY2 = MemoryAndSwap1(), MemoryAndSwap2()
_CPU1, _CPU2 = Bandwidth1("cpu/cpu.cfs_burst_us"), Bandwidth2("cpu.max.burst")
_SHARES1 = SharesAndIdle("cpu/cpu.shares", "cpu/cpu.idle", weights=False)
_SHARES2 = SharesAndIdle("cpu.weight", "cpu.idle", weights=True)
_KILLER = (lambda off: str(int(off)), lambda text: text.split()[:2] == ["oom_kill_disable", "1"])
_SWAPPINESS = "memory/memory.swappiness"


def _limit(kind: Kind, cleared: Any, v2: Place | None, v1: Place | None) -> Any:
    """A row: ``cleared`` is its value for no limit."""
    return option(kind, Effect.LIVE, cleared=cleared, v2=v2, v1=v1)


def _set(name: str) -> tuple[Place, Place]:
    v2, v1 = f"cpuset.{name}", f"cpuset/cpuset.{name}"
    return (
        _place(Inherited(v2, f"{v2}.effective", "", str), v2),
        _place(Inherited(v1, v1, "", str), v1),
    )


def _throttled(word: str, file: str) -> tuple[Place, Place]:
    v1 = f"blkio/blkio.throttle.{file}_device"
    return _place(Rates("io.max", word), "io.max"), _place(Rates(v1), v1)


def _huge() -> tuple[Place, Place]:
    # The file of one size stands for those of all.
    return (
        _place(Pages("hugetlb", "max", "max"), "hugetlb.*.max"),
        _place(Pages("hugetlb/hugetlb", "limit_in_bytes", "-1"), "hugetlb/hugetlb.*.limit_in_bytes"),
    )


@dataclass(frozen=True, kw_only=True, repr=False)
class Limits:
    """The limit rows, each with its place in both versions; None where a version has none.

    ``cpu_quota`` is another way to say ``cpus``, and kept as that. ``device_cgroup_rules`` are in no file of version 2
    that could be read: they are as their record has them.
    """

    memory: int | None = _limit(
        kinds.MEMORY, UNLIMITED, _place(_MEMORY2, "memory.max"), _place(_MEMORY1, "memory/memory.limit_in_bytes")
    )
    memory_swap: int | None = _limit(
        kinds.MEMORY,
        UNLIMITED,
        _place(_MEMORY2, "memory.swap.max"),
        _place(_MEMORY1, "memory/memory.memsw.limit_in_bytes"),
    )
    memory_reservation: int | None = _limit(
        kinds.PROTECTION,
        UNLIMITED,
        _one("memory.low", _zero, _read_zero),
        _one("memory/memory.soft_limit_in_bytes", _legacy),
    )
    memory_high: int | None = _limit(kinds.MEMORY, UNLIMITED, _one("memory.high"), None)
    memory_min: int | None = _limit(kinds.PROTECTION, UNLIMITED, _one("memory.min", _zero, _read_zero), None)
    memory_swappiness: int | None = _limit(
        kinds.SWAPPINESS, UNLIMITED, None, _place(Inherited(_SWAPPINESS, _SWAPPINESS, UNLIMITED, int), _SWAPPINESS)
    )
    oom_group: bool | None = _limit(BOOL, False, _switch("memory.oom.group"), None)
    oom_killer: bool | None = _limit(BOOL, False, None, _one("memory/memory.oom_control", *_KILLER))
    cpus: int | None = _limit(kinds.CPUS, UNLIMITED, _place(_CPU2, "cpu.max"), _place(_CPU1, "cpu/cpu.cfs_quota_us"))
    cpu_period: int | None = _limit(
        kinds.PERIOD_KIND, PERIOD, _place(_CPU2, "cpu.max"), _place(_CPU1, "cpu/cpu.cfs_period_us")
    )
    cpu_burst: int | None = _limit(
        kinds.BURST, 0, _place(_CPU2, "cpu.max.burst"), _place(_CPU1, "cpu/cpu.cfs_burst_us")
    )
    cpu_quota: int | None = option(kinds.QUOTA, request=True)
    cpu_shares: int | None = _limit(
        kinds.SHARES_KIND, UNLIMITED, _place(_SHARES2, "cpu.weight"), _place(_SHARES1, "cpu/cpu.shares")
    )
    cpu_idle: bool | None = _limit(BOOL, False, _place(_SHARES2, "cpu.idle"), _place(_SHARES1, "cpu/cpu.idle"))
    cpuset_cpus: str | None = _limit(kinds.CPU_NUMBERS, "", *_set("cpus"))
    cpuset_mems: str | None = _limit(kinds.NODE_NUMBERS, "", *_set("mems"))
    pids_limit: int | None = _limit(kinds.PIDS, UNLIMITED, _one("pids.max"), _one("pids/pids.max"))
    blkio_weight: int | None = _limit(
        kinds.BLOCK_WEIGHT,
        UNLIMITED,
        _place(Either(_BFQ2, _COST2), _BFQ2.file, _COST2.file),
        _place(Either(_BFQ1, _CFQ1), _BFQ1.file, _CFQ1.file),
    )
    device_read_bps: tuple[tuple[str, int], ...] | None = _limit(kinds.BPS, (), *_throttled("rbps", "read_bps"))
    device_write_bps: tuple[tuple[str, int], ...] | None = _limit(kinds.BPS, (), *_throttled("wbps", "write_bps"))
    device_read_iops: tuple[tuple[str, int], ...] | None = _limit(kinds.IOPS, (), *_throttled("riops", "read_iops"))
    device_write_iops: tuple[tuple[str, int], ...] | None = _limit(kinds.IOPS, (), *_throttled("wiops", "write_iops"))
    hugetlb: tuple[tuple[str, int], ...] | None = _limit(kinds.HUGETLB, (), *_huge())
    rdma: tuple[tuple[str, tuple[int, int]], ...] | None = _limit(
        kinds.RDMA, (), _rdma("rdma.max"), _rdma("rdma/rdma.max")
    )
    misc: tuple[tuple[str, int], ...] | None = _limit(kinds.MISC, (), _place(_MISC, "misc.max"), None)
    device_cgroup_rules: tuple[str, ...] | None = option(kinds.DEVICE_RULES, Effect.LIVE, cleared=())
    paused: bool | None = _limit(
        BOOL,
        False,
        _switch("cgroup.freeze"),
        _one("freezer/freezer.state", lambda value: "FROZEN" if value else "THAWED", lambda text: text != "THAWED"),
    )

    def __repr__(self) -> str:
        """What is said. One for all that have these rows: making one for each takes long as it is imported."""
        said = ((each.name, getattr(self, each.name)) for each in fields(self))
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in said if value is not None)})"


_NOTHING = Limits()

LIMIT_ROWS = tuple(row for row in rows(Limits) if not row.request)

SETTINGS: tuple[tuple[Row, ...], ...] = tuple(
    tuple(together)
    for _, together in groupby(
        (row for row in LIMIT_ROWS if "v2" in row.facts), lambda row: id((row.facts["v2"] or row.facts["v1"]).knob)
    )
)
"""The rows whose limits are in files, those of one knob together; they are the same in both versions."""


_KNOBS: list[tuple[tuple[str, ...], dict[int, Knob | None]]] = [
    (
        tuple(row.name for row in together),
        {version: found.knob if (found := together[0].facts[f"v{version}"]) else None for version in (1, 2)},
    )
    for together in SETTINGS
]
"""What keeps the limits of these names, by the version of cgroups; None where that has none."""


def place(row: Row, groups: Cgroups) -> Place | None:
    """Where the row's limit is on this host; None where its cgroup version has no such limit."""
    found: Place | None = row.facts[f"v{groups.version}"]
    return found


def cleared(row: Row) -> Any:
    """The row's value for no limit."""
    return row.facts["cleared"]


def observe_limits(groups: Cgroups, path: str, said: Limits | None = None) -> dict[str, Any]:
    """The limits of a cgroup as the kernel holds them, by row name; None where the group has no such limit.

    ``said`` are those that were said: what was rounded by the kernel is read as it was said.
    """
    group = Group(groups, path)
    found: dict[str, Any] = {}
    for names, knobs in _KNOBS:
        knob = knobs[groups.version]
        if knob:
            values = knob.read(group, tuple([getattr(said, name, None) for name in names]))
            found.update(zip(names, values, strict=True))
        else:
            found.update(dict.fromkeys(names))
    return found


def show_limits(limits: Limits) -> dict[str, Any]:
    """The limits by row name, as people read them; None where there is none to tell of."""
    values = {row.name: (row, getattr(limits, row.name)) for row in LIMIT_ROWS}
    return {name: None if value is None else row.kind.show(value) for name, (row, value) in values.items()}


def without_nothing(limits: Mapping[str, Any], kept: Limits | None, have: Limits | None) -> dict[str, None]:
    """The rows of ``limits`` that are cleared where there is nothing to clear: they ask for nothing."""
    return {
        row.name: None
        for row in LIMIT_ROWS
        if limits[row.name] == cleared(row)
        and have is not None
        and getattr(have, row.name) is None
        and (kept is None or getattr(kept, row.name) in (None, cleared(row)))
    }


def limits_of(found: Limits) -> Limits:
    """The limits alone, of whatever has them."""
    return replace(_NOTHING, **{row.name: getattr(found, row.name) for row in rows(Limits)})
