# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits as the kernel bounds them, and the ways between the two versions' scales.

Sources: the kernel's admin-guide/cgroup-v2.rst, admin-guide/cgroup-v1/ and what is named beside each.
"""
from __future__ import annotations

import os

from ..lean.contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

UNLIMITED = -1
LARGEST_UINT32 = 2**32 - 1

PAGE = 4096
"""Memory limits are kept by the kernel in whole pages; a limit is rounded down to one, as the kernel does it."""

MEMORY_UNLIMITED = (2**63 - 1) // PAGE * PAGE
"""What version 1 shows for no limit: the largest whole number of pages."""

PID_MAX_LIMIT = 4194304
"""The largest number that pids.max takes (linux/threads.h)."""

SHARES_MIN, SHARES_MAX = 2, 262144
"""The bounds that the kernel brings cpu.shares to (kernel/sched/sched.h)."""

SHARES = 1024
"""The shares of a group that nobody has said any of."""

SHORTEST_PERIOD, PERIOD, LONGEST_PERIOD = 1000, 100_000, 1_000_000
SHORTEST_QUOTA, LARGEST_QUOTA = 1000, 2**44 - 1
"""Microseconds (kernel/sched/core.c, tg_set_cfs_bandwidth); a quota is counted over 100 ms unless said otherwise."""

MOST_NODES = 1024
"""Memory nodes (MAX_NUMNODES)."""

LIGHTEST, HEAVIEST = 10, 1000
"""Bounds of weights of block I/O by the runtime specification and the kernel's version 1."""

LARGEST_BFQ, WEIGHT = 1000, 100
"""bfq's largest weight, and the weight that a group has in version 2 and with bfq if nobody has said any."""


def cpu_weight(shares: int) -> int:
    """``cpu.weight`` for version 1's shares: their least, default and most become those of weights.

    A parabola through these three in logarithmic scales, as other runtimes have it.
    """
    if not SHARES_MIN < shares < SHARES_MAX:
        return 1 if shares <= SHARES_MIN else 10000
    import math

    power = math.log2(shares)
    return math.ceil(10 ** ((power * power + 125 * power) / 612 - 7 / 34))


def cpu_shares(weight: int) -> int:
    """The fewest shares that come to a weight: of the many that do, the one that a weight set by others is told as."""
    if weight == WEIGHT:
        return SHARES
    low, high = SHARES_MIN, SHARES_MAX
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if cpu_weight(middle) >= weight else (middle + 1, high)
    return low


def io_weight(weight: int) -> int:
    """``io.weight`` (1 to 10000) for a weight of version 1 (10 to 1000)."""
    return 1 + (weight - LIGHTEST) * 9999 // (HEAVIEST - LIGHTEST)


def block_weight(weight: int) -> int:
    """The least weight of version 1 that comes to an ``io.weight``, or is the next above it."""
    return LIGHTEST - (1 - weight) * (HEAVIEST - LIGHTEST) // 9999 if weight > 1 else LIGHTEST


def ranges(numbers: Iterable[int]) -> str:
    """Sorted numbers as cpuset files take and show them, such as ``0-2,4``."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in found)


def rdma_line(device: str, handles: object, objects: object) -> str:
    """A line of ``rdma.max``, the same for both versions; what is None stays (admin-guide/cgroup-v1/rdma.rst)."""
    limits = (("hca_handle", handles), ("hca_object", objects))
    return " ".join((device, *(f"{name}={value}" for name, value in limits if value is not None)))


def page_sizes() -> frozenset[str]:
    """Sizes of huge pages as hugetlb's files spell them, from folders such as hugepages-2048kB."""
    found = set()
    with suppress(OSError):
        for name in os.listdir("/sys/kernel/mm/hugepages"):
            size = int(name.removeprefix("hugepages-").removesuffix("kB"))
            found.add(f"{size}KB" if size < 1024 else f"{size >> 10}MB" if size < 1 << 20 else f"{size >> 20}GB")
    return frozenset(found)
