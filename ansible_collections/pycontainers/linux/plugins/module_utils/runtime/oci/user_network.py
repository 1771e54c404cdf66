# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks by a program: slirp4netns(1), or pasta of passt(1), which lends a network namespace the host's sockets.

It makes a TAP interface in there, and takes part in the host's network as any program does: nothing of the host's is
changed, and nobody has to be root. What is said here is which there are, what they are asked for, and in which words.
"""
from __future__ import annotations

import os
import socket

from ..errors import Failure
from ..typed import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SLIRP, PASTA = "slirp4netns", "pasta"
PACKAGES = {SLIRP: "slirp4netns", PASTA: "passt"}
"""The programs, and the package of each in Debian and Alpine."""

INTERFACE = "tap0"
SOCKET, READY = "network.sock", "network.ready"
"""Where, in its folder, slirp4netns is told of ports, and where either says that it is ready."""

READY_FD, EXIT_FD = 3, 4

LEAST_MTU, MOST_MTU = 1280, 65520
"""What IPv6 takes at least (RFC 8200), and what both programs take at most."""

CIDR, LONGEST_PREFIX = "10.0.2.0/24", 25
"""The network inside, as slirp4netns has it, and the longest prefix that it takes."""

GATEWAY, RESOLVER, GUEST = 2, 3, 100
"""Places in that network (slirp4netns(1))."""

RESOLVER6 = "fd00::3"
PASTA_RESOLVER = "169.254.1.53"
"""Where pasta takes questions for the host's resolver: an address that nobody else has (RFC 3927)."""

_SWITCH = {"true": True, "false": False}
_SANDBOX = ("--enable-sandbox", "--enable-seccomp")
_SEEN = ("/etc", "/run")
"""What slirp4netns sees of the host's files in its sandbox."""


class Forward(NamedTuple):
    """A port of the host that leads to one in the namespace; ``address`` is "" for every one of the host's."""

    protocol: str
    address: str
    host_port: int
    port: int


class UserNetwork(NamedTuple):
    """What a program is asked for. ``host_loopback`` says that its gateway leads to the host's loopback interface."""

    program: str
    mtu: int = MOST_MTU
    host_loopback: bool = False
    cidr: str = CIDR
    ipv6: bool = True

    @property
    def gateway(self) -> str:
        """The host's address inside; pasta's is that of the host's own router."""
        return self._at(GATEWAY) if self.program == SLIRP else ""

    @property
    def guest(self) -> str:
        """The address of IPv4 inside; with pasta it is the host's own."""
        return self._at(GUEST) if self.program == SLIRP else ""

    @property
    def resolvers(self) -> tuple[str, ...]:
        """The addresses inside at which the host's resolvers are asked, wherever those are."""
        own = self._at(RESOLVER) if self.program == SLIRP else PASTA_RESOLVER
        return (own, RESOLVER6) if self.ipv6 else (own,)

    def _at(self, place: int) -> str:
        base = int.from_bytes(socket.inet_aton(self.cidr.partition("/")[0]), "big")
        return socket.inet_ntoa((base + place).to_bytes(4, "big"))

    def __str__(self) -> str:
        """Write it as it is asked for, without what is default, so that the same is written the same way."""
        if self.program == SLIRP:
            said = {
                "allow_host_loopback": "true" if self.host_loopback else "",
                "cidr": self.cidr if self.cidr != CIDR else "",
                "enable_ipv6": "" if self.ipv6 else "false",
                "mtu": str(self.mtu) if self.mtu != MOST_MTU else "",
            }
            words = [f"{name}={value}" for name, value in said.items() if value]
        else:
            words = [] if self.ipv6 else ["--ipv4-only"]
            words += ["--map-gw"] if self.host_loopback else []
            words += ["--mtu", str(self.mtu)] if self.mtu != MOST_MTU else []
        return ":".join(filter(None, (self.program, ",".join(words))))


def asked(said: str) -> UserNetwork | None:
    """What a network mode asks for, in Podman's words; None if it is none of these. Raises ``ValueError``."""
    program, colon, words = said.partition(":")
    if program not in PACKAGES:
        return None
    if colon and not words:
        raise ValueError(f"there are no options behind {program}:")
    given = words.split(",") if words else []
    return _slirp(given) if program == SLIRP else _pasta(given)


def _slirp(given: list[str]) -> UserNetwork:
    found = UserNetwork(SLIRP)
    for each in given:
        name, _, value = each.partition("=")
        if name == "mtu":
            found = found._replace(mtu=_mtu(value))
        elif name == "cidr":
            found = found._replace(cidr=_cidr(value))
        elif name == "allow_host_loopback":
            found = found._replace(host_loopback=_switch(each, value))
        elif name == "enable_ipv6":
            found = found._replace(ipv6=_switch(each, value))
        else:
            known = "mtu=BYTES, cidr=NETWORK, allow_host_loopback=true and enable_ipv6=false"
            raise ValueError(f"{each!r} is no option of {SLIRP} here; options are {known}")
    return found


