# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container on its networks: what is there now, and the steps that attach, detach, publish.

A namespace is pinned for the container, a lease taken on each network, and a veth pair laid from the namespace
(eth0, eth1, …) to the network's bridge. All names follow from the container's id and its address, so every step
can find what an earlier, killed run has left, and does nothing where all is right.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..core.kinds import UNLIMITED
from ..core.layout import Layout
from ..errors import InvalidValue, failing
from ..kernel import links, namespaces
from ..kernel.netlink import Setup
from ..lean.dataclasses import dataclass
from . import firewall, leases
from .addresses import BITS4, BITS6, bits_of, of_family
from .attachments import Attachment, names_of
from .container_model import Container
from .listeners import check_unheard
from .network_model import IPVLAN, Network, declared_network, host_interface, mac, published_on, reached_on
from .ports import Port


@dataclass(frozen=True)
class Endpoint:
    """A container's place on a network. ``present`` says whether the kernel has all of it as it is wanted.

    ``ingress`` and ``egress`` are the bits a second that it receives and sends at most, or UNLIMITED.
    """

    network: str
    addresses: tuple[str, ...]
    prefixes: tuple[int, ...]
    mac: str
    gateways: tuple[str, ...]
    interface: str
    host_interface: str
    ingress: int
    egress: int
    present: bool


def observe_endpoint(layout: Layout, identity: str, networks: Sequence[Attachment]) -> dict[str, Endpoint]:
    """Where a container is, or while stopped will be, by network. Reads only; raises :class:`Failure`.

    A network that it has addresses on, and is not to be on, is among them, and not ``present``.
    """
    held = leases.held(layout, identity)
    if not held:
        return {}
    path, wanted = layout.netns(identity), {each.name: each for each in networks}
    with failing(f"read the network interfaces of container {identity}"):
        outside, sent = links.links(), links.rates()
        inside = _read(path) if namespaces.pinned(path) else _Inside({}, {}, (), {})
    leads = lead_out(layout, names_of(networks))
    found = {}
    for network, addresses in held.items():
        known, asked = declared_network(layout, network), wanted.get(network, Attachment(network))
        subnets = {subnet.bits: subnet for subnet in known.subnets}
        own_mac = asked.mac_address or mac(addresses[0])
        lower = outside.get(known.lower)
        own = own_interface(inside.there, known, lower, own_mac)
        host = "" if known.on_parent else host_interface(identity, addresses[0])
        port = own if known.on_parent else outside.get(host)
        connected = port is not None and lower is not None and port.up
        if connected and port and lower and not known.on_parent:
            connected = port.master == lower.index
        sized = all(each is not None and each.mtu == known.mtu for each in (port, own))
        gateways = [each for name, each in leads if name == network]
        well = own is not None and inside.configured(own, setup(known, addresses, gateways))
        complete = len(addresses) == len(known.subnets) and set(asked.addresses) <= set(addresses)
        found[network] = Endpoint(
            network=network,
            addresses=addresses,
            prefixes=tuple(subnets[bits_of(each)].prefix for each in addresses),
            mac=own.mac if own and known.driver == IPVLAN else own_mac,
            gateways=known.gateways,
            interface=own.name if own else "",
            host_interface=host,
            ingress=sent.get(port.index, UNLIMITED) if port and host else UNLIMITED,
            egress=inside.rates.get(own.index, UNLIMITED) if own else UNLIMITED,
            present=connected and sized and well and complete and network in wanted,
        )
    return found


@dataclass(frozen=True)
class _Inside:
    """What there is in a container's network namespace."""

    there: Mapping[str, links.Link]
    addresses: Mapping[int, tuple[str, ...]]
    routes: tuple[links.Route, ...]
    rates: Mapping[int, int]

    def configured(self, own: links.Link, wanted: Setup) -> bool:
        """Whether an interface is up, with its addresses, the default routes by its gateways, and just its routes."""
        routes = [route for route in self.routes if route.interface == own.index]
        out = [route.way for route in routes if not route.way.prefix]
        by = {way.gateway or links.ON_LINK[":" in way.destination] for way in out}
        ours = {route.way for route in routes if route.protocol == links.OURS}
        direct = {(route.way.destination, route.way.prefix) for route in routes if not route.way.gateway}
        addressed = set(wanted.addresses) <= set(self.addresses.get(own.index, ()))
        addressed = addressed and {links.way_to_own(each) for each in wanted.addresses} <= direct
        return own.up and addressed and set(wanted.gateways) <= by and ours == set(wanted.ways)


