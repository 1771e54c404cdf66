# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container whose network a program makes (``network_mode`` slirp4netns or pasta): what is there, what can't be.

The container has a network namespace of its own, and the program runs as long as that is pinned. What it is called by
is in the run folder of the container, and what it says in the container's folder.
"""
from __future__ import annotations

from typing import Any

from ..core.kinds import UNLIMITED
from ..core.layout import Layout
from ..errors import Failure, InvalidValue
from ..kernel import links, namespaces, programs
from ..lean.dataclasses import replace
from ..oci import user_network, user_network_program
from ..oci.user_network import INTERFACE, PACKAGES, SLIRP, Forward, UserNetwork
from .addresses import BITS4, bits_of
from .container_model import Container
from .name_kinds import HOST_GATEWAY
from .ports import ANY, EVERY, Port
from .rates import show_rate

LOG = "network.log"
"""What the program says, in the container's folder."""


def of(container: Container) -> UserNetwork | None:
    """What a container asks of a program; None if it does not ask for one."""
    return user_network.asked(container.network_mode or "")


def check(container: Container, network: UserNetwork) -> None:
    """Refuse what such a network can't do, and one whose program is missing. Raises :class:`InvalidValue`."""
    mode = str(network)
    if programs.find(network.program) is None:
        reason = f"there is no program {network.program} in PATH"
        raise InvalidValue("network_mode", mode, reason, f"install the package {PACKAGES[network.program]}")
    for name in ("ingress_rate", "egress_rate"):
        rate = getattr(container, name)
        if rate not in (None, UNLIMITED):
            raise InvalidValue(name, show_rate(rate), f"with network_mode={mode} nothing holds to it", "leave it out")
    if any(address == HOST_GATEWAY for _, address in container.etc_hosts or ()) and not network.host_loopback:
        fix = "allow_host_loopback=true" if network.program == SLIRP else "--map-gw"
        reason = f"with network_mode={mode} the host's loopback interface can't be reached"
        raise InvalidValue("etc_hosts", HOST_GATEWAY, reason, f"add the option {fix}")
    check_ports(container.published_ports or (), network, "published_ports")


def check_ports(ports: tuple[Port, ...], network: UserNetwork, option: str) -> None:
    """Refuse ports that a program can't lead to a container. Raises :class:`InvalidValue`."""
    inside: dict[tuple[str, int], int] = {}
    for port in ports:
        if port.protocol == "sctp":
            raise InvalidValue(option, str(port), f"{network.program} knows no sctp", "take tcp or udp")
        ipv6 = port.address and bits_of(port.address) != BITS4
        if ipv6 and (network.program == SLIRP or not network.ipv6):
            raise InvalidValue(option, str(port), f"{network} leads ports by IPv4 only", "take an address of IPv4")
        leads = inside.setdefault((port.protocol, port.host_port), port.container_port)
        if network.program != SLIRP and leads != port.container_port:
            reason = f"pasta leads port {port.host_port} of all addresses to one port, and another says {leads}"
            raise InvalidValue(option, str(port), reason, "take another port of the host")


def forwards(network: UserNetwork, ports: tuple[Port, ...]) -> tuple[Forward, ...]:
    """Ports as the program is told of them; slirp4netns has every address of IPv4 for every one."""
    every = (EVERY, ANY) if network.program == SLIRP else (EVERY,)
    return tuple(
        Forward(port.protocol, "" if port.address in every else port.address, port.host_port, port.container_port)
        for port in ports
    )


def ports(layout: Layout, identity: str, recorded: tuple[Port, ...] = ()) -> tuple[Port, ...]:
    """The ports that a program leads to a container now; those of the record as they are there. Reads only."""
    found = user_network_program.forwards(layout.running(identity)) or ()
    led = {Port(*each) for each in found}
    # slirp4netns does not tell every address from every one of IPv4.
    every = {port: replace(port, address=EVERY if port.address == ANY else port.address) for port in recorded}
    told = {found: port for port, found in every.items()} | {port: port for port in recorded}
    return tuple(sorted(told.get(port, port) for port in led))


def held_ports(layout: Layout, identity: str) -> tuple[Port, ...]:
    """The ports of the host that a container's program holds, whether it is well or not."""
    return tuple(Port(*each) for each in user_network_program.held(layout.running(identity)))


def observe(layout: Layout, container: Container, network: UserNetwork) -> dict[str, Any]:
    """The readings of a container that runs: whether its program is well, and the ports that it leads there."""
    identity = container.id or ""
    attached = (network.program,) if well(layout, identity, network) else ()
    return {"attached": attached, "published_ports": ports(layout, identity, container.published_ports or ())}


def well(layout: Layout, identity: str, network: UserNetwork) -> bool:
    """Whether a container's program runs and answers, and its interface is as it made it."""
    if user_network_program.forwards(layout.running(identity)) is None:
        return False
    place = layout.netns(identity)
    there = links.links(place).get(INTERFACE) if namespaces.pinned(place) else None
    return there is not None and there.up and network.guest in ("", address(layout, identity))


def address(layout: Layout, identity: str) -> str:
    """The address of IPv4 that a container has of its program, "" if none."""
    place = layout.netns(identity)
    if not namespaces.pinned(place):
        return ""
    there = links.links(place).get(INTERFACE)
    found = links.addresses(place).get(there.index, ()) if there else ()
    own = (each.partition("/")[0] for each in found)
    return next((each for each in own if bits_of(each) == BITS4), "")


def gateway(layout: Layout, identity: str, network: UserNetwork) -> str:
    """The address by which the host's loopback interface is reached; pasta's is that of the container's router.

    Raises :class:`Failure` where there is none.
    """
    if network.gateway:
        return network.gateway
    ways = [route.way for route in links.routes(layout.netns(identity)) if not route.way.prefix]
    found = next((way.gateway for way in ways if way.gateway and bits_of(way.gateway) == BITS4), "")
    if not found:
        raise Failure(f"find {HOST_GATEWAY} for container {identity[:12]}", "the host has no default route of IPv4")
    return found


def running(layout: Layout, identity: str) -> str | None:
    """Which program runs for a container, if one does."""
    found = user_network_program.known(layout.running(identity))
    return found.program if found and found.process.alive else None
