# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which container has which address: one file per network, ``{address: container id}``, changed under its lock.

A lease is taken before the interface is made and kept until the container is removed, so that a container has
its address for life.
"""
from __future__ import annotations

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from .addresses import dotted, number
from .network_model import Network, declared_network, names


def read(layout: Layout, network: str) -> dict[str, str]:
    """Container ids by address."""
    return store.read_json(layout.leases(network)) or {}


def held(layout: Layout, identity: str) -> dict[str, str]:
    """The addresses of a container, by network."""
    found = {}
    for network in names(layout):
        for address, holder in read(layout, network).items():
            if holder == identity:
                found[network] = address
    return found


def address_of(layout: Layout, network: str, identity: str) -> str | None:
    """The address of a container on a network."""
    return next((address for address, holder in read(layout, network).items() if holder == identity), None)


def free(network: Network, taken: dict[str, str]) -> str:
    """The lowest address that nobody has. Raises :class:`Failure` if the network is full."""
    used = {number(address) for address in taken} | {number(network.gateway or "0.0.0.0")}
    for address in range(network.range.base + 1, network.range.last):
        if address not in used:
            return dotted(address)
    raise Failure(
        f"give a container an address on the network {network.name}",
        f"all of {network.subnet} are taken",
        "remove containers from it, or make a network with a larger subnet",
    )


def take(layout: Layout, network: str, identity: str, wanted: str | None = None) -> str:
    """Give a container its address on a network: the one it has, else ``wanted``, else a free one."""
    with store.lock(lock_path(layout, network)):
        known, taken = declared_network(layout, network), read(layout, network)
        has = next((address for address, holder in taken.items() if holder == identity), None)
        if has:
            return has
        address = wanted if wanted and wanted not in taken else free(known, taken)
        store.write_json(layout.leases(network), {**taken, address: identity})
        return address


def release(layout: Layout, network: str, identity: str) -> None:
    """Let go of a container's address; that it has none is fine."""
    with store.lock(lock_path(layout, network)):
        taken = read(layout, network)
        rest = {address: holder for address, holder in taken.items() if holder != identity}
        if rest != taken:
            store.write_json(layout.leases(network), rest)


def lock_path(layout: Layout, network: str) -> str:
    """Where the lock of a network's leases is."""
    return layout.lock(f"leases-{network}")
