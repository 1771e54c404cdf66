# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nf_tables by nfnetlink: the messages, expressions and dumps of linux/netfilter/nf_tables.h that the firewall needs.

These are raw messages and not pyroute2's nftables: pyroute2 has no maps with concatenated keys, which is what
published ports are, and reading has to do without its import anyway. Nothing here knows what a rule is for.
"""
from __future__ import annotations

import errno
import struct
from collections.abc import Iterable, Iterator

from ..lean.dataclasses import dataclass
from .nlsocket import (
    NETLINK_NETFILTER,
    NLM_F_APPEND,
    NLM_F_CREATE,
    attribute,
    attribute_list,
    attributes,
    batch,
    dump,
    message,
    name,
    nested,
    number,
)

NFPROTO_INET, NFPROTO_IPV4, NFPROTO_IPV6 = 1, 2, 10
NF_INET_PRE_ROUTING, NF_INET_FORWARD, NF_INET_LOCAL_OUT, NF_INET_POST_ROUTING = 0, 2, 3, 4
NF_DROP, NF_ACCEPT, NFT_RETURN = 0, 1, -5
NFT_REG_VERDICT, NFT_REG_1, NFT_REG_2, NFT_REG32_00 = 0, 1, 2, 8
"""Registers of 16 bytes, and the first of those of 4 bytes, which are the same ones cut in pieces."""
NFT_META_IIFNAME, NFT_META_OIFNAME, NFT_META_NFPROTO, NFT_META_L4PROTO = 6, 7, 15, 16
NFT_CT_STATE, NFT_CT_STATUS = 0, 2
NFT_PAYLOAD_NETWORK_HEADER, NFT_PAYLOAD_TRANSPORT_HEADER = 1, 2
NFT_CMP_EQ, NFT_CMP_NEQ = 0, 1

TYPE_IPADDR, TYPE_IP6ADDR, TYPE_INET_PROTOCOL, TYPE_INET_SERVICE, TYPE_IFNAME = 7, 8, 12, 13, 41
"""What ``nft list`` shows a key as (nftables, include/datatype.h); the kernel only keeps it."""

_NEWTABLE, _DELTABLE, _NEWCHAIN, _NEWRULE, _GETRULE, _DELRULE, _NEWSET, _NEWSETELEM, _GETSETELEM, _DELSETELEM = (
    0, 2, 3, 6, 7, 8, 9, 12, 13, 14,
)  # fmt: skip
_SUBSYSTEM = 10
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_SET_MAP = 0x8
_COMMENT = 0
_KEY_BYTE_ORDER, _HOST_ORDER = 0, 1
"""What libnftnl (udata.h) keeps with a set so that ``nft list`` can print names."""

_ELEMENTS_PER_MESSAGE = 400

Request = tuple[int, int, bytes]
"""A change: message kind, flags, body."""

Element = tuple[bytes, bytes]
"""Key and value of an element; a plain set's value is empty."""


@dataclass(frozen=True)
class Set:
    """A set, or a map if it has a value type. A type is a datatype's number, or several of them, six bits each."""

    name: str
    key_type: int
    key_length: int
    value_type: int = 0
    value_length: int = 0


@dataclass(frozen=True)
class Chain:
    """A base chain with policy accept; ``kind`` is filter or nat."""

    name: str
    kind: str
    hook: int
    priority: int


@dataclass(frozen=True)
class Rule:
    """A rule: its chain, a comment of 127 bytes at most, and its expressions."""

    chain: str
    comment: str
    expressions: tuple[bytes, ...]


# Expressions


def _expression(kind: str, *inside: bytes) -> bytes:
    return nested(1, name(1, kind), nested(2, *inside))


def meta(key: int, register: int = NFT_REG_1) -> bytes:
    """Load something about the packet, such as the interface it came by."""
    return _expression("meta", number(1, register), number(2, key))


def payload(base: int, offset: int, length: int, register: int = NFT_REG_1) -> bytes:
    """Load bytes of a header."""
    return _expression("payload", number(1, register), number(2, base), number(3, offset), number(4, length))


def compare(value: bytes, operator: int = NFT_CMP_EQ) -> bytes:
    """Go on with the rule if register 1 is, or is not, ``value``."""
    return _expression("cmp", number(1, NFT_REG_1), number(2, operator), nested(3, attribute(1, value)))


def mask(value: bytes) -> bytes:
    """Keep of register 1 the bits in ``value``."""
    registers = number(1, NFT_REG_1) + number(2, NFT_REG_1) + number(3, len(value))
    exclusive_or = nested(5, attribute(1, bytes(len(value))))
    return _expression("bitwise", registers, nested(4, attribute(1, value)), exclusive_or)


def conntrack(key: int) -> bytes:
    """Load something about the connection into register 1."""
    return _expression("ct", number(1, NFT_REG_1), number(2, key))


def destination_type() -> bytes:
    """Load what the routing table holds the destination for (RTN_LOCAL, …) into register 1."""
    return _expression("fib", number(1, NFT_REG_1), number(2, 3), number(3, 2))


def lookup(of: str, register: int = NFT_REG_1, into: int | None = None) -> bytes:
    """Go on if the key that begins at ``register`` is in the set; with ``into``, load its value there."""
    value = () if into is None else (number(3, into),)
    return _expression("lookup", name(1, of), number(2, register), *value)


def verdict(code: int) -> bytes:
    """End with NF_ACCEPT, NF_DROP or NFT_RETURN."""
    return _expression("immediate", number(1, NFT_REG_VERDICT), nested(2, nested(2, number(1, code))))


