# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The firewall: one nftables table of ours, whose rules never change; networks and ports are elements of its sets.

So a thousand ports cost no rule, a change is a few elements in one transaction, and what is missing is seen by
comparing. Chains accept by default and match nothing but our bridges: nobody else's traffic is touched.

=============  ==========================================================================================
``bridges``    the bridge of every network
``same``       bridge and bridge again: traffic that stays on a network
``internal``   bridges that nothing leaves and nothing enters
``outbound``   bridges whose containers reach the outside under the host's address
``ports``      address, protocol, port of the host -> address, port of a container
``ports_any``  protocol, port of the host -> address, port of a container; for every address of the host
``hairpins``   addresses, twice, of containers that have published ports and may reach themselves by them
=============  ==========================================================================================
"""
from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..kernel import conntrack
from ..kernel import nftables as nft
from .addresses import dotted, packed
from .ports import ANY, Port

TABLE = "pycontainers"

SETS = (
    nft.Set("bridges", nft.TYPE_IFNAME, 16),
    nft.Set("same", nft.TYPE_IFNAME << 6 | nft.TYPE_IFNAME, 32),
    nft.Set("internal", nft.TYPE_IFNAME, 16),
    nft.Set("outbound", nft.TYPE_IFNAME, 16),
    nft.Set(
        "ports",
        nft.TYPE_IPADDR << 12 | nft.TYPE_INET_PROTOCOL << 6 | nft.TYPE_INET_SERVICE,
        12,
        nft.TYPE_IPADDR << 6 | nft.TYPE_INET_SERVICE,
        8,
    ),
    nft.Set(
        "ports_any",
        nft.TYPE_INET_PROTOCOL << 6 | nft.TYPE_INET_SERVICE,
        8,
        nft.TYPE_IPADDR << 6 | nft.TYPE_INET_SERVICE,
        8,
    ),
    nft.Set("hairpins", nft.TYPE_IPADDR << 6 | nft.TYPE_IPADDR, 8),
)
BRIDGE_SETS = ("bridges", "same", "internal", "outbound")

CHAINS = (
    nft.Chain("raw", "filter", nft.NF_INET_PRE_ROUTING, -300),
    nft.Chain("prerouting", "nat", nft.NF_INET_PRE_ROUTING, -100),
    nft.Chain("output", "nat", nft.NF_INET_LOCAL_OUT, -100),
    nft.Chain("forward", "filter", nft.NF_INET_FORWARD, 0),
    nft.Chain("postrouting", "nat", nft.NF_INET_POST_ROUTING, 100),
)

PROTOCOL_NUMBERS = {"tcp": 6, "udp": 17}
_PROTOCOL_NAMES = {number: name for name, number in PROTOCOL_NUMBERS.items()}
_ESTABLISHED_OR_RELATED = 0x2 | 0x4
_DESTINATION_CHANGED = 1 << 5
_RTN_LOCAL = 2


def _native(value: int) -> bytes:
    return value.to_bytes(4, sys.byteorder)


_IPV4 = (nft.meta(nft.NFT_META_NFPROTO), nft.compare(bytes((nft.NFPROTO_IPV4,))))
_FROM_BRIDGE = (nft.meta(nft.NFT_META_IIFNAME), nft.lookup("bridges"))
_TO_BRIDGE = (nft.meta(nft.NFT_META_OIFNAME), nft.lookup("bridges"))
_STAYS = (nft.meta(nft.NFT_META_IIFNAME), nft.meta(nft.NFT_META_OIFNAME, nft.NFT_REG_2), nft.lookup("same"))
_SOURCE, _DESTINATION = (nft.payload(nft.NFT_PAYLOAD_NETWORK_HEADER, offset, 1) for offset in (12, 16))
_LOOPBACK, _NOT_LOOPBACK = (nft.compare(b"\x7f", operator) for operator in (nft.NFT_CMP_EQ, nft.NFT_CMP_NEQ))
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
_TO_CONTAINER = nft.destination_nat(nft.NFT_REG32_00, nft.NFT_REG32_01)
_BY_ADDRESS = (
    nft.payload(nft.NFT_PAYLOAD_NETWORK_HEADER, 16, 4, nft.NFT_REG32_00),
    nft.meta(nft.NFT_META_L4PROTO, nft.NFT_REG32_01),
    nft.payload(nft.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, nft.NFT_REG32_02),
    nft.lookup("ports", nft.NFT_REG32_00, nft.NFT_REG32_00),
    _TO_CONTAINER,
)
_BY_PORT = (
    nft.meta(nft.NFT_META_L4PROTO, nft.NFT_REG32_00),
    nft.payload(nft.NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, nft.NFT_REG32_01),
    nft.lookup("ports_any", nft.NFT_REG32_00, nft.NFT_REG32_00),
    _TO_CONTAINER,
)
_TO_ITSELF = (nft.payload(nft.NFT_PAYLOAD_NETWORK_HEADER, 12, 8), nft.lookup("hairpins"))
_ACCEPT, _DROP, _RETURN = (nft.verdict(code) for code in (nft.NF_ACCEPT, nft.NF_DROP, nft.NFT_RETURN))

RULES = (
    # Bridges have route_localnet, so that 127.0.0.1 of the host leads to containers; it must not lead back.
    nft.Rule("raw", "none reaches the host's loopback", (*_IPV4, *_FROM_BRIDGE, _DESTINATION, _LOOPBACK, _DROP)),
    nft.Rule("raw", "none speaks for the host's loopback", (*_IPV4, *_FROM_BRIDGE, _SOURCE, _LOOPBACK, _DROP)),
    # A neighbour can send to 127.0.0.1 too, and this hook is before the kernel drops that: only output maps it.
    nft.Rule("prerouting", "ports of one address", (*_IPV4, _DESTINATION, _NOT_LOOPBACK, *_TO_HOST, *_BY_ADDRESS)),
    nft.Rule("prerouting", "ports of every address", (*_IPV4, _DESTINATION, _NOT_LOOPBACK, *_TO_HOST, *_BY_PORT)),
    nft.Rule("output", "ports of one address", (*_IPV4, *_TO_HOST, *_BY_ADDRESS)),
    nft.Rule("output", "ports of every address", (*_IPV4, *_TO_HOST, *_BY_PORT)),
    nft.Rule("forward", "within a network", (*_STAYS, _ACCEPT)),
    nft.Rule("forward", "out of an internal network", (nft.meta(nft.NFT_META_IIFNAME), nft.lookup("internal"), _DROP)),
    nft.Rule("forward", "into an internal network", (nft.meta(nft.NFT_META_OIFNAME), nft.lookup("internal"), _DROP)),
    nft.Rule("forward", "replies", (*_TO_BRIDGE, *_REPLIES, _ACCEPT)),
    nft.Rule("forward", "published ports", (*_TO_BRIDGE, *_PUBLISHED, _ACCEPT)),
    nft.Rule("forward", "into a network from another or from outside", (*_TO_BRIDGE, _DROP)),
    nft.Rule("postrouting", "published ports from their own network", (*_IPV4, *_STAYS, *_PUBLISHED, nft.masquerade())),
    # Where br_netfilter shows bridged packets to these chains, they have come by no interface here.
    nft.Rule("postrouting", "published ports from their own container", (*_IPV4, *_TO_ITSELF, nft.masquerade())),
    nft.Rule("postrouting", "within a network", (*_STAYS, _RETURN)),
    nft.Rule(
        "postrouting",
        "to the outside",
        (*_IPV4, nft.meta(nft.NFT_META_IIFNAME), nft.lookup("outbound"), nft.masquerade()),
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
    hairpins = frozenset(_dotted(key) for key, _ in nft.elements(TABLE, "hairpins"))
    return Firewall(sorted(found) == sorted(wanted), bridges, read_ports(), hairpins)


def read_ports() -> dict[PortKey, Target]:
    """The published ports of the caller's network namespace. Raises ``OSError``."""
    found = {}
    for name in ("ports", "ports_any"):
        for key, value in nft.elements(TABLE, name):
            address, rest = (_dotted(key), key[4:]) if name == "ports" else (ANY, key)
            port = int.from_bytes(rest[4:6], "big")
            found[_PROTOCOL_NAMES[rest[0]], address, port] = _dotted(value), int.from_bytes(value[4:6], "big")
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


