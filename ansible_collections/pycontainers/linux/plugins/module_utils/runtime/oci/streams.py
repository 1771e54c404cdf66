# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the standard input of a container's program comes from: nowhere, a pipe that stays open, or a terminal.

The other end of a pipe is held by the waiter, so that the program's input does not end with whoever wrote to it. The
program's terminal is made inside the container, and its master goes to the logger (:mod:`.loggers`).
"""
from __future__ import annotations

import os

from ..kernel import syscalls

NOTHING, PIPE, TERMINAL = "nothing", "pipe", "terminal"
"""What the program reads."""

KEYBOARD, INPUT = 8, 9
"""The waiter's descriptors of the pipe's other end, and of what the program reads: a shell gives its jobs no 0."""


def streams(kind: str) -> dict[int, int]:
    """The descriptors to be put in place in the waiter, for stdin of this kind."""
    nothing = os.open("/dev/null", os.O_RDONLY)
    if kind == PIPE:
        reading, writing = os.pipe()
        return {0: nothing, INPUT: reading, KEYBOARD: writing}
    return {0: nothing, INPUT: nothing}


def arrange(wanted: dict[int, int]) -> None:
    """Put descriptors in their places, and close all others."""
    # First out of the way of one another, then in place: a source may be another's place.
    high = {place: os.dup2(os.dup(descriptor), 64 + place) for place, descriptor in wanted.items()}
    for place, descriptor in high.items():
        os.dup2(descriptor, place, inheritable=True)
    for place in set(range(max(wanted))) - set(wanted):
        syscalls.close_range(place, place)
    syscalls.close_range(max(wanted) + 1)
