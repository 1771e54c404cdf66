# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Knobs of limits that the kernel keeps together, or takes in one order only."""
from __future__ import annotations

from collections.abc import Iterator

from .cgroup_values import MEMORY_UNLIMITED, PERIOD, SHARES, UNLIMITED, cpu_shares, cpu_weight
from .cgroup_writes import Text
from .cgroups import Group
from .knobs import Values

BILLION = 1_000_000_000


def number(limit: int, unlimited: str = "max") -> str:
    """A limit's text."""
    return unlimited if limit == UNLIMITED else str(limit)


def read_number(text: str) -> int:
    """The limit of a text; ``max``, and in version 1 -1 or the largest whole number of pages, mean none."""
    return UNLIMITED if text in ("max", "-1") or int(text) >= MEMORY_UNLIMITED else int(text)


class MemoryAndSwap1:
    """Memory, and memory and swap together, which the kernel never lets be the smaller of the two: version 1."""

    memory, both = "memory/memory.limit_in_bytes", "memory/memory.memsw.limit_in_bytes"

    def read(self, group: Group, said: Values) -> Values:
        """Both limits; None for the second where the kernel does not count swap."""
        return tuple(read_number(text) if (text := group.text(name)) else None for name in (self.memory, self.both))

    def texts(self, group: Group, after: Values, before: Values) -> Iterator[Text]:
        """The two that change; what grows is made room for first."""
        changes = [
            (name, number(new, "-1"))
            for name, new, old in zip((self.memory, self.both), after, before, strict=True)
            if new is not None and new != old
        ]
        grows = after[1] == UNLIMITED or (before[1] not in (None, UNLIMITED) and (after[1] or 0) >= before[1])
        return iter(reversed(changes) if grows else changes)


class MemoryAndSwap2:
    """The same of version 2, which counts swap alone."""

    memory, swap = "memory.max", "memory.swap.max"

    def read(self, group: Group, said: Values) -> Values:
        """Both limits."""
        memory, swap = group.text(self.memory), group.text(self.swap)
        limit = read_number(memory) if memory else None
        if not swap or limit is None:
            return (limit, None)
        return (limit, UNLIMITED if "max" in (memory, swap) else limit + int(swap))

    def texts(self, group: Group, after: Values, before: Values) -> Iterator[Text]:
        """The limit of memory if that changes, and that of swap if the difference does."""
        if after[0] is not None and after[0] != before[0]:
            yield self.memory, number(after[0])
        swap = _swap(after)
        if swap is not None and swap != _swap(before):
            yield self.swap, number(swap)


def _swap(values: Values) -> int | None:
    memory: int | None = values[0]
    both: int | None = values[1]
    return both if both is None or both == UNLIMITED else both - (memory or 0)


class Bandwidth:
    """Processors (in billionths), the period over which they are counted, and the burst, in microseconds."""

    def __init__(self, burst: str) -> None:
        self.burst = burst

    def now(self, group: Group) -> tuple[int, int] | None:
        """Quota and period in the kernel's numbers."""
        raise NotImplementedError

    def most(self, quota: int, period: int, before: tuple[int, int]) -> Iterator[Text]:
        """What sets quota and period."""
        raise NotImplementedError

    def read(self, group: Group, said: Values) -> Values:
        """The three; processors as they were said, if they come to the same quota."""
        found, burst = self.now(group), group.text(self.burst)
        if found is None:
            return (None, None, None)
        quota, period = found
        cpus = UNLIMITED if quota == UNLIMITED else round(quota * BILLION / period)
        if said[0] is not None and quota_of(said[0], period) == quota:
            cpus = said[0]
        return (cpus, period, int(burst) if burst else None)

    def texts(self, group: Group, after: Values, before: Values) -> Iterator[Text]:
        """A burst is never above the quota, neither before nor after."""
        cpus, period, burst = after
        old = (quota_of(before[0], before[1]), before[1]) if before[0] is not None else (UNLIMITED, PERIOD)
        new = (quota_of(cpus, period), period) if cpus is not None else old
        most = list(self.most(new[0], new[1], old)) if new != old else []
        extra = [(self.burst, str(burst))] if burst is not None and burst != (before[2] or 0) else []
        yield from (*extra, *most) if (burst or 0) < (before[2] or 0) else (*most, *extra)


def quota_of(cpus: int, period: int) -> int:
    """Microseconds of a period for billionths of processors."""
    return UNLIMITED if cpus == UNLIMITED else round(cpus * period / BILLION)


class Bandwidth1(Bandwidth):
    """Version 1: a file for each."""

    quota, period = "cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"

    def now(self, group: Group) -> tuple[int, int] | None:
        """From the two files."""
        quota, period = group.text(self.quota), group.text(self.period)
        return (int(quota), int(period)) if quota and period else None

    def most(self, quota: int, period: int, before: tuple[int, int]) -> Iterator[Text]:
        """What is between the two writes must not be more than the group above allows: the lower share is first."""
        texts = []
        if period != before[1]:
            texts.append((self.period, str(period)))
        if quota != before[0]:
            texts.append((self.quota, str(quota)))
        old, lower = before[0], quota != UNLIMITED
        # The new quota in the old period, against the old quota in the new one.
        if lower and (old == UNLIMITED or quota * period < old * before[1]):
            texts.reverse()
        return iter(texts)


class Bandwidth2(Bandwidth):
    """Version 2: both in one file."""

    file = "cpu.max"

    def now(self, group: Group) -> tuple[int, int] | None:
        """From the one file."""
        quota, _, period = group.text(self.file).partition(" ")
        return (read_number(quota), int(period)) if period else None

    def most(self, quota: int, period: int, before: tuple[int, int]) -> Iterator[Text]:
        """Both at once."""
        yield self.file, f"{number(quota)} {period}"


class SharesAndIdle:
    """Shares of processors, and whether the group gets only what nobody else wants: an idle group takes no shares."""

    def __init__(self, file: str, idle: str, weights: bool) -> None:
        self.file, self.idle, self.weights = file, idle, weights

    def read(self, group: Group, said: Values) -> Values:
        """Both; the shares of an idle group are as they were said, since the kernel has forgotten them."""
        share, idle = group.text(self.file), group.text(self.idle)
        if not share:
            return (None, None)
        if idle == "1":
            return (_normal(SHARES) if said[0] is None else said[0], True)
        return (self._shares(int(share), said[0]), idle == "1" if idle else None)

    def _shares(self, held: int, said: int | None) -> int:
        if said is not None and self._held(said) == held:
            return said
        return _normal(cpu_shares(held) if self.weights else held)

    def _held(self, shares: int) -> int:
        number = SHARES if shares == UNLIMITED else shares
        return cpu_weight(number) if self.weights else number

    def texts(self, group: Group, after: Values, before: Values) -> Iterator[Text]:
        """The one that changes; who is idle no more has the default shares, whatever it had."""
        shares, idle = after
        if idle is not None and idle != bool(before[1]):
            yield self.idle, str(int(idle))
        was = UNLIMITED if before[1] else before[0]
        if shares is not None and not idle and shares != was:
            yield self.file, str(self._held(shares))


def _normal(shares: int) -> int:
    """What nobody has said is told as such."""
    return UNLIMITED if shares == SHARES else shares
