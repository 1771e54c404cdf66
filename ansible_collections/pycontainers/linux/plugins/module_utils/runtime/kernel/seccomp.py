# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a system call filter on the calling thread: seccomp(2).

A container's first process imports this, so it knows nothing of profiles: what it loads was compiled by
:mod:`.libseccomp` in another process. Numbers are those of linux/seccomp.h.
"""
from __future__ import annotations

import os

from ..lean import ctypes
from ..lean.ctypes import c_char_p, c_long, c_uint, c_ushort
from .syscalls import libc

SECCOMP_SET_MODE_FILTER = 1
SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_NEW_LISTENER = 2, 4, 8
SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = 32

INSTRUCTION = 8
"""The size of a ``struct sock_filter`` (linux/filter.h) in bytes."""

_SYS_SECCOMP = {
    "x86_64": 317, "i686": 354, "aarch64": 277, "riscv64": 277, "armv7l": 383, "ppc64le": 358, "s390x": 348
}  # fmt: skip
_NUMBER = _SYS_SECCOMP.get(os.uname().machine, -1)
"""Asked for at the beginning: to a process of a 32-bit domain (personality(2)) uname(2) names another machine."""


class _SockFprog(ctypes.Structure):
    """``struct sock_fprog`` of linux/filter.h."""

    _fields_ = (("len", c_ushort), ("filter", c_char_p))


def load(bpf: bytes, flags: int = 0) -> int | None:
    """Filter the system calls of the calling thread, and of all that it becomes and starts, from now on.

    ``bpf`` is an array of ``struct sock_filter``. With SECCOMP_FILTER_FLAG_NEW_LISTENER the listener's descriptor
    is returned, which closes on exec. The kernel asks for CAP_SYS_ADMIN in the user namespace, or no_new_privs.
    Raises ``OSError``: EINVAL for a program or flag that the kernel does not take, EACCES without privilege,
    ENOSYS on a machine whose number of the call is not known here.
    """
    program = _SockFprog(len(bpf) // INSTRUCTION, bpf)
    result: int = libc.syscall(c_long(_NUMBER), c_uint(SECCOMP_SET_MODE_FILTER), c_uint(flags), ctypes.byref(program))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result if flags & SECCOMP_FILTER_FLAG_NEW_LISTENER else None
