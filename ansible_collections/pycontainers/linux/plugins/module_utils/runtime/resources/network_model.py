# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network can be asked to be: its rows, its record, and the names that follow from it."""
from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any
from zlib import crc32

from ..core import store
from ..core.kinds import BOOL, NAME, TEXT, TEXTS, text, whole
from ..core.layout import Layout
from ..core.model import Effect, Kind, option, parse, record, rows
from ..errors import Failure, NotFound
from ..lean.dataclasses import dataclass, replace
from .addresses import ADDRESS, ADDRESS6, BITS4, RANGE, RANGE6, SUBNET, SUBNET6, Subnet, bits_of, number
from .container_kinds import LABELS
from .network_routes import ROUTES, Route

_INTERFACE = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,14}", re.ASCII)
_PREFIX = "pyc-"
LONGEST = 15
"""Characters of an interface's name (IFNAMSIZ without the NUL that ends it)."""


def interface(value: Any) -> str:
    """A name that the kernel takes for an interface."""
    if not _INTERFACE.fullmatch(text(value)):
        raise ValueError("an interface's name has 15 characters at most, which are letters, digits, '_', '.' and '-'")
    return str(value)


def packet_size(value: Any) -> int:
    """An MTU in bytes."""
    size = whole(value)
    if not 68 <= size <= 65535:
        raise ValueError("it is not between 68 and 65535 bytes")
    return size


def vlan_number(value: Any) -> int:
    """The number of a VLAN (IEEE 802.1Q)."""
    number = whole(value)
    if not 1 <= number <= 4094:
        raise ValueError("it is not between 1 and 4094")
    return number


INTERFACE = Kind("interface", {"type": "str"}, interface)
VLAN = Kind("vlan", {"type": "int"}, vlan_number)
MTU = Kind("mtu", {"type": "int"}, packet_size)

BRIDGE, MACVLAN, IPVLAN = "bridge", "macvlan", "ipvlan"
MODES = {BRIDGE: (), MACVLAN: ("bridge", "private", "vepa"), IPVLAN: ("l2", "l3", "l3s")}
"""The drivers, and what each can do with what its containers send; the first is the default."""

