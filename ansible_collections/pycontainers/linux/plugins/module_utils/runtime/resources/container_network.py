# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``network_mode``: in whose network namespace a container is, and what follows from that.

In one of its own it has the networks that it asks for. One that it shares is somebody else's: its networks, ports and
names are, too. Another container's is pinned while that is started, so that it holds across its restarts.
"""
from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import suppress

from ..core import store
from ..core.layout import Layout
from ..core.plan import Step
from ..errors import Failure, InvalidValue, NotFound
from ..kernel import namespaces, syscalls
from . import (
    container_state,
    endpoint,
    endpoint_plan,
    hosts_files,
    rates,
    resolvers,
    user_network,
    user_network_steps,
)
from .container_kinds import HOST, OTHER, PATH, PRIVATE, own_network
from .container_model import Container
from .ports import Port
from .rate_steps import rate_steps

FILES = ("hostname", "hosts", "resolv.conf")
"""The files of /etc that tell of the network, and that a container has from us."""

THEIRS = ("networks", "published_ports")
"""What only a container with a network namespace of its own can ask for; of one by a program, only the ports."""

OF_FILES = ("hostname", "domainname", "dns_servers", "dns_search_domains", "dns_opts", "etc_hosts")
"""What one that shares another container's has from that one."""

NS_GET_NSTYPE = 0xB703
"""Which kind of namespace a descriptor is (ioctl_ns(2))."""


def own(container: Container) -> bool:
    """Whether a container has a network namespace of its own."""
    return own_network(container.network_mode)


def path(layout: Layout, container: Container) -> str | None:
    """Where the container's network namespace is pinned; None for the host's. Raises :class:`Failure`."""
    mode = container.network_mode or PRIVATE
    if own(container):
        return layout.netns(container.id or "")
    if mode == HOST:
        return None
    found = mode.removeprefix(PATH) if mode.startswith(PATH) else layout.netns(_other(layout, container).id or "")
    if _is_network(found):
        return found
    if mode.startswith(PATH):
        raise Failure(f"join the network namespace {found}", "there is none at this path", "make it first")
    name = mode.removeprefix(OTHER)
    raise Failure(f"join the network namespace of container {name}", "container not running", "start it first")


def _is_network(place: str) -> bool:
    try:
        if not namespaces.pinned(place):
            return False
        descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return fcntl.ioctl(descriptor, NS_GET_NSTYPE) == syscalls.CLONE_NEWNET
    finally:
        os.close(descriptor)


def _other(layout: Layout, container: Container) -> Container:
    """The container whose namespace this one shares, which is its own. Raises :class:`Failure`."""
    name = (container.network_mode or "").removeprefix(OTHER)
    found = container_state.find(layout, name)
    if not own(found):
        reason = f"it has none of its own, but network_mode={found.network_mode}"
        raise Failure(f"join the network namespace of container {name}", reason, "name that one")
    return found


def check(layout: Layout, container: Container) -> None:
    """Refuse what does not go with the mode, and a namespace that is not there. Raises :class:`InvalidValue`."""
    mode, program = container.network_mode or PRIVATE, user_network.of(container)
    shared = OF_FILES if mode.startswith(OTHER) else ()
    for name in (*(() if mode == PRIVATE else THEIRS[:1] if program else THEIRS), *shared):
        value = getattr(container, name)
        if value:
            shown = [str(each) for each in value] if isinstance(value, tuple) else value
            raise InvalidValue(name, shown, f"network_mode={mode} leaves no room for it", "leave it out")
    if mode == f"{OTHER}{container.name}":
        raise InvalidValue("network_mode", mode, "that is the container itself")
    if program:
        user_network.check(container, program)
    if container.state != "started":
        return
    try:
        path(layout, container)
    except Failure as error:
        reason = "there is no container of this name or id" if isinstance(error, NotFound) else error.reason
        raise InvalidValue("network_mode", mode, reason, error.fix or "start that container first") from error


