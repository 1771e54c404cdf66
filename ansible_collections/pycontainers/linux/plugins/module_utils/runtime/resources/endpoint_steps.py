# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that connect a container with networks, and lead ports of the host to it.

Each finds the container's address when it acts: which address a lease gave shows only then.
"""
from __future__ import annotations

from dataclasses import dataclass

from ..core.layout import Layout
from ..errors import Failure
from ..kernel import links, namespaces, netlink
from . import firewall, hosts_files, leases
from .network_model import declared_network, host_interface, mac, reached_on, with_prefix
from .network_steps import firewall_of
from .ports import Port


@dataclass(frozen=True)
class PinNamespace:
    """Make the container's network namespace."""

    path: str

    def describe(self) -> str:
        """The place."""
        return f"create network namespace {self.path}"

    def do(self) -> None:
        """Pin a new one with its loopback interface up, unless one is there."""
        if not namespaces.pinned(self.path):
            namespaces.unpin(self.path)
            namespaces.pin(self.path)

    def undo(self) -> None:
        """Let go of it."""
        namespaces.unpin(self.path)


@dataclass(frozen=True)
class UnpinNamespace:
    """Let go of the container's network namespace, which no process is in by now."""

    path: str

    def describe(self) -> str:
        """The place."""
        return f"remove network namespace {self.path}"

    def do(self) -> None:
        """Unmount it and remove the file."""
        namespaces.unpin(self.path)

    def undo(self) -> None:
        """Pin a new one."""
        if not namespaces.pinned(self.path):
            namespaces.pin(self.path)


@dataclass(frozen=True)
class Connect:
    """Lay a veth pair from the container to the network's bridge."""

    layout: Layout
    network: str
    identity: str
    interface: str

    def describe(self) -> str:
        """Interface and network."""
        return f"connect {self.interface} to network {self.network}"

    def do(self) -> None:
        """Make the pair. One that is there already stays if it is whole; of half a one the rest is deleted."""
        network, address = declared_network(self.layout, self.network), _address(self)
        bridge, host = str(network.bridge_name), host_interface(self.identity, address)
        namespace, outside = self.layout.netns(self.identity), links.links()
        if bridge not in outside:
            operation = f"connect container {self.identity} to the network {self.network}"
            raise Failure(operation, f"its bridge {bridge} is not there", "declare the network again")
        if host in outside:
            if any(link.mac == mac(address) for link in links.links(namespace).values()):
                netlink.set_master(host, bridge)
                return
            netlink.delete_link(host)
        netlink.create_veth(host, bridge, namespace, self.interface, mac(address), outside[bridge].mtu)

    def undo(self) -> None:
        """Delete the pair."""
        address = leases.address_of(self.layout, self.network, self.identity)
        if address:
            netlink.delete_link(host_interface(self.identity, address))


@dataclass(frozen=True)
class Configure:
    """Give the container's interface its address, and the default route if no earlier network leads outside."""

    layout: Layout
    network: str
    identity: str
    interface: str
    earlier: tuple[str, ...]

    def describe(self) -> str:
        """Interface and network."""
        return f"configure {self.interface} for network {self.network}"

    def do(self) -> None:
        """Add the address, bring the interface up, set the route."""
        network, address = declared_network(self.layout, self.network), _address(self)
        first = all(declared_network(self.layout, name).internal for name in self.earlier)
        gateway = network.gateway if first and not network.internal else None
        netlink.configure(self.layout.netns(self.identity), self.interface, with_prefix(address, network), gateway)

    def undo(self) -> None:
        """Nothing of its own: address and route go with the interface, which is undone next."""


@dataclass(frozen=True)
class Disconnect:
    """Delete the veth pair between the container and the network's bridge."""

    layout: Layout
    network: str
    identity: str
    interface: str
    earlier: tuple[str, ...]

    def describe(self) -> str:
        """Interface and network."""
        return f"disconnect {self.interface} from network {self.network}"

    def do(self) -> None:
        """Delete the host's end: the kernel would delete it with the namespace, but only some time later."""
        address = leases.address_of(self.layout, self.network, self.identity)
        if address:
            netlink.delete_link(host_interface(self.identity, address))

    def undo(self) -> None:
        """Connect and configure it again."""
        if leases.address_of(self.layout, self.network, self.identity):
            Connect(self.layout, self.network, self.identity, self.interface).do()
            Configure(self.layout, self.network, self.identity, self.interface, self.earlier).do()


@dataclass(frozen=True)
class TellNames:
    """Let those that run on networks know each other by name."""

    layout: Layout
    networks: tuple[str, ...]

    def describe(self) -> str:
        """The networks."""
        return f"write names of containers on {', '.join(self.networks)}"

    def do(self) -> None:
        """Write the hosts files of all of them."""
        hosts_files.tell(self.layout, self.networks)

    def undo(self) -> None:
        """Nothing: what the files say follows from what runs."""


@dataclass(frozen=True)
class SetPorts:
    """Lead ports of the host to the container, and others no more: each address's ports in one transaction."""

    layout: Layout
    networks: tuple[str, ...]
    identity: str
    add: tuple[Port, ...]
    remove: tuple[Port, ...]

    def describe(self) -> str:
        """The ports."""
        parts = ("publish", self.add), ("unpublish", self.remove)
        return ", ".join(f"{verb} {' '.join(map(str, ports))}" for verb, ports in parts if ports)

    def do(self) -> None:
        """Change the map."""
        self._change(self.add, self.remove)

    def undo(self) -> None:
        """Change it back."""
        self._change(self.remove, self.add)

    def _change(self, add: tuple[Port, ...], remove: tuple[Port, ...]) -> None:
        # What is internal is looked at now: the declaration may have changed since ports were led to an address.
        network = reached_on(self.layout, self.networks) if add else None
        wanted = leases.address_of(self.layout, network, self.identity) if network else None
        if add and wanted is None:
            operation = f"{self.describe()} for container {self.identity}"
            raise Failure(operation, "it has no address on a network that isn't internal", "attach it first")
        held = leases.held(self.layout, self.identity).values()
        if not held:
            return
        with firewall_of(self.layout, self.describe()):
            for address in held:
                if address != wanted:
                    firewall.publish(address, (), remove)
            if wanted:
                firewall.publish(wanted, add, remove)


def _address(step: Connect | Configure) -> str:
    address = leases.address_of(step.layout, step.network, step.identity)
    if address is None:
        reason = f"it has no address on the network {step.network}"
        raise Failure(f"{step.describe()} for container {step.identity}", reason, "attach it first")
    return address
