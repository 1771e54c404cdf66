# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall: one nftables table of ours, whose rules never change; networks and ports are elements of its sets.

So a thousand ports cost no rule, a change is a few elements in one transaction, and what is missing is seen by
comparing. Chains accept by default and match nothing but our bridges: nobody else's traffic is touched.

==============  =========================================================================================
``bridges``     the bridge of every network
``same``        bridge and bridge again: traffic that stays on a network
``internal``    bridges that nothing leaves and nothing enters
``outbound``    bridges whose containers reach the outside under the host's address
``open``        bridges whose containers reach those of each other
``ports``       address, protocol, port of the host -> address, port of a container
``ports_any``   protocol, port of the host -> address, port of a container; for every address of the host
``hairpins``    addresses, twice, of containers that have published ports and may reach themselves by them
==============  =========================================================================================

The last three are there once for each family: ``ports6``, ``ports6_any`` and ``hairpins6`` for IPv6.
"""
from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator, Mapping

from ..kernel import conntrack
from ..kernel import nftables as nft
from ..lean.dataclasses import dataclass, field
from .addresses import BITS4, BITS6, bits_of, packed, written
from .ports import ANY, ANY6, EVERY, Port

TABLE = "pycontainers"


@dataclass(frozen=True)
class Family:
    """What differs between IPv4 and IPv6 here. ``source`` is where the addresses begin in a packet's header."""

    number: int
    bits: int
    any: str
    suffix: str
    address_type: int
    source: int

    @property
    def size(self) -> int:
        """Bytes of an address."""
        return self.bits // 8

    @property
    def maps(self) -> tuple[str, str]:
        """The maps of published ports: of one address, and of every one."""
        return f"ports{self.suffix}", f"ports{self.suffix}_any"

    @property
    def hairpins(self) -> str:
        """The set of who may reach itself."""
        return f"hairpins{self.suffix}"

    def sets(self) -> tuple[nft.Set, ...]:
        """Its maps and its set."""
        service = nft.TYPE_INET_PROTOCOL << 6 | nft.TYPE_INET_SERVICE
        target = self.address_type << 6 | nft.TYPE_INET_SERVICE, self.size + 4
        twice = self.address_type << 6 | self.address_type
        return (
            nft.Set(self.maps[0], self.address_type << 12 | service, self.size + 8, *target),
            nft.Set(self.maps[1], service, 8, *target),
            nft.Set(self.hairpins, twice, 2 * self.size),
        )


IPV4 = Family(nft.NFPROTO_IPV4, BITS4, ANY, "", nft.TYPE_IPADDR, 12)
IPV6 = Family(nft.NFPROTO_IPV6, BITS6, ANY6, "6", nft.TYPE_IP6ADDR, 8)
FAMILIES = (IPV4, IPV6)

SETS = (
    nft.Set("bridges", nft.TYPE_IFNAME, 16),
    nft.Set("same", nft.TYPE_IFNAME << 6 | nft.TYPE_IFNAME, 32),
    nft.Set("internal", nft.TYPE_IFNAME, 16),
    nft.Set("outbound", nft.TYPE_IFNAME, 16),
    nft.Set("open", nft.TYPE_IFNAME, 16),
    *IPV4.sets(),
    *IPV6.sets(),
)
BRIDGE_SETS = ("bridges", "same", "internal", "outbound", "open")

CHAINS = (
    nft.Chain("raw", "filter", nft.NF_INET_PRE_ROUTING, -300),
    nft.Chain("prerouting", "nat", nft.NF_INET_PRE_ROUTING, -100),
    nft.Chain("output", "nat", nft.NF_INET_LOCAL_OUT, -100),
    nft.Chain("forward", "filter", nft.NF_INET_FORWARD, 0),
    nft.Chain("postrouting", "nat", nft.NF_INET_POST_ROUTING, 100),
)

PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132}
_PROTOCOL_NAMES = {number: name for name, number in PROTOCOL_NUMBERS.items()}
_ESTABLISHED_OR_RELATED = 0x2 | 0x4
_DESTINATION_CHANGED = 1 << 5
_RTN_LOCAL = 2


def _native(value: int) -> bytes:
    return value.to_bytes(4, sys.byteorder)


