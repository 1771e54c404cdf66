# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The terminal of a container's program: made inside the container, its master sent out over a socket."""
from __future__ import annotations

import errno
import fcntl
import os
import struct

from ..kernel import syscalls
from ..kernel.ioctls import TIOCGPTPEER, TIOCSCTTY, TIOCSPTLCK, TIOCSWINSZ
from ..lean import socket
from .init import CONSOLE, Init

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

PTMX = os.makedev(5, 2)
"""The multiplexer, whose open files are the masters of terminals."""


class Console(Init):
    """The operations of a program that has a terminal. ``console`` is the socket that gets the master."""

    console = CONSOLE

    def terminal(self, uid: int, size: Sequence[int]) -> None:
        """Make a terminal of the container's, send its master to whoever asked, and take the other side.

        The other side is opened by the master, since a path inside could be swapped.
        """
        where, name = (self.root, "dev/pts/ptmx") if self.root >= 0 else (syscalls.AT_FDCWD, "/dev/pts/ptmx")
        resolve = syscalls.RESOLVE_IN_ROOT if self.root >= 0 else 0
        master = syscalls.openat2(where, name, os.O_RDWR | os.O_NOCTTY, resolve | syscalls.RESOLVE_NO_SYMLINKS)
        if os.fstat(master).st_rdev != PTMX:
            raise OSError(errno.ENODEV, "it is not the multiplexer of terminals", "/dev/pts/ptmx")
        fcntl.ioctl(master, TIOCSPTLCK, struct.pack("i", 0))
        screen = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
        if size:
            fcntl.ioctl(screen, TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        os.fchown(screen, uid, -1)
        if self.root >= 0:
            # By the descriptor, and on no link: what is masked later could be reached otherwise (CVE-2025-52565).
            self._move(syscalls.open_tree("", False, screen), "/dev/console", plain=True)
        with socket.socket(fileno=self.console) as receiver:
            socket.send_fds(receiver, [b"/dev/ptmx"], [master])
        os.close(master)
        for standard in (0, 1, 2):
            os.dup2(screen, standard)
        os.close(screen)
        fcntl.ioctl(0, TIOCSCTTY, 0)
