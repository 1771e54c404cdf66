# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports: the grammar of ``docker_container``, in one normal form."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..core.kinds import listed, text
from ..core.model import Kind
from ..lean.dataclasses import dataclass, replace
from .addresses import bits_of, number, written

EVERY, ANY, ANY6 = "", "0.0.0.0", "::"
"""What stands for every address of the host: of both families, of IPv4, of IPv6."""

PROTOCOLS = ("sctp", "tcp", "udp")
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)
_FORM = "[[address:]host_port:]container_port[/tcp|udp|sctp]"


@dataclass(frozen=True, order=True)
class Port:
    """A port of the host that leads to a port of a container; port 0 of the host stands for one that is free."""

    protocol: str
    address: str
    host_port: int
    container_port: int

    def __str__(self) -> str:
        """Write the port as a playbook does, without what is default."""
        address = "" if self.address == EVERY else self.place.removesuffix(str(self.host_port))
        protocol = "" if self.protocol == "tcp" else f"/{self.protocol}"
        named = f"{self.host_port}:" if self.host_port else ":" if address else ""
        return f"{address}{named}{self.container_port}{protocol}"

    @property
    def asked(self) -> tuple[str, str, int]:
        """What a container can ask for once only: this port of the host, or any that leads to this one of its own."""
        return self.protocol, self.place, 0 if self.host_port else self.container_port

    @property
    def place(self) -> str:
        """Address and port of the host, as URLs have them."""
        address = self.address or "*"
        return f"[{address}]:{self.host_port}" if ":" in address else f"{address}:{self.host_port}"

    def of_families(self, ipv6: bool) -> tuple[Port, ...]:
        """The port for each family in which it leads to a container, which has IPv6 or has not."""
        if self.address != EVERY:
            return (self,)
        return tuple(replace(self, address=each) for each in ((ANY, ANY6) if ipv6 else (ANY,)))

    def meets(self, other: Port) -> bool:
        """Whether both ask for one and the same port of the host."""
        same = (self.protocol, self.host_port) == (other.protocol, other.host_port) and self.host_port != 0
        one, two = self.address, other.address
        if one and two and bits_of(one) != bits_of(two):
            return False
        return same and (one == two or bool({EVERY, ANY, ANY6} & {one, two}))


class Exposed(NamedTuple):
    """A port that a container's program listens on."""

    port: int
    protocol: str

    def __str__(self) -> str:
        """Write it as Docker does."""
        return f"{self.port}/{self.protocol}"


def parse_ports(value: Any) -> tuple[Port, ...]:
    """Ports from texts such as ``8080:80``, ``127.0.0.1:53:53/udp``, ``8000-8010:9000-9010``, ``80``, sorted.

    One that names no port of the host and is said twice is the same as said once. Raises ``ValueError`` with the
    reason, also when two of them ask for the same port of the host.
    """
    if not isinstance(value, list | tuple):
        raise ValueError("it is not a list")
    said = [port for each in value for port in _ports(text(each))]
    found = sorted([*(each for each in said if each.host_port), *{each for each in said if not each.host_port}])
    asked: dict[tuple[str, int], list[Port]] = {}
    for port in found:
        others = asked.setdefault((port.protocol, port.host_port), [])
        for other in others:
            if port.meets(other):
                raise ValueError(f"{other} and {port} ask for the same port of the host")
        others.append(port)
    return tuple(found)


def all_named(ports: tuple[Port, ...] | None) -> bool:
    """Whether each of the ports names one of the host."""
    return all(each.host_port for each in ports or ())


def show_ports(value: tuple[Port, ...]) -> list[str]:
    """Ports as a playbook writes them, one text each."""
    return [str(port) for port in value]


def _ports(said: str) -> Iterator[Port]:
    """The ports of one text; more than one where it names ranges."""
    numbers, slash, protocol = said.lower().partition("/")
    if slash and protocol not in PROTOCOLS:
        raise ValueError(f"the protocol {protocol!r} in {said!r} is unknown; protocols are tcp, udp and sctp")
    ipv6, bracket, rest = numbers.removeprefix("[").partition("]:")
    parts = [ipv6, *rest.split(":")] if bracket and numbers.startswith("[") else numbers.split(":")
    if len(parts) > 3:
        raise ValueError(f"{said!r} is not of the form {_FORM}")
    inside = _range(parts[-1], said)
    named = len(parts) == 2 or (len(parts) == 3 and parts[1] != "")
    host = _range(parts[-2], said) if named else [0] * len(inside)
    if len(host) != len(inside):
        lengths = f"{len(host)} ports of the host, {len(inside)} of the container"
        raise ValueError(f"the ranges in {said!r} differ in length: {lengths}")
    address = _address(parts[0], said) if len(parts) == 3 else EVERY
    for host_port, container_port in zip(host, inside, strict=True):
        yield Port(protocol or "tcp", address, host_port, container_port)


def _range(said: str, whole: str, form: str = _FORM) -> range:
    match = _RANGE.fullmatch(said)
    if not match:
        raise ValueError(f"{said!r} in {whole!r} is neither a port nor a range of ports; the form is {form}")
    first, last = int(match[1]), int(match[2] or match[1])
    for port in (first, last):
        if not 1 <= port <= 65535:
            raise ValueError(f"port {port} in {whole!r} is not between 1 and 65535")
    if last < first:
        raise ValueError(f"the range {said} in {whole!r} ends before it begins")
    return range(first, last + 1)


def _address(said: str, whole: str) -> str:
    try:
        address = written(number(said), bits_of(said))
    except ValueError as error:
        raise ValueError(f"{error}, as the host's in {whole!r} has to be") from None
    if address == "::1":
        # A packet from ::1 leaves the host by no interface, and there is no setting for it as there is with 127.0.0.1.
        raise ValueError(f"the kernel leads nothing from ::1 to a container; use 127.0.0.1 in {whole!r}")
    return address


def exposed(value: Any) -> tuple[Exposed, ...]:
    """Ports from texts such as ``80``, ``53/udp``, ``8000-8010/tcp``, sorted, each once."""
    return tuple(sorted({each for some in listed(_exposed)(value) for each in some}))


def _exposed(value: Any) -> tuple[Exposed, ...]:
    said = text(value)
    numbers, slash, protocol = said.lower().partition("/")
    if slash and protocol not in PROTOCOLS:
        raise ValueError(f"the protocol {protocol!r} in {said!r} is unknown; protocols are tcp, udp and sctp")
    ports = _range(numbers, said, "port[-port][/tcp|udp|sctp]")
    return tuple(Exposed(each, protocol or "tcp") for each in ports)


def host_address(value: Any) -> str:
    """An address of the host, of IPv6 in brackets or without; empty for every one."""
    said = text(value)
    return _address(said.removeprefix("[").removesuffix("]"), said) if said else EVERY


EXPOSED = Kind(
    "exposed_ports", {"type": "list", "elements": "str"}, exposed, lambda value: [str(each) for each in value]
)
HOST_ADDRESS = Kind("host_address", {"type": "str"}, host_address)
PORTS = Kind("ports", {"type": "list", "elements": "str"}, parse_ports, show_ports)
