# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammars of limits. ``max``, ``unlimited`` and -1 are no limit, and so is 0 where it is no limit itself."""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from typing import Any

from ..core.kinds import UNLIMITED, limit_count, limit_size, listed, mapping, show_limit, size, text, whole
from ..core.model import Kind
from ..kernel.cgroup_values import (
    HEAVIEST,
    LARGEST_QUOTA,
    LARGEST_UINT32,
    LIGHTEST,
    LONGEST_PERIOD,
    MEMORY_UNLIMITED,
    MOST_NODES,
    PAGE,
    PERIOD,
    PID_MAX_LIMIT,
    SHARES,
    SHARES_MAX,
    SHARES_MIN,
    SHORTEST_PERIOD,
    SHORTEST_QUOTA,
    ranges,
)
from ..kernel.process_attributes import MOST_CPUS

WORDS = ("max", "unlimited", "-1")
CPU_LEAST, CPU_MOST = 0.001, 10_000
"""Processors: the kernel takes no quota below 1,000 microseconds, of a period of 1,000,000 at most."""

MOST_SWAPPINESS = 100
ACCESSES = "rwm"
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_RULE = re.compile(r"([abc])\s+([0-9]+|\*):([0-9]+|\*)\s+([rwm]{1,3})", re.ASCII)
_PAGE_SIZE = re.compile(r"([1-9][0-9]{0,5})([KMG])B?", re.ASCII)
_THING = re.compile(r"[^\s=]{1,64}")


def _said(value: Any) -> str:
    if isinstance(value, bool):
        raise ValueError("it is neither a number nor max")
    return str(value).strip().lower()


def _percent(said: str) -> float:
    """The share that a percentage is."""
    number = said.removesuffix("%").strip()
    if not _NUMBER.fullmatch(number) or not 0 < float(number) <= 100:
        raise ValueError("it is not a percentage above 0%, up to 100%")
    return float(number) / 100


def memory(value: Any) -> int:
    """A limit of memory in bytes, in whole pages, or UNLIMITED; a percentage is one of the host's memory."""
    said = str(value).strip()
    if said.endswith("%"):
        return int(os.sysconf("SC_PHYS_PAGES") * _percent(said)) * PAGE
    limit = limit_size(value)
    if limit == UNLIMITED or limit >= MEMORY_UNLIMITED:
        return UNLIMITED
    if limit < PAGE:
        raise ValueError(f"it is below one page ({PAGE} bytes)")
    return limit // PAGE * PAGE


def cpus(value: Any) -> int:
    """Processors in billionths of one; UNLIMITED for ``max`` and 0. A percentage is one of the host's processors."""
    said = str(value).strip().lower()
    if said in WORDS:
        return UNLIMITED
    if said.endswith("%"):
        number = _percent(said) * os.sysconf("SC_NPROCESSORS_ONLN")
    elif _NUMBER.fullmatch(said):
        number = float(said)
    else:
        raise ValueError("it is not a number of processors, such as 1.5")
    if number == 0:
        return UNLIMITED
    if not CPU_LEAST <= number <= CPU_MOST:
        raise ValueError(f"it is not between {CPU_LEAST} and {CPU_MOST} processors")
    return round(number * 1_000_000_000)


def show_cpus(value: int) -> Any:
    """Processors as a number, ``max`` for no limit."""
    return "max" if value == UNLIMITED else value / 1_000_000_000


def pids(value: Any) -> int:
    """A number of processes that the kernel takes, or UNLIMITED."""
    limit = limit_count(value)
    if limit > PID_MAX_LIMIT:
        raise ValueError(f"it is above {PID_MAX_LIMIT}, the most processes that the kernel can count")
    return limit


def _between(low: int, high: int, cleared: int, words: tuple[str, ...], what: str) -> Callable[[Any], int]:
    """A whole number within bounds, or ``cleared`` for some words."""

    def parse(value: Any) -> int:
        said = _said(value)
        if said in words:
            return cleared
        number = whole(said)
        if not low <= number <= high:
            raise ValueError(f"it is not between {low} and {high}{what}")
        return number

    return parse


_NONE = (*WORDS, "default", "0")
_shares = _between(SHARES_MIN, SHARES_MAX, UNLIMITED, _NONE, "")


