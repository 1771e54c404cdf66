# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks: a bridge with an address for the containers' gateway, and its place in the firewall.

The record is written first and removed last, so that whatever a killed run leaves behind has an owner, and the
next run finishes what it began.
"""
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..core.model import diff
from ..core.plan import Plan
from ..errors import Failure, InvalidValue, failing
from ..kernel import links
from ..lean.dataclasses import replace
from . import firewall, leases, network_facts, network_parent, network_settings
from .addresses import BITS4, BITS6, Subnet, bits_of, subnet_of
from .network_model import (
    BRIDGE,
    DEFAULTS,
    ETHERNET_MTU,
    IPV6_MTU,
    OF_DRIVER,
    READDRESSED,
    REBUILT,
    ROUTED_MODES,
    Network,
    bridge_name,
    host_interface,
    names,
    networks_lock,
    readdresses,
    rebuilds,
    recorded,
    stored,
)
from .network_routes import own_place

POOL, POOL_PREFIX = subnet_of("10.89.0.0/16"), 24
"""Where a network that names no subnet gets its own: the range that Podman takes them from."""

_KEPT = (*REBUILT, *READDRESSED, *DEFAULTS, "enable_ipv6", "ip_range", "ipv6_range", "mtu", "masquerade", "internal")
_OF_SUBNET = {"subnet": ("gateway", "ip_range"), "ipv6_subnet": ("ipv6_gateway", "ipv6_range", "enable_ipv6")}
"""What is said of addresses within a subnet, and means nothing in another."""


class NetworkResource:
    """Networks, as :class:`~..core.plan.Resource` has it."""

    model = Network

    def lock(self, layout: Layout, want: Network) -> AbstractContextManager[object]:
        """One lock for all networks."""
        return networks_lock(layout)

    def observe(self, layout: Layout, want: Network) -> Network | None:
        """Read the record, and over it what the kernel says of link, addresses, settings and firewall."""
        known = stored(layout, want.name)
        if known is None:
            return None
        with failing(f"read the state of network {want.name}"):
            return _observed(layout, known)

    def resolve(self, layout: Layout, want: Network, have: Network | None) -> Network:
        """Fill in what was left out, and what the kernel should say; refuse what can't be or what containers hinder."""
        if want.state == "absent":
            if have is not None:
                _refuse_connected(layout, have, "remove")
            return want
        with failing(f"read the network interfaces and routes for network {want.name}"):
            network_parent.check_options(want, stored(layout, want.name))
            want = _completed(layout, want, stored(layout, want.name))
            _check_link(layout, want, have)
            if have is None or have.link == "missing" or _placed(have) != _placed(want):
                _check_overlap(layout, want, have)
            ports, found = _ports(layout, want), network_settings.read(want)
        if want.on_parent:
            network_parent.check(want)
        if have is not None and (rebuilds(want, have) or readdresses(want, have)):
            _refuse_connected(layout, have, "change subnet, gateway or interfaces of")
        return replace(
            want,
            link="up",
            addresses=() if want.on_parent else tuple(map(want.with_prefix, want.gateways)),
            settings=network_settings.wanted(want),
            members=tuple(sorted(ports)),
            firewall=_sets(want),
            found=found,
        )

    def plan(self, layout: Layout, want: Network, have: Network | None) -> Plan:
        """The steps that are missing. Most runs miss none, and are spared the import of those there are."""
        if want.state == "present" and have is not None and have.stored == recorded(want) and not diff(want, have):
            return Plan()
        from . import network_plan

        return network_plan.plan(layout, want, have)

    def facts(self, layout: Layout, have: Network | None) -> Mapping[str, Any]:
        """Return the network in the shape of ``docker network inspect``; empty if there is none."""
        if have is None or have.subnet is None:
            return {"network": {}}
        return {"network": network_facts.document(layout, have)}


NETWORK = NetworkResource()


def _placed(network: Network) -> tuple[bool, Subnet | None, Subnet | None]:
    """Where its addresses are: on the network of a parent the host has some of the same."""
    return network.on_parent, network.subnet, network.ipv6_subnet


def _observed(layout: Layout, known: Network) -> Network:
    content = store.read(layout.network(known.name))
    known = replace(known, stored=content.decode() if content else recorded(known))
    if known.on_parent:
        return network_parent.observed(known)
    bridge = str(known.bridge_name)
    link = links.links().get(bridge)
    table = firewall.read()
    return replace(
        known,
        mtu=link.mtu if link else None,
        link=_link(link),
        addresses=links.addresses().get(link.index, ()) if link else (),
        settings=network_settings.read(known),
        members=tuple(sorted(name for name, master in _ports(layout, known).items() if link and master == link.index)),
        firewall=tuple(sorted((*table.holds(bridge), *(("rules",) if table.complete else ())))),
    )


