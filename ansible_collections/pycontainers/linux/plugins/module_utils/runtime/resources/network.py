# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks: a bridge with an address for the containers' gateway, and its place in the firewall.

The record is written first and removed last, so that whatever a killed run leaves behind has an owner, and the
next run finishes what it began.
"""
from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..core.plan import Plan, Step
from ..errors import Failure, InvalidValue, failing
from ..kernel import links
from . import firewall, leases
from .addresses import Subnet, dotted, number, subnet_of
from .network_model import (
    Network,
    bridge_name,
    declared,
    host_interface,
    mac,
    names,
    stored,
    with_prefix,
)
from .network_steps import (
    AddAddress,
    CreateBridge,
    DeleteBridge,
    JoinBridge,
    Place,
    RemoveAddress,
    SetMtu,
    SetSetting,
    SetUp,
)

ETHERNET_MTU = 1500
_REBUILT = ("subnet", "gateway", "bridge_name")
_KEPT = (*_REBUILT, "mtu", "masquerade", "internal")


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
        want = _completed(want, stored(layout, want.name))
        with failing(f"read the network interfaces and routes for network {want.name}"):
            _check_bridge(layout, want, have)
            if have is None or have.link == "missing" or have.subnet != want.subnet:
                _check_overlap(layout, want, have)
            ports, found = _ports(layout, want), _readings(want)
        if have is not None and _rebuilds(want, have):
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
        """Take the steps that are missing; change of subnet, gateway or bridge takes the bridge down first."""
        if want.state == "absent":
            return Plan() if have is None else Plan(tuple(_removal(layout, have)))
        steps: list[Step] = []
        record = store.write_record(layout.network(want.name), declared(want), None, "network")
        before = None if have is None or have.stored is None else have.stored.encode()
        if record.content != before:
            steps.append(replace(record, before=before))
        if have is not None and _rebuilds(want, have):
            steps += _dismantling(layout, have)
            have = None
        steps += _building(layout, want, have or Network(name=want.name, link="missing"))
        return Plan(tuple(steps))

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
    text = json.dumps(declared(known))
    content = store.read(layout.network(known.name))
    return replace(
        known,
        mtu=link.mtu if link else None,
        link=_link(link),
        addresses=links.addresses().get(link.index, ()) if link else (),
        settings=_readings(known),
        members=tuple(sorted(name for name, master in _ports(layout, known).items() if link and master == link.index)),
        firewall=tuple(sorted((*table.holds(bridge), *(("rules",) if table.complete else ())))),
        stored=content.decode() if content else text,
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


def _completed(want: Network, known: Network | None) -> Network:
    """Fill what was left out from the record, or for a new network from its defaults."""
    if known is None and want.subnet is None:
        reason = f"the network {want.name} is not there yet and needs one"
        raise InvalidValue("subnet", None, reason, "such as 10.88.0.0/24")
    if known is not None:
        # A gateway of the old subnet is none of a new one.
        moved = want.subnet not in (None, known.subnet)
        left_out = [row for row in _KEPT if getattr(want, row) is None and not (moved and row == "gateway")]
        want = replace(want, **{row: getattr(known, row) for row in left_out})
    assert want.subnet is not None
    gateway = want.gateway or dotted(want.subnet.base + 1)
    if not want.subnet.usable(number(gateway)):
        reason = f"no interface can have it in the subnet {want.subnet}"
        raise InvalidValue("gateway", gateway, reason, f"such as {dotted(want.subnet.base + 1)}")
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


def _rebuilds(want: Network, have: Network) -> bool:
    return any(getattr(want, row) != getattr(have, row) for row in _REBUILT)


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
    assert want.subnet is not None
    for other in names(layout):
        known = stored(layout, other) if other != want.name else None
        if known is not None and known.subnet is not None and known.subnet.overlaps(want.subnet):
            raise InvalidValue("subnet", str(want.subnet), f"it overlaps {known.subnet} of the network {other}")
    by_index = {link.index: name for name, link in links.links().items()}
    mine = have.bridge_name if have is not None else None
    taken = [
        (subnet_of(address), f"the address {address}", index)
        for index, found in links.addresses().items()
        for address in found
    ]
    for route in links.routes():
        subnet = Subnet(number(route.destination), route.prefix)
        if route.prefix:
            taken.append((subnet, f"the route to {subnet}", route.interface))
    for subnet, what, index in taken:
        interface = by_index.get(index, "another interface")
        if interface != mine and subnet.overlaps(want.subnet):
            raise InvalidValue("subnet", str(want.subnet), f"it overlaps {what} of {interface}", "name another")


def _building(layout: Layout, want: Network, have: Network) -> list[Step]:
    """The steps that bridge, settings and firewall lack."""
    bridge, steps = str(want.bridge_name), list[Step]()
    if have.link == "missing":
        steps.append(CreateBridge(bridge, mac(str(want.gateway))))
    mtu = have.mtu or ETHERNET_MTU
    if want.mtu != mtu:
        steps.append(SetMtu(bridge, mtu, want.mtu or mtu))
    there, wanted = have.addresses or (), want.addresses or ()
    extra = [RemoveAddress(bridge, address) for address in there if address not in wanted]
    steps += extra
    # With the first address of a subnet the kernel removes its others, so what stays is added again.
    steps += [AddAddress(bridge, each, each in there) for each in wanted if extra or each not in there]
    if have.link != "up":
        steps.append(SetUp(bridge))
    now = dict(each.split("=") for each in want.found or () if have.link != "missing" or f"/{bridge}/" not in each)
    for setting in want.settings or ():
        path, _, value = setting.partition("=")
        if now.get(path) != value:
            steps.append(SetSetting(path, now.get(path), value))
    steps += [JoinBridge(name, bridge) for name in want.members or () if name not in (have.members or ())]
    if want.firewall != have.firewall:
        steps.append(Place(layout, bridge, _without_rules(have.firewall), _without_rules(want.firewall)))
    return steps


def _dismantling(layout: Layout, have: Network) -> list[Step]:
    """The steps that take bridge and firewall away."""
    bridge, steps = str(have.bridge_name), list[Step]()
    if _without_rules(have.firewall):
        steps.append(Place(layout, bridge, _without_rules(have.firewall), ()))
    if have.link in ("up", "down"):
        address = mac(str(have.gateway))
        mtu = have.mtu or ETHERNET_MTU
        steps.append(DeleteBridge(bridge, address, mtu, have.addresses or (), have.settings or ()))
    return steps


def _removal(layout: Layout, have: Network) -> list[Step]:
    record = None if have.stored is None else have.stored.encode()
    return [
        leases.RemoveLeases(layout, have.name),
        *_dismantling(layout, have),
        store.Remove(layout.network(have.name), record, "network"),
    ]


def _without_rules(sets: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(name for name in sets or () if name != "rules")
