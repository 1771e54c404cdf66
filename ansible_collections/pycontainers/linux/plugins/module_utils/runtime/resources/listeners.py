# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports programs of the host listen on, from sock_diag(7) and /proc/net (proc_pid_net(5))."""
from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator

from ..errors import InvalidValue, failing
from ..kernel import socket_diag
from .addresses import BITS4
from .ports import EVERY, Port

_LISTEN, _CLOSE = "0A", "07"
"""The state of a socket that waits: TCP_LISTEN, or TCP_CLOSE where UDP is not connected."""


def listening() -> tuple[Port, ...]:
    """The ports of the host on which sockets wait, with nothing behind them. Raises ``OSError``.

    A socket on IPv6's any address counts for every address, as it does unless it asked for IPv6 only. One on ``::1``
    is in nobody's way: no published port is there.
    """
    waiting = [("tcp", *each) for each in _tcp()]
    waiting += [("udp", *each) for file in ("udp", "udp6") for each in _sockets(file, _CLOSE)]
    places = [(protocol, _text(content), number) for protocol, content, number in waiting]
    found = [Port(protocol, address, number, 0) for protocol, address, number in places if address != "::1"]
    return (*found, *_associations())


def check_unheard(ports: Iterable[Port], option: str) -> None:
    """Refuse ports that a program of the host listens on. Raises :class:`Failure`."""
    with failing("read the sockets of the host"):
        heard = listening()
    for port in ports:
        for socket_ in heard:
            if port.meets(socket_):
                place = f"{socket_.protocol} {socket_.place or f'port {socket_.host_port}'}"
                reason = f"a program of the host listens on {place}"
                raise InvalidValue(option, str(port), reason, "take another port, or stop that program")


def _tcp() -> Iterator[tuple[bytes, int]]:
    for family, file in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        found = socket_diag.tcp_listening(family)
        yield from _sockets(file, _LISTEN) if found is None else found


def _sockets(file: str, state: str) -> Iterator[tuple[bytes, int]]:
    for columns in _lines(file):
        local, _, port = columns[1].partition(":")
        if columns[3] == state:
            # Words of 32 bits, which are written as numbers of the machine's own byte order.
            words = [int(local[at : at + 8], 16) for at in range(0, len(local), 8)]
            yield struct.pack(f"={len(words)}I", *words), int(port, 16)


def _associations() -> Iterator[Port]:
    """Those of SCTP: endpoints, of which the kernel names port and addresses (net/sctp/proc.c)."""
    for columns in _lines("sctp/eps"):
        for address in columns[8:]:
            yield Port("sctp", EVERY if address in ("0.0.0.0", "::") else address, int(columns[5]), 0)


def _lines(file: str) -> Iterator[list[str]]:
    try:
        with open(f"/proc/thread-self/net/{file}") as lines:
            next(lines, None)
            yield from map(str.split, lines)
    except FileNotFoundError:
        return


def _text(content: bytes) -> str:
    if len(content) == BITS4 // 8:
        return socket.inet_ntop(socket.AF_INET, content)
    mapped = content[:12] == bytes(10) + b"\xff\xff"
    if mapped:
        return socket.inet_ntop(socket.AF_INET, content[12:])
    return socket.inet_ntop(socket.AF_INET6, content) if any(content) else EVERY
