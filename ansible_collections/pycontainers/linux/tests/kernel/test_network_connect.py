# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers on several networks: what they ask for there, and changes while they run."""
from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import store
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    endpoint_steps,
    firewall,
    leases,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network import NETWORK
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_model import Network
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import IMPATIENCE, Bench

MAC = "02:42:0a:00:00:01"


def declare(host: Host, name: str, **options: Any) -> None:
    """Declare a network."""
    converge(NETWORK, host.layout, parse(Network, {"name": name, **options}), False)


@pytest.fixture
def networks(host: Host) -> Host:
    """A host with a network of both families, one of IPv4, and an internal one."""
    declare(host, "front", subnet="10.88.1.0/24", ipv6_subnet="fd00:88:1::/64")
    declare(host, "back", subnet="10.88.2.0/24")
    declare(host, "inner", subnet="10.88.3.0/24", internal=True)
    return host


def held(host: Host, name: str = "c") -> dict[str, tuple[str, ...]]:
    """The addresses of a container by network."""
    return dict(host.observed(name).held)


def inside(host: Host, name: str = "c") -> dict[str, tuple[str, ...]]:
    """The addresses of a container's interfaces, as the kernel has them in its namespace, by interface."""
    path = host.layout.netns(host.observed(name).id or "")
    there = links.addresses(path)
    return {name: there.get(link.index, ()) for name, link in links.links(path).items() if name != "lo"}


def gateways(host: Host, name: str = "c") -> list[str]:
    """Where a container's default routes lead."""
    found = links.routes(host.layout.netns(host.observed(name).id or ""))
    return sorted(route.way.gateway for route in found if not route.way.prefix)


def test_a_container_gets_the_addresses_that_it_asks_for(networks: Host) -> None:
    """They are in the kernel, in its facts, in those of the network, and known to others; asking again does nothing."""
    asked = {
        "name": "front",
        "ipv4_address": "10.88.1.77",
        "ipv6_address": "fd00:88:1::77",
        "mac_address": MAC,
        "aliases": ["site", "www"],
    }
    networks.run(networks=[asked])
    assert inside(networks) == {"eth0": ("10.88.1.77/24", "fd00:88:1::77/64")}
    facts: Any = networks.converge(networks=[asked]).facts["container"]
    assert not networks.converge(networks=[asked]).changed
    assert not networks.converge(networks=["front"]).changed, "what is left out stays"
    assert facts["NetworkSettings"]["Networks"]["front"] == {
        "IPAddress": "10.88.1.77",
        "IPPrefixLen": 24,
        "Gateway": "10.88.1.1",
        "GlobalIPv6Address": "fd00:88:1::77",
        "GlobalIPv6PrefixLen": 64,
        "IPv6Gateway": "fd00:88:1::1",
        "MacAddress": MAC,
        "Aliases": ["site", "www"],
    }
    (document,) = json.loads(networks.ok("network", "inspect", "front"))
    assert list(document["Containers"].values()) == [
        {
            "Name": "c",
            "IPv4Address": "10.88.1.77/24",
            "IPv6Address": "fd00:88:1::77/64",
            "MacAddress": MAC,
            "Aliases": ["site", "www"],
        }
    ]
    networks.run(name="other", networks=["front"])
    for name in ("c", "site", "www"):
        assert "1 packets received" in networks.ok("exec", "other", "ping", "-6", "-c1", "-W2", name)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"name": "front", "ipv4_address": "10.88.2.5"}, r"no container can have it in the subnet 10\.88\.1\.0/24"),
        ({"name": "front", "ipv4_address": "10.88.1.255"}, "no container can have it in the subnet"),
        ({"name": "front", "ipv4_address": "10.88.1.1"}, "it is the gateway's"),
        ({"name": "front", "ipv6_address": "fd00:88:1::1"}, "it is the gateway's"),
        ({"name": "front", "ipv4_address": "10.88.1.2"}, "the container [0-9a-f]{12} has it"),
        ({"name": "back", "ipv6_address": "fd00::5"}, "the network has no subnet of IPv6"),
    ],
)
def test_an_address_that_it_can_not_have_is_refused_first(networks: Host, asked: dict[str, str], reason: str) -> None:
    """Also in check mode, and before anything is made."""
    networks.run(name="other", networks=["front"])
    for check in (True, False):
        with pytest.raises(Failure, match=reason):
            networks.converge(image=networks.busybox, command=["sleep", "9"], networks=[asked], check=check)
    assert leases.read(networks.layout, asked["name"]).keys() <= {"10.88.1.2", "fd00:88:1::2"}


