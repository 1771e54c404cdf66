# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a network: what is missing of it is made, what is too much taken away."""
from __future__ import annotations

from ..core import store
from ..core.layout import Layout
from ..core.plan import Plan, Step
from . import lease_steps, network_settings
from .network_model import ETHERNET_MTU, IPV6_MTU, Network, declared, mac, rebuilds
from .network_steps import (
    AddAddress,
    CreateBridge,
    CreateVlan,
    DeleteBridge,
    DeleteVlan,
    JoinBridge,
    Place,
    RemoveAddress,
    SetMtu,
    SetSetting,
    SetUp,
)


def plan(layout: Layout, want: Network, have: Network | None) -> Plan:
    """The steps from ``have`` to ``want``; a change of subnet, gateway or bridge takes the bridge down first."""
    if want.state == "absent":
        return Plan() if have is None else Plan(tuple(_removal(layout, have)))
    steps: list[Step] = []
    record = store.write_record(layout.network(want.name), declared(want), None, "network")
    before = None if have is None or have.stored is None else have.stored.encode()
    if record.content != before:
        steps.append(record._replace(before=before))
    if have is not None and rebuilds(want, have):
        steps += _dismantling(layout, have)
        have = None
    steps += _building(layout, want, have or Network(name=want.name, link="missing"))
    return Plan(tuple(steps))


def _building(layout: Layout, want: Network, have: Network) -> list[Step]:
    """The steps that bridge, settings and firewall lack."""
    if want.on_parent:
        return _building_vlan(want, have)
    bridge, steps = str(want.bridge_name), list[Step]()
    if have.link == "missing":
        steps.append(CreateBridge(bridge, mac(str(want.gateway))))
    mtu = have.mtu or ETHERNET_MTU
    sized = [SetMtu(bridge, mtu, want.mtu or mtu)] if want.mtu != mtu else []
    there, wanted = have.addresses or (), want.addresses or ()
    extra = [RemoveAddress(bridge, address) for address in there if address not in wanted]
    # Before it is up, and before it has addresses: those of IPv6 need that to be switched on.
    settings = _settings(want, have, bridge, of_bridge=True)
    # An interface that is too small for IPv6 has no addresses and no settings of it.
    steps += [*sized, *extra, *settings] if mtu < IPV6_MTU else [*extra, *settings, *sized]
    # With the first address of a subnet the kernel removes its others, so what stays is added again.
    steps += [AddAddress(bridge, each, each in there) for each in wanted if extra or each not in there]
    if have.link != "up":
        steps.append(SetUp(bridge))
    steps += [JoinBridge(name, bridge) for name in want.members or () if name not in (have.members or ())]
    if want.firewall != have.firewall:
        steps.append(Place(layout, bridge, _without_rules(have.firewall), _without_rules(want.firewall)))
    # Last, so that nothing is forwarded before there are rules for it.
    return [*steps, *_settings(want, have, bridge, of_bridge=False)]


def _building_vlan(want: Network, have: Network) -> list[Step]:
    """The steps that a VLAN's interface lacks; without one there is nothing of the network's own on the host."""
    link, steps = want.own_link, list[Step]()
    if link is None:
        return []
    if have.link == "missing":
        steps.append(CreateVlan(link, str(want.parent), want.vlan or 0))
    mtu = (have.mtu if have.link != "missing" else None) or want.mtu
    if want.mtu and (have.link == "missing" or want.mtu != mtu):
        steps.append(SetMtu(link, mtu or want.mtu, want.mtu))
    if have.link != "up":
        steps.append(SetUp(link))
    return steps


def _settings(want: Network, have: Network, bridge: str, of_bridge: bool) -> list[Step]:
    """The settings that are not as they are wanted: those of the bridge, or the host's."""
    gone = have.link == "missing"
    found = [each for each in want.found or () if not (gone and network_settings.of_bridge(each, bridge))]
    now = dict(each.split("=") for each in found)
    wanted = [each.split("=") for each in want.settings or () if network_settings.of_bridge(each, bridge) == of_bridge]
    return [SetSetting(path, now.get(path), value) for path, value in wanted if now.get(path) != value]


def _dismantling(layout: Layout, have: Network) -> list[Step]:
    """The steps that take bridge and firewall away."""
    if have.on_parent:
        there = have.own_link and have.link in ("up", "down")
        return [DeleteVlan(str(have.own_link), str(have.parent), have.vlan or 0, have.mtu or 0)] if there else []
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
        lease_steps.RemoveLeases(layout, have.name),
        *_dismantling(layout, have),
        store.Remove(layout.network(have.name), record, "network"),
    ]


def _without_rules(sets: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(name for name in sets or () if name != "rules")