def _of(family: Family) -> tuple[bytes, ...]:
    return nft.meta(nft.NFT_META_NFPROTO), nft.compare(bytes((family.number,)))


def _ports_of(family: Family, chain: str, *where: bytes) -> tuple[nft.Rule, nft.Rule]:
    """Send what is for a published port of the host, seen ``where``, to its container."""
    words, first = family.size // 4, nft.NFT_REG32_00
    to_container = nft.destination_nat(family.number, first, first + words)
    name = "IPv6 ports" if family is IPV6 else "ports"

    def by(map_name: str, before: tuple[bytes, ...], register: int) -> tuple[bytes, ...]:
        service = nft.payload(nft.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, register + 1)
        return *before, nft.meta(nft.NFT_META_L4PROTO, register), service, nft.lookup(map_name, first, first)

    own = (nft.payload(nft.NFT_PAYLOAD_NETWORK_HEADER, family.source + family.size, family.size, first),)
    one, every = by(family.maps[0], own, first + words), by(family.maps[1], (), first)
    return (
        nft.Rule(chain, f"{name} of one address", (*_of(family), *where, *_TO_HOST, *one, to_container)),
        nft.Rule(chain, f"{name} of every address", (*_of(family), *where, *_TO_HOST, *every, to_container)),
    )


def _to_itself(family: Family) -> tuple[bytes, ...]:
    both = nft.payload(nft.NFT_PAYLOAD_NETWORK_HEADER, family.source, 2 * family.size)
    return *_of(family), both, nft.lookup(family.hairpins)


_IPV4 = _of(IPV4)
_FROM_BRIDGE = (nft.meta(nft.NFT_META_IIFNAME), nft.lookup("bridges"))
_TO_BRIDGE = (nft.meta(nft.NFT_META_OIFNAME), nft.lookup("bridges"))
_STAYS = (nft.meta(nft.NFT_META_IIFNAME), nft.meta(nft.NFT_META_OIFNAME, nft.NFT_REG_2), nft.lookup("same"))
_SOURCE, _DESTINATION = (nft.payload(nft.NFT_PAYLOAD_NETWORK_HEADER, offset, 1) for offset in (12, 16))
_LOOPBACK, _NOT_LOOPBACK = (nft.compare(b"\x7f", operator) for operator in (nft.NFT_CMP_EQ, nft.NFT_CMP_NEQ))
_NOT_LOOPBACK6 = (
    nft.payload(nft.NFT_PAYLOAD_NETWORK_HEADER, IPV6.source + IPV6.size, IPV6.size),
    nft.compare(bytes(15) + b"\1", nft.NFT_CMP_NEQ),
)
_TO_HOST = (nft.destination_type(), nft.compare(_native(_RTN_LOCAL)))
_REPLIES = (
    nft.conntrack(nft.NFT_CT_STATE),
    nft.mask(_native(_ESTABLISHED_OR_RELATED)),
    nft.compare(bytes(4), nft.NFT_CMP_NEQ),
)
_PUBLISHED = (
    nft.conntrack(nft.NFT_CT_STATUS),
    nft.mask(_native(_DESTINATION_CHANGED)),
    nft.compare(bytes(4), nft.NFT_CMP_NEQ),
)
_BETWEEN_OPEN = (
    nft.meta(nft.NFT_META_IIFNAME),
    nft.lookup("open"),
    nft.meta(nft.NFT_META_OIFNAME),
    nft.lookup("open"),
)
_ACCEPT, _DROP, _RETURN = (nft.verdict(code) for code in (nft.NF_ACCEPT, nft.NF_DROP, nft.NFT_RETURN))

