# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of networks where a container is the gateway, and where they get into each other's way."""
from __future__ import annotations

import socket
import subprocess
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links, namespaces
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import Bench

FAR, FAR6 = "10.99.0.0/24", "fd99::/64"
GATEWAY, GATEWAY6 = "10.88.1.9", "fd00:88:1::9"
ROUTES = [{"destination": FAR, "gateway": GATEWAY}, {"destination": FAR6, "gateway": GATEWAY6}]
ROUTER = {"name": "front", "ipv4_address": GATEWAY, "ipv6_address": GATEWAY6}


@pytest.fixture
def bench(host: Host) -> Bench:
    """A network of both families with routes, and two others."""
    made = Bench(host.layout)
    made.network("front", subnet="10.88.1.0/24", ipv6_subnet="fd00:88:1::/64", routes=ROUTES)
    made.network("back", subnet="10.88.2.0/24", ipv6_subnet="fd00:88:2::/64")
    return made


def inside(host: Host, name: str, *commands: str) -> str:
    """Call ip in a container's namespace."""
    words = ["nsenter", f"--net={host.layout.netns(host.observed(name).id or '')}"]
    said = (subprocess.run([*words, *each.split()], check=True, capture_output=True, text=True) for each in commands)
    return "".join(each.stdout for each in said)


def test_a_container_is_the_gateway(host: Host, bench: Bench) -> None:
    """It does not have the routes that lead by itself, also where they lead to another network of its own."""
    bench.network("front", routes=[*ROUTES, {"destination": "10.88.2.0/24", "gateway": GATEWAY}])
    for _ in range(2):
        host.run(networks=[ROUTER, "back"], name="router")
        assert not host.converge("router").changed
    host.run(networks=["front"])
    found = {str(each.way.gateway) for each in links.routes(host.layout.netns(host.observed().id or ""))}
    assert {GATEWAY, GATEWAY6} <= found
    assert not host.converge().changed


def test_what_is_learned_of_the_way_is_no_drift(host: Host, bench: Bench) -> None:
    """The kernel keeps the MTU on the way to an address beside the route by which that is reached."""
    host.run(networks=[ROUTER], name="router")
    host.run(networks=["front"])
    inside(
        host,
        "router",
        "sysctl -qw net.ipv6.conf.all.forwarding=1",
        "ip link add far0 type veth peer name far1",
        "ip link set far1 up",
        "ip link set far0 up mtu 1280",
        "ip addr add fd99::1/64 dev far0 nodad",
        "ip neigh add fd99::2 lladdr 02:00:00:00:00:99 dev far0",
    )
    with namespaces.entered(host.layout.netns(host.observed().id or "")):
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)

    def learned() -> bool:
        sender.sendto(bytes(1400), ("fd99::2", 9))
        return "mtu 1280" in inside(host, "c", "ip -6 route show cache")

    with sender:
        wait(learned)
    assert not host.converge().changed


@pytest.mark.parametrize(
    ("network", "route"),
    [
        ("back", {"destination": FAR, "gateway": "10.88.2.9"}),
        ("back", {"destination": FAR6, "gateway": "fd00:88:2::9", "metric": 1024}),
        ("back", {"destination": "10.88.1.0/24", "gateway": "10.88.2.9"}),
        ("back", {"destination": "fd00:88:1::/64", "gateway": "fd00:88:2::9", "metric": 256}),
    ],
    ids=str,
)
def test_networks_that_take_routes_from_each_other(
    host: Host, bench: Bench, network: str, route: dict[str, Any]
) -> None:
    """They are refused together; with another metric there is room for both."""
    bench.network(network, routes=[route])
    reason = f"front and back both have a route to {route['destination']} of the same metric"
    with pytest.raises(InvalidValue, match=reason):
        host.run(networks=["front", "back"])
    bench.network(network, routes=[route | {"metric": 77}])
    host.run(networks=["front", "back"])
    assert not host.converge().changed


@pytest.mark.parametrize(
    "route",
    [
        {"destination": "10.88.1.0/24", "gateway": GATEWAY},
        {"destination": "fd00:88:1::/64", "gateway": GATEWAY6, "metric": 256},
    ],
    ids=str,
)
def test_a_route_to_the_network_itself_is_refused(bench: Bench, route: dict[str, Any]) -> None:
    """It would be in the place of the one that leads there."""
    with pytest.raises(InvalidValue, match="that is the network itself"):
        bench.network("front", routes=[route])