def destination_nat(family: int, address: int, port: int) -> bytes:
    """Send the connection to the address of a family and the port in these registers."""
    return _expression("nat", number(1, 1), number(2, family), number(3, address), number(5, port))


def masquerade() -> bytes:
    """Give the connection the address of the interface that it leaves by as its source."""
    return _expression("masq")


# Changes


def _request(kind: int, body: bytes, flags: int = 0) -> Request:
    return _SUBSYSTEM << 8 | kind, flags, struct.pack(">BBH", NFPROTO_INET, 0, 0) + body


def new_table(table: str) -> Request:
    """Make a table of family inet, or leave it as it is."""
    return _request(_NEWTABLE, name(1, table), NLM_F_CREATE)


def delete_table(table: str) -> Request:
    """Delete a table with all that is in it."""
    return _request(_DELTABLE, name(1, table))


def new_set(table: str, made: Set, identity: int) -> Request:
    """Make a set, or leave it as it is; ``identity`` is a number of its own within the transaction."""
    body = name(1, table) + name(2, made.name) + number(10, identity)
    body += number(4, made.key_type) + number(5, made.key_length)
    if made.key_type == TYPE_IFNAME:
        body += attribute(13, struct.pack("=BBI", _KEY_BYTE_ORDER, 4, _HOST_ORDER))
    if made.value_type:
        body += number(3, _SET_MAP) + number(6, made.value_type) + number(7, made.value_length)
    return _request(_NEWSET, body, NLM_F_CREATE)


def new_chain(table: str, made: Chain) -> Request:
    """Make a base chain, or leave it as it is."""
    body = name(1, table) + name(3, made.name) + nested(4, number(1, made.hook), number(2, made.priority))
    return _request(_NEWCHAIN, body + number(5, NF_ACCEPT) + name(7, made.kind), NLM_F_CREATE)


def delete_rules(table: str) -> Request:
    """Delete every rule of a table."""
    return _request(_DELRULE, name(1, table))


def new_rule(table: str, made: Rule) -> Request:
    """Put a rule at the end of its chain."""
    comment = made.comment.encode() + b"\0"
    body = name(1, table) + name(2, made.chain) + nested(4, *made.expressions)
    body += attribute(7, bytes((_COMMENT, len(comment))) + comment)
    return _request(_NEWRULE, body, NLM_F_CREATE | NLM_F_APPEND)


def new_elements(table: str, of: str, elements: Iterable[Element]) -> Iterator[Request]:
    """Put elements into a set or map."""
    return _elements(_NEWSETELEM, NLM_F_CREATE, table, of, elements)


def delete_elements(table: str, of: str, elements: Iterable[Element]) -> Iterator[Request]:
    """Take elements out of a set or map; the kernel refuses the transaction if one isn't there."""
    return _elements(_DELSETELEM, 0, table, of, elements)


def _elements(kind: int, flags: int, table: str, of: str, elements: Iterable[Element]) -> Iterator[Request]:
    encoded = [_element(*each) for each in elements]
    for start in range(0, len(encoded), _ELEMENTS_PER_MESSAGE):
        part = encoded[start : start + _ELEMENTS_PER_MESSAGE]
        yield _request(kind, name(1, table) + name(2, of) + nested(3, *part), flags)


def _element(key: bytes, value: bytes) -> bytes:
    return nested(1, nested(1, attribute(1, key)), *([nested(2, attribute(1, value))] if value else []))


def commit(requests: Iterable[Request]) -> None:
    """Carry out all of the requests in one transaction, or none. Raises ``OSError`` with the first refusal."""
    family = struct.pack(">BBH", 0, 0, _SUBSYSTEM)
    batch(NETLINK_NETFILTER, message(_BATCH_BEGIN, 0, 0, family), tuple(requests), message(_BATCH_END, 0, 0, family))


# Reading


def rules(table: str) -> list[tuple[str, str]]:
    """Chain and comment of each rule of a table, in the order of the chains; none where there is no table."""
    found = []
    for read in _listed(_GETRULE, name(1, table)):
        if _text(read[1]) == table:
            found.append((_text(read[2]), _comment(read.get(7, b""))))
    return found


def elements(table: str, of: str) -> list[Element]:
    """The elements of a set or map; none where there is none."""
    found = []
    for read in _listed(_GETSETELEM, name(1, table) + name(2, of)):
        for _, content in attribute_list(read.get(3, b"")):
            element = attributes(content)
            value = attributes(element[2]).get(1, b"") if 2 in element else b""
            found.append((attributes(element[1])[1], value))
    return found


def _listed(kind: int, body: bytes) -> Iterator[dict[int, bytes]]:
    request, _, content = _request(kind, body)
    try:
        answers = dump(NETLINK_NETFILTER, request, content)
    except OSError as error:
        # A kernel whose nf_tables is not loaded, and will be by the first change, knows none of it.
        if error.errno in (errno.ENOENT, errno.EPROTONOSUPPORT, errno.EINVAL, errno.EOPNOTSUPP):
            return
        raise
    for answer in answers:
        yield attributes(answer[4:])


def _text(content: bytes) -> str:
    return content.rstrip(b"\0").decode(errors="replace")


def _comment(content: bytes) -> str:
    while len(content) >= 2:
        kind, length = content[0], content[1]
        if kind == _COMMENT:
            return _text(content[2 : 2 + length])
        content = content[2 + length :]
    return ""
