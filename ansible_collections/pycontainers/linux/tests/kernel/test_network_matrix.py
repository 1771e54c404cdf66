# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may reach a container: each pair of places, in both families, by TCP and UDP, with real traffic.

The table of docs/networks.md is what this finds. It is written anew where PYCONTAINERS_WRITE_DOCS is set.
"""
from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from ansible_collections.pycontainers.linux.tests import pages
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import (
    HOST,
    HOST6,
    IMPATIENCE,
    PATIENCE,
    Bench,
)

BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
BRIDGED6 = Path("/proc/sys/net/bridge/bridge-nf-call-ip6tables")

PLACES = {
    "the host": None,
    "another host": "neighbour",
    "a container of its network": "near",
    "a container of another network": "far",
    "a container of an internal network": "inner",
    "the container itself": "web",
}
WAYS = ("its published port", "its own address", "its name")
FAMILIES = {"IPv4": socket.AF_INET, "IPv6": socket.AF_INET6}
PROTOCOLS = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}
INSIDE, OUTSIDE = 80, 8080

DOCKERS = {
    "the host": (True, True, False),
    "another host": (True, False, False),
    "a container of its network": (True, True, True),
    "a container of another network": (True, False, False),
    "a container of an internal network": (False, False, False),
    "the container itself": (True, True, True),
}
"""Who gets through with Docker, by each of the ways, whatever the family and the protocol."""


class World(NamedTuple):
    """A host with a neighbour, and containers by name: their ids."""

    host: Host
    bench: Bench
    containers: dict[str, str]


@pytest.fixture(params=["0", "1"], ids=["plain", "br_netfilter"])
def world(host: Host, request: pytest.FixtureRequest) -> Iterator[World]:
    """A published container and those that would reach it; once where bridged packets pass the firewall, once not."""
    for each in (BRIDGED, BRIDGED6):
        each.write_text(request.param)
    bench = Bench(host.layout)
    bench.neighbour()
    for number, name in enumerate(("front", "back", "inside"), 1):
        bench.network(name, subnet=f"10.88.{number}.0/24", ipv6_subnet=f"fd00:88:{number}::/64", internal=number == 3)
    on = {"web": "front", "near": "front", "far": "back", "inner": "inside"}
    ports = [f"{OUTSIDE}:{INSIDE}", f"{OUTSIDE}:{INSIDE}/udp"]
    ids = {
        name: host.run(name=name, networks=[{"name": network}], published_ports=ports if name == "web" else []).id
        for name, network in on.items()
    }
    yield World(host, bench, {name: str(identity) for name, identity in ids.items()})
    for name in on:
        host.converge(name, state="absent", stop_timeout=0)
    bench.close()


def test_who_reaches_a_container(world: World) -> None:
    """Just those whom Docker lets through, in each family and protocol; the page tells the same."""
    found: dict[str, dict[str, set[bool]]] = {place: {way: set() for way in WAYS} for place in PLACES}
    differing = []
    for family_name, family in FAMILIES.items():
        for protocol, kind in PROTOCOLS.items():
            waiting = world.bench.listen(world.containers["web"], INSIDE, kind, family)
            for place in PLACES:
                for way, expected in zip(WAYS, DOCKERS[place], strict=True):
                    reached = _reaches(world, place, way, waiting, PATIENCE if expected else IMPATIENCE)
                    found[place][way].add(reached)
                    if reached != expected:
                        differing.append(f"{place} by {way}, {family_name}, {protocol}: {reached}")
    assert differing == []
    _check_page(found)


def _reaches(world: World, place: str, way: str, waiting: socket.socket, patience: float) -> bool:
    where = PLACES[place]
    address, port = _target(world, where, way, waiting.family)
    if not address:
        return False
    identity = world.containers.get(where or "", where)
    try:
        world.bench.reach(identity, address, port, waiting, patience)
    except OSError:
        return False
    return True


def _target(world: World, where: str | None, way: str, family: int) -> tuple[str, int]:
    """Where somebody at a place would send to; no address where the name is not known there."""
    if way == "its published port":
        return (HOST6 if family == socket.AF_INET6 else HOST), OUTSIDE
    held = dict(world.host.observed("web").held)["front"]
    own = next(address for address in held if (":" in address) == (family == socket.AF_INET6))
    if way == "its own address":
        return own, INSIDE
    lines = _hosts(world, where)
    return next((each for each, *names in lines if "web" in names and (":" in each) == (":" in own)), ""), INSIDE


def _hosts(world: World, where: str | None) -> list[list[str]]:
    """The lines of the hosts file that programs at a place see."""
    if where in world.containers:
        content = world.host.ok("exec", str(where), "cat", "/etc/hosts")
    else:
        content = Path("/etc/hosts").read_text()
    return [line.split() for line in content.splitlines() if line.split()]


def _check_page(found: dict[str, dict[str, set[bool]]]) -> None:
    words = {frozenset({True}): "yes", frozenset({False}): "no"}
    lines = [f"| from | {' | '.join(WAYS)} |", "|---|---|---|---|"]
    lines += [f"| {place} | {' | '.join(words[frozenset(found[place][way])] for way in WAYS)} |" for place in PLACES]
    pages.check("networks.md", "who reaches whom", "".join(f"{line}\n" for line in lines))


def test_an_internal_container_reaches_no_port_by_its_gateway(world: World) -> None:
    """The one address of the host that is within its reach leads to no published port either."""
    for family, gateway in ((socket.AF_INET, "10.88.3.1"), (socket.AF_INET6, "fd00:88:3::1")):
        waiting = world.bench.listen(world.containers["web"], INSIDE, family=family)
        with pytest.raises(TimeoutError):
            world.bench.reach(world.containers["inner"], gateway, OUTSIDE, waiting, IMPATIENCE)


def test_names_are_known_in_both_families(world: World) -> None:
    """A program's own resolver finds both addresses, and each leads there."""
    for option in ("-4", "-6"):
        assert "1 packets received" in world.host.ok("exec", "near", "ping", option, "-c1", "-W2", "web")


def test_the_hosts_own_traffic_goes_on(world: World) -> None:
    """A service of the host is reached by another host and by containers, whatever networks there are."""
    for family, address in ((socket.AF_INET, HOST), (socket.AF_INET6, HOST6)):
        waiting = world.bench.listen(None, 2222, family=family)
        for where in ("neighbour", world.containers["near"]):
            world.bench.reach(where, address, 2222, waiting)
