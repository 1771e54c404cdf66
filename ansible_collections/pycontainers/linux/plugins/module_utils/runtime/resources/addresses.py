# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv4 addresses as numbers. The standard library's ``ipaddress`` costs every task 2 ms of import."""
from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..core.kinds import text
from ..core.model import Kind

_BYTE = re.compile(r"0|[1-9][0-9]{0,2}", re.ASCII)


def number(address: str) -> int:
    """The number behind ``10.0.0.1``. Raises ``ValueError``."""
    parts = address.split(".")
    if len(parts) != 4 or not all(_BYTE.fullmatch(part) and int(part) < 256 for part in parts):
        raise ValueError(f"{address!r} is not an IPv4 address")
    return int.from_bytes(bytes(int(part) for part in parts), "big")


def dotted(value: int) -> str:
    """The address behind a number."""
    return ".".join(str(part) for part in value.to_bytes(4, "big"))


def packed(address: str) -> bytes:
    """The four bytes of an address, as headers have them."""
    return number(address).to_bytes(4, "big")


class Subnet(NamedTuple):
    """A range of addresses: its first one, as a number, and the length of its prefix."""

    base: int
    prefix: int

    def __str__(self) -> str:
        """Write it as ``10.0.0.0/24``."""
        return f"{dotted(self.base)}/{self.prefix}"

    @property
    def last(self) -> int:
        """The last address of the range: the broadcast address."""
        return self.base | (1 << 32 - self.prefix) - 1

    def usable(self, address: int) -> bool:
        """Whether an interface can have the address: it is inside, and neither the first nor the last."""
        return self.base < address < self.last

    def overlaps(self, other: Subnet) -> bool:
        """Whether there is an address that is in both."""
        return self.base <= other.last and other.base <= self.last


def subnet_of(address: str) -> Subnet:
    """The subnet around an address with its prefix: 10.0.0.0/24 around ``10.0.0.7/24``. Raises ``ValueError``."""
    plain, slash, length = address.partition("/")
    if not slash or not re.fullmatch(r"[0-9]{1,2}", length, re.ASCII) or int(length) > 32:
        raise ValueError(f"{address!r} is not an address with the length of its prefix, such as 10.0.0.0/24")
    prefix = int(length)
    return Subnet(number(plain) >> 32 - prefix << 32 - prefix, prefix)


def _subnet(value: Any) -> Subnet:
    said = text(value)
    if ":" in said:
        raise ValueError("it is an IPv6 subnet; networks have IPv4 subnets only")
    subnet = subnet_of(said)
    if number(said.partition("/")[0]) != subnet.base:
        raise ValueError(f"it is an address within a network; the network itself is {subnet}")
    if not 8 <= subnet.prefix <= 30:
        raise ValueError("the length of its prefix is not between 8 and 30")
    if subnet.base >> 24 in (0, 127) or subnet.base >> 28 >= 14:
        raise ValueError("no interface can have addresses of this range")
    return subnet


def _address(value: Any) -> str:
    return dotted(number(text(value)))


SUBNET = Kind("subnet", {"type": "str"}, _subnet, str)
ADDRESS = Kind("address", {"type": "str"}, _address)
