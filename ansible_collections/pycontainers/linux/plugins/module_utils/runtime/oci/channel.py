# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages between the runtime and a container's first process: one letter and a text, over a stream socket."""
from __future__ import annotations

from ..errors import Failure
from ..kernel import trampoline
from ..lean import socket
from ..typed import NamedTuple

ENVIRONMENT, GO, READY, ERROR = b"N", b"G", b"R", b"E"
"""Namespaces are there; go on (with the state document); all but exec is done; what has gone wrong."""

USERS, CHILD = b"U", b"P"
"""There is a user namespace whose ids are to be mapped; the pid of the process that goes on."""

NOT_EXECUTED = trampoline.FAILED[:1]
"""What :mod:`..kernel.trampoline` says, with a byte that is the number of the error."""

LENT = b"L"
"""What goes with the descriptors of the network and user namespace, for the network to be made."""

SIZE = 4


class Message(NamedTuple):
    """What was said. A ``kind`` of nothing stands for the other side's end."""

    kind: bytes
    body: bytes


def send(channel: socket.socket, kind: bytes, body: bytes = b"") -> None:
    """Send a message. Raises ``OSError`` (EPIPE) if the other side is gone."""
    channel.sendall(kind + len(body).to_bytes(SIZE, "big") + body, socket.MSG_NOSIGNAL)


def receive(channel: socket.socket) -> Message:
    """Wait for a message, or for the other side's end."""
    head = _exactly(channel, 1 + SIZE)
    size = int.from_bytes(head[1:], "big")
    body = _exactly(channel, size) if head else b""
    return Message(head[:1], body) if head and len(body) == size else Message(b"", b"")


def expect(operation: str, channel: socket.socket, wanted: bytes) -> bytes:
    """Wait for a message of this kind, and return its text. Raises :class:`Failure` with what is said instead."""
    kind, body = receive(channel)
    if kind == wanted:
        return body
    if kind == ERROR:
        raise Failure(operation, body.decode(errors="replace"))
    raise Failure(operation, "its first process was killed, by the kernel for want of memory or by someone else")


def _exactly(channel: socket.socket, size: int) -> bytes:
    """So many bytes, or nothing if the other side ends before."""
    found = b""
    while len(found) < size:
        try:
            more = channel.recv(size - len(found))
        except ConnectionResetError:
            return b""
        if not more:
            return b""
        found += more
    return found
