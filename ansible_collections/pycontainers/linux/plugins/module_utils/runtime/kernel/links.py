# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links, addresses and routes of a network namespace, read from rtnetlink(7). Nothing here changes any."""
from __future__ import annotations

import errno
import os
import socket
import struct
from contextlib import nullcontext
from typing import NamedTuple

from ..lean.dataclasses import dataclass
from . import namespaces
from .nlsocket import NETLINK_ROUTE, attribute, attributes, dump, get

RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE, RTM_GETQDISC = 18, 22, 26, 38
IFF_UP, IFF_LOOPBACK = 0x1, 0x8
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_LINKINFO = 1, 3, 4, 5, 10, 18
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_VLAN_ID = 1, 2, 1
IFLA_STATS64 = 23
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_TABLE = 1, 4, 5, 6, 15
TCA_KIND, TCA_OPTIONS, TCA_TBF_PARMS, TCA_TBF_RATE64 = 1, 2, 1, 4
TC_H_ROOT = 0xFFFFFFFF
RT_TABLE_LOCAL = 255
RTM_F_CLONED = 0x200
RTN_UNICAST = 1
OURS = 112
"""The protocol (rt_protos) of routes that are set up for a network, so that they are known from a container's own."""

ON_LINK = ("0.0.0.0", "::")
"""What stands for the gateway of a default route that needs none, in each family."""

RT_SCOPE_LINK = 253
FAMILIES = (socket.AF_INET, socket.AF_INET6)


@dataclass(frozen=True)
class Link:
    """An interface. ``kind`` is what rtnetlink calls it (bridge, veth), empty for hardware.

    ``lower`` is the index of the one that it is on top of, in the namespace of that one, and ``vlan`` a VLAN's number.
    """

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    master: int
    lower: int
    vlan: int
    loopback: bool


class Counters(NamedTuple):
    """What has gone through an interface: the first eight of ``struct rtnl_link_stats64``, in its order."""

    rx_packets: int
    tx_packets: int
    rx_bytes: int
    tx_bytes: int
    rx_errors: int
    tx_errors: int
    rx_dropped: int
    tx_dropped: int


class Way(NamedTuple):
    """Where a route leads, and by which gateway, if by one; of several that of the smallest metric is taken."""

    destination: str
    prefix: int
    gateway: str
    metric: int


@dataclass(frozen=True)
class Route:
    """A route of either family in the main or another table, but not the kernel's own local ones."""

    way: Way
    interface: int
    protocol: int


def links(namespace: str | None = None) -> dict[str, Link]:
    """Interfaces by name, of the namespace pinned at a path or of the caller's own. Raises ``OSError``."""
    request = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
    return {each.name: each for each in map(_link, _dump(RTM_GETLINK, request, namespace))}


def link(name: str, namespace: str | None = None) -> Link | None:
    """One of these, None if there is none of this name: among hundreds it takes much less. Raises ``OSError``."""
    with namespaces.entered(namespace) if namespace else nullcontext():
        try:
            return _link(get(NETLINK_ROUTE, RTM_GETLINK, bytes(16) + attribute(IFLA_IFNAME, os.fsencode(name) + b"\0")))
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise


def _link(content: bytes) -> Link:
    index, flags = struct.unpack_from("=iI", content, 4)
    read = attributes(content[16:])
    info = attributes(read.get(IFLA_LINKINFO, b""))
    kind = _name(info.get(IFLA_INFO_KIND, b""))
    tag = attributes(info.get(IFLA_INFO_DATA, b"")).get(IFLA_VLAN_ID, b"") if kind == "vlan" else b""
    return Link(
        index=index,
        # As it is for calls that take a name; who is in the namespace chooses its bytes.
        name=os.fsdecode(read[IFLA_IFNAME].rstrip(b"\0")),
        kind=kind,
        mac=read.get(IFLA_ADDRESS, b"").hex(":"),
        mtu=_native(read[IFLA_MTU]),
        up=bool(flags & IFF_UP),
        master=_native(read.get(IFLA_MASTER, bytes(4))),
        lower=_native(read.get(IFLA_LINK, bytes(4))),
        vlan=struct.unpack("=H", tag[:2])[0] if tag else 0,
        loopback=bool(flags & IFF_LOOPBACK),
    )


def counters(namespace: str | None = None) -> dict[str, Counters]:
    """What has gone through interfaces since they were made, by name, but for loopback. Raises ``OSError``."""
    found = {}
    for content in _dump(RTM_GETLINK, bytes(16), namespace):
        (flags,) = struct.unpack_from("=I", content, 8)
        read = attributes(content[16:])
        if not flags & IFF_LOOPBACK:
            found[_name(read[IFLA_IFNAME])] = Counters(*struct.unpack_from("=8Q", read[IFLA_STATS64]))
    return found


