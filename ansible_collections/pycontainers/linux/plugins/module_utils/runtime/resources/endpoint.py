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
from dataclasses import dataclass

from ..core.kinds import UNLIMITED
from ..core.layout import Layout
from ..errors import InvalidValue, failing
from ..kernel import links, namespaces
from ..kernel.netlink import Setup
from . import firewall, leases
from .addresses import BITS4, BITS6, bits_of, of_family
from .attachments import Attachment, names_of
from .container_model import Container
from .listeners import listening
from .network_model import Network, declared_network, host_interface, mac, reached_on
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
        host, own = host_interface(identity, addresses[0]), inside.by_mac(own_mac)
        port, bridge = outside.get(host), outside.get(str(known.bridge_name))
        connected = port is not None and bridge is not None and port.master == bridge.index and port.up
        sized = all(each is not None and each.mtu == known.mtu for each in (port, own))
        gateways = [each for name, each in leads if name == network]
        well = own is not None and inside.configured(own, setup(known, addresses, gateways))
        complete = len(addresses) == len(known.subnets) and set(asked.addresses) <= set(addresses)
        found[network] = Endpoint(
            network=network,
            addresses=addresses,
            prefixes=tuple(subnets[bits_of(each)].prefix for each in addresses),
            mac=own_mac,
            gateways=known.gateways,
            interface=own.name if own else "",
            host_interface=host,
            ingress=sent.get(port.index, UNLIMITED) if port else UNLIMITED,
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

    def by_mac(self, wanted: str) -> links.Link | None:
        """The interface of this MAC address."""
        return next((link for link in self.there.values() if link.mac == wanted), None)

    def configured(self, own: links.Link, wanted: Setup) -> bool:
        """Whether an interface is up, with its addresses, the default routes by its gateways, and just its routes."""
        routes = [route for route in self.routes if route.interface == own.index]
        by = {route.way.gateway for route in routes if not route.way.prefix}
        ours = {route.way for route in routes if route.protocol == links.OURS}
        addressed = set(wanted.addresses) <= set(self.addresses.get(own.index, ()))
        return own.up and addressed and set(wanted.gateways) <= by and ours == set(wanted.ways)


def _read(path: str) -> _Inside:
    with namespaces.entered(path):
        return _Inside(links.links(), links.addresses(), links.routes(), links.rates())


def setup(network: Network, addresses: Sequence[str], gateways: Sequence[str]) -> Setup:
    """How a container's interface on a network is to be."""
    own = {bits_of(each) for each in addresses}
    ways = [each.way for each in network.routes or () if each.destination.bits in own]
    return Setup([*map(network.with_prefix, addresses)], gateways, network.mtu or 0, ways)


def lead_out(layout: Layout, networks: Sequence[str]) -> list[tuple[str, str]]:
    """The networks by which a container on these gets outside, each with the gateway there: one for each family."""
    found = []
    for bits in (BITS4, BITS6):
        network = reached_on(layout, networks, bits)
        if network:
            found.append((network, str(of_family(declared_network(layout, network).gateways, bits))))
    return found


def targets(layout: Layout, identity: str, networks: Sequence[str]) -> tuple[str, ...]:
    """The addresses to which ports of the host lead, one for each family in which there is one."""
    found = []
    for bits in (BITS4, BITS6):
        network = reached_on(layout, networks, bits)
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
        mapped, heard = firewall.read_ports(), listening()
    for key, (address, _) in mapped.items():
        other = Port(*key, 0)
        for port in wanted:
            if address not in own and port.meets(other):
                reason = f"it leads to the container at {address}"
                raise InvalidValue("published_ports", str(port), reason, "take another port of the host")
    for port in wanted:
        for socket in heard:
            if port.meets(socket):
                place = f"{socket.protocol} {socket.place or f'port {socket.host_port}'}"
                reason = f"a program of the host listens on {place}"
                raise InvalidValue("published_ports", str(port), reason, "take another port, or stop that program")