def publish(address: str, add: Iterable[Port], remove: Iterable[Port]) -> None:
    """Lead ports of the host to a container's address, and others no more. What is so already stays.

    Raises ``OSError``; ``EEXIST`` if a port leads to another container.
    """
    now = read()
    mine = {key: port for key, (leads_to, port) in now.ports.items() if leads_to == address}
    wanted = {key: port for key, port in mine.items() if Port(*key, port) not in set(remove)}
    wanted |= {key_of(port): port.container_port for port in add}
    gone = [Port(*key, port) for key, port in mine.items() if wanted.get(key) != port]
    new = [Port(*key, port) for key, port in wanted.items() if mine.get(key) != port]
    requests = [] if now.complete else list(_table())
    for name in ("ports", "ports_any"):
        requests += nft.delete_elements(TABLE, name, _port_elements(name, address, gone))
        requests += nft.new_elements(TABLE, name, _port_elements(name, address, new))
    if wanted and address not in now.hairpins:
        requests += nft.new_elements(TABLE, "hairpins", [(packed(address) * 2, b"")])
    if not wanted and address in now.hairpins:
        requests += nft.delete_elements(TABLE, "hairpins", [(packed(address) * 2, b"")])
    if requests:
        nft.commit(requests)
    # After the commit, so that no packet begins a flow anew by what was before.
    conntrack.forget_udp((port.address, port.host_port) for port in (*gone, *new) if port.protocol == "udp")


def key_of(port: Port) -> PortKey:
    """What a published port is found by."""
    return port.protocol, port.address, port.host_port


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


def _dotted(content: bytes) -> str:
    return dotted(int.from_bytes(content[:4], "big"))


def _port_elements(name: str, address: str, ports: Iterable[Port]) -> Iterator[nft.Element]:
    for port in ports:
        if (port.address == ANY) != (name == "ports_any"):
            continue
        key = struct.pack(">B3xH2x", PROTOCOL_NUMBERS[port.protocol], port.host_port)
        if name == "ports":
            key = packed(port.address) + key
        yield key, packed(address) + struct.pack(">H2x", port.container_port)