def addresses(namespace: str | None = None) -> dict[int, tuple[str, ...]]:
    """Addresses of both families as ``10.0.0.1/24`` by interface index. Raises ``OSError``.

    Those of IPv6 that are of one link only are the kernel's own doing, and left out.
    """
    found: dict[int, tuple[str, ...]] = {}
    for content in _dump(RTM_GETADDR, struct.pack("=BBBBi", socket.AF_UNSPEC, 0, 0, 0, 0), namespace):
        family, prefix, _, scope, index = struct.unpack_from("=BBBBi", content)
        if family not in FAMILIES or (family == socket.AF_INET6 and scope == RT_SCOPE_LINK):
            continue
        read = attributes(content[8:])
        address = socket.inet_ntop(family, read.get(IFA_LOCAL) or read[IFA_ADDRESS])
        found[index] = (*found.get(index, ()), f"{address}/{prefix}")
    return found


def routes(namespace: str | None = None) -> tuple[Route, ...]:
    """Unicast routes of both families, but for those of one link in IPv6. Raises ``OSError``.

    What the kernel has learned of single destinations on a route, such as the MTU on the way there, is none of its own.
    """
    found = []
    for content in _dump(RTM_GETROUTE, struct.pack("=BBBBBBBBI", *(0,) * 9), namespace):
        family, read = content[0], attributes(content[12:])
        if family not in FAMILIES:
            continue
        table = _native(read[RTA_TABLE]) if RTA_TABLE in read else content[4]
        destination = read.get(RTA_DST, bytes(4 if family == socket.AF_INET else 16))
        own = family == socket.AF_INET6 and (destination[:2] == b"\xfe\x80" or destination[0] == 0xFF)
        learned = struct.unpack_from("=I", content, 8)[0] & RTM_F_CLONED
        if table == RT_TABLE_LOCAL or content[7] != RTN_UNICAST or own or learned:
            continue
        found.append(
            Route(
                way=Way(
                    destination=socket.inet_ntop(family, destination),
                    prefix=content[1],
                    gateway=socket.inet_ntop(family, read[RTA_GATEWAY]) if RTA_GATEWAY in read else "",
                    metric=_native(read.get(RTA_PRIORITY, bytes(4))),
                ),
                interface=_native(read.get(RTA_OIF, bytes(4))),
                protocol=content[5],
            )
        )
    return tuple(found)


def way_to_own(address: str) -> tuple[str, int]:
    """Destination and prefix of the route that comes with an address such as ``10.0.0.2/24``."""
    plain, _, length = address.partition("/")
    family = socket.AF_INET6 if ":" in plain else socket.AF_INET
    packed, prefix = socket.inet_pton(family, plain), int(length)
    rest = 8 * len(packed) - prefix
    number = int.from_bytes(packed, "big") >> rest << rest
    return socket.inet_ntop(family, number.to_bytes(len(packed), "big")), prefix


def rates(namespace: str | None = None) -> dict[int, int]:
    """How many bits a second interfaces send at most, by index; of those that a token bucket holds back.

    Raises ``OSError``.
    """
    found = {}
    for content in _dump(RTM_GETQDISC, bytes(20), namespace):
        index, _, parent = struct.unpack_from("=iII", content, 4)
        read = attributes(content[20:])
        if parent == TC_H_ROOT and _name(read.get(TCA_KIND, b"")) == "tbf":
            own = attributes(read[TCA_OPTIONS])
            octets = struct.unpack_from("=8xI", own[TCA_TBF_PARMS])[0]
            if TCA_TBF_RATE64 in own:
                octets = struct.unpack("=Q", own[TCA_TBF_RATE64])[0]
            found[index] = 8 * octets
    return found


def setting(path: str) -> str | None:
    """A file below ``/proc/sys/net`` of the caller's namespace, None where there is none."""
    try:
        with open(f"/proc/sys/net/{path}") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def _dump(kind: int, body: bytes, namespace: str | None) -> list[bytes]:
    with namespaces.entered(namespace) if namespace else nullcontext():
        return dump(NETLINK_ROUTE, kind, body)


def _name(content: bytes) -> str:
    return content.rstrip(b"\0").decode(errors="replace")


def _native(content: bytes) -> int:
    number: int = struct.unpack("=I", content)[0]
    return number