def shares(value: Any) -> int:
    """Shares of processor time; the default ones are none of one's own."""
    number = _shares(value)
    return UNLIMITED if number == SHARES else number


def _show_default(value: int) -> Any:
    return "default" if value == UNLIMITED else value


def numbers(end: int) -> Callable[[Any], str]:
    """A list such as ``0-2,4``, as the kernel shows it; empty for what the group above has."""

    def parse(value: Any) -> str:
        said = _said(value)
        if said in ("", *WORDS):
            return ""
        found: set[int] = set()
        for part in said.split(","):
            low, dash, high = (each.strip() for each in part.partition("-"))
            if not all(each.isascii() and each.isdecimal() and len(each) < 6 for each in (low, high if dash else low)):
                raise ValueError("it is not a list of numbers and ranges, such as 0-2,4")
            first, last = int(low), int(high if dash else low)
            if not first <= last < end:
                raise ValueError(f"{part.strip()!r} is no range of numbers below {end}")
            found.update(range(first, last + 1))
        return ranges(sorted(found))

    return parse


def _listed(value: Any) -> Any:
    """A list; the command line says that there is none by a word in it."""
    return [] if value in ([each] for each in WORDS) else value


def _rate(unit: str) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        if _said(value) in (*WORDS, "0"):
            return UNLIMITED
        number = size(value) if unit == "bytes" else whole(value)
        if not 0 < number <= (2**63 - 1 if unit == "bytes" else LARGEST_UINT32):
            raise ValueError(f"{value!r} is no number of {unit} a second that the kernel takes")
        return number or UNLIMITED

    return parse


def _rates(unit: str) -> Kind:
    rate = _rate(unit)

    def one(value: Any) -> tuple[str, int]:
        if isinstance(value, str):
            device, _, said = value.rpartition(":")
            value = {"path": device, "rate": said}
        given = {key: each for key, each in mapping(value).items() if each is not None}
        if set(given) != {"path", "rate"}:
            raise ValueError("a rate has path and rate, and nothing else")
        device = text(given["path"])
        if not device.startswith("/") and not re.fullmatch(r"[0-9]{1,6}:[0-9]{1,7}", device, re.ASCII):
            raise ValueError(f"{device!r} is neither an absolute path nor major:minor")
        return device.rstrip("/") or "/", rate(given["rate"])

    def parse(value: Any) -> tuple[tuple[str, int], ...]:
        found = listed(one)(_listed(value))
        if len({device for device, _ in found}) < len(found):
            raise ValueError("a device is there twice")
        return tuple(sorted(each for each in found if each[1] != UNLIMITED))

    kind = "str" if unit == "bytes" else "int"
    suboptions = {"path": {"type": "str", "required": True}, "rate": {"type": kind, "required": True}}
    return Kind(
        f"rates_{unit}",
        {"type": "list", "elements": "dict", "options": suboptions},
        parse,
        lambda value: [{"path": device, "rate": limit} for device, limit in value],
    )


def _by_name(one: Callable[[str, Any], tuple[str, Any] | None]) -> Callable[[Any], tuple[tuple[str, Any], ...]]:
    def parse(value: Any) -> tuple[tuple[str, Any], ...]:
        # So the command line says that there is none.
        pairs = {} if value in ({each: ""} for each in WORDS) else mapping(value)
        found = [one(text(name), each) for name, each in pairs.items()]
        limits = [each for each in found if each is not None]
        if len(dict(limits)) < len(limits):
            raise ValueError("something is limited twice")
        return tuple(sorted(limits))

    return parse


