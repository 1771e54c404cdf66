# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks on a parent: containers are on the network of an interface of the host, by macvlan, ipvlan, and VLANs."""
from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links, namespaces, netlink
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import firewall
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.attachments import networks
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.endpoint import observe_endpoint
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_model import (
    MODES,
    declared_network,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import IMPATIENCE, Bench

LAN: dict[str, Any] = {"parent": "lan0", "subnet": "192.0.2.0/24", "gateway": "192.0.2.9"}
LAN6: dict[str, Any] = {"ipv6_subnet": "2001:db8:7::/64", "ipv6_gateway": "2001:db8:7::9"}
ROUTER, ROUTER6, OUTSIDE = "192.0.2.9", "2001:db8:7::9", "203.0.113.1"
ROUTED: dict[str, Any] = {"parent": "lan0", "subnet": "10.7.0.0/24", "ipv6_subnet": "fd07::/64"}
DAMAGES = ("link del eth0", "link set eth0 down", "addr flush dev eth0", "link set eth0 mtu 1300", "route flush all")
FIRST, SECOND = "3f2a1b" + 58 * "0", "4f2a1b" + 58 * "0"


def lacks(kind: str) -> str:
    """What keeps a kind of interface from being made in this kernel; nothing where it can be."""
    name = f"try-{kind}"
    made = subprocess.run(
        ["ip", "link", "add", "link", "lan0", "name", name, "type", kind, *(["id", "5"] if kind == "vlan" else [])],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        return f"this kernel makes no interface of type {kind}: {made.stderr.strip()}"
    subprocess.run(["ip", "link", "del", name], check=True)
    return ""


@pytest.fixture
def bench(host: Host) -> Iterator[Bench]:
    """An interface lan0 of the host, and a router on the network that it leads to, which has an address outside too."""
    made = Bench(host.layout)
    router = host.layout.netns("router")
    namespaces.pin(router)
    subprocess.run("ip link add lan0 type veth peer name lan1".split(), check=True)
    with open(router, "rb") as inside:
        subprocess.run(["ip", "link", "set", "lan1", "netns", f"/proc/self/fd/{inside.fileno()}"], check=True,
                       pass_fds=[inside.fileno()])  # fmt: skip
    made.sockets.callback(namespaces.unpin, router)
    made.sockets.callback(netlink.delete_link, "lan0")
    netlink.add_address("lan0", "192.0.2.2/24")
    netlink.set_up("lan0", True)
    netlink.configure(router, "lan1", netlink.Setup([f"{ROUTER}/24", f"{ROUTER6}/64"]))
    with namespaces.entered(router):
        netlink.add_address("lo", f"{OUTSIDE}/32")
    yield made
    for name in ("c", "near"):
        host.converge(name, state="absent", stop_timeout=0)
    made.close()


def needs(kind: str) -> None:
    """Skip a case in a kernel that lacks a kind of interface: another kernel has them all, see the last test."""
    reason = lacks(kind)
    if reason:
        pytest.skip(reason)


def route_by_host(host: Host) -> None:
    """Have the host and the router know of each other's networks, as where the kernel routes they have to."""
    netlink.add_address("lan0", "2001:db8:7::2/64")
    subprocess.run(f"ip route add default via {ROUTER}".split(), check=True)
    with namespaces.entered(host.layout.netns("router")):
        subprocess.run("ip route add 10.7.0.0/24 via 192.0.2.2".split(), check=True)
        subprocess.run("ip route add fd07::/64 via 2001:db8:7::2".split(), check=True)


def present(host: Host, identity: str) -> bool:
    """Whether the kernel has all of a container's place on the network."""
    return observe_endpoint(host.layout, identity, networks(["lan"]))["lan"].present


def inside(host: Host, identity: str | None = None) -> dict[str, links.Link]:
    """The interfaces of a container, but for the loopback interface."""
    found = links.links(host.layout.netns(identity or host.observed().id or ""))
    return {name: link for name, link in found.items() if not link.loopback}


@pytest.mark.parametrize(
    ("driver", "mode"),
    [(driver, mode) for driver in ("macvlan", "ipvlan") for mode in (None, *MODES[driver][1:])],
)
def test_containers_are_on_the_parents_network(host: Host, bench: Bench, driver: str, mode: str | None) -> None:
    """They reach its router and what is behind, in both families, and others on it where the mode says so."""
    needs(driver)
    routed = (mode or "").startswith("l3")
    options = (ROUTED if routed else LAN | LAN6) | {"driver": driver, "mode": mode}
    if routed:
        route_by_host(host)
    before = firewall.read()
    assert bench.network("lan", **options).changed
    assert not bench.network("lan", **options).changed
    assert not bench.network("lan").changed
    one, other = FIRST, SECOND
    address, target = bench.container(one, "lan"), bench.container(other, "lan")
    (own,) = inside(host, one).values()
    assert (own.kind, own.mtu) == (driver, 1500)
    assert present(host, one)
    held = bench.addresses(one)
    assert bench.reach(one, OUTSIDE, 80, bench.listen("router", 80)) == address
    waiting = bench.listen("router", 80, family=socket.AF_INET6)
    assert bench.reach(one, ROUTER6, 80, waiting) == held[1]
    assert bench.reach("router", address, 81, bench.listen(one, 81)) == ROUTER
    near = bench.listen(other, 80)
    if mode in ("private", "vepa"):
        # The switch behind the parent has to send back what is for another container, and a veth does not.
        with pytest.raises(OSError, match="timed out"):
            bench.reach(one, target, 80, near, IMPATIENCE)
    else:
        assert bench.reach(one, target, 80, near) == address
    assert firewall.read() == before
    assert links.setting("ipv4/conf/lan0/route_localnet") == "0"


@pytest.mark.parametrize("driver", ["macvlan", "ipvlan", "bridge"])
def test_a_vlan_is_an_interface_of_the_network(host: Host, bench: Bench, driver: str) -> None:
    """It is made with it, mended, and goes with it; the parent stays."""
    needs("vlan")
    if driver == "bridge":
        with pytest.raises(InvalidValue, match="cannot use 5 as vlan: only macvlan and ipvlan have it"):
            bench.network("lan", subnet="192.0.2.0/24", vlan=5)
        return
    needs(driver)
    options = LAN | {"driver": driver, "vlan": 5, "subnet": "10.5.0.0/24", "gateway": "10.5.0.9"}
    router = host.layout.netns("router")
    with namespaces.entered(router):
        netlink.create_vlan("lan1.5", "lan1", 5)
        netlink.add_address("lan1.5", "10.5.0.9/24")
        netlink.set_up("lan1.5", True)
    bench.network("lan", **options)
    address = bench.container(FIRST, "lan")
    waiting = bench.listen("router", 80)
    assert bench.reach(FIRST, "10.5.0.9", 80, waiting) == address
    for damage, paths in (
        ("ip link set lan0.5 mtu 1400", {"mtu"}),
        ("ip link del lan0.5", {"link"}),
    ):
        subprocess.run(damage.split(), check=True)
        assert {change.path for change in bench.network("lan", check=True, **options).changes} == paths
        assert not present(host, FIRST)
        bench.network("lan", **options)
        assert not bench.network("lan", **options).changed
        assert bench.container(FIRST, "lan") == address
        assert present(host, FIRST)
        assert bench.reach(FIRST, "10.5.0.9", 80, waiting) == address
    bench.remove(FIRST)
    bench.network("lan", state="absent")
    assert "lan0.5" not in links.links()
    assert "lan0" in links.links()


def test_a_vlan_of_others_is_no_interface_of_ours(host: Host, bench: Bench) -> None:
    """It can be the parent, and stays then."""
    needs("vlan")
    subprocess.run("ip link add link lan0 name lan0.5 type vlan id 5".split(), check=True)
    with pytest.raises(InvalidValue, match=r"'lan0\.5' as parent: the host has an interface of this name that is not"):
        bench.network("lan", **LAN, driver="macvlan", vlan=5)
    bench.network("lan", **(LAN | {"parent": "lan0.5"}), driver="macvlan")
    bench.network("lan", state="absent")
    assert "lan0.5" in links.links()


def test_damage_to_an_interface_is_mended(host: Host, bench: Bench) -> None:
    """While the container runs; one that is gone is made again."""
    bench.network("lan", **LAN, driver="macvlan")
    host.run(networks=["lan"], egress_rate="8mbit")
    host.run(name="near", networks=["lan"])
    assert not host.converge().changed
    pid, path = host.pid("c"), host.layout.netns(host.observed("c").id or "")
    for damage in DAMAGES:
        with namespaces.entered(path):
            subprocess.run(["ip", *damage.split()], check=True)
        assert {change.path for change in host.converge(check=True).changes} >= {"attached"}
        host.converge()
        assert not host.converge().changed
        (own,) = inside(host).values()
        assert links.rates(path)[own.index] == 8_000_000
    assert host.pid("c") == pid
    assert "1 packets received" in host.ok("exec", "c", "ping", "-c1", "-W2", "near"), "names are known there too"


def test_networks_are_changed_while_it_runs(host: Host, bench: Bench) -> None:
    """A container comes to such a network and leaves it; a change that fails brings it back."""
    bench.network("lan", **LAN, driver="macvlan")
    bench.network("front", subnet="10.88.1.0/24")
    host.run(networks=["front"])
    pid = host.pid("c")
    host.converge(networks=["front", {"name": "lan", "ipv4_address": "192.0.2.77", "mac_address": "02:42:00:00:00:09"}])
    assert {link.kind: link.mac for link in inside(host).values()}["macvlan"] == "02:42:00:00:00:09"
    facts: Any = json.loads(host.ok("network", "inspect", "lan"))[0]
    assert (facts["Driver"], facts["Options"]) == ("macvlan", {"parent": "lan0", "mode": "bridge", "mtu": 1500})
    assert facts["IPAM"]["Config"] == [{"Subnet": "192.0.2.0/24", "Gateway": ROUTER}]
    host.converge(networks=["front"])
    assert [link.kind for link in inside(host).values()] == ["veth"]
    assert host.pid("c") == pid
    assert "lan  " in host.ok("network", "ls")


def test_the_hosts_addresses_are_nobodys(host: Host, bench: Bench) -> None:
    """Of the parent's network the host has some itself: they are not given out, nor can they be asked for."""
    netlink.add_address("lan0", "192.0.2.1/24")
    bench.network("lan", **LAN, driver="macvlan")
    host.run(networks=["lan"])
    assert dict(host.observed("c").held)["lan"] == ("192.0.2.3",)
    with pytest.raises(Failure, match=r"192\.0\.2\.2 on the network lan: the host has it"):
        host.run(name="near", networks=[{"name": "lan", "ipv4_address": "192.0.2.2"}])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"driver": "macvlan", "subnet": "192.0.2.0/24"}, "None as parent: a network of macvlan needs an interface of"),
        ({"driver": "macvlan", "parent": "lan0"}, "None as subnet: a network of macvlan needs that of the parent's"),
        (LAN | {"driver": "macvlan", "parent": "lan7"}, "'lan7' as parent: the host has no such interface"),
        (LAN | {"driver": "macvlan", "parent": "lo"}, "'lo' as parent: it leads nowhere but to the host itself"),
        (LAN | {"driver": "macvlan", "mode": "l2"}, "'l2' as mode: modes of macvlan are bridge, private, vepa"),
        (LAN | {"driver": "macvlan", "mtu": 9000}, "9000 as mtu: that of lan0 is 1500"),
        (LAN | {"driver": "macvlan", "internal": True}, "True as internal: only a bridge has it"),
        (LAN | {"driver": "macvlan", "masquerade": True}, "True as masquerade: only a bridge has it"),
        (LAN | {"driver": "macvlan", "isolate": False}, "False as isolate: only a bridge has it"),
        (LAN | {"driver": "macvlan", "bridge_name": "b"}, "'b' as bridge_name: only a bridge has it"),
        (LAN | {"driver": "macvlan", "enable_ipv6": True}, "True as enable_ipv6: a network of macvlan has"),
        (LAN | {"driver": "ipvlan", "mode": "l3"}, "'192.0.2.9' as gateway: in mode l3 containers have none"),
        (LAN, "'lan0' as parent: only macvlan and ipvlan have it"),
        (LAN | {"driver": "macvlan", "vlan": 5000}, "5000 as vlan: it is not between 1 and 4094"),
    ],
)
def test_what_can_not_be_is_refused(bench: Bench, options: dict[str, Any], reason: str) -> None:
    """With the option, its value and the reason, also in check mode."""
    for check in (True, False):
        with pytest.raises(InvalidValue, match=reason):
            bench.network("lan", check=check, **options)


