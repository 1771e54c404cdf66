# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses of both families as numbers. The standard library's ``ipaddress`` costs every task 2 ms of import."""
from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple

from ..core.kinds import text
from ..core.model import Kind

_BYTE = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)
BITS4, BITS6 = 32, 128
"""The length of an address, which tells the families apart."""


def bits_of(address: str) -> int:
    """The length of an address of the family that it is written in."""
    return BITS6 if ":" in address else BITS4


def number(address: str) -> int:
    """The number behind ``10.0.0.1`` or ``fd00::1``. Raises ``ValueError``."""
    if ":" in address:
        try:
            value = int.from_bytes(socket.inet_pton(socket.AF_INET6, address), "big")
        except OSError:
            raise ValueError(f"{address!r} is not an IPv6 address") from None
        if value >> BITS4 == 0xFFFF:
            raise ValueError(f"{address!r} stands for an IPv4 address: write that")
        return value
    parts = address.split(".")
    if len(parts) != 4 or not all(_BYTE.fullmatch(part) and int(part) < 256 for part in parts):
        raise ValueError(f"{address!r} is not an IPv4 address")
    return int.from_bytes(bytes(int(part) for part in parts), "big")


def written(value: int, bits: int = BITS4) -> str:
    """The address behind a number, in the shortest form of its family."""
    family = socket.AF_INET6 if bits == BITS6 else socket.AF_INET
    return socket.inet_ntop(family, value.to_bytes(bits // 8, "big"))


def packed(address: str) -> bytes:
    """The bytes of an address, as headers have them."""
    return number(address).to_bytes(bits_of(address) // 8, "big")


def of_family(addresses: Iterable[str], bits: int) -> str | None:
    """The first of some addresses that is of a family."""
    return next((each for each in addresses if bits_of(each) == bits), None)


class Subnet(NamedTuple):
    """A range of addresses: its first one, as a number, the length of its prefix, and that of an address."""

    base: int
    prefix: int
    bits: int = BITS4

    def __str__(self) -> str:
        """Write it as ``10.0.0.0/24``."""
        return f"{written(self.base, self.bits)}/{self.prefix}"

    @property
    def last(self) -> int:
        """The last address of the range: with IPv4 the broadcast address."""
        return self.base | (1 << self.bits - self.prefix) - 1

    @property
    def first(self) -> str:
        """The first address that an interface can have."""
        return written(self.base + 1, self.bits)

    def usable(self, address: str) -> bool:
        """Whether an interface can have the address: it is inside, and neither the first nor the last."""
        return bits_of(address) == self.bits and self.base < number(address) < self.last

    def overlaps(self, other: Subnet) -> bool:
        """Whether there is an address that is in both."""
        return self.bits == other.bits and self.base <= other.last and other.base <= self.last

    def within(self, other: Subnet) -> bool:
        """Whether all addresses are in the other too."""
        return self.bits == other.bits and other.base <= self.base and self.last <= other.last


def subnet_of(address: str) -> Subnet:
    """The subnet around an address with its prefix: 10.0.0.0/24 around ``10.0.0.7/24``. Raises ``ValueError``."""
    plain, slash, length = address.partition("/")
    bits = bits_of(plain)
    if not slash or not re.fullmatch(r"[0-9]{1,3}", length, re.ASCII) or int(length) > bits:
        such = "fd00::/64" if bits == BITS6 else "10.0.0.0/24"
        raise ValueError(f"{address!r} is not an address with the length of its prefix, such as {such}")
    prefix = int(length)
    return Subnet(number(plain) >> bits - prefix << bits - prefix, prefix, bits)


def _range(value: Any, bits: int) -> Subnet:
    """A subnet that is written with its first address, of one family."""
    said = text(value)
    found = subnet_of(said)
    if found.bits != bits:
        raise ValueError(f"it is not of IPv{4 if bits == BITS4 else 6}, for which this option is")
    if number(said.partition("/")[0]) != found.base:
        raise ValueError(f"it is an address within a network; the network itself is {found}")
    return found


def _subnet(value: Any) -> Subnet:
    subnet = _range(value, BITS4)
    if not 8 <= subnet.prefix <= 30:
        raise ValueError("the length of its prefix is not between 8 and 30")
    if subnet.base >> 24 in (0, 127) or subnet.base >> 28 >= 14:
        raise ValueError("no interface can have addresses of this range")
    return subnet


def _subnet6(value: Any) -> Subnet:
    subnet = _range(value, BITS6)
    if not 16 <= subnet.prefix <= 126:
        raise ValueError("the length of its prefix is not between 16 and 126")
    # RFC 4291: 0000::/8 is reserved, fe80::/10 is of one link, ff00::/8 is of groups.
    if subnet.base >> 120 in (0, 0xFF) or subnet.base >> 118 == 0xFE80 >> 6:
        raise ValueError("no container can have addresses of this range")
    return subnet


def _address(value: Any, bits: int) -> str:
    said = text(value)
    found = written(number(said), bits_of(said))
    if bits_of(said) != bits:
        raise ValueError(f"it is not an address of IPv{4 if bits == BITS4 else 6}")
    return found


SUBNET = Kind("subnet", {"type": "str"}, _subnet, str)
SUBNET6 = Kind("ipv6_subnet", {"type": "str"}, _subnet6, str)
RANGE = Kind("ip_range", {"type": "str"}, lambda value: _range(value, BITS4), str)
RANGE6 = Kind("ipv6_range", {"type": "str"}, lambda value: _range(value, BITS6), str)
ADDRESS = Kind("address", {"type": "str"}, lambda value: _address(value, BITS4))
ADDRESS6 = Kind("ipv6_address", {"type": "str"}, lambda value: _address(value, BITS6))
