# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes: told apart by pid and start time, so that a reused pid is never taken for the old process."""
from __future__ import annotations

import os
import select
import time

from ..lean import signal
from ..lean.contextlib import suppress
from ..typed import NamedTuple


class Process(NamedTuple):
    """A process: its pid, and its start in clock ticks since boot (field 22 of proc_pid_stat(5))."""

    pid: int
    start: int

    @property
    def alive(self) -> bool:
        """Whether exactly this process is there and not a zombie."""
        found = parse_stat(_stat(self.pid))
        return found is not None and found[0] == self and found[1] not in "ZX"

    def signal(self, number: int) -> bool:
        """Send a signal to exactly this process; False if it is gone."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # The pid can't be reused while the descriptor is held, so the check holds when the signal is sent.
            if not self.alive:
                return False
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)
                return True
            return False
        finally:
            os.close(descriptor)

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, at most so long; whether it has. Works for processes that are no children."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return True
        try:
            if not self.alive:
                return True
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        finally:
            os.close(descriptor)

    @property
    def started_at(self) -> float:
        """When it was started, in seconds since the epoch."""
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + self.start / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> str:
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return ""
    try:
        # The line is written as a whole, and shorter than this.
        return os.read(descriptor, 4096).decode(errors="replace")
    except ProcessLookupError:
        return ""
    finally:
        os.close(descriptor)


def parse_stat(line: str) -> tuple[Process, str] | None:
    """Process and state letter from a line of /proc/PID/stat; None if the line is empty or cut off."""
    pid, _, rest = line.partition(" (")
    fields = rest.rpartition(") ")[2].split()
    if not pid.isdecimal() or len(fields) < 20:
        return None
    return Process(int(pid), int(fields[19])), fields[0]


def process(pid: int) -> Process | None:
    """The process that has this pid now."""
    found = parse_stat(_stat(pid))
    return found[0] if found else None


def signal_number(said: str) -> int:
    """The signal of a name (with or without SIG), a number, or RTMIN+n and RTMAX-n; SIGTERM if it is none of them."""
    name = said.strip().upper().removeprefix("SIG")
    base, sign, offset = name[:5], name[5:6], name[6:]
    if base in ("RTMIN", "RTMAX") and sign in ("+", "-") and offset.isascii() and offset.isdecimal():
        number = int(signal.NAMES[f"SIG{base}"]) + int(f"{sign}{offset[:3]}")
    elif name.isascii() and name.isdecimal() and len(name) < 3:
        number = int(name)
    else:
        known = signal.NAMES.get(f"SIG{name}", signal.SIGTERM)
        number = int(known)
    return number if 1 <= number <= 64 else int(signal.SIGTERM)