def test_networks_are_changed_while_it_runs(networks: Host) -> None:
    """One more, another in its place, none: a check foretells it, the process stays, ports and routes follow."""
    container = networks.run(networks=["inner"])
    pid = networks.pid()
    networks.run(name="other", networks=["front", "back", "inner"])
    for wanted, routes in (
        (["inner", "front"], ["10.88.1.1", "fd00:88:1::1"]),
        (["inner", "back", "front"], ["10.88.2.1", "fd00:88:1::1"]),
        (["front", "back"], ["10.88.1.1", "fd00:88:1::1"]),
        (["back"], ["10.88.2.1"]),
        (["inner"], []),
    ):
        ports: dict[str, Any] = {"published_ports": ["8080:80"] if routes else []}
        foretold = networks.converge(networks=wanted, check=True, **ports)
        done = networks.converge(networks=wanted, **ports)
        assert (foretold.actions, foretold.changes) == (done.actions, done.changes)
        assert [change.effect.name for change in done.changes if change.path == "networks"] == ["LIVE"]
        assert not networks.converge(networks=wanted, **ports).changed
        assert (networks.pid(), gateways(networks)) == (pid, routes)
        assert sorted(held(networks)) == sorted(wanted)
        assert len(inside(networks)) == len(wanted)
        led = {address for address, _ in firewall.read_ports().values()}
        own = held(networks)
        assert led == {own[each][position] for each, position in _targets(wanted)}
        for each in wanted:
            assert "1 packets received" in networks.ok("exec", "other", "ping", "-c1", "-W2", own[each][0])
        known = networks.ok("exec", "other", "cat", "/etc/hosts").split()
        assert {each for addresses in own.values() for each in addresses} <= {*known}
    assert networks.observed().id == container.id


def _targets(wanted: list[str]) -> list[tuple[str, int]]:
    """The networks to which ports lead, each with the position of the address there."""
    first = next((each for each in wanted if each != "inner"), None)
    found = [(first, 0)] if first else []
    return found + ([("front", 1)] if "front" in wanted else [])


def test_another_address_connects_anew(networks: Host) -> None:
    """Address, MAC address, both, and back to what is given: the process stays, and ports lead to where it is."""
    networks.run(networks=["front"], published_ports=["8080:80"])
    pid = networks.pid()
    for asked, address in (
        ({"ipv4_address": "10.88.1.50"}, "10.88.1.50"),
        ({"mac_address": MAC}, "10.88.1.50"),
        ({"ipv4_address": "10.88.1.51", "mac_address": ""}, "10.88.1.51"),
    ):
        assert networks.converge(networks=[{"name": "front", **asked}]).changed
        assert not networks.converge(networks=[{"name": "front", **asked}]).changed
        assert (held(networks)["front"][0], networks.pid()) == (address, pid)
        assert address in {led for led, _ in firewall.read_ports().values()}
        found = {link.mac for link in links.links(networks.layout.netns(networks.observed().id or "")).values()}
        assert ("mac_address" in asked and asked["mac_address"] == MAC) == (MAC in found)
    assert not networks.converge(networks=[{"name": "front", "ipv4_address": ""}]).actions[1:], "the address stays"
    assert held(networks)["front"][0] == "10.88.1.51"


