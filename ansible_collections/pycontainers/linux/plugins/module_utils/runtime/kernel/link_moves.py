# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moving network devices between network namespaces by rtnetlink(7), and what is lost on the way: addresses, state.

All functions act in the calling thread's network namespace.
"""
from __future__ import annotations

import socket
import struct

from ..typed import NamedTuple
from .nlsocket import NETLINK_ROUTE, NLM_F_CREATE, ask, attribute, attribute_list, attributes, dump, name

RTM_SETLINK, RTM_NEWADDR, RTM_GETADDR = 19, 20, 22
IFF_UP = 0x1
IFLA_IFNAME, IFLA_MASTER, IFLA_NET_NS_FD = 3, 10, 28
IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS, IFA_RT_PRIORITY, IFA_PROTO = 1, 2, 4, 8, 9, 11
IFA_F_PERMANENT = 0x80
RT_SCOPE_UNIVERSE = 0

_KEPT = (IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_RT_PRIORITY, IFA_PROTO)
"""What makes an address; its label goes by the device's name, its lifetime is endless."""

_ASKED_FLAGS = 0x002 | 0x010 | 0x100 | 0x200 | 0x400
"""NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE, MCAUTOJOIN: what is asked for, while others tell what has become
of an address (linux/if_addr.h)."""


class Address(NamedTuple):
    """An address of a device: family, length of the prefix, flags, and attributes as the kernel lists them."""

    family: int
    prefix: int
    flags: int
    attributes: bytes


def permanent_addresses(index: int) -> tuple[Address, ...]:
    """The addresses of a device that somebody has given it for good and for all the world. Raises ``OSError``."""
    found = []
    for content in dump(NETLINK_ROUTE, RTM_GETADDR, struct.pack("=BBBBI", socket.AF_UNSPEC, 0, 0, 0, 0)):
        family, prefix, flags, scope, device = struct.unpack_from("=BBBBI", content)
        given = attributes(content[8:])
        if IFA_FLAGS in given:
            (flags,) = struct.unpack("=I", given[IFA_FLAGS])
        if device == index and scope == RT_SCOPE_UNIVERSE and flags & IFA_F_PERMANENT:
            kept = b"".join(attribute(kind, value) for kind, value in attribute_list(content[8:]) if kind in _KEPT)
            found.append(Address(family, prefix, flags & _ASKED_FLAGS, kept))
    return tuple(found)


def add_address(index: int, address: Address) -> None:
    """Give a device an address. Raises ``OSError``."""
    body = struct.pack("=BBBBI", address.family, address.prefix, 0, RT_SCOPE_UNIVERSE, index) + address.attributes
    ask(NETLINK_ROUTE, RTM_NEWADDR, NLM_F_CREATE, body + attribute(IFA_FLAGS, struct.pack("=I", address.flags)))


def move(index: int, namespace: int, new_name: str) -> None:
    """Move a device to the network namespace behind a descriptor, under a name; it is down there, without addresses.

    ``%d`` in the name stands for the first number that makes it a free one. Raises ``OSError``.
    """
    _set(index, 0, name(IFLA_IFNAME, new_name), attribute(IFLA_NET_NS_FD, struct.pack("=I", namespace)))


def set_up(index: int) -> None:
    """Bring a device up. Raises ``OSError``."""
    _set(index, IFF_UP)


def set_master(index: int, master: int) -> None:
    """Make a device a port of another, a bridge or a bond. Raises ``OSError``."""
    _set(index, 0, attribute(IFLA_MASTER, struct.pack("=I", master)))


def _set(index: int, flags: int, *given: bytes) -> None:
    ask(NETLINK_ROUTE, RTM_SETLINK, 0, struct.pack("=BxHiII", 0, 0, index, flags, flags) + b"".join(given))