def _pages(name: str, value: Any) -> tuple[str, int] | None:
    match = _PAGE_SIZE.fullmatch(name.strip().upper())
    if not match:
        raise ValueError(f"{name!r} is not a size of pages such as 2MB or 1GB")
    page = int(match[1]) << {"K": 10, "M": 20, "G": 30}[match[2]]
    limit = UNLIMITED if _said(value) in WORDS else size(value)
    return None if limit == UNLIMITED else (f"{match[1]}{match[2]}B", limit // page * page)


def _thing(name: str) -> str:
    if not _THING.fullmatch(name):
        raise ValueError(f"{name!r} is no name that the kernel could have for it")
    return name


def _count(value: Any) -> int:
    if _said(value) in WORDS:
        return UNLIMITED
    number = whole(value)
    if not 0 <= number <= LARGEST_UINT32:
        raise ValueError(f"{value!r} is not between 0 and {LARGEST_UINT32}")
    return number


def _rdma(name: str, value: Any) -> tuple[str, tuple[int, int]] | None:
    # The command line has a text for each device.
    given = mapping(dict(each.partition("=")[::2] for each in value.split(",")) if isinstance(value, str) else value)
    unknown = set(given) - {"handles", "objects"}
    if unknown:
        raise ValueError(f"{sorted(unknown)[0]!r} is not known; handles and objects are")
    said = (given.get(each) for each in ("handles", "objects"))
    handles, objects = (UNLIMITED if each is None else _count(each) for each in said)
    return None if (handles, objects) == (UNLIMITED, UNLIMITED) else (_thing(name), (handles, objects))


def _misc(name: str, value: Any) -> tuple[str, int] | None:
    limit = UNLIMITED if _said(value) in WORDS else size(value)
    return None if limit == UNLIMITED else (_thing(name), limit)


def device_rules(value: Any) -> tuple[str, ...]:
    """Rules such as ``c 1:3 rwm``, in order, each once; ``*`` stands for all numbers."""
    found = []
    for each in listed(text)(_listed(value)):
        match = _RULE.fullmatch(each.strip())
        if not match:
            raise ValueError(f"{each!r} is not of the form 'c 1:3 rwm', with a, b or c, numbers or *, and r, w, m")
        major, minor = (part if part == "*" else str(int(part)) for part in match.group(2, 3))
        found.append(f"{match[1]} {major}:{minor} {''.join(each for each in ACCESSES if each in match[4])}")
    return tuple(dict.fromkeys(found))


def _show_rdma(value: Iterable[tuple[str, tuple[int, int]]]) -> dict[str, dict[str, Any]]:
    pairs = ((name, {"handles": show_limit(one), "objects": show_limit(two)}) for name, (one, two) in value)
    return dict(pairs)


_TEXT = {"type": "str"}
MEMORY = Kind("memory", _TEXT, memory, show_limit)
PROTECTION = Kind("protection", _TEXT, memory, lambda value: 0 if value == UNLIMITED else value)
CPUS = Kind("cpus", _TEXT, cpus, show_cpus)
PIDS = Kind("pids", _TEXT, pids, show_limit)
SWAPPINESS = Kind(
    "swappiness", _TEXT, _between(0, MOST_SWAPPINESS, UNLIMITED, (*WORDS, "default"), ""), _show_default
)
SHARES_KIND = Kind("shares", _TEXT, shares, _show_default)
QUOTA = Kind(
    "quota", _TEXT, _between(SHORTEST_QUOTA, LARGEST_QUOTA, UNLIMITED, (*WORDS, "0"), " microseconds"), show_limit
)
PERIOD_KIND = Kind("period", _TEXT, _between(SHORTEST_PERIOD, LONGEST_PERIOD, PERIOD, _NONE, " microseconds"))
BURST = Kind("burst", _TEXT, _between(0, LARGEST_QUOTA, 0, WORDS, " microseconds"))
CPU_NUMBERS = Kind("cpu_numbers", _TEXT, numbers(MOST_CPUS))
NODE_NUMBERS = Kind("node_numbers", _TEXT, numbers(MOST_NODES))
BLOCK_WEIGHT = Kind("block_weight", _TEXT, _between(LIGHTEST, HEAVIEST, UNLIMITED, _NONE, ""), _show_default)
BPS, IOPS = _rates("bytes"), _rates("operations")
HUGETLB = Kind("hugetlb", {"type": "dict"}, _by_name(_pages), dict)
RDMA = Kind("rdma", {"type": "dict"}, _by_name(_rdma), _show_rdma)
MISC = Kind("misc", {"type": "dict"}, _by_name(_misc), dict)
DEVICE_RULES = Kind("device_rules", {"type": "list", "elements": "str"}, device_rules, list)