def own_interface(
    inside: Mapping[str, links.Link], network: Network, lower: links.Link | None, own_mac: str
) -> links.Link | None:
    """A container's interface on a network, of those in its namespace.

    It is known by its MAC address; one of kind ipvlan, which has the parent's, by what it is on top of.
    """
    if network.driver == IPVLAN:
        on_it = (each for each in inside.values() if each.kind == IPVLAN and lower and each.lower == lower.index)
        return next(on_it, None)
    found = next((each for each in inside.values() if each.mac == own_mac), None)
    fits = found is not None and (not network.on_parent or bool(lower and found.lower == lower.index))
    return found if fits else None


def _read(path: str) -> _Inside:
    with namespaces.entered(path):
        return _Inside(links.links(), links.addresses(), links.routes(), links.rates())


def setup(network: Network, addresses: Sequence[str], gateways: Sequence[str]) -> Setup:
    """How a container's interface on a network is to be. One that is a route's gateway does not have that route."""
    own = {bits_of(each) for each in addresses}
    ways = [
        each.way for each in network.routes or () if each.destination.bits in own and each.gateway not in addresses
    ]
    return Setup([*map(network.with_prefix, addresses)], gateways, network.mtu or 0, ways)


def lead_out(layout: Layout, networks: Sequence[str]) -> list[tuple[str, str]]:
    """The networks by which a container on these gets outside, each with the gateway there: one for each family."""
    found = []
    for bits in (BITS4, BITS6):
        network = reached_on(layout, networks, bits)
        if network:
            by = of_family(declared_network(layout, network).gateways, bits)
            found.append((network, by or links.ON_LINK[bits == BITS6]))
    return found


def targets(layout: Layout, identity: str, networks: Sequence[str]) -> tuple[str, ...]:
    """The addresses to which ports of the host lead, one for each family in which there is one."""
    found = []
    for bits in (BITS4, BITS6):
        network = published_on(layout, networks, bits)
        address = of_family(leases.addresses_of(layout, network, identity), bits) if network else None
        found += [address] if address else []
    return tuple(found)


def observe_ports(layout: Layout, identity: str, recorded: Container | None = None) -> tuple[Port, ...]:
    """The ports that lead to a container now, from the kernel's maps. Reads only; raises :class:`Failure`.

    Those of the record that lead there in each of the families that they should are told as they are there.
    """
    own = {address for each in leases.held(layout, identity).values() for address in each}
    if not own:
        return ()
    with failing(f"read the published ports of container {identity}"):
        mapped = {key: target for key, target in firewall.read_ports().items() if target[0] in own}
    whole = []
    if recorded is not None and recorded.published_ports:
        to = targets(layout, identity, names_of(recorded.networks))
        for port in recorded.published_ports:
            meant = firewall.mapped(port, to)
            if meant and meant.items() <= mapped.items():
                whole.append(port)
                mapped = {key: target for key, target in mapped.items() if key not in meant}
    return tuple(sorted((*whole, *(Port(*key, port) for key, (_, port) in mapped.items()))))


def check_networks(
    layout: Layout, networks: Iterable[Attachment], identity: str | None = None, leaving: Sequence[str] = ()
) -> None:
    """Refuse networks that aren't there or are full, and addresses that others have. Reads only; raises Failure.

    ``identity`` is the container's, ``leaving`` are those that will have let go of their addresses by then.
    """
    for each in networks:
        known, taken = declared_network(layout, each.name), leases.read(layout, each.name)
        staying = {address: holder for address, holder in taken.items() if holder not in leaving}
        leases.check(known, staying, identity, each.addresses)


def port_conflicts(layout: Layout, ports: Iterable[Port], identity: str | None = None) -> None:
    """Refuse ports that a program of the host listens on, or that lead to a container other than ``identity``.

    Reads only; raises :class:`Failure`.
    """
    wanted = tuple(ports)
    if not wanted:
        return
    own = {address for each in leases.held(layout, identity or "").values() for address in each}
    with failing("read the host's published ports"):
        mapped = firewall.read_ports()
    for key, (address, _) in mapped.items():
        other = Port(*key, 0)
        for port in wanted:
            if address not in own and port.meets(other):
                reason = f"it leads to the container at {address}"
                raise InvalidValue("published_ports", str(port), reason, "take another port of the host")
    check_unheard(wanted, "published_ports")
