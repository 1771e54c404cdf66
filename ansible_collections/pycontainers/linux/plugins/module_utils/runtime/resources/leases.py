# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which container has which address: one file per network, ``{address: container id}``, changed under its lock.

A lease is taken before the interface is made and kept until the container is removed, so that a container has
its addresses, one of each family that the network has, for life.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from . import network_parent
from .addresses import BITS4, Subnet, bits_of, number, of_family, written
from .network_model import Network, declared_network, names, networks_lock


def read(layout: Layout, network: str) -> dict[str, str]:
    """Container ids by address."""
    return store.read_json(layout.leases(network)) or {}


def held(layout: Layout, identity: str) -> dict[str, tuple[str, ...]]:
    """The addresses of a container by network, that of IPv4 first."""
    found = {}
    for network in names(layout):
        if own := _of(read(layout, network), identity):
            found[network] = own
    return found


def addresses_of(layout: Layout, network: str, identity: str) -> tuple[str, ...]:
    """The addresses of a container on a network, that of IPv4 first."""
    return _of(read(layout, network), identity)


def _of(taken: dict[str, str], identity: str) -> tuple[str, ...]:
    own = [address for address, holder in taken.items() if holder == identity]
    return tuple(sorted(own, key=bits_of))


def free(network: Network, taken: Iterable[str], subnet: Subnet) -> str:
    """The lowest address of one of a network's subnets that nobody has. Raises :class:`Failure` if it is full."""
    used = {number(each) for each in (*taken, *network.gateways)}
    given = network.range_of(subnet)
    for address in range(max(subnet.base + 1, given.base), min(subnet.last, given.last + 1)):
        if address not in used:
            return written(address, subnet.bits)
    raise Failure(
        f"give a container an address on the network {network.name}",
        f"all of {given} are taken",
        "remove containers from it, or make a network with a larger subnet",
    )


def check(network: Network, taken: dict[str, str], identity: str | None, wanted: Sequence[str]) -> None:
    """Refuse what :func:`take` would. Raises :class:`Failure`."""
    others = {address: holder for address, holder in taken.items() if holder != identity}
    _chosen(network, others, tuple(address for address in taken if address not in others), wanted)


def take(layout: Layout, network: str, identity: str, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """Give a container its addresses on a network, one of each family: ``wanted``, those it has, or free ones.

    Raises :class:`Failure` if it can't have those that are wanted, or all are taken.
    """
    # While a network is changed nobody comes to it: whoever changes it has seen that nobody is there.
    with networks_lock(layout, shared=True), store.lock(lock_path(layout, network)):
        known, taken = declared_network(layout, network), read(layout, network)
        others = {address: holder for address, holder in taken.items() if holder != identity}
        chosen = _chosen(known, others, _of(taken, identity), wanted)
        if chosen != _of(taken, identity):
            store.write_json(layout.leases(network), {**others, **dict.fromkeys(chosen, identity)})
        return chosen


def _chosen(network: Network, others: dict[str, str], has: Sequence[str], wanted: Sequence[str]) -> tuple[str, ...]:
    found = []
    others = others | network_parent.taken_by_host(network)
    for subnet in network.subnets:
        asked, own = of_family(wanted, subnet.bits), of_family(has, subnet.bits)
        if asked:
            _refuse(network, subnet, asked, others)
        found.append(asked or own or free(network, others, subnet))
    for each in wanted:
        if each not in found:
            reason = f"the network has no subnet of IPv{4 if bits_of(each) == BITS4 else 6}"
            raise Failure(f"give a container {each} on the network {network.name}", reason, "leave the address out")
    return tuple(found)


def _refuse(network: Network, subnet: Subnet, asked: str, others: dict[str, str]) -> None:
    reason = ""
    if not subnet.usable(asked):
        reason = f"no container can have it in the subnet {subnet}"
    elif asked in network.gateways:
        reason = "it is the gateway's"
    elif asked in others:
        holder = others[asked]
        reason = f"the {holder if holder == network_parent.HOST else f'container {holder[:12]}'} has it"
    if reason:
        operation = f"give a container {asked} on the network {network.name}"
        raise Failure(operation, reason, "give another address, or leave it out")


def put_back(layout: Layout, network: str, identity: str, before: Sequence[str]) -> None:
    """Have a container's addresses be those that it had before, as far as nobody has taken them meanwhile."""
    with store.lock(lock_path(layout, network)):
        taken = read(layout, network)
        others = {address: holder for address, holder in taken.items() if holder != identity}
        now = others | {address: identity for address in before if address not in others}
        if now != taken:
            store.write_json(layout.leases(network), now)


def lock_path(layout: Layout, network: str) -> str:
    """Where the lock of a network's leases is."""
    return layout.lock(f"leases-{network}")