ROUTED_MODES = ("l3", "l3s")
"""Those in which the kernel routes what the containers send, by no gateway."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """The rows of a network. Those that are internal are what the kernel says of it.

    ``link`` is up, down, missing, or "other" for one that is not of the driver's kind; ``settings`` are files below
    /proc/sys/net with their values;
    ``members`` are the host's ends of containers' interfaces; ``firewall`` are the sets that the bridge is in, and
    "rules" where the table's rules are whole; ``stored`` is the record as it is on disk, ``found`` are the settings
    as they were before any step.
    """

    name: str = option(NAME, required=True)
    state: str = option(TEXT, Effect.LIVE, default="present", choices=("absent", "present"))
    driver: str | None = option(TEXT, Effect.RECREATE, choices=(BRIDGE, IPVLAN, MACVLAN))
    parent: str | None = option(INTERFACE, Effect.RECREATE)
    vlan: int | None = option(VLAN, Effect.RECREATE)
    mode: str | None = option(TEXT, Effect.RECREATE, choices=(*MODES[MACVLAN], *MODES[IPVLAN]))
    subnet: Subnet | None = option(SUBNET, Effect.RECREATE)
    gateway: str | None = option(ADDRESS, Effect.RECREATE)
    ip_range: Subnet | None = option(RANGE, Effect.LIVE)
    enable_ipv6: bool | None = option(BOOL, Effect.LIVE)
    ipv6_subnet: Subnet | None = option(SUBNET6, Effect.LIVE)
    ipv6_gateway: str | None = option(ADDRESS6, Effect.LIVE)
    ipv6_range: Subnet | None = option(RANGE6, Effect.LIVE)
    bridge_name: str | None = option(INTERFACE, Effect.RECREATE)
    mtu: int | None = option(MTU, Effect.LIVE)
    masquerade: bool | None = option(BOOL, Effect.LIVE)
    internal: bool | None = option(BOOL, Effect.LIVE)
    isolate: bool | None = option(BOOL, Effect.LIVE)
    routes: tuple[Route, ...] | None = option(ROUTES, Effect.LIVE)
    labels: tuple[tuple[str, str], ...] | None = option(LABELS, Effect.LIVE)
    link: str | None = option(TEXT, Effect.LIVE, internal=True)
    addresses: tuple[str, ...] | None = option(TEXTS, Effect.LIVE, internal=True)
    settings: tuple[str, ...] | None = option(TEXTS, Effect.LIVE, internal=True)
    members: tuple[str, ...] | None = option(TEXTS, Effect.LIVE, internal=True)
    firewall: tuple[str, ...] | None = option(TEXTS, Effect.LIVE, internal=True)
    stored: str | None = option(TEXT, internal=True, request=True)
    found: tuple[str, ...] | None = option(TEXTS, internal=True, request=True)

    @property
    def range(self) -> Subnet:
        """The subnet of a network that is declared: its option can be left out only where there is a record."""
        if self.subnet is None:
            fix = "declare the network again with its subnet"
            raise Failure(f"use the network {self.name}", "its record has no subnet", fix)
        return self.subnet

    @property
    def on_parent(self) -> bool:
        """Whether its containers are on the network of an interface of the host, and not on one of the host's own."""
        return self.driver not in (None, BRIDGE)

    @property
    def own_link(self) -> str | None:
        """The interface of the host that is the network's own, if it has one."""
        if not self.on_parent:
            return self.bridge_name
        return f"{self.parent}.{self.vlan}" if self.vlan else None

    @property
    def lower(self) -> str:
        """The interface of the host that its containers are connected to."""
        return self.own_link or str(self.parent)

    @property
    def subnets(self) -> tuple[Subnet, ...]:
        """One for each family that its containers have, that of IPv4 first."""
        return (self.range, self.ipv6_subnet) if self.ipv6_subnet else (self.range,)

    @property
    def gateways(self) -> tuple[str, ...]:
        """The bridge's address in each of the subnets."""
        return tuple(each for each in (self.gateway, self.ipv6_gateway) if each)

    def range_of(self, subnet: Subnet) -> Subnet:
        """That of a subnet's addresses which containers are given if they ask for none."""
        return (self.ip_range if subnet.bits == BITS4 else self.ipv6_range) or subnet

    def with_prefix(self, address: str) -> str:
        """An address of the network as interfaces have it: ``10.0.0.2/24``."""
        return f"{address}/{next(each.prefix for each in self.subnets if each.bits == bits_of(address))}"


DEFAULTS: dict[str, Any] = {"driver": BRIDGE, "isolate": True, "routes": (), "labels": ()}
"""What rows are that neither a record nor a playbook names; a record leaves them out."""

ETHERNET_MTU, IPV6_MTU = 1500, 1280
"""The kernel's default for a new bridge, and the least that IPv6 takes (RFC 8200)."""

OF_DRIVER = {"bridge": ("bridge_name", "masquerade"), "parent": ("parent", "vlan", "mode")}
"""The rows that mean something only for a bridge, and for what is on a parent."""

REBUILT = ("driver", "parent", "vlan", "mode", "subnet", "gateway", "bridge_name")
"""The rows whose change needs another bridge, or other interfaces of containers."""


READDRESSED = ("ipv6_subnet", "ipv6_gateway")
"""The rows that are given to a bridge while it stays, and changed or taken away only without containers."""


def readdresses(want: Network, have: Network) -> bool:
    """Whether addresses that containers may have by now are none any more, or their gateway is another."""
    return have.ipv6_subnet is not None and any(getattr(want, row) != getattr(have, row) for row in READDRESSED)