def attach_steps(layout: Layout, container: Container) -> tuple[Step, ...]:
    """Give a container a namespace of its own with its networks, if that is what it asks for."""
    if not own(container):
        return ()
    identity, networks = container.id or "", container.networks or ()
    programs = user_network_steps.attach_steps(layout, container)
    attached = endpoint_plan.attach_steps(layout, identity, networks, dict(container.held))
    return (*attached, *programs, *rate_steps(layout, identity, networks, rates.FREE, rates_of(container)))


def rates_of(container: Container) -> rates.Rates:
    """How fast a container receives and sends at most."""
    return rates.rates(container.ingress_rate, container.egress_rate)


def detach_steps(layout: Layout, container: Container) -> tuple[Step, ...]:
    """Take it away; its rates first, so that they come back with it where that is undone."""
    if not own(container):
        return ()
    identity, networks = container.id or "", container.networks or ()
    freed = rate_steps(layout, identity, networks, rates_of(container), rates.FREE)
    ended = user_network_steps.detach_steps(layout, container)
    return (*freed, *ended, *endpoint_plan.detach_steps(layout, identity, networks))


def publish_steps(
    layout: Layout, container: Container, ports: tuple[Port, ...], before: tuple[Port, ...] = ()
) -> tuple[Step, ...]:
    """Lead just these ports to a container; ``before`` are those that are led there now."""
    program = user_network.of(container)
    if program:
        return user_network_steps.publish_steps(layout, container, program, ports, before)
    return endpoint_plan.publish_steps(layout, container.id or "", container.networks or (), ports, before)


def observe_ports(layout: Layout, container: Container) -> tuple[Port, ...]:
    """The ports that lead to a container now. Reads only; raises :class:`Failure`."""
    identity = container.id or ""
    return endpoint.observe_ports(layout, identity) + user_network.ports(
        layout, identity, container.published_ports or ()
    )


def check_ports(layout: Layout, container: Container, identity: str | None, freed: Sequence[Port]) -> None:
    """Refuse ports that somebody else has; not those that are ``freed`` by then, or lead to the container ``identity``.

    Reads only; raises :class:`InvalidValue`.
    """
    freed = (*freed, *user_network.held_ports(layout, identity or ""))
    ports = [port for port in container.published_ports or () if not any(map(port.meets, freed))]
    endpoint.port_conflicts(layout, ports, identity)


def host_name(layout: Layout, container: Container) -> str:
    """The name that a container's program has for its host."""
    if container.uts == HOST:
        return os.uname().nodename
    if (container.network_mode or "").startswith(OTHER):
        with suppress(Failure):
            return host_name(layout, _other(layout, container))
    if container.network_mode == HOST and not container.hostname:
        return os.uname().nodename
    return container.hostname or (container.id or "")[:12]


def files(layout: Layout, container: Container, extra: Sequence[tuple[str, str]]) -> list[tuple[str, str, bool]]:
    """Write the files about the network, and tell what is bound where; ``extra`` are addresses with a name each."""
    identity, mode = container.id or "", container.network_mode or PRIVATE
    folder = _other(layout, container).id if mode.startswith(OTHER) else identity
    if folder == identity:
        program = user_network.of(container)
        own_address = user_network.address(layout, identity) if program else ""
        if own_address:
            extra = (*extra, (own_address, host_name(layout, container)))
        hosts_files.prepare(layout, identity, extra, mode == HOST)
        given = container.dns_servers or (), container.dns_search_domains or (), container.dns_opts or ()
        forwarders = program.resolvers if program else ()
        texts = {
            "hostname": f"{host_name(layout, container)}\n",
            "resolv.conf": resolvers.resolvers(*given, loopback=mode == HOST, forwarders=forwarders),
        }
        for name, text in texts.items():
            # Anew, as whatever was bound before was the container's.
            store.write(layout.container(identity, name), text.encode(), 0o644, durable=False)
    return [(layout.container(folder or "", name), f"/etc/{name}", False) for name in FILES]
