# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's processes would inherit through fork and exec from whoever starts it, brought to defaults.

A container is started from an ssh session, a boot service or a cron job: it shall be the same one each time.
"""
from __future__ import annotations

import os
import resource
from contextlib import suppress

from ..kernel.process_attributes import RLIM_INFINITY, RLIMITS, SCHED_OTHER
from ..kernel.process_calls import new_session_keyring, set_io_priority, set_rlimit, set_scheduler

_MEBIBYTE = 1 << 20

LIMITS = {
    "STACK": (8 * _MEBIBYTE, RLIM_INFINITY),
    "CORE": (0, RLIM_INFINITY),
    "NOFILE": (1024, 524288),
    "MEMLOCK": (8 * _MEBIBYTE, 8 * _MEBIBYTE),
    "MSGQUEUE": (819200, 819200),
    "NICE": (0, 0),
    "RTPRIO": (0, 0),
}
"""Soft and hard resource limits, as the kernel gives them to its first process (asm-generic/resource.h); open files
as systemd gives them to services, and by it Docker to containers. Of the others there is as much as one likes."""

OF_THE_FIRST = ("SIGPENDING",)
"""Limits that the kernel makes by the machine's memory: those of process 1 are taken."""


def settle() -> None:
    """Give the calling process the default limits, priorities, processors, and a session keyring of its own.

    What takes a right that a system container may lack is set as far as it goes.
    """
    for name, number in RLIMITS.items():
        short = name.removeprefix("RLIMIT_")
        with suppress(PermissionError):
            if short in OF_THE_FIRST:
                _limit(number, *(value % (RLIM_INFINITY + 1) for value in resource.prlimit(1, number)))
            else:
                _limit(number, *LIMITS.get(short, (RLIM_INFINITY, RLIM_INFINITY)))
    with suppress(PermissionError):
        set_scheduler(SCHED_OTHER, 0, 0, 0, (0, 0, 0))
    set_io_priority(0)
    # All there are: the kernel takes away what its cgroup does not have.
    os.sched_setaffinity(0, range(os.sysconf("SC_NPROCESSORS_CONF")))
    new_session_keyring()


def _limit(number: int, soft: int, hard: int) -> None:
    try:
        set_rlimit(number, soft, hard)
    except PermissionError:
        most = resource.getrlimit(number)[1] % (RLIM_INFINITY + 1)
        set_rlimit(number, min(soft, most), min(hard, most))
