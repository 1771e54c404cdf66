# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that connect a container with networks, and lead ports of the host to it.

Each finds the container's address when it acts: which address a lease gave shows only then.
"""
from __future__ import annotations

from itertools import count

from ..core.layout import Layout
from ..errors import Failure
from ..kernel import links, namespaces, netlink
from ..lean.dataclasses import dataclass
from . import firewall, hosts_files, leases
from .attachments import Attachment
from .endpoint import lead_out, own_interface, setup, targets
from .network_model import IPVLAN, Network, declared_network, host_interface, mac
from .network_steps import firewall_of, kernel_with
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
    """Lay a veth pair from the container to the network's bridge, or give it an interface on the network's parent."""

    layout: Layout
    attachment: Attachment
    identity: str

    def describe(self) -> str:
        """The network."""
        return f"connect to network {self.attachment.name}"

    def do(self) -> None:
        """Make the pair. One that is there already stays if it is whole; of half a one the rest is deleted."""
        network, address = _place(self)
        namespace, host = self.layout.netns(self.identity), host_interface(self.identity, address)
        lower = links.link(network.lower)
        if lower is None:
            operation = f"connect container {self.identity} to the network {network.name}"
            raise Failure(operation, f"its interface {network.lower} is not there", "declare the network again")
        inside = links.links(namespace)
        if network.on_parent:
            self._connect_to(lower, network, address, inside)
            return
        bridge = network.lower
        if links.link(host):
            if any(link.mac == _mac(self, address) for link in inside.values()):
                netlink.set_master(host, bridge, network.mtu or 0)
                return
            netlink.delete_link(host)
            inside = links.links(namespace)
        mtu = network.mtu or lower.mtu
        netlink.create_veth(host, bridge, namespace, _free_name(inside), _mac(self, address), mtu)

    def _connect_to(self, lower: links.Link, network: Network, address: str, inside: dict[str, links.Link]) -> None:
        """Make an interface on the network's parent, unless there is one."""
        driver, own_mac = str(network.driver), None if network.driver == IPVLAN else _mac(self, address)
        if own_interface(inside, network, lower, own_mac or ""):
            return
        namespace, name = self.layout.netns(self.identity), _free_name(inside)
        with kernel_with(driver, f"{self.describe()} for container {self.identity}"):
            mtu = network.mtu or lower.mtu
            netlink.create_child(driver, lower.name, str(network.mode), namespace, name, own_mac, mtu)

    def undo(self) -> None:
        """Delete what was made."""
        _delete_pair(self)


def _free_name(inside: dict[str, links.Link]) -> str:
    return next(each for each in map("eth{}".format, count()) if each not in inside)


@dataclass(frozen=True)
class Configure:
    """Give the container's interface its addresses, and the default routes if this is the network that leads out."""

    layout: Layout
    attachment: Attachment
    identity: str
    networks: tuple[str, ...]

    def describe(self) -> str:
        """The network."""
        return f"configure interface on network {self.attachment.name}"

    def do(self) -> None:
        """Add the addresses, bring the interface up, set the routes."""
        network, address = _place(self)
        namespace, name = self.layout.netns(self.identity), _own_name(self, network, address)
        held = leases.addresses_of(self.layout, network.name, self.identity)
        gateways = [gateway for name, gateway in lead_out(self.layout, self.networks) if name == network.name]
        netlink.configure(namespace, name, setup(network, held, gateways))

    def undo(self) -> None:
        """Nothing of its own: addresses and routes go with the interface, which is undone next."""


@dataclass(frozen=True)
class Disconnect:
    """Delete the veth pair between the container and the network's bridge, or the interface on its parent."""

    layout: Layout
    attachment: Attachment
    identity: str
    networks: tuple[str, ...]

    def describe(self) -> str:
        """The network."""
        return f"disconnect from network {self.attachment.name}"

    def do(self) -> None:
        """Delete the host's end: the kernel would delete it with the namespace, but only some time later."""
        _delete_pair(self)

    def undo(self) -> None:
        """Connect and configure it again."""
        if leases.addresses_of(self.layout, self.attachment.name, self.identity):
            Connect(self.layout, self.attachment, self.identity).do()
            Configure(self.layout, self.attachment, self.identity, self.networks).do()


@dataclass(frozen=True)
class LeadOut:
    """Have the default routes of a container that runs lead by the networks that it is on now."""

    layout: Layout
    identity: str
    before: tuple[str, ...]
    after: tuple[str, ...]

    def describe(self) -> str:
        """The networks."""
        return f"lead out by the first of {', '.join(self.after) or 'no network'}"

    def do(self) -> None:
        """Replace the routes."""
        self._lead(self.after)

    def undo(self) -> None:
        """Replace them by those that there were. One by an interface that is to come back comes with it."""
        self._lead(self.before)

    def _lead(self, networks: tuple[str, ...]) -> None:
        namespace = self.layout.netns(self.identity)
        there = links.addresses(namespace)
        names = {link.index: link.name for link in links.links(namespace).values()}
        for network, gateway in lead_out(self.layout, networks):
            wanted = setup(
                declared_network(self.layout, network),
                leases.addresses_of(self.layout, network, self.identity),
                [gateway],
            )
            for index in [index for index, addresses in there.items() if set(wanted.addresses) & set(addresses)]:
                netlink.configure(namespace, names[index], wanted)


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
    """Lead ports of the host to the container, and others no more, in one transaction."""

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
        wanted = targets(self.layout, self.identity, self.networks) if add else ()
        for port in add:
            if not firewall.mapped(port, wanted):
                operation = f"publish {port} for container {self.identity}"
                raise Failure(operation, "it has no such address on a network that isn't internal", "attach it first")
        held = [address for each in leases.held(self.layout, self.identity).values() for address in each]
        if held:
            with firewall_of(self.layout, self.describe()):
                firewall.publish(wanted, held, add, remove)


def _place(step: Connect | Configure) -> tuple[Network, str]:
    """The network, and the address that the names of the interfaces follow from."""
    name = step.attachment.name
    addresses = leases.addresses_of(step.layout, name, step.identity)
    if not addresses:
        reason = f"it has no address on the network {name}"
        raise Failure(f"{step.describe()} for container {step.identity}", reason, "attach it first")
    return declared_network(step.layout, name), addresses[0]


def _mac(step: Connect | Configure | Disconnect, address: str) -> str:
    return step.attachment.mac_address or mac(address)


def _own_name(step: Connect | Configure | Disconnect, network: Network, address: str) -> str:
    """The name of the container's interface on the network; empty if there is none."""
    inside, lower = links.links(step.layout.netns(step.identity)), links.link(network.lower)
    own = own_interface(inside, network, lower, _mac(step, address))
    return own.name if own else ""


def _delete_pair(step: Connect | Disconnect) -> None:
    addresses = leases.addresses_of(step.layout, step.attachment.name, step.identity)
    if not addresses:
        return
    network, namespace = declared_network(step.layout, step.attachment.name), step.layout.netns(step.identity)
    if not network.on_parent:
        netlink.delete_link(host_interface(step.identity, addresses[0]))
    elif namespaces.pinned(namespace):
        name = _own_name(step, network, addresses[0])
        if name:
            netlink.delete_link(name, namespace)