def rebuilds(want: Network, have: Network) -> bool:
    """Whether the bridge has to be taken down to get from ``have`` to ``want``."""
    return any(getattr(want, row) != getattr(have, row) for row in REBUILT)


def recorded(network: Network) -> str:
    """The record's text."""
    return store.encode(declared(network)).decode()


def declared(network: Network) -> dict[str, Any]:
    """What is kept of a network: its options, without the kernel's readings, and without what follows from others."""
    usual = {name for name, value in DEFAULTS.items() if getattr(network, name) == value}
    kept = {row.name for row in rows(Network) if not row.internal} - {"enable_ipv6"} - usual
    return {key: value for key, value in record(network).items() if key in kept}


def stored(layout: Layout, name: str) -> Network | None:
    """A network as it was declared, None if there is none. Raises :class:`Failure` if its record can't be read."""
    path = layout.network(name)
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(f"read {path}", error.strerror or str(error)) from error
    return _read(path, (there.st_dev, there.st_ino, there.st_mtime_ns, there.st_size))


@lru_cache(64)
def _read(path: str, version: tuple[int, ...]) -> Network | None:
    """What is in a record. A start asks for it some ten times, and a record is never written to but replaced."""
    found = store.read_json(path)
    if found is None:
        return None
    known = parse(Network, found)
    left_out = {name: value for name, value in DEFAULTS.items() if getattr(known, name) is None}
    return replace(known, enable_ipv6=known.ipv6_subnet is not None, **left_out)


def declared_network(layout: Layout, name: str) -> Network:
    """A network that has to be there. Raises :class:`NotFound`."""
    found = stored(layout, name)
    if found is None:
        known = ", ".join(names(layout)) or "none"
        raise NotFound(f"use the network {name}", f"there is no such network; networks are {known}", "declare it first")
    return found


def published_on(layout: Layout, networks: Iterable[str], bits: int = BITS4) -> str | None:
    """The network by which ports of the host lead to a container on these, in one family.

    It is the one by which the container gets outside: what comes by another is answered there all the same. The host
    leads nothing to what is on a parent, since the kernel keeps such interfaces and the host apart.
    """
    found = reached_on(layout, networks, bits)
    return None if found is None or declared_network(layout, found).on_parent else found


def reached_on(layout: Layout, networks: Iterable[str], bits: int = BITS4) -> str | None:
    """The network by which a container on these is reached from outside, and gets there, in one family.

    It is the first that isn't internal and has addresses of the family.
    """
    for each in networks:
        known = declared_network(layout, each)
        if not known.internal and any(subnet.bits == bits for subnet in known.subnets):
            return each
    return None


def networks_lock(layout: Layout, shared: bool = False) -> AbstractContextManager[None]:
    """One lock for all networks, as their subnets must not overlap; a shared one keeps them as they are."""
    return store.lock(layout.lock("networks"), shared)


def names(layout: Layout) -> list[str]:
    """The names of all networks."""
    try:
        files = os.listdir(layout.networks)
    except FileNotFoundError:
        return []
    return sorted(file.removesuffix(".json") for file in files if file.endswith(".json"))


def bridge_name(network: str) -> str:
    """The bridge of a network that names none: ``pyc-`` and its name, cut and told apart by a checksum if too long."""
    whole = _PREFIX + network
    if len(whole) <= LONGEST:
        return whole
    return f"{_PREFIX}{network[:3]}{crc32(network.encode()):08x}"


def mac(address: str) -> str:
    """The MAC address that goes with an IPv4 address: neighbours' tables hold when the address is given out again.

    It is locally administered, as IEEE 802c has it for addresses that no vendor gave out.
    """
    return (b"\x02\x70" + _low(address).to_bytes(4, "big")).hex(":")


def host_interface(identity: str, address: str) -> str:
    """The host's end of a container's interface. Container and address are in the name, so leftovers can be told."""
    return f"v{identity[:6]}{_low(address):08x}"


def _low(address: str) -> int:
    return number(address) & 0xFFFFFFFF
