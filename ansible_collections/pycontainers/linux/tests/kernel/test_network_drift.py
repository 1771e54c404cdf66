# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damage that somebody does to a running setup by hand: a check names it, one run mends it, all else goes on."""
from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Change
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import namespaces
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import endpoint
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import HOST, HOST6, PATIENCE, Bench

FRONT: dict[str, Any] = {"subnet": "10.88.1.0/24", "ipv6_subnet": "fd00:88:1::/64"}
WEB: dict[str, Any] = {"networks": [{"name": "front"}], "published_ports": ["8080:80"]}
INSIDE = "nsenter --net={netns} "

DAMAGES = {
    "the bridge is deleted": ("ip link del pyc-front", {"link", "addresses", "mtu", "members", "settings", "attached"}),
    "the bridge is down": ("ip link set pyc-front down", {"link", "addresses"}),
    "the bridge's MTU is another": ("ip link set pyc-front mtu 1300", {"mtu"}),
    "its MTU is too small for IPv6": ("ip link set pyc-front mtu 1000", {"mtu", "addresses", "settings"}),
    "the bridge's address is gone": ("ip addr del 10.88.1.1/24 dev pyc-front", {"addresses"}),
    "its address of IPv6 is gone": ("ip addr del fd00:88:1::1/64 dev pyc-front", {"addresses"}),
    "it has a foreign address": ("ip addr add 10.77.0.1/24 dev pyc-front", {"addresses"}),
    "it has a foreign one of IPv6": ("ip addr add fd77::1/64 dev pyc-front", {"addresses"}),
    "it hears routers": ("sysctl -qw net.ipv6.conf.pyc-front.accept_ra=1", {"settings"}),
    "127.0.0.1 leads nowhere": ("sysctl -qw net.ipv4.conf.pyc-front.route_localnet=0", {"settings"}),
    "nothing is forwarded": ("sysctl -qw net.ipv4.ip_forward=0", {"settings"}),
    "no IPv6 is forwarded": ("sysctl -qw net.ipv6.conf.all.forwarding=0", {"settings"}),
    "the table is deleted": ("nft delete table inet pycontainers", {"firewall", "published_ports"}),
    "all rules of the host are flushed": ("nft flush ruleset", {"firewall", "published_ports"}),
    "a chain is flushed": ("nft flush chain inet pycontainers forward", {"firewall"}),
    "a foreign rule is in a chain": ("nft insert rule inet pycontainers forward accept", {"firewall"}),
    "the bridge is in no set": ("nft delete element inet pycontainers bridges {{ pyc-front }}", {"firewall"}),
    "a port leads nowhere": (
        "nft delete element inet pycontainers ports_any {{ tcp . 8080 }}",
        {"published_ports"},
    ),
    "a port of IPv6 leads nowhere": (
        "nft delete element inet pycontainers ports6_any {{ tcp . 8080 }}",
        {"published_ports"},
    ),
    "the interface is deleted": ("ip link del {host}", {"attached"}),
    "the host's end is down": ("ip link set {host} down", {"attached"}),
    "the host's end hangs in the air": ("ip link set {host} nomaster", {"attached", "members"}),
    "the host's end has another MTU": ("ip link set {host} mtu 1300", {"attached", "mtu"}),
    "the interface is down": (f"{INSIDE}ip link set eth0 down", {"attached"}),
    "the interface has no addresses": (f"{INSIDE}ip addr flush dev eth0", {"attached"}),
    "it has none of IPv6": (f"{INSIDE}sysctl -qw net.ipv6.conf.eth0.disable_ipv6=1", {"attached"}),
    "the interface has another MTU": (f"{INSIDE}ip link set eth0 mtu 1300", {"attached"}),
    "its MTU is too small for IPv6 inside": (f"{INSIDE}ip link set eth0 mtu 1000", {"attached"}),
    "the default route is gone": (f"{INSIDE}ip route del default", {"attached"}),
    "that of IPv6 is gone": (f"{INSIDE}ip -6 route del default", {"attached"}),
    "there is no way to its neighbours": (f"{INSIDE}ip route del 10.88.1.0/24", {"attached"}),
    "nor by IPv6": (f"{INSIDE}ip -6 route del fd00:88:1::/64", {"attached"}),
    "it receives slower than it should": (
        "tc qdisc add dev {host} root tbf rate 1mbit burst 64k latency 50ms",
        {"ingress_rate"},
    ),
    "it sends slower than it should": (
        f"{INSIDE}tc qdisc add dev eth0 root tbf rate 1mbit burst 64k latency 50ms",
        {"egress_rate"},
    ),
    "the names are not in the file": ("sh -c 'echo > {hosts}'", {"hosts"}),
}