RULES = (
    # Bridges have route_localnet, so that 127.0.0.1 of the host leads to containers; it must not lead back.
    nft.Rule("raw", "none reaches the host's loopback", (*_IPV4, *_FROM_BRIDGE, _DESTINATION, _LOOPBACK, _DROP)),
    nft.Rule("raw", "none speaks for the host's loopback", (*_IPV4, *_FROM_BRIDGE, _SOURCE, _LOOPBACK, _DROP)),
    # A neighbour can send to 127.0.0.1 too, and this hook is before the kernel drops that: only output maps it.
    *_ports_of(IPV4, "prerouting", _DESTINATION, _NOT_LOOPBACK),
    *_ports_of(IPV6, "prerouting"),
    *_ports_of(IPV4, "output"),
    # Nothing gets from ::1 to a container, so that a program is to be refused there rather than left to wait.
    *_ports_of(IPV6, "output", *_NOT_LOOPBACK6),
    nft.Rule("forward", "within a network", (*_STAYS, _ACCEPT)),
    nft.Rule("forward", "out of an internal network", (nft.meta(nft.NFT_META_IIFNAME), nft.lookup("internal"), _DROP)),
    nft.Rule("forward", "into an internal network", (nft.meta(nft.NFT_META_OIFNAME), nft.lookup("internal"), _DROP)),
    nft.Rule("forward", "replies", (*_TO_BRIDGE, *_REPLIES, _ACCEPT)),
    nft.Rule("forward", "published ports", (*_TO_BRIDGE, *_PUBLISHED, _ACCEPT)),
    nft.Rule("forward", "between networks that are not isolated", (*_BETWEEN_OPEN, _ACCEPT)),
    nft.Rule("forward", "into a network from another or from outside", (*_TO_BRIDGE, _DROP)),
    nft.Rule("postrouting", "published ports from their own network", (*_STAYS, *_PUBLISHED, nft.masquerade())),
    # Where br_netfilter shows bridged packets to these chains, they have come by no interface here.
    nft.Rule("postrouting", "published ports from their own container", (*_to_itself(IPV4), nft.masquerade())),
    nft.Rule("postrouting", "IPv6 ports from their own container", (*_to_itself(IPV6), nft.masquerade())),
    nft.Rule("postrouting", "within a network", (*_STAYS, _RETURN)),
    nft.Rule("postrouting", "between networks that are not isolated", (*_BETWEEN_OPEN, _RETURN)),
    nft.Rule(
        "postrouting",
        "to the outside",
        (nft.meta(nft.NFT_META_IIFNAME), nft.lookup("outbound"), nft.masquerade()),
    ),
    nft.Rule("postrouting", "from the host's loopback", (*_IPV4, _SOURCE, _LOOPBACK, *_TO_BRIDGE, nft.masquerade())),
)

PortKey = tuple[str, str, int]
"""Protocol, address and port of the host."""

Target = tuple[str, int]
"""Address and port of a container."""


@dataclass(frozen=True)
class Firewall:
    """What the kernel's table holds now: whether its rules are all ours, bridges by set, and the published ports."""

    complete: bool
    bridges: Mapping[str, frozenset[str]] = field(default_factory=dict)
    ports: Mapping[PortKey, Target] = field(default_factory=dict)
    hairpins: frozenset[str] = frozenset()

    def holds(self, bridge: str) -> frozenset[str]:
        """The sets that a bridge is in."""
        return frozenset(name for name, bridges in self.bridges.items() if bridge in bridges)


def read() -> Firewall:
    """The firewall of the caller's network namespace. Raises ``OSError``."""
    found = nft.rules(TABLE)
    wanted = [(rule.chain, rule.comment) for rule in RULES]
    bridges = {name: frozenset(_bridge(key) for key, _ in nft.elements(TABLE, name)) for name in BRIDGE_SETS}
    hairpins = {_text(key[: family.size]) for family in FAMILIES for key, _ in nft.elements(TABLE, family.hairpins)}
    return Firewall(sorted(found) == sorted(wanted), bridges, read_ports(), frozenset(hairpins))


def read_ports() -> dict[PortKey, Target]:
    """The published ports of the caller's network namespace. Raises ``OSError``."""
    found = {}
    for family in FAMILIES:
        for name in family.maps:
            size = family.size if name == family.maps[0] else 0
            for key, value in nft.elements(TABLE, name):
                protocol, port = _PROTOCOL_NAMES[key[size]], int.from_bytes(key[size + 4 : size + 6], "big")
                target = _text(value[: family.size]), int.from_bytes(value[family.size : family.size + 2], "big")
                found[protocol, _text(key[:size]) if size else family.any, port] = target
    return found


