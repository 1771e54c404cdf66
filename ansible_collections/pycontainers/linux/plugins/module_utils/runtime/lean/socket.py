# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of :mod:`socket` is needed, without :mod:`selectors` and its enumerations."""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import AF_UNIX as AF_UNIX
    from socket import MSG_NOSIGNAL as MSG_NOSIGNAL
    from socket import recv_fds as recv_fds
    from socket import send_fds as send_fds
    from socket import socket as socket
    from socket import socketpair as socketpair
else:
    import _socket
    import struct

    AF_UNIX, MSG_NOSIGNAL, SOL_SOCKET = _socket.AF_UNIX, _socket.MSG_NOSIGNAL, _socket.SOL_SOCKET
    MSG_CMSG_CLOEXEC, SCM_RIGHTS = _socket.MSG_CMSG_CLOEXEC, _socket.SCM_RIGHTS

    class socket(_socket.socket):  # noqa: N801 - its name is the library's
        """A socket that a block closes at its end."""

        __slots__ = ()

        def __enter__(self):
            """The socket itself."""
            return self

        def __exit__(self, *_):
            """Close it."""
            self.close()

        def accept(self):
            """The next connection, and whose it is."""
            descriptor, address = self._accept()
            return socket(fileno=descriptor), address

    def socketpair():
        """Two sockets that are connected with one another."""
        return tuple(socket(fileno=each.detach()) for each in _socket.socketpair())

    def send_fds(sock, buffers, fds):
        """Send descriptors along with some bytes."""
        return sock.sendmsg(buffers, [(SOL_SOCKET, SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))])

    def recv_fds(sock, bufsize, maxfds):
        """Receive descriptors with some bytes; returns bytes, descriptors, flags and the sender's address."""
        said, ancillary, flags, address = sock.recvmsg(bufsize, _socket.CMSG_LEN(4 * maxfds), MSG_CMSG_CLOEXEC)
        found = []
        for level, kind, content in ancillary:
            if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
                found += struct.unpack(f"{len(content) // 4}i", content[: len(content) // 4 * 4])
        return said, found, flags, address
