# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, apply, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links, netlink
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import firewall
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network import NETWORK
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_info import (
    NETWORK_INFO,
    NetworkInfo,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_model import Network
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import Bench

FRONT: dict[str, Any] = {"subnet": "10.88.1.0/24"}


@pytest.fixture
def bench(layout: Layout) -> Iterator[Bench]:
    """A bench without networks."""
    made = Bench(layout)
    yield made
    made.close()


@dataclass(frozen=True)
class Broken:
    """A step that fails."""

    def describe(self) -> str:
        """Say that it fails."""
        return "fail"

    def do(self) -> None:
        """Fail."""
        raise OSError(5, "Input/output error", "/nowhere")

    def undo(self) -> None:
        """Never called."""


def traces(layout: Layout) -> tuple[Any, ...]:
    """All that a network may leave: links, the table, records, forwarding."""
    records = os.listdir(layout.networks) if os.path.isdir(layout.networks) else []
    return sorted(links.links()), _ruleset(), records, links.setting("ipv4/ip_forward")


def test_declaring_again_changes_nothing(bench: Bench) -> None:
    """A network that is as declared needs no step, however its options are written or left out."""
    assert bench.network("front", **FRONT, mtu=1400).changed
    others: tuple[dict[str, Any], ...] = ({"gateway": "10.88.1.1"}, {"bridge_name": "pyc-front"}, {"mtu": "1400"})
    for options in ({}, FRONT, *others):
        outcome = bench.network("front", **options)
        assert (outcome.actions, outcome.changes) == ((), ())


def test_a_check_changes_nothing_and_says_what_would(bench: Bench) -> None:
    """A check tells the steps that a run then takes, and leaves no trace."""
    before = traces(bench.layout)
    foretold = bench.network("front", check=True, **FRONT)
    assert traces(bench.layout) == before
    assert bench.network("front", **FRONT).actions == foretold.actions


def test_a_removed_network_leaves_nothing(bench: Bench) -> None:
    """With the last network go its bridge, the table and its record; forwarding stays, others may need it by now."""
    subprocess.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"], check=True)
    before = traces(bench.layout)
    bench.network("front", **FRONT)
    bench.network("back", subnet="10.88.2.0/24")
    bench.container("aaaa", "front")
    bench.remove("aaaa")
    bench.network("front", state="absent")
    assert "pycontainers" in _ruleset()
    bench.network("back", state="absent")
    assert traces(bench.layout) == before
    assert not bench.network("back", state="absent").changed


def test_a_network_in_use_is_not_removed(bench: Bench) -> None:
    """A network stays, and the refusal names the containers, while containers are connected."""
    bench.network("front", **FRONT)
    bench.container("aaaa", "front")
    os.makedirs(bench.layout.names)
    os.symlink("../containers/aaaa", bench.layout.name("web"))
    refused: tuple[dict[str, Any], ...] = (
        {"state": "absent"},
        {"subnet": "10.88.9.0/24"},
        {"gateway": "10.88.1.9"},
        {"bridge_name": "br9"},
    )
    for options in refused:
        with pytest.raises(Failure, match="containers are connected: web; remove them first"):
            bench.network("front", **options)
    assert not bench.network("front").changed


DRIFTS = {
    "the bridge is deleted": "ip link del pyc-front",
    "all is gone, as after a reboot": "ip link del pyc-front; nft flush ruleset; sysctl -qw net.ipv4.ip_forward=0",
    "the bridge is down": "ip link set pyc-front down",
    "the MTU is another": "ip link set pyc-front mtu 1300",
    "the address is gone": "ip addr flush dev pyc-front",
    "the address has another prefix": "ip addr flush dev pyc-front; ip addr add 10.88.1.1/16 dev pyc-front",
    "there is one address more": "ip addr add 10.77.0.1/24 dev pyc-front",
    "there is another before it": "ip a flush dev pyc-front; ip a add 10.88.1.7/24 dev pyc-front; "
    "ip a add 10.88.1.1/24 dev pyc-front",
    "a container's interface has left the bridge": "ip link set {host} nomaster",
    "all rules are flushed": "nft flush ruleset",
    "one chain is flushed": "nft flush chain inet pycontainers postrouting",
    "a rule is added": "nft add rule inet pycontainers forward counter drop",
    "the bridge is in no set": "nft flush set inet pycontainers bridges",
    "masquerading is off": "nft flush set inet pycontainers outbound",
    "the network was made internal": "nft add element inet pycontainers internal '{{ pyc-front }}'",
    "nothing is forwarded": "sysctl -qw net.ipv4.ip_forward=0",
    "loopback is not routed": "sysctl -qw net.ipv4.conf.pyc-front.route_localnet=0",
}


@pytest.mark.parametrize("command", DRIFTS.values(), ids=DRIFTS.keys())
def test_drift_is_seen_and_mended(bench: Bench, command: str) -> None:
    """What others change behind our back is a difference, is put right in place, and traffic flows again."""
    outside = bench.neighbour()
    bench.network("front", **FRONT)
    address = bench.container("aaaa", "front", ports=("8080:80",))
    bench.container("bbbb", "front")
    host = next(name for name in links.links() if name.startswith("vaaaa"))
    subprocess.run(command.format(host=host), shell=True, check=True)
    outcome = bench.network("front")
    assert outcome.actions
    assert outcome.changes
    assert not bench.network("front").changed
    assert bench.reach("bbbb", address, 80, bench.listen("aaaa", 80)) == "10.88.1.3"
    bench.reach("aaaa", "192.0.2.2", 81, bench.listen(outside, 81))


def test_published_ports_outlive_flushed_chains(bench: Bench) -> None:
    """Mending the rules leaves the map of ports as it is."""
    bench.network("front", **FRONT)
    bench.container("aaaa", "front", ports=("8080:80",))
    subprocess.run(["nft", "flush", "chain", "inet", "pycontainers", "output"], check=True)
    waiting = bench.listen("aaaa", 80)
    with pytest.raises(ConnectionRefusedError):
        bench.reach(None, "127.0.0.1", 8080, waiting)
    bench.network("front")
    bench.reach(None, "127.0.0.1", 8080, waiting)


def test_a_failed_creation_leaves_nothing(bench: Bench) -> None:
    """Whichever step fails, those before it are undone."""
    subprocess.run(["sysctl", "-qw", "net.ipv4.ip_forward=0"], check=True)
    want = NETWORK.resolve(bench.layout, parse(Network, {"name": "front", **FRONT, "mtu": 1400}), None)
    steps = NETWORK.plan(bench.layout, want, None).steps
    before = traces(bench.layout)
    assert len(steps) == 10
    for count in range(len(steps) + 1):
        with pytest.raises(Failure, match="cannot fail"):
            apply(Plan((*steps[:count], Broken())))
        assert traces(bench.layout) == before


def test_a_failed_removal_leaves_the_network_whole(bench: Bench) -> None:
    """Whichever step of a removal fails, the network is as it was."""
    bench.network("front", **FRONT, mtu=1400, masquerade=False)
    want = parse(Network, {"name": "front", "state": "absent"})
    have = NETWORK.observe(bench.layout, want)
    steps = NETWORK.plan(bench.layout, want, have).steps
    assert len(steps) == 4
    for count in range(len(steps) + 1):
        with pytest.raises(Failure, match="cannot fail"):
            apply(Plan((*steps[:count], Broken())))
        assert NETWORK.observe(bench.layout, want) == have


def test_a_failed_change_leaves_the_addresses(bench: Bench) -> None:
    """Those of IPv6, which the kernel drops where it is switched off, and does not bring back."""
    bench.network("front", **FRONT, ipv6_subnet="fd00:88:1::/64")
    want = parse(Network, {"name": "front", "enable_ipv6": False})
    have = NETWORK.observe(bench.layout, want)
    steps = NETWORK.plan(bench.layout, NETWORK.resolve(bench.layout, want, have), have).steps
    for count in range(len(steps) + 1):
        with pytest.raises(Failure, match="cannot fail"):
            apply(Plan((*steps[:count], Broken())))
        assert NETWORK.observe(bench.layout, want) == have


def test_a_taken_interface_name_fails_the_plan_and_undoes_it(bench: Bench) -> None:
    """An interface that comes between plan and apply is left alone, and nothing else stays."""
    want = NETWORK.resolve(bench.layout, parse(Network, {"name": "front", **FRONT}), None)
    plan = NETWORK.plan(bench.layout, want, None)
    netlink.create_bridge("pyc-front", "02:00:00:00:00:09")
    try:
        before = traces(bench.layout)
        with pytest.raises(Failure, match="cannot create bridge pyc-front: pyc-front: File exists"):
            apply(plan)
        assert traces(bench.layout) == before
    finally:
        netlink.delete_link("pyc-front")


def test_a_killed_creation_is_finished_by_the_next_run(bench: Bench) -> None:
    """After any prefix of the steps, declaring again brings the network about, and a removal takes it all away."""
    want = NETWORK.resolve(bench.layout, parse(Network, {"name": "front", **FRONT, "mtu": 1400}), None)
    steps = NETWORK.plan(bench.layout, want, None).steps
    for count in range(1, len(steps)):
        for step in steps[:count]:
            step.do()
        assert bench.network("front", **FRONT, mtu=1400).changed
        assert not bench.network("front").changed
        bench.network("front", state="absent")
        for step in steps[:count]:
            step.do()
        bench.network("front", state="absent")
        assert "pyc-front" not in links.links()


def test_a_record_that_can_not_be_read_holds_up_no_other(bench: Bench) -> None:
    """What is not there of another network, as after a reboot, is made all the same; its own name is told of."""
    bench.network("front", **FRONT)
    bench.network("back", subnet="10.88.2.0/24")
    record = Path(bench.layout.network("front"))
    whole = record.read_text()
    record.write_text("{")
    netlink.delete_link("pyc-back")
    bench.network("back")
    assert "pyc-back" in links.links()
    with pytest.raises(Failure, match=r"front.json: it is not JSON"):
        bench.network("front")
    record.write_text(whole)


def test_an_unused_network_moves_to_another_subnet(bench: Bench) -> None:
    """Subnet and bridge change by rebuilding, as the diff says, and the gateway follows."""
    bench.network("front", **FRONT)
    outcome = bench.network("front", subnet="10.99.0.0/16", bridge_name="br-front")
    changes = {change.path: (change.before, change.after) for change in outcome.changes}
    assert changes["subnet"] == ("10.88.1.0/24", "10.99.0.0/16")
    assert changes["gateway"] == ("10.88.1.1", "10.99.0.1")
    assert "pyc-front" not in links.links()
    assert links.addresses()[links.links()["br-front"].index] == ("10.99.0.1/16",)
    assert not bench.network("front").changed


@pytest.mark.parametrize(
    ("subnet", "reason"),
    [
        ("10.88.1.0/25", "it overlaps 10.88.1.0/24 of the network front"),
        ("10.0.0.0/8", "it overlaps 10.88.1.0/24 of the network front"),
        ("192.0.2.128/25", "it overlaps the address 192.0.2.1/24 of uplink0"),
        ("10.66.6.0/24", "it overlaps the route to 10.66.0.0/16 of uplink0"),
    ],
)
def test_a_subnet_that_is_in_use_is_refused(bench: Bench, subnet: str, reason: str) -> None:
    """A subnet overlaps no other network, no address and no route of the host."""
    bench.neighbour()
    bench.network("front", **FRONT)
    subprocess.run("ip route add 10.66.0.0/16 via 192.0.2.2", shell=True, check=True)
    with pytest.raises(Failure, match=reason):
        bench.network("other", subnet=subnet)


def test_all_networks_or_those_asked_for_are_told_of(bench: Bench) -> None:
    """As the module that declares them returns them; one that is not there is passed over."""
    front = bench.network("front", **FRONT).facts["network"]
    back = bench.network("back", subnet="10.88.2.0/24").facts["network"]

    def told(**values: Any) -> Any:
        return converge(NETWORK_INFO, bench.layout, parse(NetworkInfo, values), False).facts["networks"]

    assert told() == [back, front]
    assert told(name=["front", "none"]) == [front]


def test_a_network_without_a_subnet_gets_one_that_is_free(bench: Bench) -> None:
    """It is the first that overlaps neither a network nor what else the host knows; it stays, and a check names it."""
    bench.neighbour()
    subprocess.run("ip route add 10.89.0.0/23 via 192.0.2.2", shell=True, check=True)
    bench.network("taken", subnet="10.89.2.0/24")
    predicted = bench.network("front", check=True)
    done = bench.network("front")
    assert predicted.changes == done.changes
    assert done.facts["network"]["IPAM"]["Config"] == [{"Subnet": "10.89.3.0/24", "Gateway": "10.89.3.1"}]
    bench.network("taken", state="absent")
    assert not bench.network("front").changed
    bench.network("all", subnet="10.88.0.0/16")
    subprocess.run("ip route add 10.89.0.0/16 via 192.0.2.2 metric 7", shell=True, check=True)
    with pytest.raises(Failure, match=r"every /24 of 10\.89\.0\.0/16 overlaps one that the host knows"):
        bench.network("none")


def test_a_new_network_takes_the_mtu_of_the_way_out(bench: Bench) -> None:
    """Where the default route leads by an interface with a smaller MTU, a network has that; else Ethernet's."""
    bench.neighbour()
    bench.network("front", **FRONT)
    subprocess.run("ip link set uplink0 mtu 1350; ip route add default via 192.0.2.2", shell=True, check=True)
    bench.network("back", subnet="10.88.2.0/24")
    assert [links.links()[name].mtu for name in ("pyc-front", "pyc-back")] == [1500, 1350]
    assert not bench.network("front").changed


def test_a_network_whose_packets_are_too_small_for_ipv6(bench: Bench) -> None:
    """Of that the kernel has nothing there, and there is nothing to be set; what comes and goes with the size does."""
    for size in (1000, 1400, 68):
        bench.network("small", subnet="10.88.9.0/24", mtu=size)
        assert not bench.network("small", mtu=size).changed
        assert links.links()["pyc-small"].mtu == size
    options: dict[str, Any] = {"enable_ipv6": True, "mtu": 1400}
    for given in (options, {"enable_ipv6": False, "mtu": 1000}, options):
        bench.network("small", **given)
        assert not bench.network("small", **given).changed


def test_the_facts_have_the_shape_of_docker_network_inspect(bench: Bench) -> None:
    """A task returns the network as docker does, with the containers on it."""
    bench.network("front", **FRONT)
    bench.container("aaaa", "front")
    assert bench.network("front").facts["network"] == {
        "Name": "front",
        "Driver": "bridge",
        "EnableIPv6": False,
        "IPAM": {"Config": [{"Subnet": "10.88.1.0/24", "Gateway": "10.88.1.1"}]},
        "Internal": False,
        "Isolated": True,
        "Routes": [],
        "Labels": {},
        "Options": {"bridge_name": "pyc-front", "mtu": 1500, "masquerade": True},
        "Containers": {
            "aaaa": {
                "Name": "",
                "IPv4Address": "10.88.1.2/24",
                "IPv6Address": "",
                "MacAddress": "02:70:0a:58:01:02",
                "Aliases": [],
            }
        },
    }


def test_nothing_to_do_imports_no_pyroute2(bench: Bench) -> None:
    """Observing a network and finding it right needs no netlink library."""
    bench.network("front", **FRONT)
    module = "ansible_collections.pycontainers.linux.plugins.module_utils.runtime"
    program = f"""
import sys
from {module}.core.layout import Layout
from {module}.core.model import parse
from {module}.core.plan import converge
from {module}.resources.network import NETWORK
from {module}.resources.network_model import Network
layout = Layout({bench.layout.root!r}, {bench.layout.run!r})
assert not converge(NETWORK, layout, parse(Network, {{"name": "front"}}), False).changed
print(*sorted({{"pyroute2", "asyncio", "ipaddress", "hashlib", "ssl"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"


def test_two_roots_share_the_host(bench: Bench) -> None:
    """Networks of two layouts live side by side, and removing those of one leaves the other's."""
    other = Bench(replace(bench.layout, root=f"{bench.layout.root}-2", run=f"{bench.layout.run}-2"))
    bench.network("front", **FRONT)
    other.network("rear", subnet="10.88.3.0/24")
    other.container("bbbb", "rear", ports=("8081:80",))
    bench.network("front", state="absent")
    assert not other.network("rear").changed
    assert firewall.read_ports() == {("tcp", "0.0.0.0", 8081): ("10.88.3.2", 80)}
    other.close()
    assert _ruleset() == ""


def _ruleset() -> str:
    return subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout


def test_one_interface_is_found_by_its_name(layout: Layout) -> None:
    """The kernel says the same of one interface as of it among all; of a name that nobody has it says nothing."""
    subprocess.run(["ip", "link", "add", "found0", "mtu", "1400", "type", "bridge"], check=True)
    try:
        assert links.link("found0") == links.links()["found0"]
        assert links.link("found1") is None
        assert links.link("lo") == links.links()["lo"]
    finally:
        subprocess.run(["ip", "link", "del", "found0"], check=True)
