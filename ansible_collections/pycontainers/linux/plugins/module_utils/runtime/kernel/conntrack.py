# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection tracking by ctnetlink (linux/netfilter/nfnetlink_conntrack.h): flows that the kernel is to forget.

A flow keeps the translation that its first packet got. UDP has no end that would be seen: as long as a client goes
on sending, its packets go where they went, whatever the rules have become since.
"""
from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable
from contextlib import suppress

from . import links
from .nlsocket import NETLINK_NETFILTER, attribute, attributes, batch, dump, nested

_GET, _DELETE = 0x101, 0x102
"""Messages of the subsystem NFNL_SUBSYS_CTNETLINK: IPCTNL_MSG_CT_GET and IPCTNL_MSG_CT_DELETE."""

_EVERY_FAMILY = struct.pack(">BBH", socket.AF_UNSPEC, 0, 0)
_TUPLE_ORIG, _ID, _ZONE = 1, 12, 18
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_V4_DST, _IP_V6_DST = 2, 4
_PROTO_NUM, _PROTO_DST_PORT = 1, 3
ANY = {4: "0.0.0.0", 16: "::"}
"""What stands for all of the host's addresses, by the length of one."""

_ABSENT = (errno.EINVAL, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT)
"""What a kernel without ctnetlink (CONFIG_NF_CT_NETLINK) answers: the message, or netlink's family, is unknown."""


def forget_udp(places: Iterable[tuple[str, int]]) -> None:
    """Forget the UDP flows that were first sent to these addresses and ports of the host; :data:`ANY` is all its own.

    A kernel without ctnetlink forgets none, and that is no error. Raises ``OSError``.
    """
    wanted = set(places)
    if not wanted:
        return
    own = {address.partition("/")[0] for each in links.addresses().values() for address in each}
    for family, found in _listed():
        sent_to = _udp_place(found.get(_TUPLE_ORIG, b""))
        if sent_to is None:
            continue
        content, port = sent_to
        address = socket.inet_ntop(family, content)
        # A flow to another machine's port of this number is only passing through.
        local = address in own or address.startswith("127.")
        if (address, port) in wanted or ((ANY[len(content)], port) in wanted and local):
            _delete(family, found)


def _listed() -> list[tuple[int, dict[int, bytes]]]:
    """The flows that there are, each with its family."""
    try:
        listed = dump(NETLINK_NETFILTER, _GET, _EVERY_FAMILY)
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise
    return [(content[0], attributes(content[len(_EVERY_FAMILY) :])) for content in listed]


def _udp_place(first: bytes) -> tuple[bytes, int] | None:
    """The destination of a flow's first packet, if that was UDP."""
    parts = attributes(first)
    transport = attributes(parts.get(_TUPLE_PROTO, b""))
    if transport.get(_PROTO_NUM) != bytes([socket.IPPROTO_UDP]):
        return None
    (port,) = struct.unpack(">H", transport[_PROTO_DST_PORT])
    addresses = attributes(parts[_TUPLE_IP])
    return addresses.get(_IP_V4_DST) or addresses[_IP_V6_DST], port


def _delete(family: int, found: dict[int, bytes]) -> None:
    # By its number too: a flow of the same places that has come since then is another one.
    body = nested(_TUPLE_ORIG, found[_TUPLE_ORIG])
    body += b"".join(attribute(kind, found[kind]) for kind in (_ID, _ZONE) if kind in found)
    with suppress(FileNotFoundError):  # it has timed out meanwhile
        batch(NETLINK_NETFILTER, b"", [(_DELETE, 0, struct.pack(">BBH", family, 0, 0) + body)], b"")
