# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket of ``--console-socket``, over which a terminal's master is sent to the caller."""
from __future__ import annotations

import os

from ..errors import failing
from ..lean import socket


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
