# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""netlink(7) by the socket module: messages, attributes, dumps and batches, as linux/netlink.h lays them out.

Reading goes this way so that a task that changes nothing need not import pyroute2, which costs it 130 ms.
"""
from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

NETLINK_ROUTE, NETLINK_NETFILTER = 0, 12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP, NLM_F_CREATE, NLM_F_APPEND = 0x1, 0x4, 0x300, 0x400, 0x800
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_DUMP_INTR = 0x10
NLA_F_NESTED, NLA_TYPE_MASK = 0x8000, 0x3FFF
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_PATIENCE = 10
"""Seconds to wait for the kernel, which answers within the call; only a defect could make this pass."""


def attribute(kind: int, payload: bytes) -> bytes:
    """``struct nlattr`` with its payload, padded to four bytes."""
    return _ATTRIBUTE.pack(4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def nested(kind: int, *inside: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(inside))


def name(kind: int, value: str) -> bytes:
    """An attribute that holds text, ended by NUL."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """An attribute that holds 32 bits in network order, as nfnetlink has its numbers."""
    return attribute(kind, struct.pack(">i" if value < 0 else ">I", value))


def attribute_list(content: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes in ``content``, in order; nested ones are left as they are."""
    offset = 0
    while offset + 4 <= len(content):
        length, kind = _ATTRIBUTE.unpack_from(content, offset)
        if length < 4:
            return
        yield kind & NLA_TYPE_MASK, content[offset + 4 : offset + length]
        offset += length + (-length % 4)


def attributes(content: bytes) -> dict[int, bytes]:
    """The attributes in ``content`` by kind. A loop of its own: of published ports there may be thousands."""
    found, offset, last = {}, 0, len(content) - 4
    while offset <= last:
        length, kind = _ATTRIBUTE.unpack_from(content, offset)
        if length < 4:
            break
        found[kind & NLA_TYPE_MASK] = content[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """``struct nlmsghdr`` with its body."""
    return _HEADER.pack(16 + len(body), kind, flags | NLM_F_REQUEST, sequence, 0) + body


def dump(family: int, kind: int, body: bytes) -> list[bytes]:
    """All that the kernel lists for one request: the bodies of its answers. Raises ``OSError`` as the kernel answers.

    A dump that was interrupted by a change is asked for again, so that what is returned was true at one time.
    """
    with closing(_open(family)) as link:
        for sequence in range(1, 10):
            link.send(message(kind, NLM_F_DUMP, sequence, body))
            found = []
            torn = False
            for answer, flags, content in _answers(link):
                torn = torn or bool(flags & NLM_F_DUMP_INTR)
                if answer in (NLMSG_DONE, NLMSG_ERROR):
                    _refuse(content)
                    break
                found.append(content)
            if not torn:
                break
        return found


def get(family: int, kind: int, body: bytes) -> bytes:
    """What the kernel says of one thing: the body of its answer. Raises ``OSError`` as the kernel answers."""
    with closing(_open(family)) as link:
        link.send(message(kind, 0, 1, body))
        answer, _, content = next(_answers(link))
        if answer == NLMSG_ERROR:
            _refuse(content)
        return content


def ask(family: int, kind: int, flags: int, body: bytes) -> None:
    """Send one request and wait for the kernel's answer. Raises ``OSError`` with its refusal."""
    batch(family, b"", ((kind, flags, body),), b"")


def batch(family: int, begin: bytes, requests: Sequence[tuple[int, int, bytes]], end: bytes) -> None:
    """Send requests (kind, flags, body) as one transaction between ``begin`` and ``end``, which are whole messages.

    The kernel does all of it or nothing. Raises ``OSError`` with the first refusal.
    """
    whole = [begin]
    whole += [message(kind, flags | NLM_F_ACK, place, body) for place, (kind, flags, body) in enumerate(requests, 1)]
    whole.append(end)
    content = b"".join(whole)
    with closing(_open(family)) as link:
        # Ports by the thousand are more than a socket may send by default, and a transaction is one datagram.
        with suppress(OSError):
            link.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 2 * len(content) + 65536)
            link.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1024 * len(requests) + 65536)
        link.send(content)
        waiting = len(requests)
        for answer, _, content in _answers(link):
            if answer == NLMSG_ERROR:
                _refuse(content)
                waiting -= 1
            if waiting == 0:
                return


def _open(family: int) -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
    link.settimeout(_PATIENCE)
    return link


def _answers(link: socket.socket) -> Iterator[tuple[int, int, bytes]]:
    while True:
        content = link.recv(1 << 18)
        offset = 0
        while offset + 16 <= len(content):
            length, kind, flags, _, _ = _HEADER.unpack_from(content, offset)
            yield kind, flags, content[offset + 16 : offset + length]
            offset += length + (-length % 4)


def _refuse(content: bytes) -> None:
    """Raise what ``struct nlmsgerr``, or the end of a dump, says; its zero is an acknowledgement."""
    (error,) = struct.unpack_from("=i", content)
    if error:
        raise OSError(-error, os.strerror(-error))
