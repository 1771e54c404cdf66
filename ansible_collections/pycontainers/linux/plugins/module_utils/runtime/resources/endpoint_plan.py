# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that attach a container to its networks and lead ports to it. Pure; apart from what only reads."""
from __future__ import annotations

from collections.abc import Mapping

from ..core.layout import Layout
from ..core.plan import Step
from ..errors import Failure
from . import lease_steps
from .endpoint_steps import Configure, Connect, Disconnect, PinNamespace, SetPorts, UnpinNamespace
from .ports import Port


def attach_steps(
    layout: Layout, identity: str, networks: tuple[str, ...], held: Mapping[str, str], pinned: bool = False
) -> tuple[Step, ...]:
    """Give a container its namespace and its place on each network; the first that isn't internal leads outside.

    ``held`` are addresses by network that it has already, and keeps if the plan is undone; ``pinned`` says that
    the namespace is there already, and stays then too. Without networks only the loopback interface is there.
    """
    steps: list[Step] = [] if pinned else [PinNamespace(layout.netns(identity))]
    for position, network in enumerate(networks):
        steps += [
            lease_steps.Lease(layout, network, identity, held.get(network)),
            Connect(layout, network, identity, f"eth{position}"),
            Configure(layout, network, identity, f"eth{position}", networks[:position]),
        ]
    return tuple(steps)


def detach_steps(layout: Layout, identity: str, networks: tuple[str, ...]) -> tuple[Step, ...]:
    """Take a container's interfaces and its namespace away; its addresses stay its own."""
    steps: list[Step] = []
    for position, network in enumerate(networks):
        steps.append(Disconnect(layout, network, identity, f"eth{position}", networks[:position]))
    return (*steps, UnpinNamespace(layout.netns(identity)))


def release_steps(layout: Layout, identity: str, held: Mapping[str, str]) -> tuple[Step, ...]:
    """Take back a container's addresses (by network) when it is removed. To come after :func:`unpublish_steps`."""
    return tuple(lease_steps.Release(layout, network, identity, address) for network, address in held.items())


def publish_steps(
    layout: Layout, identity: str, networks: tuple[str, ...], ports: tuple[Port, ...], before: tuple[Port, ...] = ()
) -> tuple[Step, ...]:
    """Lead just these ports to a container, on the first of its networks that isn't internal.

    ``before`` are those that lead there now.
    """
    add = tuple(port for port in ports if port not in before)
    remove = tuple(port for port in before if port not in ports)
    if not add and not remove:
        return ()
    if not networks:
        reason = "the container is on no network"
        raise Failure(f"publish ports of container {identity}", reason, "give it a network, or publish no ports")
    return (SetPorts(layout, networks, identity, add, remove),)


def unpublish_steps(
    layout: Layout, identity: str, networks: tuple[str, ...], before: tuple[Port, ...]
) -> tuple[Step, ...]:
    """Lead none of the ports ``before`` to the container any more."""
    return publish_steps(layout, identity, networks, (), before)
