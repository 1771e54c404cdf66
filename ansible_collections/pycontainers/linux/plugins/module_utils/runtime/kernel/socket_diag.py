# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets as the kernel lists them by sock_diag(7), only those that are asked for.

To read /proc/net/tcp costs milliseconds where memory is large: for each reader the kernel goes through all of the table
of connections, the places that are empty too.
"""
from __future__ import annotations

import errno
import socket
import struct

from .nlsocket import dump

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_TCP_LISTEN = 10
_SOCKET_ID = bytes(48)
"""``struct inet_diag_sockid`` (linux/inet_diag.h): none in particular."""

_ABSENT = (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT)
"""What a kernel answers that was built without it (CONFIG_INET_DIAG)."""


def tcp_listening(family: int) -> list[tuple[bytes, int]] | None:
    """Address and port of each TCP socket of a family that waits for connections, in the caller's network namespace.

    None where the kernel can't tell. Raises ``OSError``.
    """
    wanted = struct.pack("=BBxxI", family, socket.IPPROTO_TCP, 1 << _TCP_LISTEN) + _SOCKET_ID
    try:
        answers = dump(_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, wanted)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise
    length = 4 if family == socket.AF_INET else 16
    return [(each[8 : 8 + length], struct.unpack_from(">H", each, 4)[0]) for each in answers]