def test_one_parent_is_of_one_network(bench: Bench) -> None:
    """A second network on it is refused; and the parent that goes is told."""
    bench.network("lan", **LAN, driver="macvlan")
    with pytest.raises(InvalidValue, match="'lan0' as parent: it is the interface of the network lan"):
        bench.network("other", **(LAN | {"subnet": "198.51.100.0/24", "gateway": None}), driver="macvlan")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"published_ports": ["8080:80"]}, "it gets outside by the network lan, to which the host leads no ports"),
        ({"ingress_rate": "1mbit"}, "on the network lan nothing of the host's holds back"),
        ({"etc_hosts": {"h": "host-gateway"}}, "on the network lan the kernel keeps host and containers apart"),
    ],
)
def test_what_the_host_can_not_do_is_refused(host: Host, bench: Bench, options: dict[str, Any], reason: str) -> None:
    """Before anything is made."""
    bench.network("lan", **LAN, driver="macvlan")
    with pytest.raises(InvalidValue, match=reason):
        host.run(networks=["lan"], **options)


def test_a_network_goes_over_to_another_driver(host: Host, bench: Bench) -> None:
    """While no container is on it; what belongs to the old one is left behind."""
    bench.network("lan", subnet="10.88.1.0/24")
    assert "pyc-lan" in links.links()
    changes = bench.network("lan", **LAN, driver="macvlan").changes
    assert {change.path for change in changes} >= {"driver", "parent", "mode", "subnet", "gateway"}
    assert "pyc-lan" not in links.links()
    host.run(networks=["lan"])
    with pytest.raises(Failure, match="containers are connected: c"):
        bench.network("lan", driver="bridge", subnet="10.88.1.0/24")
    host.converge("c", state="absent", stop_timeout=0)
    bench.network("lan", driver="bridge", subnet="10.88.1.0/24")
    assert not bench.network("lan").changed
    assert "pyc-lan" in links.links()


