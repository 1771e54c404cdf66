# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times by which lines of a log are chosen, in Docker's grammar, and as they are written before lines."""
from __future__ import annotations

import re
import time
from datetime import datetime

SECOND = 10**9
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_PART = r"([0-9]+)(?:\.([0-9]+))?(ns|us|µs|ms|s|m|h)"
_DURATION = re.compile(rf"(?:{_PART})+")
_EPOCH = re.compile(r"([0-9]{1,11})(?:\.([0-9]{1,9}))?", re.ASCII)
_FRACTION = re.compile(r"\.([0-9]{1,9})[0-9]*")
_LAST = 253402300799 * SECOND
"""The last second that has a year of four digits."""


def moment(said: str, now: int) -> int:
    """A moment in nanoseconds since the epoch. Raises ``ValueError``.

    A duration counts back from ``now`` (``10m``, ``1h30m``); else it is seconds since the epoch, or a time as RFC 3339
    has it, of which any part behind the day may be left out: without a zone it is that of the caller.
    """
    if said.isascii() and _DURATION.fullmatch(said):
        return max(0, now - sum(_fraction(*part) for part in re.findall(_PART, said)))
    epoch = _EPOCH.fullmatch(said)
    if epoch:
        found = int(epoch[1]) * SECOND + int((epoch[2] or "").ljust(9, "0"))
    else:
        fraction = _FRACTION.search(said)
        try:
            # Python reads no nanoseconds.
            whole = datetime.fromisoformat(_FRACTION.sub("", said))
            found = int(whole.timestamp()) * SECOND + int((fraction[1] if fraction else "").ljust(9, "0"))
        except (ValueError, OverflowError) as error:
            known = "a duration such as 10m or 1h30m, a time such as 2026-01-31T12:00:00Z, or seconds since 1970"
            raise ValueError(f"it is not {known}") from error
    return min(max(0, found), _LAST)


def _fraction(number: str, behind: str, unit: str) -> int:
    total: int = int(number + behind) * _UNITS[unit] // 10 ** len(behind)
    return total


def stamp(at: int) -> bytes:
    """A moment as s6-log writes it before a line."""
    seconds, nanoseconds = divmod(at, SECOND)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(seconds)).encode() + b".%09d" % nanoseconds


def shown(written: bytes) -> bytes:
    """The time stamp before a line as Docker shows it."""
    return written.replace(b" ", b"T", 1) + b"Z "