def _link(link: links.Link | None) -> str:
    if link is None:
        return "missing"
    if link.kind != "bridge":
        return "other"
    return "up" if link.up else "down"


def _ports(layout: Layout, network: Network) -> dict[str, int]:
    """The host's ends of the containers' interfaces that are there, with the index of their bridge."""
    if network.on_parent:
        return {}
    present = links.links()
    held = leases.read(layout, network.name).items()
    expected = [host_interface(identity, address) for address, identity in held if bits_of(address) == BITS4]
    return {name: present[name].master for name in expected if name in present}


def _sets(network: Network) -> tuple[str, ...]:
    if network.on_parent:
        return ()
    special = "internal" if network.internal else "outbound" if network.masquerade else None
    shared = "open" if not network.internal and network.isolate is False else None
    return tuple(sorted(filter(None, ("bridges", "same", "rules", special, shared))))


def _completed(layout: Layout, want: Network, known: Network | None) -> Network:
    """Fill what was left out from the record, or for a new network from its defaults."""
    if want.enable_ipv6 is False and want.ipv6_subnet is not None:
        raise InvalidValue("ipv6_subnet", str(want.ipv6_subnet), "enable_ipv6 is false", "leave out one of the two")
    if known is None and want.subnet is None:
        want = replace(want, subnet=_free_subnet(layout, want))
    if known is not None:
        # A gateway or a range of the old subnet is none of a new one.
        other = want.driver not in (None, known.driver)
        moved = {name for row, of_it in _OF_SUBNET.items() if getattr(want, row) not in (None, getattr(known, row))
                 for name in of_it}  # fmt: skip
        moved |= {name for of_it in OF_DRIVER.values() for name in of_it if other}
        moved |= {"gateway", "ipv6_gateway"} if want.mode in ROUTED_MODES else set()
        left_out = [row for row in _KEPT if getattr(want, row) is None and row not in moved]
        want = replace(want, **{row: getattr(known, row) for row in left_out})
    want = _with_ipv6(layout, want)
    want = network_parent.completed(want) if want.driver not in (None, BRIDGE) else _completed_bridge(want)
    want = replace(
        want,
        internal=want.internal is True,
        **{row: default for row, default in DEFAULTS.items() if getattr(want, row) is None},
    )
    _check_within(want)
    return want


def _completed_bridge(want: Network) -> Network:
    return replace(
        want,
        gateway=want.gateway or want.range.first,
        ipv6_gateway=want.ipv6_gateway or (want.ipv6_subnet.first if want.ipv6_subnet else None),
        bridge_name=want.bridge_name or bridge_name(want.name),
        mtu=want.mtu or _uplink_mtu(),
        masquerade=want.masquerade is not False,
    )


def _with_ipv6(layout: Layout, want: Network) -> Network:
    """The network with a subnet of IPv6 where that is wanted, and with nothing of it where it is not."""
    if want.enable_ipv6 is False:
        return replace(want, ipv6_subnet=None, ipv6_gateway=None, ipv6_range=None)
    if want.enable_ipv6 and want.ipv6_subnet is None:
        return replace(want, ipv6_subnet=_free_subnet6(layout, want))
    return replace(want, enable_ipv6=want.ipv6_subnet is not None)


def _check_within(want: Network) -> None:
    """Refuse gateways and ranges that are not of their subnet."""
    options = ("gateway", want.gateway, want.ip_range), ("ipv6_gateway", want.ipv6_gateway, want.ipv6_range)
    for (option, gateway, given), subnet in zip(options, want.subnets, strict=False):
        if gateway and not subnet.usable(gateway):
            reason = f"no interface can have it in the subnet {subnet}"
            raise InvalidValue(option, gateway, reason, f"such as {subnet.first}")
        if given and not given.within(subnet):
            raise InvalidValue(option.replace("gateway", "range"), str(given), f"it is not within the subnet {subnet}")
    if want.ipv6_subnet and (want.mtu or IPV6_MTU) < IPV6_MTU:
        reason = f"IPv6 takes no links whose packets are smaller than {IPV6_MTU} bytes"
        raise InvalidValue("mtu", want.mtu, reason, "give a larger one, or leave IPv6 out")
    for route in want.routes or ():
        if not any(subnet.usable(route.gateway) for subnet in want.subnets):
            reason = "it is no address on the network"
            raise InvalidValue("routes", f"{route.destination} by {route.gateway}", reason, "name one that is")
        if route.place in map(own_place, want.subnets):
            reason = "that is the network itself, where no gateway is needed"
            raise InvalidValue("routes", f"{route.destination} by {route.gateway}", reason, "leave it out")
    for option in ("ipv6_gateway", "ipv6_range"):
        if want.ipv6_subnet is None and getattr(want, option) is not None:
            reason = "the network has no subnet of IPv6"
            raise InvalidValue(option, str(getattr(want, option)), reason, "give it one with ipv6_subnet")


