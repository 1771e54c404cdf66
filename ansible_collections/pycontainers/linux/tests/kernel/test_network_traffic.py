# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import netlink
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import HOST, IMPATIENCE, NEIGHBOUR, Bench

DROPPED = TimeoutError


BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
"""Whether br_netfilter shows bridged packets to the firewall: so on hosts that have Docker too, not on a plain one."""


@pytest.fixture(params=["0", "1"], ids=["plain", "br_netfilter"])
def bench(layout: Layout, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Two networks; once where bridged packets go through the firewall too, once where they don't."""
    BRIDGED.write_text(request.param)
    made = Bench(layout)
    made.network("front", subnet="10.88.1.0/24")
    made.network("back", subnet="10.88.2.0/24")
    yield made
    made.close()


def test_containers_of_one_network_reach_each_other(bench: Bench) -> None:
    """TCP and UDP pass between two containers of a network with their own addresses."""
    bench.container("aaaa", "front")
    address = bench.container("bbbb", "front")
    assert address == "10.88.1.3"
    assert bench.reach("aaaa", address, 80, bench.listen("bbbb", 80)) == "10.88.1.2"
    assert bench.reach("aaaa", address, 53, bench.listen("bbbb", 53, socket.SOCK_DGRAM)) == "10.88.1.2"


def test_networks_are_isolated_from_each_other(bench: Bench) -> None:
    """What a container sends to a container of another network is dropped."""
    bench.container("aaaa", "front")
    address = bench.container("bbbb", "back")
    waiting = bench.listen("bbbb", 80)
    with pytest.raises(DROPPED):
        bench.reach("aaaa", address, 80, waiting, IMPATIENCE)


def test_a_container_on_two_networks_reaches_both(bench: Bench) -> None:
    """A container with two networks has an interface, an address and neighbours on each."""
    bench.container("aaaa", "front", "back")
    for identity, network, seen in (("bbbb", "front", "10.88.1.2"), ("cccc", "back", "10.88.2.2")):
        address = bench.container(identity, network)
        assert bench.reach("aaaa", address, 80, bench.listen(identity, 80)) == seen


def test_the_outside_sees_the_hosts_address(bench: Bench) -> None:
    """With masquerade, which is the default, a neighbour of the host sees the host as the source."""
    outside = bench.neighbour()
    bench.container("aaaa", "front")
    assert bench.reach("aaaa", NEIGHBOUR, 80, bench.listen(outside, 80)) == HOST


def test_without_masquerade_the_outside_sees_the_container(bench: Bench) -> None:
    """With masquerade off a neighbour sees the container's own address; turning it off is done live."""
    outside = bench.neighbour()
    address = bench.container("aaaa", "front")
    outcome = bench.network("front", masquerade=False)
    assert outcome.changed
    assert bench.reach("aaaa", NEIGHBOUR, 80, bench.listen(outside, 80)) == address


def test_a_network_turned_internal_is_cut_off_at_once(bench: Bench) -> None:
    """Internal drops what goes out, also of connections that are there; within the network all goes on."""
    outside = bench.neighbour()
    bench.container("aaaa", "front")
    address = bench.container("bbbb", "front")
    waiting = bench.listen(outside, 80)
    assert bench.reach("aaaa", NEIGHBOUR, 80, waiting) == HOST
    bench.network("front", internal=True)
    with pytest.raises(DROPPED):
        bench.reach("aaaa", NEIGHBOUR, 80, waiting, IMPATIENCE)
    assert bench.reach("aaaa", address, 81, bench.listen("bbbb", 81)) == "10.88.1.2"


def test_the_outside_reaches_only_published_ports(bench: Bench) -> None:
    """A neighbour that routes by the host reaches a published port of the host, not the container itself."""
    outside = bench.neighbour()
    address = bench.container("aaaa", "front", ports=("8080:80", "5353:53/udp"))
    waiting = bench.listen("aaaa", 80)
    assert bench.reach(outside, HOST, 8080, waiting) == NEIGHBOUR
    assert bench.reach(outside, HOST, 5353, bench.listen("aaaa", 53, socket.SOCK_DGRAM)) == NEIGHBOUR
    with pytest.raises(DROPPED):
        bench.reach(outside, address, 80, waiting, IMPATIENCE)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "10.88.1.1", HOST])
def test_the_host_reaches_a_published_port_by_each_of_its_addresses(bench: Bench, address: str) -> None:
    """A port published on every address is there on loopback, on the bridge and on the host's own network."""
    bench.neighbour()
    bench.container("aaaa", "front", ports=("8080:80",))
    bench.reach(None, address, 8080, bench.listen("aaaa", 80))


