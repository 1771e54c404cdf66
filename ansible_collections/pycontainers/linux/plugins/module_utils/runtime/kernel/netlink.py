# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing links, addresses and routes by rtnetlink(7), through pyroute2: the only file that imports it.

The import is inside the functions: it costs 130 ms, and only who changes something pays it. Each function opens
a socket of its own (0.7 ms), since an open one would keep the network namespace alive that it was opened in.
Every function raises ``OSError`` with the interface it was called for.
"""
from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress

from ..errors import Failure
from ..lean.dataclasses import dataclass
from ..typed import Any
from . import links, namespaces

IFA_F_NODAD = 0x02
"""An address is not asked for on the link before it is used (linux/if_addr.h)."""


_MODES = {"l2": 0, "l3": 1, "l3s": 2}
"""The modes of an ipvlan (linux/if_link.h), whose names pyroute2 does not know."""


@contextmanager
def _route(subject: str, namespace: str | None = None) -> Iterator[Any]:
    """A pyroute2 socket in a namespace; what the kernel refuses becomes an ``OSError`` about ``subject``."""
    try:
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError
    except ImportError as error:
        raise Failure(
            f"change the network interface {subject}",
            f"the Python library pyroute2 is missing ({error})",
            "install it: the package is py3-pyroute2 on Alpine, python3-pyroute2 on Debian, pyroute2 for pip",
        ) from error
    with namespaces.entered(namespace) if namespace else nullcontext():
        route = IPRoute()
    try:
        yield route
    except NetlinkError as error:
        raise OSError(error.code, os.strerror(error.code), subject) from error
    finally:
        route.close()


def load() -> None:
    """Import the library now, for those who are forked from this process."""
    with suppress(ImportError):
        import pyroute2.netlink.exceptions  # noqa: F401


def create_bridge(name: str, mac: str) -> None:
    """Make a bridge, down. A MAC address of its own keeps the kernel from taking over that of each new port."""
    with _route(name) as route:
        route.link("add", ifname=name, kind="bridge", address=mac)


def delete_link(name: str, namespace: str | None = None) -> None:
    """Delete an interface of the caller's or another namespace; one that isn't there is fine."""
    with _route(name, namespace) as route:
        with namespaces.entered(namespace) if namespace else nullcontext():
            index = _find(name)
        if index:
            route.link("del", index=index)


def set_up(name: str, up: bool) -> None:
    """Bring an interface up or down."""
    with _route(name) as route:
        route.link("set", index=_index(name), state="up" if up else "down")


def set_mtu(name: str, mtu: int) -> None:
    """Set the largest packet of an interface, in bytes."""
    with _route(name) as route:
        route.link("set", index=_index(name), mtu=mtu)


def set_master(name: str, bridge: str, mtu: int = 0) -> None:
    """Make an interface a port of a bridge, or of none if ``bridge`` is empty, and bring it up; set its ``mtu`` too."""
    with _route(name) as route:
        index = _index(name)
        size = {"mtu": mtu} if mtu else {}
        route.link("set", index=index, master=_index(bridge) if bridge else 0, state="up", **size)
        if bridge:
            route.brport("set", index=index, mode=1)


def add_address(name: str, address: str) -> None:
    """Give an interface an address such as ``10.0.0.1/24``; that it has it already is fine."""
    with _route(name) as route, _already(errno.EEXIST):
        route.addr("add", index=_index(name), **_address(address))


def remove_address(name: str, address: str) -> None:
    """Take an address from an interface; that it does not have it is fine."""
    with _route(name) as route, _already(errno.EADDRNOTAVAIL):
        route.addr("del", index=_index(name), **_address(address))


def create_veth(host: str, bridge: str, namespace: str, inside: str, mac: str, mtu: int) -> None:
    """Make a veth pair: ``host`` is a port of the bridge and up, ``inside`` lies in the namespace, down.

    The port is in hairpin mode (bridge(8)): where br_netfilter is in force, a container's packets to a published
    port of its own have to leave by the port they came by.
    """
    target = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        peer = {"ifname": inside, "address": mac, "mtu": mtu, "net_ns_fd": target}
        with _route(host) as route:
            route.link("add", ifname=host, kind="veth", peer=peer, mtu=mtu, master=_index(bridge), state="up")
            route.brport("set", index=_index(host), mode=1)
    finally:
        os.close(target)


def create_vlan(name: str, parent: str, number: int) -> None:
    """Make the interface of a VLAN on top of another interface, down."""
    with _route(name) as route:
        route.link("add", ifname=name, kind="vlan", link=_index(parent), vlan_id=number)


def create_child(kind: str, parent: str, mode: str, namespace: str, inside: str, mac: str | None, mtu: int) -> None:
    """Make a macvlan or an ipvlan of an interface of the host: ``inside`` a namespace, down.

    One of kind ipvlan has the parent's MAC address, and ``mac`` is None.
    """
    target = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        own: dict[str, Any] = {"address": mac} if mac else {}
        own[f"{kind}_mode"] = _MODES[mode] if kind == "ipvlan" else mode
        with _route(parent) as route:
            link = _index(parent)
            route.link("add", ifname=inside, kind=kind, link=link, mtu=mtu, net_ns_fd=target, **own)
    finally:
        os.close(target)


@dataclass(frozen=True)
class Setup:
    """How an interface is to be: addresses with their prefixes, gateways of the default routes, MTU, other routes.

    With an ``mtu`` of 0 that stays as it is. A gateway of :data:`..links.ON_LINK` is none: the interface itself leads.
    """

    addresses: Sequence[str]
    gateways: Sequence[str] = ()
    mtu: int = 0
    ways: Sequence[links.Way] = ()


def configure(namespace: str, inside: str, setup: Setup) -> None:
    """Bring an interface in a namespace up, with its addresses and routes; routes of ours that are not named go."""
    size = {"mtu": setup.mtu} if setup.mtu else {}
    with _route(inside, namespace) as route:
        with namespaces.entered(namespace):
            index = _index(inside)
            # First, as the kernel has nothing of IPv6 on an interface that is too small for it.
            route.link("set", index=index, **size)
            _set_ipv6(inside, any(":" in each for each in setup.addresses))
            found = [each for each in links.routes() if each.interface == index]
        there = {each.way for each in found if each.protocol == links.OURS}
        direct = {(each.way.destination, each.way.prefix) for each in found if not each.way.gateway}
        for each in setup.addresses:
            if links.way_to_own(each) not in direct:
                # The route to its neighbours comes with an address only.
                with _already(errno.EADDRNOTAVAIL):
                    route.addr("del", index=index, **_address(each))
            with _already(errno.EEXIST):
                route.addr("add", index=index, **_address(each))
        route.link("set", index=index, state="up")
        for gateway in setup.gateways:
            by = {} if gateway in links.ON_LINK else {"gateway": gateway}
            route.route("replace", dst="::/0" if ":" in gateway else "0.0.0.0/0", oif=index, **by)
        for way in there - set(setup.ways):
            route.route("del", oif=index, proto=links.OURS, **_way(way))
        for way in setup.ways:
            route.route("replace", oif=index, proto=links.OURS, **_way(way))


def _way(way: links.Way) -> dict[str, Any]:
    """A route as pyroute2 takes it."""
    metric = {"priority": way.metric} if way.metric else {}
    return {"dst": f"{way.destination}/{way.prefix}", "gateway": way.gateway} | metric


def _set_ipv6(inside: str, wanted: bool) -> None:
    with suppress(FileNotFoundError), open(f"/proc/sys/net/ipv6/conf/{inside}/disable_ipv6", "w") as file:
        file.write("0" if wanted else "1")


def _address(address: str) -> dict[str, Any]:
    """An address as pyroute2 takes it. One of IPv6 is used at once, as nobody else can have one that we give out."""
    plain, _, prefix = address.partition("/")
    return {"address": plain, "prefixlen": int(prefix)} | ({"flags": IFA_F_NODAD} if ":" in plain else {})


def set_rate(name: str, bits: int, namespace: str | None = None) -> None:
    """Let an interface send this many bits a second at most, with -1 as many as it can (tc-tbf(8)).

    The bucket holds what is sent in 10 ms, and a large segment at least; what waits for longer than 50 ms is dropped.
    """
    with _route(name, namespace) as route:
        with namespaces.entered(namespace) if namespace else nullcontext():
            index = _index(name)
        if bits < 0:
            with _already(errno.ENOENT):
                # Whoever made it has given it a number; none is any.
                route.tc("del", index=index, root=True, handle=0)
            return
        octets = bits // 8
        burst = max(octets // 100, 1 << 16)
        # Without a number of its own, as the one of another kind that it replaces may have that.
        route.tc("replace", "tbf", index=index, handle=0, rate=octets, burst=burst, latency="50ms")


def _find(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError:
        return 0


def _index(name: str) -> int:
    index = _find(name)
    if not index:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), name)
    return index


@contextmanager
def _already(code: int) -> Iterator[None]:
    """Take the kernel's answer ``code`` for success: what was asked for is so already."""
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        yield
    except NetlinkError as error:
        if error.code != code:
            raise
