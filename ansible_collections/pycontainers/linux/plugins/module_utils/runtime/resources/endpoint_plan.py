# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that attach a container to its networks and lead ports to it. Pure; apart from what only reads."""
from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..core.layout import Layout
from ..core.plan import Step
from ..errors import Failure
from . import lease_steps
from .attachments import Attachment, names_of
from .endpoint_steps import Configure, Connect, Disconnect, LeadOut, PinNamespace, SetPorts, TellNames, UnpinNamespace
from .ports import Port

Held = Mapping[str, tuple[str, ...]]
"""A container's addresses by network."""


def attach_steps(layout: Layout, identity: str, networks: Sequence[Attachment], held: Held) -> tuple[Step, ...]:
    """Give a container its namespace and its place on each network; the first that isn't internal leads outside.

    ``held`` are addresses that it has already, and keeps if the plan is undone. Without networks only the loopback
    interface is there.
    """
    steps: list[Step] = [PinNamespace(layout.netns(identity))]
    for each in networks:
        steps += _join_steps(layout, identity, each, names_of(networks), held)
    return tuple(steps)


def _join_steps(
    layout: Layout, identity: str, network: Attachment, networks: tuple[str, ...], held: Held
) -> list[Step]:
    return [
        lease_steps.Lease(layout, network.name, identity, held.get(network.name, ()), network.addresses),
        Connect(layout, network, identity),
        Configure(layout, network, identity, networks),
    ]


def detach_steps(layout: Layout, identity: str, networks: Sequence[Attachment]) -> tuple[Step, ...]:
    """Take a container's interfaces and its namespace away; its addresses stay its own.

    The last goes first, so that they come back in their order, by which they are named, where that is undone.
    """
    gone = (Disconnect(layout, each, identity, names_of(networks)) for each in reversed(networks))
    return (*gone, UnpinNamespace(layout.netns(identity)))


def change_steps(
    layout: Layout,
    identity: str,
    want: Sequence[Attachment],
    have: Sequence[Attachment],
    held: Held,
    well: Sequence[str],
) -> tuple[Step, ...]:
    """Bring a container that runs from the networks it ``have`` to those it is to be on.

    An address or a MAC address that is to be another one takes a new interface. What is ``well`` is not touched.
    """
    now, names = {each.name: each for each in have}, names_of(want)
    leaving = [name for name in held if name not in names]
    renewed = [each.name for each in want if each.name in held and _differs(each, now.get(each.name), held[each.name])]
    steps: list[Step] = []
    # As in detach_steps; one that is not in the record was made last.
    order = {name: place for place, name in enumerate(now)}
    for name in sorted((*leaving, *renewed), key=lambda each: -order.get(each, len(order))):
        steps.append(Disconnect(layout, now.get(name, Attachment(name)), identity, names_of(have)))
    steps += release_steps(layout, identity, {name: held[name] for name in leaving})
    if names != names_of(have):
        # Before others come, whose routes take the place of what is there: undone after them, it brings that back.
        steps.append(LeadOut(layout, identity, names_of(have), names))
    for each in want:
        # One that is not in the record may be half made: a killed run has begun it.
        if each.name not in well or each.name not in now or each.name in renewed:
            steps += _join_steps(layout, identity, each, names, held)
    return tuple(steps)


def _differs(want: Attachment, have: Attachment | None, addresses: Sequence[str]) -> bool:
    """Whether the interface that there is can't stay."""
    return not set(want.addresses) <= set(addresses) or want.mac_address != (have or want).mac_address


def release_steps(layout: Layout, identity: str, held: Held) -> tuple[Step, ...]:
    """Take back a container's addresses when it is removed. To come after :func:`unpublish_steps`."""
    return tuple(lease_steps.Release(layout, network, identity, addresses) for network, addresses in held.items())


def publish_steps(
    layout: Layout,
    identity: str,
    networks: Sequence[Attachment],
    ports: tuple[Port, ...],
    before: tuple[Port, ...] = (),
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
    return (SetPorts(layout, names_of(networks), identity, add, remove),)


def unpublish_steps(
    layout: Layout, identity: str, networks: Sequence[Attachment], before: tuple[Port, ...]
) -> tuple[Step, ...]:
    """Lead none of the ports ``before`` to the container any more."""
    return publish_steps(layout, identity, networks, (), before)


def tell_steps(layout: Layout, networks: Sequence[str]) -> tuple[Step, ...]:
    """Let all that run on these networks know each other by name."""
    return (TellNames(layout, tuple(dict.fromkeys(networks))),) if networks else ()
