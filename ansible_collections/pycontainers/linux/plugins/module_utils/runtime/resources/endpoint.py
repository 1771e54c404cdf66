# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container on its networks: what is there now, and the steps that attach, detach, publish.

A namespace is pinned for the container, a lease taken on each network, and a veth pair laid from the namespace
(eth0, eth1, …) to the network's bridge. All names follow from the container's id and its address, so every step
can find what an earlier, killed run has left, and does nothing where all is right.
"""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..core.layout import Layout
from ..errors import InvalidValue, failing
from ..kernel import links, namespaces
from . import firewall, leases
from .listeners import listening
from .network_model import declared_network, host_interface, mac, with_prefix
from .ports import Port


@dataclass(frozen=True)
class Endpoint:
    """A container's place on a network. ``present`` says whether the kernel has all of it, up and connected."""

    network: str
    address: str
    prefix: int
    mac: str
    gateway: str
    interface: str
    host_interface: str
    present: bool


def observe_endpoint(layout: Layout, identity: str) -> dict[str, Endpoint]:
    """Where a container is, or while stopped will be, by network. Reads only; raises :class:`Failure`."""
    held = leases.held(layout, identity)
    if not held:
        return {}
    path = layout.netns(identity)
    with failing(f"read the network interfaces of container {identity}"):
        outside = links.links()
        inside = links.links(path) if namespaces.pinned(path) else {}
        addresses = links.addresses(path) if inside else {}
    found = {}
    for network, address in held.items():
        known = declared_network(layout, network)
        host = host_interface(identity, address)
        port, bridge = outside.get(host), outside.get(str(known.bridge_name))
        own = next((link for link in inside.values() if link.mac == mac(address)), None)
        connected = port is not None and bridge is not None and port.master == bridge.index and port.up
        configured = own is not None and own.up and with_prefix(address, known) in addresses.get(own.index, ())
        found[network] = Endpoint(
            network=network,
            address=address,
            prefix=known.range.prefix,
            mac=mac(address),
            gateway=str(known.gateway),
            interface=own.name if own else "",
            host_interface=host,
            present=connected and configured,
        )
    return found


def observe_ports(layout: Layout, identity: str) -> tuple[Port, ...]:
    """The ports that lead to a container now, from the kernel's map. Reads only; raises :class:`Failure`."""
    own = set(leases.held(layout, identity).values())
    if not own:
        return ()
    with failing(f"read the published ports of container {identity}"):
        mapped = firewall.read_ports()
    return tuple(sorted(Port(*key, port) for key, (address, port) in mapped.items() if address in own))


def check_networks(layout: Layout, networks: Iterable[str], identity: str | None = None) -> None:
    """Refuse networks that aren't there or are full. Reads only; raises :class:`Failure`."""
    for network in networks:
        known, taken = declared_network(layout, network), leases.read(layout, network)
        if identity is None or identity not in taken.values():
            leases.free(known, taken)


def port_conflicts(layout: Layout, ports: Iterable[Port], identity: str | None = None) -> None:
    """Refuse ports that a program of the host listens on, or that lead to a container other than ``identity``.

    Reads only; raises :class:`Failure`.
    """
    wanted = tuple(ports)
    if not wanted:
        return
    own = set(leases.held(layout, identity).values()) if identity else set()
    with failing("read the host's published ports"):
        mapped, heard = firewall.read_ports(), listening()
    for key, (address, _) in mapped.items():
        other = Port(*key, 0)
        for port in wanted:
            if address not in own and port.meets(other):
                reason = f"it leads to the container at {address}"
                raise InvalidValue("published_ports", str(port), reason, "take another port of the host")
    for port in wanted:
        for protocol, address, number in heard:
            if port.meets(Port(protocol, address, number, 0)):
                reason = f"a program of the host listens on {protocol} {address}:{number}"
                raise InvalidValue("published_ports", str(port), reason, "take another port, or stop that program")
