# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that give a container a network by a program, and have it lead ports there."""
from __future__ import annotations

from ..core.layout import Layout
from ..core.plan import Step
from ..kernel import namespaces
from ..lean.dataclasses import dataclass
from ..oci import user_network_program
from ..oci.user_network import SLIRP, UserNetwork
from ..oci.waiter import WAITERS
from . import user_network
from .container_model import Container
from .ports import Port


@dataclass(frozen=True)
class StartUserNetwork:
    """The step that starts the program of a container's network. The network namespace is there."""

    layout: Layout
    identity: str
    network: UserNetwork

    def describe(self) -> str:
        """Which program."""
        return f"start {self.network.program} for the container's network"

    def do(self) -> None:
        """Start it, unless it is well."""
        if not user_network.well(self.layout, self.identity, self.network):
            start(self.layout, self.identity, self.network)

    def undo(self) -> None:
        """End it."""
        user_network_program.end(self.layout.running(self.identity))


@dataclass(frozen=True)
class EndUserNetwork:
    """The step that ends the program of a container's network."""

    layout: Layout
    identity: str
    network: UserNetwork

    def describe(self) -> str:
        """Which program."""
        return f"end {self.network.program} of the container's network"

    def do(self) -> None:
        """End it."""
        user_network_program.end(self.layout.running(self.identity))

    def undo(self) -> None:
        """Start it again."""
        StartUserNetwork(self.layout, self.identity, self.network).do()


@dataclass(frozen=True)
class LeadPorts:
    """The step that has the program lead other ports to the container. Pasta takes another process for it."""

    layout: Layout
    identity: str
    network: UserNetwork
    before: tuple[Port, ...]
    after: tuple[Port, ...]

    def describe(self) -> str:
        """The ports."""
        come = [str(port) for port in self.after if port not in self.before]
        go = [str(port) for port in self.before if port not in self.after]
        return ", ".join(f"{verb} {' '.join(ports)}" for verb, ports in (("publish", come), ("unpublish", go)) if ports)

    def do(self) -> None:
        """Lead them."""
        self._lead(self.after, self.before)

    def undo(self) -> None:
        """Lead what was led."""
        self._lead(self.before, self.after)

    def _lead(self, wanted: tuple[Port, ...], now: tuple[Port, ...]) -> None:
        folder = self.layout.running(self.identity)
        if not wanted and not user_network_program.running(folder):
            return
        asked = user_network.forwards(self.network, wanted)
        if self.network.program == SLIRP:
            StartUserNetwork(self.layout, self.identity, self.network).do()
            user_network_program.lead(folder, asked)
        elif set(user_network_program.forwards(folder) or ()) != set(asked):
            try:
                start(self.layout, self.identity, self.network, wanted)
            except BaseException:
                start(self.layout, self.identity, self.network, now)
                raise


def start(layout: Layout, identity: str, network: UserNetwork, ports: tuple[Port, ...] = ()) -> None:
    """Start the program, in place of one that there is. Raises :class:`Failure`."""
    place = layout.netns(identity)
    namespaces.expect_peer(place, router=network.program == SLIRP and network.ipv6)
    asked = user_network.forwards(network, ports)
    log = layout.container(identity, user_network.LOG)
    user_network_program.start(network, layout.running(identity), log, (place, ""), asked, WAITERS)


def attach_steps(layout: Layout, container: Container) -> tuple[Step, ...]:
    """Have a program make the network of a container, if it asks for that. Its namespace is there."""
    network = user_network.of(container)
    return (StartUserNetwork(layout, container.id or "", network),) if network else ()


def detach_steps(layout: Layout, container: Container) -> tuple[Step, ...]:
    """End the program, if the container has one."""
    network = user_network.of(container)
    return (EndUserNetwork(layout, container.id or "", network),) if network else ()


def publish_steps(
    layout: Layout, container: Container, network: UserNetwork, ports: tuple[Port, ...], before: tuple[Port, ...]
) -> tuple[Step, ...]:
    """Lead just these ports to a container; ``before`` are those that are led there now."""
    same = sorted(ports) == sorted(before)
    return () if same else (LeadPorts(layout, container.id or "", network, before, ports),)


def mend_steps(layout: Layout, want: Container, have: Container, network: UserNetwork) -> tuple[Step, ...]:
    """Start a program that has ended, and lead the ports that are wanted."""
    well = want.attached == have.attached
    led = (have.published_ports or ()) if well else ()
    started = () if well else attach_steps(layout, want)
    return (*started, *publish_steps(layout, want, network, want.published_ports or (), led))
