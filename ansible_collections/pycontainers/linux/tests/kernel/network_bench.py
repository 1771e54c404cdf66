# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network bench: networks, namespaces in the place of containers, a neighbour outside, and real traffic between them.

The test process is the host. A socket belongs to the namespace that it was made in, so one process can hold
both ends of a connection.
"""
from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, Plan, apply, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links, namespaces, netlink
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    endpoint,
    endpoint_plan,
    leases,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.attachments import (
    Attachment,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.attachments import (
    networks as parse_networks,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network import NETWORK
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_model import Network, names
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import parse_ports

HOST, NEIGHBOUR = "192.0.2.1", "192.0.2.2"
HOST6, NEIGHBOUR6 = "2001:db8::1", "2001:db8::2"
PATIENCE, IMPATIENCE = 20.0, 0.4
"""Seconds to wait for traffic that should get through (TCP asks again after one), and for what should be dropped."""


class Bench:
    """Networks and containers of one layout; ``close`` removes all of them."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.sockets = ExitStack()
        self.asked = 0
        self.containers: dict[str, tuple[Attachment, ...]] = {}

    def network(self, name: str, check: bool = False, **options: Any) -> Outcome[Network]:
        """Declare a network."""
        return converge(NETWORK, self.layout, parse(Network, {"name": name, **options}), check)

    def container(self, identity: str, *networks: Any, ports: tuple[str, ...] = ()) -> str:
        """Attach a namespace to networks, publish ports, and return its first address."""
        self.containers[identity] = wanted = parse_networks(networks)
        held = leases.held(self.layout, identity)
        steps = endpoint_plan.attach_steps(self.layout, identity, wanted, held)
        steps += endpoint_plan.publish_steps(self.layout, identity, wanted, parse_ports(list(ports)))
        apply(Plan(steps))
        return self.addresses(identity)[0] if networks else ""

    def addresses(self, identity: str) -> tuple[str, ...]:
        """The addresses of a container on its first network, that of IPv4 first."""
        return leases.addresses_of(self.layout, self.containers[identity][0].name, identity)

    def remove(self, identity: str) -> None:
        """Take a container away with all that it had."""
        networks = self.containers.pop(identity)
        published = endpoint.observe_ports(self.layout, identity)
        steps = endpoint_plan.unpublish_steps(self.layout, identity, networks, published)
        steps += endpoint_plan.detach_steps(self.layout, identity, networks)
        apply(Plan(steps + endpoint_plan.release_steps(self.layout, identity, leases.held(self.layout, identity))))

    def neighbour(self) -> str:
        """Another machine on the host's own network, which sends everything else to the host; return its name."""
        path = self.layout.netns("neighbour")
        namespaces.pin(path)
        netlink.create_bridge("uplink0", "02:00:00:00:00:01")
        self.sockets.callback(namespaces.unpin, path)
        self.sockets.callback(netlink.delete_link, "uplink1")
        self.sockets.callback(netlink.delete_link, "uplink0")
        netlink.add_address("uplink0", f"{HOST}/24")
        netlink.add_address("uplink0", f"{HOST6}/64")
        netlink.set_up("uplink0", True)
        netlink.create_veth("uplink1", "uplink0", path, "eth0", "02:00:00:00:00:02", 1500)
        netlink.configure(path, "eth0", netlink.Setup([f"{NEIGHBOUR}/24", f"{NEIGHBOUR6}/64"], [HOST, HOST6]))
        return "neighbour"

    def listen(
        self, where: str | None, port: int, kind: int = socket.SOCK_STREAM, family: int = socket.AF_INET
    ) -> socket.socket:
        """Listen in a container (None: on the host)."""
        waiting = self._socket(where, kind, family)
        waiting.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", port))
        if kind == socket.SOCK_STREAM:
            waiting.listen()
        return waiting

    def reach(
        self, where: str | None, address: str, port: int, waiting: socket.socket, patience: float = PATIENCE
    ) -> str:
        """Connect from a container (None: the host), say something, and return the address that ``waiting`` sees.

        Raises ``OSError`` if nothing gets through.
        """
        self.asked += 1
        calling, question = self._socket(where, waiting.type, waiting.family), f"question {self.asked}".encode()
        calling.settimeout(patience)
        try:
            calling.connect((address, port))
            calling.send(question)
            seen = self._answered(waiting, question)
            assert calling.recv(100) == b"answer"
        except OSError:
            calling.close()
            raise
        return seen

    def _answered(self, waiting: socket.socket, question: bytes) -> str:
        """Answer a question, and return who has asked. What comes late of an earlier one is passed over."""
        while True:
            link, peer = waiting, None
            if waiting.type == socket.SOCK_STREAM:
                link, peer = waiting.accept()
                self.sockets.enter_context(link)
                link.settimeout(PATIENCE)
            heard, sender = link.recvfrom(100)
            peer = peer or sender
            if heard == question:
                link.sendto(b"answer", peer)
                seen: str = peer[0]
                return seen

    @contextmanager
    def without_own_loopback(self, where: str) -> Iterator[None]:
        """Have a namespace send 127.0.0.0/8 to its gateway, as only someone who means harm does."""
        gateway = HOST if where == "neighbour" else "10.88.1.1"
        commands = (
            "sysctl -qw net.ipv4.conf.eth0.route_localnet=1",
            "ip addr flush dev lo",
            "ip route flush table local match 127.0.0.0/8",
            f"ip route add 127.0.0.0/8 via {gateway} dev eth0",
        )
        with namespaces.entered(self.layout.netns(where)):
            for command in commands:
                subprocess.run(command.split(), check=True)
        yield

    def mtu(self, where: str, interface: str) -> int:
        """The MTU of an interface in a container."""
        return links.links(self.layout.netns(where))[interface].mtu

    def close(self) -> None:
        """Remove containers, networks, the neighbour and all sockets."""
        for identity in list(self.containers):
            self.remove(identity)
        for name in names(self.layout):
            self.network(name, state="absent")
        self.sockets.close()

    def _socket(self, where: str | None, kind: int, family: int) -> socket.socket:
        with namespaces.entered(self.layout.netns(where)) if where else nullcontext():
            made = self.sockets.enter_context(socket.socket(family, kind))
        made.settimeout(PATIENCE)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        return made