class World(NamedTuple):
    """A published container, another on its network, and connections to the first from that and from outside."""

    host: Host
    bench: Bench
    connections: list[tuple[socket.socket, socket.socket]]

    def check(self) -> list[Change]:
        """What a check finds."""
        found = [*self.bench.network("front", check=True, **FRONT).changes]
        return [*found, *self.host.converge("web", check=True, **WEB).changes]

    def run(self) -> bool:
        """Run the tasks once, and tell whether they changed anything."""
        changed = self.bench.network("front", **FRONT).changed
        return self.host.converge("web", **WEB).changed or changed

    def pids(self) -> list[int]:
        """The first processes of both."""
        return [self.host.pid(name) for name in ("web", "near")]

    def talk(self) -> None:
        """Have something said and answered on each of the connections."""
        for one, other in self.connections:
            for sender, receiver in ((one, other), (other, one)):
                sender.sendall(b"more")
                assert receiver.recv(100) == b"more"


@pytest.fixture
def world(host: Host) -> Iterator[World]:
    """All is well, and connections are open in both families."""
    bench = Bench(host.layout)
    bench.neighbour()
    bench.network("front", **FRONT)
    web = host.run(name="web", **WEB).id or ""
    near = host.run(name="near", networks=["front"]).id or ""
    own = dict(host.observed("web").held)["front"]
    with ExitStack() as open_ones:
        connections = []
        for family, address, outside in ((socket.AF_INET, own[0], HOST), (socket.AF_INET6, own[1], HOST6)):
            waiting = bench.listen(web, 80, family=family)
            for where, target, port in ((near, address, 80), ("neighbour", outside, 8080)):
                calling = bench._socket(where, socket.SOCK_STREAM, family)
                calling.connect((target, port))
                accepted = open_ones.enter_context(waiting.accept()[0])
                accepted.settimeout(PATIENCE)
                connections.append((calling, accepted))
        yield World(host, bench, connections)
    for name in ("web", "near"):
        host.converge(name, state="absent", stop_timeout=0)
    bench.close()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_mended(world: World, damage: str) -> None:
    """A check tells just what has been damaged; one run mends it. Processes and open connections live on."""
    command, paths = DAMAGES[damage]
    pids, identity = world.pids(), world.host.observed("web").id or ""
    assert world.check() == []
    place = endpoint.observe_endpoint(world.host.layout, identity, world.host.observed("web").networks or ())["front"]
    words = {
        "host": place.host_interface,
        "netns": world.host.layout.netns(identity),
        "hosts": world.host.layout.container(identity, "hosts"),
    }
    subprocess.run(command.format(**words), shell=True, check=True)
    found = world.check()
    assert {change.path for change in found} == paths
    assert all(change.effect.name == "LIVE" for change in found)
    assert world.run()
    assert world.check() == []
    assert world.pids() == pids
    world.talk()


def test_a_reload_of_the_hosts_firewall_is_mended_by_the_boot_service(world: World) -> None:
    """Whoever flushes all rules can have the service put them back, as well as the next task."""
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    assert {change.path for change in world.check()} == {"firewall", "published_ports"}
    world.host.ok("boot")
    assert world.check() == []
    world.talk()


def test_others_are_left_alone(world: World) -> None:
    """A table of somebody else's, and a bridge, a route and an address of theirs, are as they were after a mending."""
    rules = "table inet other {\n chain input {\n type filter hook input priority 0\n }\n}\n"
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)
    for command in ("link add others0 type bridge", "addr add 10.66.0.1/24 dev others0", "link set others0 up"):
        subprocess.run(["ip", *command.split()], check=True)
    before = _of_others()
    subprocess.run("ip link del pyc-front; nft delete table inet pycontainers", shell=True, check=True)
    assert world.run()
    assert _of_others() == before
    subprocess.run("nft delete table inet other; ip link del others0", shell=True, check=True)


def _of_others() -> str:
    commands = "nft list table inet other; ip addr show dev others0; ip route show dev others0"
    return subprocess.run(commands, shell=True, capture_output=True, text=True, check=True).stdout


def test_the_host_goes_on_to_hear_routers(world: World) -> None:
    """An interface that hears them when IPv6 is first forwarded hears them then, too; others are as they were."""
    path = world.host.layout.netns("fresh")
    namespaces.pin(path)
    with namespaces.entered(path):
        for name in ("hears", "deaf0"):
            subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
        values = {"hears": "1", "deaf0": "0"}
        for name, value in values.items():
            _write(f"ipv6/conf/{name}/accept_ra", value)
        assert _read("ipv6/conf/all/forwarding") == "0"
        other = Bench(Layout(f"{world.host.layout.root}-2", f"{world.host.layout.run}-2"))
        other.network("back", subnet="10.88.7.0/24", ipv6_subnet="fd00:88:7::/64")
        assert _read("ipv6/conf/all/forwarding") == "1"
        assert (_read("ipv6/conf/hears/accept_ra"), _read("ipv6/conf/deaf0/accept_ra")) == ("2", "0")
        _write("ipv6/conf/deaf0/accept_ra", "1")
        assert not other.network("back").changed, "what does not hear while IPv6 is forwarded is not made to"
        other.close()
    namespaces.unpin(path)
    assert not os.path.exists(path)


def _read(path: str) -> str:
    with open(f"/proc/sys/net/{path}") as file:
        return file.read().strip()


def _write(path: str, value: str) -> None:
    with open(f"/proc/sys/net/{path}", "w") as file:
        file.write(value)
