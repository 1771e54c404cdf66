# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports programs of the host listen on, from /proc/net (proc_pid_net(5))."""
from __future__ import annotations

import sys
from collections.abc import Iterator

from .ports import ANY

_TABLES = (("tcp", "tcp", "0A"), ("tcp6", "tcp", "0A"), ("udp", "udp", "07"), ("udp6", "udp", "07"))
"""File, protocol, and the state of a socket that waits: TCP_LISTEN, or TCP_CLOSE where UDP is not connected."""

_MAPPED = "0000000000000000FFFF0000" if sys.byteorder == "little" else "00000000000000000000FFFF"


def listening() -> tuple[tuple[str, str, int], ...]:
    """Protocol, IPv4 address and port of each socket that waits. Raises ``OSError``.

    A socket on IPv6's any address counts for every IPv4 address too, as it does unless it asked for IPv6 only.
    """
    found = []
    for file, protocol, state in _TABLES:
        for local, number in _sockets(file, state):
            address = _ipv4(local)
            if address is not None:
                found.append((protocol, address, number))
    return tuple(found)


def _sockets(file: str, state: str) -> Iterator[tuple[str, int]]:
    try:
        with open(f"/proc/thread-self/net/{file}") as lines:
            next(lines, None)
            for line in lines:
                columns = line.split()
                local, _, port = columns[1].partition(":")
                if columns[3] == state:
                    yield local, int(port, 16)
    except FileNotFoundError:
        return


def _ipv4(local: str) -> str | None:
    """The address as its hexadecimal words say; None for an IPv6 address that no IPv4 packet reaches."""
    if len(local) == 32:
        if local.strip("0") == "":
            return ANY
        if not local.startswith(_MAPPED):
            return None
        local = local[24:]
    return ".".join(str(byte) for byte in int(local, 16).to_bytes(4, sys.byteorder))