def _pasta(given: list[str]) -> UserNetwork:
    found, words = UserNetwork(PASTA), iter(given)
    for each in words:
        if each in ("-m", "--mtu"):
            found = found._replace(mtu=_mtu(next(words, "")))
        elif each == "--map-gw":
            found = found._replace(host_loopback=True)
        elif each in ("-4", "--ipv4-only"):
            found = found._replace(ipv6=False)
        else:
            known = "--mtu,BYTES, --map-gw and --ipv4-only"
            raise ValueError(f"{each!r} is no option of {PASTA} here; options are {known}")
    return found


def _mtu(value: str) -> int:
    if not (value.isascii() and value.isdecimal() and LEAST_MTU <= int(value[:9]) <= MOST_MTU):
        raise ValueError(f"the mtu {value!r} is not from {LEAST_MTU} to {MOST_MTU}")
    return int(value)


def _switch(said: str, value: str) -> bool:
    if value not in _SWITCH:
        raise ValueError(f"{said!r} is neither true nor false")
    return _SWITCH[value]


def _cidr(value: str) -> str:
    address, _, length = value.partition("/")
    try:
        base = int.from_bytes(socket.inet_pton(socket.AF_INET, address), "big")
    except OSError:
        raise ValueError(f"the cidr {value!r} is no network of IPv4 such as {CIDR}") from None
    if not (length.isascii() and length.isdecimal() and 1 <= int(length[:3]) <= LONGEST_PREFIX):
        raise ValueError(f"the cidr {value!r} has no prefix from 1 to {LONGEST_PREFIX}")
    if base & (1 << 32 - int(length)) - 1:
        raise ValueError(f"the cidr {value!r} has host bits set")
    return f"{socket.inet_ntoa(base.to_bytes(4, 'big'))}/{int(length)}"


def command(
    network: UserNetwork,
    path: str,
    namespaces: tuple[str, str],
    forwards: Sequence[Forward],
    *,
    watched: bool = False,
) -> list[str]:
    """The words by which a program is started in its folder, for a network and, unless "", a user namespace.

    slirp4netns is told of ports later, and ends, if it is ``watched``, when a descriptor hangs up.
    """
    if network.program == SLIRP:
        words = _slirp_command(network, path, *namespaces)
        return [*words[:-2], f"--exit-fd={EXIT_FD}", *words[-2:]] if watched else words
    return _pasta_command(network, path, *namespaces, forwards)


def _slirp_command(network: UserNetwork, path: str, netns: str, userns: str) -> list[str]:
    import subprocess

    try:
        offered = subprocess.run([path, "--help"], capture_output=True, text=True, timeout=10, check=False).stdout
    except subprocess.TimeoutExpired as error:
        raise Failure(f"ask {path} for its options", "it has not answered within 10 s", "see what it does") from error
    # In its sandbox it finds the host's resolvers only where it sees the file.
    sandboxed = os.path.realpath("/etc/resolv.conf").startswith(tuple(f"{each}/" for each in _SEEN))
    return [
        path,
        "--configure",
        f"--mtu={network.mtu}",
        f"--cidr={network.cidr}",
        f"--api-socket={SOCKET}",
        f"--ready-fd={READY_FD}",
        *(each for each in _SANDBOX if sandboxed and each in offered),
        *([] if network.host_loopback else ["--disable-host-loopback"]),
        *(["--enable-ipv6"] if network.ipv6 else []),
        "--netns-type=path",
        *([f"--userns-path={userns}"] if userns else []),
        netns,
        INTERFACE,
    ]


def _pasta_command(
    network: UserNetwork, path: str, netns: str, userns: str, forwards: Iterable[Forward]
) -> list[str]:
    led: dict[str, list[str]] = {"tcp": [], "udp": []}
    for each in forwards:
        place = f"{each.address}/" if each.address else ""
        led[each.protocol].append(f"{place}{each.host_port}:{each.port}")
    # As nobody, which it would become, it can't enter what is root's.
    identity = [] if os.geteuid() else ["--runas", "0:0"]
    ports = [word for each in led["tcp"] or ["none"] for word in ("-t", each)]
    ports += [word for each in led["udp"] or ["none"] for word in ("-u", each)]
    resolvers = [word for each in network.resolvers for word in ("--dns-forward", each)]
    return [
        *(path, "--foreground", "--config-net", "--ns-ifname", INTERFACE, "--mtu", str(network.mtu)),
        *(*identity, *resolvers, *ports, "-T", "none", "-U", "none"),
        *([] if network.host_loopback else ["--no-map-gw"]),
        *([] if network.ipv6 else ["--ipv4-only"]),
        *("--pid", READY, *(("--userns", userns) if userns else ()), "--netns", netns),
    ]
