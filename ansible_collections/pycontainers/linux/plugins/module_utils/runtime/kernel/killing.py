# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals to all processes of a cgroup and of those below it, and the end of them all."""
from __future__ import annotations

import time

from ..errors import Failure
from ..lean import signal
from ..lean.contextlib import suppress
from . import freezer
from .cgroups import Cgroups, members, write_file
from .process import process

PATIENCE = 10.0
"""Seconds within which the kernel must have ended a process after SIGKILL, else something holds it (NFS, a bug)."""


def signal_all(groups: Cgroups, path: str, number: int) -> int:
    """Send a signal to all processes but zombies; returns how many there were."""
    found = [each for each in map(process, members(groups, path)) if each]
    if number == signal.SIGKILL and groups.version == 2:
        # All at once: nothing can fork meanwhile. Before Linux 5.14 there is no such file.
        with suppress(OSError):
            write_file(groups.file(path, "cgroup.kill"), "1")
            return sum(each.alive for each in found)
    return sum(each.signal(number) for each in found)


def end_all(groups: Cgroups, path: str) -> None:
    """Kill all processes and wait until they have ended. Raises :class:`Failure` if the kernel can't end one."""
    end = time.monotonic() + PATIENCE
    while signal_all(groups, path, signal.SIGKILL):
        if freezer.frozen(groups, path):  # With version 1 what is held still does not even take SIGKILL.
            freezer.thaw(groups, path)
        if time.monotonic() > end:
            raise Failure(f"empty cgroup {path}", f"a process has not ended {PATIENCE:g} s after SIGKILL")
        time.sleep(0.002)
