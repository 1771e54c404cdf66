# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing to files of /proc, and to nothing that has been put in their place."""
from __future__ import annotations

import errno
import os

from . import syscalls

_WAY = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_NO_XDEV | syscalls.RESOLVE_NO_MAGICLINKS


def write(path: str, text: str) -> None:
    """Write to a file by its path below /proc. Raises ``OSError``.

    What lies at /proc may be a mount namespace's that somebody else has made: it has to be a procfs, and no mount
    may lead from it to another file, as to sysrq-trigger where a setting was meant (CVE-2025-52881).
    """
    top = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not syscalls.on_proc(top) or os.fstat(top).st_ino != syscalls.PROC_ROOT_INO:
            raise OSError(errno.EXDEV, "/proc is not the filesystem proc", f"/proc/{path}")
        try:
            descriptor = syscalls.openat2(top, path, os.O_WRONLY, _WAY)
        except OSError as error:
            said = "something is mounted over it" if error.errno == errno.EXDEV else error.strerror
            raise OSError(error.errno, said, f"/proc/{path}") from error
    finally:
        os.close(top)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