def mapped(port: Port, targets: Iterable[str]) -> dict[PortKey, Target]:
    """What the maps hold for a published port that leads to these addresses: one of each family at most."""
    found = {}
    for address in targets:
        family = _family(address)
        if port.address == EVERY or bits_of(port.address) == family.bits:
            found[port.protocol, port.address or family.any, port.host_port] = address, port.container_port
    return found


def place(bridge: str, sets: Iterable[str]) -> None:
    """Have a bridge be in just these sets, and the rules be whole; with the last element the table goes, too.

    It is one transaction. Raises ``OSError``.
    """
    now, wanted = read(), frozenset(sets)
    requests = [] if now.complete else list(_table())
    for name in BRIDGE_SETS:
        if name in wanted - now.holds(bridge):
            requests += nft.new_elements(TABLE, name, [(_key(name, bridge), b"")])
        if name in now.holds(bridge) - wanted:
            requests += nft.delete_elements(TABLE, name, [(_key(name, bridge), b"")])
    rest = any(bridges - {bridge} for bridges in now.bridges.values()) or now.ports
    if not wanted and not rest:
        requests = [nft.new_table(TABLE), nft.delete_table(TABLE)]
    if requests:
        nft.commit(requests)


def publish(targets: Iterable[str], others: Iterable[str], add: Iterable[Port], remove: Iterable[Port]) -> None:
    """Lead ports of the host to a container's addresses, and others no more: neither there nor to ``others`` of its.

    What is so already stays. Raises ``OSError``; ``EEXIST`` if a port leads to another container.
    """
    targets, now = tuple(targets), read()
    own = {*targets, *others}
    mine = {key: target for key, target in now.ports.items() if target[0] in own}
    gone = {key for port in remove for key in mapped(port, own)}
    wanted = {key: target for key, target in mine.items() if key not in gone}
    for port in add:
        wanted |= mapped(port, targets)
    old = {key: target for key, target in mine.items() if wanted.get(key) != target}
    new = {key: target for key, target in wanted.items() if mine.get(key) != target}
    requests = [] if now.complete else list(_table())
    for family in FAMILIES:
        for name in family.maps:
            requests += nft.delete_elements(TABLE, name, _port_elements(family, name, old))
            requests += nft.new_elements(TABLE, name, _port_elements(family, name, new))
    reached = {address for address, _ in wanted.values()}
    for address in sorted(own):
        if address in reached - now.hairpins:
            requests += nft.new_elements(TABLE, _family(address).hairpins, [(packed(address) * 2, b"")])
        if address in now.hairpins - reached:
            requests += nft.delete_elements(TABLE, _family(address).hairpins, [(packed(address) * 2, b"")])
    if requests:
        nft.commit(requests)
    # After the commit, so that no packet begins a flow anew by what was before.
    conntrack.forget_udp((address, port) for protocol, address, port in (*old, *new) if protocol == "udp")


def _family(address: str) -> Family:
    return IPV6 if bits_of(address) == BITS6 else IPV4


def _table() -> Iterator[nft.Request]:
    yield nft.new_table(TABLE)
    for identity, each in enumerate(SETS, 1):
        yield nft.new_set(TABLE, each, identity)
    for chain in CHAINS:
        yield nft.new_chain(TABLE, chain)
    yield nft.delete_rules(TABLE)
    for rule in RULES:
        yield nft.new_rule(TABLE, rule)


def _key(name: str, bridge: str) -> bytes:
    padded = bridge.encode().ljust(16, b"\0")
    return padded * 2 if name == "same" else padded


def _bridge(key: bytes) -> str:
    return key[:16].rstrip(b"\0").decode(errors="replace")


def _text(content: bytes) -> str:
    return written(int.from_bytes(content, "big"), 8 * len(content))


def _port_elements(family: Family, name: str, ports: Mapping[PortKey, Target]) -> Iterator[nft.Element]:
    for (protocol, address, host_port), (target, port) in ports.items():
        if bits_of(target) != family.bits or (address == family.any) != (name == family.maps[1]):
            continue
        key = struct.pack(">B3xH2x", PROTOCOL_NUMBERS[protocol], host_port)
        if name == family.maps[0]:
            key = packed(address) + key
        yield key, packed(target) + struct.pack(">H2x", port)