def test_a_port_of_one_address_is_on_no_other(bench: Bench) -> None:
    """A port published on 127.0.0.1 is not there on the host's other addresses, nor for a neighbour who forges."""
    outside = bench.neighbour()
    bench.container("aaaa", "front", ports=("127.0.0.1:8080:80",))
    waiting = bench.listen("aaaa", 80)
    bench.reach(None, "127.0.0.1", 8080, waiting)
    for where, address in ((None, HOST), (outside, HOST)):
        with pytest.raises(ConnectionRefusedError):
            bench.reach(where, address, 8080, waiting)
    with bench.without_own_loopback(outside), pytest.raises(OSError, match=r"timed out|unreachable"):
        bench.reach(outside, "127.0.0.1", 8080, waiting, IMPATIENCE)


def test_no_container_reaches_the_hosts_loopback(bench: Bench) -> None:
    """A container that sends to 127.0.0.1 by its gateway is dropped, although its bridge has route_localnet."""
    bench.container("aaaa", "front")
    waiting = bench.listen(None, 7777)
    with bench.without_own_loopback("aaaa"), pytest.raises(DROPPED):
        bench.reach("aaaa", "127.0.0.1", 7777, waiting, IMPATIENCE)


def test_a_container_reaches_its_own_published_port(bench: Bench) -> None:
    """Through the host's address a container reaches itself, and sees the bridge as the source."""
    bench.neighbour()
    bench.container("aaaa", "front", ports=("8080:80",))
    waiting = bench.listen("aaaa", 80)
    assert bench.reach("aaaa", HOST, 8080, waiting) == "10.88.1.1"
    assert bench.reach("aaaa", "10.88.1.1", 8080, waiting) == "10.88.1.1"


def test_a_container_reaches_a_port_that_its_neighbour_publishes(bench: Bench) -> None:
    """A container reaches another one of its network by the host's address as well."""
    bench.neighbour()
    bench.container("aaaa", "front", ports=("8080:80",))
    bench.container("bbbb", "front")
    bench.reach("bbbb", HOST, 8080, bench.listen("aaaa", 80))


def test_another_network_reaches_a_published_port(bench: Bench) -> None:
    """Isolation ends where a port is published: it is there for other networks by the host's address."""
    bench.container("aaaa", "front", ports=("8080:80",))
    bench.container("bbbb", "back")
    bench.reach("bbbb", "10.88.1.1", 8080, bench.listen("aaaa", 80))


def test_a_port_that_was_withdrawn_is_refused(bench: Bench) -> None:
    """After a container is gone the host itself answers on its port, and nothing leads to its address."""
    bench.container("aaaa", "front", ports=("8080:80",))
    waiting = bench.listen("aaaa", 80)
    bench.reach(None, "127.0.0.1", 8080, waiting)
    bench.remove("aaaa")
    with pytest.raises(ConnectionRefusedError):
        bench.reach(None, "127.0.0.1", 8080, waiting)


def test_ports_cost_no_rules(bench: Bench) -> None:
    """A thousand published ports are elements of a map, not rules, and nft reads them as such."""
    bench.container("aaaa", "front")
    before = _rules()
    bench.container("bbbb", "front", ports=("10000-10999:20000-20999",))
    bench.reach(None, "127.0.0.1", 10999, bench.listen("bbbb", 20999))
    assert _rules() == before


def test_a_container_follows_the_networks_mtu(bench: Bench) -> None:
    """A container's interface has the MTU of its network."""
    bench.network("front", mtu=1280)
    bench.container("aaaa", "front")
    assert bench.mtu("aaaa", "eth0") == 1280
    bench.network("front", mtu=1400)
    bench.container("bbbb", "front")
    assert bench.mtu("bbbb", "eth0") == 1400


def test_foreign_rules_stay(bench: Bench) -> None:
    """Tables of others are as they were after networks and ports have come and gone."""
    foreign = "table inet other { chain input { type filter hook input priority 0; policy accept; }; }"
    subprocess.run(["nft", "-f", "-"], input=foreign, text=True, check=True)
    before = _listing("other")
    bench.container("aaaa", "front", ports=("8080:80",))
    bench.close()
    assert _listing("other") == before
    subprocess.run(["nft", "delete", "table", "inet", "other"], check=True)
    assert subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout == ""


def _rules() -> int:
    return _listing("pycontainers").count("comment")


def _listing(table: str) -> str:
    return subprocess.run(["nft", "list", "table", "inet", table], capture_output=True, text=True, check=True).stdout


def test_an_interface_of_others_is_no_bridge_of_ours(bench: Bench) -> None:
    """A bridge whose name another interface has is refused before anything is made."""
    netlink.create_bridge("pyc-third", "02:00:00:00:00:09")
    try:
        with pytest.raises(Exception, match="interface of this name that is not ours"):
            bench.network("third", subnet="10.88.3.0/24")
    finally:
        netlink.delete_link("pyc-third")
    assert bench.network("third", check=True, subnet="10.88.3.0/24").changed
