# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server process: known by pid and start time, found by the port that it listens at, ended by descriptor."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp


def start_time(pid: int) -> int | None:
    """Return when the process started, in clock ticks since boot (proc_pid_stat(5), field 22); None if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, field 2, may hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    # A zombie serves nobody, and lasts until its parent looks.
    return None if fields[0] in "ZX" else int(fields[19])


def listening_port(pid: int) -> int | None:
    """Return the TCP port of a listening socket that the process holds, in whichever network namespace it is."""
    sockets: set[str] = set()
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            sockets.add(str(entry.readlink()))
        lines = [
            line.split()
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        ]
    except OSError:
        # It ended while it was looked at: ENOENT, ESRCH, or EINVAL for the network of a zombie.
        return None
    for fields in lines:
        if fields[3] == LISTEN and f"socket:[{fields[9]}]" in sockets:
            return int(fields[1].rpartition(":")[2], 16)
    return None


def with_argument(last: str) -> list[int]:
    """Return the pids of the processes whose last argument is `last` (proc_pid_cmdline(5))."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if words[-2:-1] == [last.encode()]:
            found.append(int(path.parent.name))
    return found


def end(pid: int, started: int, *, patience: float = 5.0) -> bool:
    """End the process with SIGTERM, after `patience` seconds with SIGKILL. False if it was gone already.

    The pid is pinned before its start time is compared, so that no other process can be hit (pidfd_open(2)).
    """
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if start_time(pid) != started or has_ended(pidfd, 0):
            return False
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(pidfd, number)
            if has_ended(pidfd, patience):
                return True
        raise TimeoutError(f"process {pid} did not end within {patience} s of SIGKILL")
    except ProcessLookupError:
        return True
    finally:
        os.close(pidfd)


def has_ended(pidfd: int, seconds: float) -> bool:
    """Wait at most so long for the process of a pidfd_open(2) descriptor to end, and tell whether it has."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def await_port(pid: int, seconds: float) -> int | None:
    """Wait until the process listens and return its port; None when it ended or the time is over."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit and start_time(pid) is not None:
        port = listening_port(pid)
        if port is not None:
            return port
        time.sleep(0.02)
    return None
