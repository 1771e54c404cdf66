# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ingress_rate`` and ``egress_rate``: how fast a container receives and sends on each of its networks.

What it receives leaves the host by the host's end of its interface, what it sends leaves by its own end: a token bucket
(tc-tbf(8)) there holds packets back until it is their turn. So a container with ``NET_ADMIN`` can lift what it sends.
"""
from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..core.kinds import UNLIMITED
from ..core.model import Kind

LEAST, MOST = 8_000, 8 * (1 << 32) - 8
"""Bits a second: below the first the bucket is longer than anybody waits, above the last the kernel has no number."""

_RATE = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,9}))?\s*([kmgt]?)(i?)(bit|bps)", re.ASCII)
_UNITS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def rate(value: Any) -> int:
    """Bits a second in tc(8)'s grammar, such as ``10mbit`` or ``1.5mbps`` (of bytes), in whole bytes; or UNLIMITED."""
    said = str(value).strip().lower()
    if said in ("max", "unlimited", "-1", "0"):
        return UNLIMITED
    match = _RATE.fullmatch(said)
    if not match:
        raise ValueError("it is not a rate such as 10mbit; units are bit, kbit, mbit, gbit, and bps, kbps, … for bytes")
    whole, fraction, unit, binary, of = match[1], match[2] or "", match[3], match[4], match[5]
    factor = (1024 if binary else 1000) ** _UNITS[unit] * (8 if of == "bps" else 1)
    bits: int = int(whole + fraction) * factor // 10 ** len(fraction) // 8 * 8
    if not LEAST <= bits <= MOST:
        raise ValueError(f"it is not between {show_rate(LEAST)} and {show_rate(MOST)}")
    return bits


def show_rate(bits: int) -> str:
    """A rate in the largest unit that leaves a whole number."""
    if bits == UNLIMITED:
        return "max"
    unit = next(each for each in ("g", "m", "k", "") if bits % 1000 ** _UNITS[each] == 0)
    return f"{bits // 1000 ** _UNITS[unit]}{unit}bit"


RATE = Kind("rate", {"type": "str"}, rate, show_rate)

Rates = tuple[int, int]
"""What a container receives and what it sends at most, in bits a second."""

FREE: Rates = (UNLIMITED, UNLIMITED)


def rates(ingress: int | None, egress: int | None) -> Rates:
    """Both, where what is not managed has no limit."""
    return UNLIMITED if ingress is None else ingress, UNLIMITED if egress is None else egress


def told(recorded: int | None, found: Iterable[int]) -> int | None:
    """One rate for those of all networks: one that is not as the record has it, if there is such a one."""
    return next((each for each in found if each != recorded), recorded)
