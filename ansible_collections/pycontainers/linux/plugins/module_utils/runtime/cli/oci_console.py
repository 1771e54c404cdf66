# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets over which a terminal's master is sent, and descriptors that a program is to keep."""
from __future__ import annotations

import os
import socket

from ..errors import Failure, failing
from .options import Chosen


def connected(path: str) -> int:
    """The descriptor of a connection to the console socket at ``path``; -1 for an empty one."""
    if not path:
        return -1
    folder = os.open(os.path.dirname(os.path.abspath(path)), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with failing(f"connect to the console socket {path}"):
            channel = socket.socket(socket.AF_UNIX)
            # By the folder's descriptor, since the path of a socket may have 107 bytes only.
            channel.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
            return channel.detach()
    finally:
        os.close(folder)


def preserved(chosen: Chosen) -> int:
    """How many descriptors from 3 on the program is to keep. Raises :class:`Failure` if one of them is not open."""
    count = chosen.whole("preserve-fds") or 0
    if not 0 <= count <= 1024:
        raise Failure(chosen.operation, f"--preserve-fds is a number from 0 to 1024, not {count}")
    for descriptor in range(3, 3 + count):
        try:
            os.fstat(descriptor)
        except OSError:
            raise Failure(chosen.operation, f"--preserve-fds={count}: descriptor {descriptor} is not open") from None
    return count