def _uplink_mtu() -> int:
    """The MTU of the interface that leads outside, if that is smaller than Ethernet's, as it is in a tunnel."""
    indexes = {route.interface for route in links.routes() if not route.way.prefix}
    uplinks = [link.mtu for link in links.links().values() if link.index in indexes]
    return min((ETHERNET_MTU, *uplinks))


def _refuse_connected(layout: Layout, network: Network, operation: str) -> None:
    titles = network_facts.container_names(layout)
    connected = sorted(titles.get(each, each) for each in set(leases.read(layout, network.name).values()))
    if connected:
        reason = f"containers are connected: {', '.join(connected)}"
        raise Failure(f"{operation} the network {network.name}", reason, "remove them first")


def _others(layout: Layout, want: Network) -> list[Network]:
    """The other networks. One whose record can't be read is no reason to leave hosts without the rest."""
    found: list[Network | None] = []
    for other in names(layout):
        with suppress(Failure):
            found.append(stored(layout, other) if other != want.name else None)
    return [each for each in found if each is not None]


def _check_link(layout: Layout, want: Network, have: Network | None) -> None:
    option, link = "parent" if want.on_parent else "bridge_name", want.lower
    for known in _others(layout, want):
        if known.lower == link:
            raise InvalidValue(option, link, f"it is the interface of the network {known.name}", "name another")
    ours = have is not None and have.own_link == link and have.link != "other"
    if want.own_link and not ours and link in links.links():
        reason = "the host has an interface of this name that is not ours"
        fix = "name it as the parent, without vlan" if want.on_parent else "name another, or delete that interface"
        raise InvalidValue(option, link, reason, fix)


def _check_overlap(layout: Layout, want: Network, have: Network | None) -> None:
    for taken, what in _taken(layout, want, have):
        for option, subnet in zip(("subnet", "ipv6_subnet"), want.subnets, strict=False):
            if taken.overlaps(subnet):
                raise InvalidValue(option, str(subnet), f"it overlaps {what}", "name another")


def _free_subnet(layout: Layout, want: Network) -> Subnet:
    """The first of the subnets for networks that name none which overlaps nothing that the host knows."""
    taken = [subnet for subnet, _ in _taken(layout, want, None)]
    for base in range(POOL.base, POOL.last, 1 << 32 - POOL_PREFIX):
        subnet = Subnet(base, POOL_PREFIX)
        if not any(map(subnet.overlaps, taken)):
            return subnet
    raise InvalidValue("subnet", None, f"every /{POOL_PREFIX} of {POOL} overlaps one that the host knows", "name one")


def _free_subnet6(layout: Layout, want: Network) -> Subnet:
    """A free one of the host's own unique local addresses (RFC 4193), which begin alike for all of its networks.

    The 40 bits that are to be random follow from the host and its root folder, so that a check tells what a run does.
    """
    from hashlib import sha256

    digest = sha256(f"{os.uname().nodename} {layout.root}".encode()).digest()
    start = int.from_bytes(b"\xfd" + digest[:5] + bytes(10), "big")
    taken = [subnet for subnet, _ in _taken(layout, want, None)]
    found = (Subnet(start + (each << 64), 64, BITS6) for each in range(1 << 16))
    return next(subnet for subnet in found if not any(map(subnet.overlaps, taken)))


def _taken(layout: Layout, want: Network, have: Network | None) -> Iterator[tuple[Subnet, str]]:
    """The subnets that other networks have, and the host's other interfaces, each with what it is."""
    for known in _others(layout, want):
        if known.subnet is not None:
            yield from ((subnet, f"{subnet} of the network {known.name}") for subnet in known.subnets)
    if want.on_parent:
        return  # The host's own addresses there are of the same network.
    by_index = {link.index: name for name, link in links.links().items()}
    found = [
        (subnet_of(address), f"the address {address}", index)
        for index, there in links.addresses().items()
        for address in there
    ]
    for route in links.routes():
        if route.way.prefix:
            subnet = subnet_of(f"{route.way.destination}/{route.way.prefix}")
            found.append((subnet, f"the route to {subnet}", route.interface))
    mine = have.bridge_name if have is not None else None
    for subnet, what, index in found:
        interface = by_index.get(index, "another interface")
        if interface != mine:
            yield subnet, f"{what} of {interface}"
