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
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..core.model import diff
from ..core.plan import Plan
from ..errors import Failure, InvalidValue, failing
from ..kernel import links
from . import firewall, leases
from .addresses import Subnet, dotted, number, subnet_of
from .network_model import (
    ETHERNET_MTU,
    REBUILT,
    Network,
    bridge_name,
    host_interface,
    mac,
    names,
    rebuilds,
    recorded,
    stored,
    with_prefix,
)

POOL, POOL_PREFIX = subnet_of("10.89.0.0/16"), 24
"""Where a network that names no subnet gets its own: the range that Podman takes them from."""

_KEPT = (*REBUILT, "mtu", "masquerade", "internal")


class NetworkResource:
    """Networks, as :class:`~..core.plan.Resource` has it."""

    model = Network

    def lock(self, layout: Layout, want: Network) -> AbstractContextManager[object]:
        """One lock for all networks, as their subnets must not overlap."""
        return store.lock(layout.lock("networks"))

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
            want = _completed(layout, want, stored(layout, want.name))
            _check_bridge(layout, want, have)
            if have is None or have.link == "missing" or have.subnet != want.subnet:
                _check_overlap(layout, want, have)
            ports, found = _ports(layout, want), _readings(want)
        if have is not None and rebuilds(want, have):
            _refuse_connected(layout, have, "change subnet, gateway or bridge of")
        return replace(
            want,
            link="up",
            addresses=(with_prefix(str(want.gateway), want),),
            settings=_settings(want),
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
        titles = container_names(layout)
        containers = {
            identity: {
                "Name": titles.get(identity, ""),
                "IPv4Address": with_prefix(address, have),
                "MacAddress": mac(address),
            }
            for address, identity in sorted(leases.read(layout, have.name).items(), key=lambda item: number(item[0]))
        }
        network = {
            "Name": have.name,
            "Driver": "bridge",
            "IPAM": {"Config": [{"Subnet": str(have.subnet), "Gateway": have.gateway}]},
            "Internal": bool(have.internal),
            "Options": {"bridge_name": have.bridge_name, "mtu": have.mtu, "masquerade": have.masquerade},
            "Containers": containers,
        }
        return {"network": network}


NETWORK = NetworkResource()


def container_names(layout: Layout) -> dict[str, str]:
    """The names of containers by id."""
    try:
        with os.scandir(layout.names) as entries:
            return {os.path.basename(os.readlink(entry.path)): entry.name for entry in entries if entry.is_symlink()}
    except FileNotFoundError:
        return {}


def _observed(layout: Layout, known: Network) -> Network:
    bridge = str(known.bridge_name)
    link = links.links().get(bridge)
    table = firewall.read()
    content = store.read(layout.network(known.name))
    return replace(
        known,
        mtu=link.mtu if link else None,
        link=_link(link),
        addresses=links.addresses().get(link.index, ()) if link else (),
        settings=_readings(known),
        members=tuple(sorted(name for name, master in _ports(layout, known).items() if link and master == link.index)),
        firewall=tuple(sorted((*table.holds(bridge), *(("rules",) if table.complete else ())))),
        stored=content.decode() if content else recorded(known),
    )


def _link(link: links.Link | None) -> str:
    if link is None:
        return "missing"
    if link.kind != "bridge":
        return "no bridge"
    return "up" if link.up else "down"


def _ports(layout: Layout, network: Network) -> dict[str, int]:
    """The host's ends of the containers' interfaces that are there, with the index of their bridge."""
    present = links.links()
    expected = (host_interface(identity, address) for address, identity in leases.read(layout, network.name).items())
    return {name: present[name].master for name in expected if name in present}


def _settings(network: Network) -> tuple[str, ...]:
    """What must hold below /proc/sys/net: 127.0.0.1 may lead to containers, and their packets are routed."""
    local = f"ipv4/conf/{network.bridge_name}/route_localnet=1"
    return (local,) if network.internal else ("ipv4/ip_forward=1", local)


def _readings(network: Network) -> tuple[str, ...]:
    """What holds now of :func:`_settings`."""
    paths = (setting.partition("=")[0] for setting in _settings(network))
    found = ((path, links.setting(path)) for path in paths)
    return tuple(f"{path}={value}" for path, value in found if value is not None)


def _sets(network: Network) -> tuple[str, ...]:
    special = "internal" if network.internal else "outbound" if network.masquerade else None
    return tuple(sorted(filter(None, ("bridges", "same", "rules", special))))


def _completed(layout: Layout, want: Network, known: Network | None) -> Network:
    """Fill what was left out from the record, or for a new network from its defaults."""
    if known is None and want.subnet is None:
        want = replace(want, subnet=_free_subnet(layout, want))
    if known is not None:
        # A gateway of the old subnet is none of a new one.
        moved = want.subnet not in (None, known.subnet)
        left_out = [row for row in _KEPT if getattr(want, row) is None and not (moved and row == "gateway")]
        want = replace(want, **{row: getattr(known, row) for row in left_out})
    first = dotted(want.range.base + 1)
    gateway = want.gateway or first
    if not want.range.usable(number(gateway)):
        reason = f"no interface can have it in the subnet {want.subnet}"
        raise InvalidValue("gateway", gateway, reason, f"such as {first}")
    return replace(
        want,
        gateway=gateway,
        bridge_name=want.bridge_name or bridge_name(want.name),
        mtu=want.mtu or _uplink_mtu(),
        masquerade=want.masquerade is not False,
        internal=want.internal is True,
    )


def _uplink_mtu() -> int:
    """The MTU of the interface that leads outside, if that is smaller than Ethernet's, as it is in a tunnel."""
    indexes = {route.interface for route in links.routes() if route.prefix == 0}
    uplinks = [link.mtu for link in links.links().values() if link.index in indexes]
    return min((ETHERNET_MTU, *uplinks))


def _refuse_connected(layout: Layout, network: Network, operation: str) -> None:
    titles = container_names(layout)
    connected = sorted(titles.get(identity, identity) for identity in leases.read(layout, network.name).values())
    if connected:
        reason = f"containers are connected: {', '.join(connected)}"
        raise Failure(f"{operation} the network {network.name}", reason, "remove them first")


def _check_bridge(layout: Layout, want: Network, have: Network | None) -> None:
    bridge = str(want.bridge_name)
    for other in names(layout):
        known = stored(layout, other) if other != want.name else None
        if known is not None and known.bridge_name == bridge:
            raise InvalidValue("bridge_name", bridge, f"it is the bridge of the network {other}", "name another")
    ours = have is not None and have.bridge_name == bridge and have.link != "no bridge"
    if not ours and bridge in links.links():
        reason = "the host has an interface of this name that is not ours"
        raise InvalidValue("bridge_name", bridge, reason, "name another, or delete that interface")


def _check_overlap(layout: Layout, want: Network, have: Network | None) -> None:
    for subnet, what in _taken(layout, want, have):
        if subnet.overlaps(want.range):
            raise InvalidValue("subnet", str(want.subnet), f"it overlaps {what}", "name another")


def _free_subnet(layout: Layout, want: Network) -> Subnet:
    """The first of the subnets for networks that name none which overlaps nothing that the host knows."""
    taken = [subnet for subnet, _ in _taken(layout, want, None)]
    for base in range(POOL.base, POOL.last, 1 << 32 - POOL_PREFIX):
        subnet = Subnet(base, POOL_PREFIX)
        if not any(map(subnet.overlaps, taken)):
            return subnet
    raise InvalidValue("subnet", None, f"every /{POOL_PREFIX} of {POOL} overlaps one that the host knows", "name one")


def _taken(layout: Layout, want: Network, have: Network | None) -> Iterator[tuple[Subnet, str]]:
    """The subnets that other networks have, and the host's other interfaces, each with what it is."""
    for other in names(layout):
        known = stored(layout, other) if other != want.name else None
        if known is not None and known.subnet is not None:
            yield known.subnet, f"{known.subnet} of the network {other}"
    by_index = {link.index: name for name, link in links.links().items()}
    found = [
        (subnet_of(address), f"the address {address}", index)
        for index, there in links.addresses().items()
        for address in there
    ]
    for route in links.routes():
        subnet = Subnet(number(route.destination), route.prefix)
        if route.prefix:
            found.append((subnet, f"the route to {subnet}", route.interface))
    mine = have.bridge_name if have is not None else None
    for subnet, what, index in found:
        interface = by_index.get(index, "another interface")
        if interface != mine:
            yield subnet, f"{what} of {interface}"