def test_a_change_that_fails_leaves_the_networks_as_they_were(
    networks: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of its steps fails: addresses, interfaces, routes and ports are as before, and the process runs."""
    networks.run(networks=["front", "inner"], published_ports=["8080:80"])
    before = held(networks), inside(networks), gateways(networks), firewall.read_ports(), networks.pid()
    for step in ("Connect", "Configure", "LeadOut", "SetPorts", "TellNames"):
        with monkeypatch.context() as patched:
            patched.setattr(getattr(endpoint_steps, step), "do", _failing_once(getattr(endpoint_steps, step)))
            with pytest.raises(Failure, match=r"Input/output error$"):
                networks.converge(networks=["back", "inner"])
        assert (held(networks), inside(networks), gateways(networks), firewall.read_ports(), networks.pid()) == before


def test_routes_that_were_replaced_come_back(networks: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a step fails between those of a network that is to lead out, and of the next."""
    networks.run(networks=["back"])
    before = gateways(networks)
    for step in (endpoint_steps.SetPorts, endpoint_steps.LeadOut, store.Write):
        with monkeypatch.context() as patched:
            patched.setattr(step, "do", _failing_once(step))
            with pytest.raises(Failure, match=r"Input/output error$"):
                networks.converge(networks=["front", "back"], published_ports=["8080:80"])
        assert gateways(networks) == before


def test_interfaces_that_come_back_have_their_names(networks: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more than one of them went before a step failed."""
    networks.run(networks=["front", "back", "inner"])
    before = inside(networks)
    monkeypatch.setattr(endpoint_steps.TellNames, "do", _failing_once(endpoint_steps.TellNames))
    for wanted in ([{"name": "front", "mac_address": MAC}, {"name": "back", "ipv4_address": "10.88.2.9"}], ["inner"]):
        with pytest.raises(Failure, match=r"Input/output error$"):
            networks.converge(networks=wanted)
        assert inside(networks) == before
        monkeypatch.setattr(endpoint_steps.TellNames, "do", _failing_once(endpoint_steps.TellNames))


def _failing_once(step: Any) -> Any:
    """What a step does, but for its first time; what is only taken back does well."""
    real = step.do
    failed: list[Any] = []

    def do(self: Any) -> None:
        if failed or (isinstance(self, endpoint_steps.SetPorts) and not self.add):
            real(self)
        else:
            failed.append(self)
            raise OSError(5, "Input/output error", step.__name__)

    return do


def test_connect_and_disconnect(networks: Host) -> None:
    """The command line does what a task does, of a container that runs and of one that does not."""
    networks.run(networks=["back"])
    networks.ok("network", "connect", "--ip", "10.88.1.9", "--ip6", "fd00:88:1::9", "--alias", "www", "front", "c")
    assert held(networks)["front"] == ("10.88.1.9", "fd00:88:1::9")
    assert "container c is on it already" in networks.failure("network", "connect", "front", "c")
    networks.ok("network", "disconnect", "back", "c")
    assert list(held(networks)) == ["front"]
    assert "container c is not on it, but on front" in networks.failure("network", "disconnect", "back", "c")
    assert "there is no such network" in networks.failure("network", "connect", "nowhere", "c")
    networks.converge(state="stopped")
    networks.ok("network", "disconnect", "front", "c")
    networks.ok("network", "connect", "inner", "c")
    assert held(networks) == {}
    networks.converge(state="started")
    assert list(held(networks)) == ["inner"]


def test_a_container_made_anew_takes_over_its_address(networks: Host) -> None:
    """One that asks for the address of the one it replaces gets it; if it can't start, the old one has it again.

    What shows before does not even stop the old one.
    """
    asked = [{"name": "front", "ipv4_address": "10.88.1.9", "mac_address": MAC}]
    first = networks.run(networks=asked)
    pid = networks.pid()
    for command, stopped in ("/nowhere", False), ("/etc/passwd", True):
        with pytest.raises(Failure, match=r"no such file|permission denied"):
            networks.converge(image=networks.busybox, command=[command], networks=asked)
        assert (held(networks)["front"][0], networks.observed().id) == ("10.88.1.9", first.id)
        assert networks.observed().attached == ("front",)
        assert (networks.pid() != pid) == stopped
    second = networks.run(["sleep", "999"], networks=asked)
    assert (held(networks)["front"][0], networks.observed().attached) == ("10.88.1.9", ("front",))
    assert second.id != first.id
    assert set(leases.read(networks.layout, "front").values()) == {second.id}


def test_ipv6_is_switched_on_while_containers_run(networks: Host) -> None:
    """The network has it at once, a container from its next task on, without an interruption; then it can't go."""
    networks.run(networks=["back"])
    pid = networks.pid()
    declare(networks, "back", ipv6_subnet="fd00:88:2::/64")
    assert "attached" in {change.path for change in networks.converge(check=True).changes}
    assert networks.converge().changed
    assert not networks.converge().changed
    assert held(networks)["back"] == ("10.88.2.2", "fd00:88:2::2")
    assert (inside(networks), networks.pid()) == ({"eth0": ("10.88.2.2/24", "fd00:88:2::2/64")}, pid)
    for options in ({"enable_ipv6": False}, {"ipv6_subnet": "fd00:99::/64"}, {"ipv6_gateway": "fd00:88:2::9"}):
        with pytest.raises(Failure, match="containers are connected: c"):
            declare(networks, "back", **options)
    networks.converge(state="absent", stop_timeout=0)
    declare(networks, "back", enable_ipv6=False)
    assert links.addresses()[links.links()["pyc-back"].index] == ("10.88.2.1/24",)


def test_containers_get_addresses_of_the_range(networks: Host) -> None:
    """Those that ask for none; the range ends where it ends, and others can still be asked for."""
    declare(networks, "back", ip_range="10.88.2.128/30", ipv6_subnet="fd00:88:2::/64", ipv6_range="fd00:88:2::ff00/120")
    given = [leases.take(networks.layout, "back", f"id{number}") for number in range(4)]
    assert given == [(f"10.88.2.{128 + number}", f"fd00:88:2::ff{number:02x}") for number in range(4)]
    with pytest.raises(Failure, match=r"all of 10\.88\.2\.128/30 are taken"):
        leases.take(networks.layout, "back", "one more")
    assert leases.take(networks.layout, "back", "one more", ("10.88.2.7",))[0] == "10.88.2.7"
    for identity in (*(f"id{number}" for number in range(4)), "one more"):
        leases.put_back(networks.layout, "back", identity, ())


def test_ports_of_one_family(networks: Host) -> None:
    """A port can be there in one family only; one that the container has no address for is refused."""
    networks.run(networks=["front"], published_ports=["0.0.0.0:8080:80", "[::]:8081:81", "8082:82/udp"])
    assert firewall.read_ports() == {
        ("tcp", "0.0.0.0", 8080): ("10.88.1.2", 80),
        ("tcp", "::", 8081): ("fd00:88:1::2", 81),
        ("udp", "0.0.0.0", 8082): ("10.88.1.2", 82),
        ("udp", "::", 8082): ("fd00:88:1::2", 82),
    }
    assert networks.ok("port", "c").splitlines() == [
        "80/tcp -> 0.0.0.0:8080",
        "81/tcp -> [::]:8081",
        "82/udp -> 0.0.0.0:8082",
        "82/udp -> [::]:8082",
    ]
    assert not networks.converge(published_ports=["8082:82/udp", "[::0]:8081:81", "0.0.0.0:8080:80"]).changed
    key = "udp . 8082"
    subprocess.run(["nft", "delete", "element", "inet", "pycontainers", "ports6_any", f"{{ {key} }}"], check=True)
    (change,) = networks.converge(check=True).changes
    assert change.before == ["0.0.0.0:8080:80", "[::]:8081:81", "0.0.0.0:8082:82/udp"]
    assert networks.converge().changed
    assert not networks.converge().changed
    with pytest.raises(Failure, match=r"published_ports.*on no network with IPv6 that isn't internal"):
        networks.converge(networks=["back"])
    networks.converge(state="absent", stop_timeout=0)
    assert firewall.read_ports() == {}


def test_networks_that_are_not_isolated_reach_each_other(networks: Host) -> None:
    """Both have to be, and it is switched on and off while they are used; the others see the container's address."""
    networks.run(name="a", networks=["front"])
    networks.run(name="b", networks=["back"])
    bench = Bench(networks.layout)
    ids = [networks.observed(name).id or "" for name in ("a", "b")]
    waiting, address = bench.listen(ids[1], 80), held(networks, "b")["back"][0]
    for isolated in ({"front": False}, {"back": False}, {"front": True}, {"front": False}):
        for name, value in isolated.items():
            declare(networks, name, isolate=value)
        both = all(not bench.network(name).facts["network"]["Isolated"] for name in ("front", "back"))
        if both:
            assert bench.reach(ids[0], address, 80, waiting) == held(networks, "a")["front"][0]
        else:
            with pytest.raises(TimeoutError):
                bench.reach(ids[0], address, 80, waiting, IMPATIENCE)
    bench.sockets.close()


def test_routes_of_a_network(networks: Host) -> None:
    """Its containers have them, from their next task on, in both families; drift is mended, and their own ones stay."""
    networks.run(networks=["front"])
    pid, path = networks.pid(), networks.layout.netns(networks.observed().id or "")
    wanted: list[dict[str, Any]] = [
        {"destination": "10.5.0.0/16", "gateway": "10.88.1.9"},
        {"destination": "10.6.0.0/16", "gateway": "10.88.1.9", "metric": 7},
        {"destination": "fd05::/48", "gateway": "fd00:88:1::9"},
    ]

    def there() -> list[str]:
        command = ["nsenter", f"--net={path}", "sh", "-c", "ip -o route; ip -o -6 route"]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        return [line.split(" dev ")[0] for line in lines if " via " in line and "default" not in line]

    for routes in (wanted, wanted[1:], [], wanted):
        declare(networks, "front", routes=routes)
        assert [change.path for change in networks.converge(check=True).changes] == ["attached"]
        assert networks.converge().changed
        assert not networks.converge().changed
        assert there() == [f"{each['destination']} via {each['gateway']}" for each in routes]
    changed = "route change 10.6.0.0/16 via 10.88.1.8 metric 7 proto 112"
    for damage in ("route del 10.5.0.0/16", changed, "-6 route del fd05::/48"):
        subprocess.run(["nsenter", f"--net={path}", "ip", *damage.split()], check=True)
        assert networks.converge().changed, damage
        assert len(there()) == 3
    subprocess.run(["nsenter", f"--net={path}", "ip", "route", "add", "10.9.0.0/16", "via", "10.88.1.1"], check=True)
    assert not networks.converge().changed
    assert networks.pid() == pid


def test_labels_of_networks(networks: Host) -> None:
    """They are told, changed, and networks are pruned by them."""
    declare(networks, "back", labels={"tier": "data", "of": ""})
    (document,) = json.loads(networks.ok("network", "inspect", "back"))
    assert document["Labels"] == {"tier": "data", "of": ""}
    options = "--label tier=web --route 10.5.0.0/16,10.88.7.9 --subnet 10.88.7.0/24"
    networks.ok("network", "create", *options.split(), "made")
    (document,) = json.loads(networks.ok("network", "inspect", "made"))
    assert (document["Labels"], len(document["Routes"])) == ({"tier": "web"}, 1)
    networks.ok("network", "prune", "-f", "--filter", "label=tier=data")
    assert networks.ok("network", "ls", "-q").split() == ["front", "inner", "made"]
    networks.ok("network", "prune", "-f", "--filter", "label!=tier")
    assert networks.ok("network", "ls", "-q").split() == ["made"]
