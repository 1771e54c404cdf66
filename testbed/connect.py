# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connect to a host in the testbed's network and hand the connection to ssh (ssh_config(5), ProxyUseFdpass).

Run as `connect.py NETNS ADDRESS PORT`: ssh takes the socket over from its standard output, so no process relays.
"""

from __future__ import annotations

import array
import ctypes
import os
import socket
import sys

CLONE_NEWNET = 0x40000000


def connect(netns: str, address: str, port: int, seconds: float) -> socket.socket:
    """Return a TCP connection made inside a named network namespace; raise OSError when there is none in `seconds`.

    A socket stays in the namespace where it was made (network_namespaces(7)), so this thread returns at once. os.setns
    is only in Python 3.12 and later.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def setns(descriptor: int) -> None:
        if libc.setns(descriptor, CLONE_NEWNET) < 0:
            errno = ctypes.get_errno()
            raise OSError(errno, os.strerror(errno), f"/run/netns/{netns}")

    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = os.open(f"/run/netns/{netns}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            setns(other)
        finally:
            os.close(other)
        try:
            connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            setns(own)
    finally:
        os.close(own)
    try:
        connection.settimeout(seconds)
        connection.connect((address, port))
        connection.settimeout(None)
    except OSError:
        connection.close()
        raise
    return connection


def main() -> int:
    """Connect, and pass the socket over standard output."""
    netns, address, port = sys.argv[1:4]
    try:
        connection = connect(netns, address, int(port), 10.0)
    except OSError as error:
        print(f"cannot connect to {address}:{port} in the network namespace {netns}: {error}", file=sys.stderr)
        return 1
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [connection.fileno()]))]
    with socket.socket(fileno=os.dup(1)) as ssh:
        ssh.sendmsg([b"\0"], rights)
    return 0


if __name__ == "__main__":
    sys.exit(main())
