# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls that give the calling process what it keeps through exec: limits, scheduling, keys, a domain."""
from __future__ import annotations

import errno
import os

from ..lean import ctypes
from ..lean.ctypes import c_int, c_long, c_uint, c_uint64, c_ulong
from .syscalls import libc

KEYCTL_JOIN_SESSION_KEYRING = 1
IOPRIO_WHO_PROCESS = 1

_NUMBERS = {
    "x86_64": {"keyctl": 250, "ioprio_set": 251, "sched_setattr": 314},
    "aarch64": {"keyctl": 219, "ioprio_set": 30, "sched_setattr": 274},
    "riscv64": {"keyctl": 219, "ioprio_set": 30, "sched_setattr": 274},
}
"""Numbers of system calls that libraries have no functions for."""


class _RLimit(ctypes.Structure):
    """``struct rlimit64``."""

    _fields_ = (("soft", c_uint64), ("hard", c_uint64))


class _SchedAttr(ctypes.Structure):
    """``struct sched_attr`` of linux/sched/types.h, as it was at first."""

    _fields_ = (
        ("size", c_uint),
        ("policy", c_uint),
        ("flags", c_uint64),
        ("nice", c_int),
        ("priority", c_uint),
        ("runtime", c_uint64),
        ("deadline", c_uint64),
        ("period", c_uint64),
    )


def _call(name: str, *arguments: object) -> None:
    number = _NUMBERS.get(os.uname().machine, {}).get(name, -1)
    if libc.syscall(c_long(number), *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), name)


def set_rlimit(resource: int, soft: int, hard: int, pid: int = 0) -> None:
    """prlimit(2) for a process, or the calling one."""
    limit = _RLimit(soft, hard)
    if libc.prlimit(c_int(pid), c_int(resource), ctypes.byref(limit), None) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def get_rlimit(resource: int, pid: int = 0) -> tuple[int, int]:
    """The soft and the hard limit of a process, or of the calling one."""
    limit = _RLimit()
    if libc.prlimit(c_int(pid), c_int(resource), None, ctypes.byref(limit)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(limit.soft), int(limit.hard)


def set_personality(domain: int) -> None:
    """personality(2)."""
    if libc.personality(c_ulong(domain)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def set_scheduler(policy: int, nice: int, priority: int, flags: int, times: tuple[int, int, int]) -> None:
    """sched_setattr(2) for the calling thread; times are runtime, deadline and period in nanoseconds."""
    wanted = _SchedAttr(ctypes.sizeof(_SchedAttr), policy, flags, nice, priority, *times)
    _call("sched_setattr", c_int(0), ctypes.byref(wanted), c_uint(0))


def set_io_priority(value: int) -> None:
    """ioprio_set(2) for the calling process."""
    _call("ioprio_set", c_int(IOPRIO_WHO_PROCESS), c_int(0), c_int(value))


def new_session_keyring() -> None:
    """Leave the session keyring for a new one (keyctl(2)), where the kernel has keys at all and lets us."""
    try:
        _call("keyctl", c_long(KEYCTL_JOIN_SESSION_KEYRING), None)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.EPERM, errno.EDQUOT, errno.EACCES):
            raise
