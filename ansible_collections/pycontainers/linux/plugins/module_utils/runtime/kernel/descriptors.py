# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptors of other processes, and one that tells of a file's growth."""
from __future__ import annotations

import ctypes
import os
from ctypes import c_char_p, c_int, c_long, c_uint

from .syscalls import libc

_SYS_PIDFD_GETFD = 438

IN_MODIFY, IN_MOVED_TO, IN_CREATE, IN_CLOEXEC, IN_NONBLOCK = 2, 0x80, 0x100, os.O_CLOEXEC, os.O_NONBLOCK
"""Of sys/inotify.h."""

CHANGES = IN_MODIFY | IN_MOVED_TO | IN_CREATE


def pidfd_getfd(process: int, descriptor: int) -> int:
    """A copy of a descriptor of the process behind the pidfd; it is closed by exec.

    Both stand for one open file: what is set of it with fcntl(2) is set for both.
    """
    copy: int = libc.syscall(c_long(_SYS_PIDFD_GETFD), c_int(process), c_int(descriptor), c_uint(0))
    if copy < 0:
        _raise()
    return copy


def watch(path: str) -> int:
    """An inotify(7) descriptor that can be read, without waiting, once the file, or one in the folder, was changed."""
    descriptor: int = libc.inotify_init1(c_int(IN_CLOEXEC | IN_NONBLOCK))
    if descriptor < 0:
        _raise()
    if libc.inotify_add_watch(c_int(descriptor), c_char_p(os.fsencode(path)), c_uint(CHANGES)) < 0:
        number = ctypes.get_errno()
        os.close(descriptor)
        raise OSError(number, os.strerror(number), path)
    return descriptor


def _raise() -> None:
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))