def test_a_bridge_takes_no_addresses_of_the_parents_network(bench: Bench) -> None:
    """The host has addresses there, and would look for its neighbours on the bridge."""
    bench.network("lan", **LAN, driver="macvlan")
    with pytest.raises(InvalidValue, match=r"192.0.2.0/24' as subnet: it overlaps the address 192.0.2.2/24 of lan0"):
        bench.network("lan", driver="bridge")


def test_a_network_goes_over_to_a_mode_without_a_gateway(bench: Bench) -> None:
    """The gateway that it has, and that nobody names, is none there."""
    bench.network("lan", **LAN, driver="ipvlan")
    for mode, gateway in (("l3", None), ("l2", "192.0.2.1")):
        bench.network("lan", mode=mode)
        found = declared_network(bench.layout, "lan")
        assert (found.mode, found.gateway) == (mode, gateway)
        assert not bench.network("lan", mode=mode).changed


def test_the_command_line_says_it_as_docker_does(host: Host, bench: Bench) -> None:
    """Driver, subnet, gateway, and the parent with --opt."""
    words = ["-d", "macvlan", "--subnet", LAN["subnet"], "--gateway", ROUTER, "-o", "parent=lan0"]
    assert host.ok("network", "create", *words, "-o", "macvlan_mode=private", "lan") == "lan\n"
    listed = host.ok("network", "ls").splitlines()[1].split()
    assert listed == ["lan", "macvlan", "192.0.2.0/24", "lan0", "by", "lan0"]
    assert os.path.exists(host.layout.network("lan"))
