# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a pull is: on a terminal a line per layer that is kept up to date, elsewhere a line when it begins."""
from __future__ import annotations

import time
from typing import TextIO

from ..image.arrival import Arrival

INTERVAL = 0.1
"""Seconds between two changes of the lines."""

WIDTH = 24


class Lines:
    """The lines of one pull. Called with each :class:`Arrival`, by one thread at a time."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._moving = stream, stream.isatty()
        self._known: dict[int, Arrival] = {}
        self._shown, self._when = 0, 0.0

    def __call__(self, arrival: Arrival) -> None:
        """Take notice of how far a layer is."""
        first = arrival.number not in self._known
        self._known[arrival.number] = arrival
        if not self._moving:
            if first:
                size = f"{arrival.size / 1e6:.1f} MB"
                print(f"layer {arrival.number} of {arrival.layers}: {arrival.digest[7:19]}, {size}", file=self._stream)
        elif first or arrival.done or time.monotonic() - self._when > INTERVAL:
            self._draw()

    def _draw(self) -> None:
        """Go up to the first line and write all anew (ECMA-48: CUU, EL)."""
        lines = [_line(arrival) for _, arrival in sorted(self._known.items())]
        up = f"\x1b[{self._shown}A" if self._shown else ""
        self._stream.write(up + "".join(f"{line}\x1b[K\n" for line in lines))
        self._stream.flush()
        self._shown, self._when = len(lines), time.monotonic()


def _line(arrival: Arrival) -> str:
    part = arrival.received / arrival.size if arrival.size else 1.0
    bar = "=" * int(part * WIDTH)
    state = "done" if arrival.done else "unpacking" if arrival.received >= arrival.size else f"{part:.0%}"
    return f"{arrival.digest[7:19]} [{bar:<{WIDTH}}] {arrival.size / 1e6:8.1f} MB  {state}"
