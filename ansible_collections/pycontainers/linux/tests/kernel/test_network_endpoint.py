# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, Step, apply, undo
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import (
    links,
    namespaces,
    netlink,
    socket_diag,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    endpoint,
    endpoint_plan,
    firewall,
    leases,
    listeners,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.attachments import Attachment
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network import NETWORK
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_model import Network
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import Port, parse_ports
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import Bench

ID = "3f2a1b9c7d21"
FRONT = (Attachment("front"),)


@pytest.fixture
def bench(layout: Layout) -> Iterator[Bench]:
    """A small network that has room for three containers, and an internal one."""
    made = Bench(layout)
    made.network("front", subnet="10.88.1.0/29", gateway="10.88.1.6")
    made.network("inner", subnet="10.88.2.0/24", internal=True)
    yield made
    made.close()


def place(bench: Bench) -> dict[str, endpoint.Endpoint]:
    """Where the container is."""
    return endpoint.observe_endpoint(bench.layout, ID, bench.containers[ID])


def test_a_container_without_networks_has_only_loopback(bench: Bench) -> None:
    """Without networks a namespace has its loopback interface, up and with its address, and nothing else."""
    bench.container(ID)
    path = bench.layout.netns(ID)
    found = links.links(path)
    assert {name: link.up for name, link in found.items()} == {"lo": True}
    assert links.addresses(path) == {found["lo"].index: ("127.0.0.1/8", "::1/128")}


def test_a_container_is_seen_as_it_was_attached(bench: Bench) -> None:
    """What is read back is address, MAC address, gateway and both ends of the interface."""
    bench.container(ID, "inner", "front")
    assert place(bench) == {
        "front": endpoint.Endpoint(
            network="front",
            addresses=("10.88.1.1",),
            prefixes=(29,),
            mac="02:70:0a:58:01:01",
            gateways=("10.88.1.6",),
            interface="eth1",
            host_interface="v3f2a1b0a580101",
            ingress=-1,
            egress=-1,
            present=True,
        ),
        "inner": endpoint.Endpoint(
            network="inner",
            addresses=("10.88.2.2",),
            prefixes=(24,),
            mac="02:70:0a:58:02:02",
            gateways=("10.88.2.1",),
            interface="eth0",
            host_interface="v3f2a1b0a580202",
            ingress=-1,
            egress=-1,
            present=True,
        ),
    }
    gateways = [route.way.gateway for route in links.routes(bench.layout.netns(ID)) if route.way.prefix == 0]
    assert gateways == ["10.88.1.6"], "an internal network leads nowhere, so the other one has the default route"


@pytest.mark.parametrize(
    "command",
    ["ip link del {host}", "ip link set {host} down", "ip link set {host} nomaster"],
)
def test_a_broken_connection_is_seen_and_mended(bench: Bench, command: str) -> None:
    """A container whose interface has gone or hangs in the air is not present, and attaching again mends it."""
    address = bench.container(ID, "front")
    bench.container("bbbb", "front")
    host = place(bench)["front"].host_interface
    subprocess.run(command.format(host=host).split(), check=True)
    assert not place(bench)["front"].present
    apply(Plan(endpoint_plan.change_steps(bench.layout, ID, FRONT, FRONT, {"front": (address,)}, ())))
    assert place(bench)["front"].present
    bench.reach("bbbb", address, 80, bench.listen(ID, 80))


def test_an_interface_can_have_a_name_that_is_no_text(bench: Bench) -> None:
    """A container that may name its interfaces keeps nobody from changing them by that."""
    bench.container(ID, "front")
    words = ["nsenter", f"--net={bench.layout.netns(ID)}", "ip", "link", "set"]
    subprocess.run([*words, "eth0", "down", "name", b"\xff\xfe"], check=True)
    assert not place(bench)["front"].present
    bench.container(ID, "front")
    netlink.set_rate(place(bench)["front"].interface, 8_000_000, bench.layout.netns(ID))
    assert (place(bench)["front"].present, place(bench)["front"].egress) == (True, 8_000_000)


def test_a_stopped_container_keeps_its_address(bench: Bench) -> None:
    """Detaching takes namespace and interfaces at once, and attaching again brings back the same address."""
    bench.container("aaaa", "front")
    address = bench.container(ID, "front")
    bench.remove("aaaa")
    apply(Plan(endpoint_plan.detach_steps(bench.layout, ID, FRONT)))
    assert not os.path.exists(bench.layout.netns(ID))
    assert not place(bench)["front"].present
    assert [name for name in links.links() if name.startswith("v")] == []
    assert bench.container(ID, "front") == address == "10.88.1.2"


def test_a_failed_detach_connects_again(bench: Bench) -> None:
    """Undoing a detach brings namespace, interface and address back."""
    bench.container(ID, "front", "inner")
    before = place(bench)
    steps = endpoint_plan.detach_steps(bench.layout, ID, (*FRONT, Attachment("inner")))
    for step in steps:
        step.do()
    assert undo(list(steps)) == ""
    assert place(bench) == before


def test_a_failed_attach_leaves_nothing_that_is_new(bench: Bench) -> None:
    """Undone after each of its steps, attaching leaves neither interface nor namespace nor new lease."""
    before = sorted(links.links()), leases.held(bench.layout, ID)
    steps = _start(bench.layout, {})
    for count in range(len(steps) + 1):
        for step in steps[:count]:
            step.do()
        assert undo(list(steps[:count])) == ""
        assert (sorted(links.links()), leases.held(bench.layout, ID)) == before
        assert not os.path.exists(bench.layout.netns(ID))
    assert firewall.read_ports() == {}


def test_a_failed_start_keeps_the_address_of_old(bench: Bench) -> None:
    """An address that a container had before stays its own when a start is undone."""
    leases.take(bench.layout, "front", ID)
    steps = _start(bench.layout, leases.held(bench.layout, ID))
    for step in steps:
        step.do()
    undo(list(steps))
    assert leases.held(bench.layout, ID) == {"front": ("10.88.1.1",)}
    leases.put_back(bench.layout, "front", ID, ())


def test_a_killed_attach_is_finished_by_the_next(bench: Bench) -> None:
    """After any prefix of the steps, all of them succeed and the container is connected."""
    for count in range(len(_start(bench.layout, {}))):
        for step in _start(bench.layout, {})[:count]:
            step.do()
        bench.container(ID, "front", ports=("8080:80",))
        assert place(bench)["front"].present
        assert published(bench, "8080:80") == parse_ports(["8080:80"])
        bench.remove(ID)


def _start(layout: Layout, held: dict[str, tuple[str, ...]]) -> tuple[Step, ...]:
    steps = endpoint_plan.attach_steps(layout, ID, FRONT, held)
    return steps + endpoint_plan.publish_steps(layout, ID, FRONT, parse_ports(["8080:80"]))


def test_an_interface_that_a_dead_namespace_left_is_replaced(bench: Bench) -> None:
    """The host's end of an interface whose other end is elsewhere does not hinder a new one of its name."""
    bench.container("aaaa")
    bench.container(ID)
    leases.take(bench.layout, "front", ID)
    netlink.create_veth("v3f2a1b0a580101", "pyc-front", bench.layout.netns("aaaa"), "x", "02:00:00:00:00:03", 1500)
    bench.container(ID, "front")
    assert place(bench)["front"].present
    assert "x" not in links.links(bench.layout.netns("aaaa"))


def test_an_unpinned_leftover_file_is_no_namespace(bench: Bench) -> None:
    """A file that a power cut or a reboot left where a namespace was pinned is replaced by one."""
    path = bench.layout.netns(ID)
    os.makedirs(os.path.dirname(path))
    with open(path, "w"):
        assert not namespaces.pinned(path)
    bench.container(ID, "front")
    assert namespaces.pinned(path)
    namespaces.unpin(path)
    namespaces.unpin(path)
    assert not os.path.exists(path)


def test_a_full_network_refuses(bench: Bench) -> None:
    """A network without a free address says so, before and while attaching; a member is no newcomer."""
    for identity in ("aaaa", "bbbb", "cccc", "dddd", "eeee"):
        endpoint.check_networks(bench.layout, FRONT)
        bench.container(identity, "front")
    with pytest.raises(Failure, match=r"all of 10\.88\.1\.0/29 are taken"):
        endpoint.check_networks(bench.layout, FRONT)
    endpoint.check_networks(bench.layout, FRONT, "cccc")
    with pytest.raises(Failure, match="are taken"):
        leases.take(bench.layout, "front", ID)


def test_an_unknown_network_is_refused(bench: Bench) -> None:
    """A network that isn't declared is refused with the names of those that are."""
    with pytest.raises(Failure, match="there is no such network; networks are front, inner"):
        endpoint.check_networks(bench.layout, (Attachment("frnot"),))


def test_no_address_is_given_out_twice(bench: Bench) -> None:
    """Containers that start at the same time get different addresses."""
    wanted = [f"id{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda identity: leases.take(bench.layout, "inner", identity), wanted))
    assert len(set(given)) == len(wanted)
    for identity in wanted:
        leases.put_back(bench.layout, "inner", identity, ())


def test_an_address_is_of_the_network_as_it_has_become(bench: Bench) -> None:
    """Who comes to a network while it gets another subnet waits for that."""
    want = parse(Network, {"name": "front", "subnet": "10.88.9.0/24"})
    with ThreadPoolExecutor() as pool:
        with NETWORK.lock(bench.layout, want):
            have = NETWORK.observe(bench.layout, want)
            steps = NETWORK.plan(bench.layout, NETWORK.resolve(bench.layout, want, have), have)
            taken = pool.submit(leases.take, bench.layout, "front", ID)
            wait([taken], timeout=0.3)
            apply(steps)
        assert taken.result() == ("10.88.9.2",)
    leases.put_back(bench.layout, "front", ID, ())


def test_ports_change_live(bench: Bench) -> None:
    """Ports are added, removed and led elsewhere in one step, and read back from the kernel."""
    bench.container(ID, "front", ports=("8080:80", "8081:81", "127.0.0.1:53:53/udp"))
    said = "8080:80", "8081:81", "127.0.0.1:53:53/udp"
    before, after = published(bench, *said), parse_ports(["8080:8000", "127.0.0.1:53:53/udp"])
    assert before == parse_ports(list(said))
    steps = endpoint_plan.publish_steps(bench.layout, ID, FRONT, after, before)
    assert [step.describe() for step in steps] == ["publish 8080:8000, unpublish 8080:80 8081:81"]
    apply(Plan(steps))
    assert published(bench, *map(str, after)) == after
    assert undo(list(steps)) == ""
    assert published(bench, *said) == before
    assert endpoint_plan.publish_steps(bench.layout, ID, FRONT, before, before) == ()


def test_ports_of_each_protocol_are_in_the_kernel(bench: Bench) -> None:
    """Also of sctp, which is translated where the kernel has it, and which not every kernel has sockets of."""
    bench.container(ID, "front", ports=("9000:90", "9000:91/udp", "9000-9001:92-93/sctp"))
    listed = subprocess.run(
        ["nft", "list", "map", "inet", "pycontainers", "ports_any"], capture_output=True, text=True, check=True
    ).stdout
    address = bench.addresses(ID)[0]
    found = dict(re.findall(r"(\w+ \. \d+) : (\S+ \. \d+)", listed))
    assert found == {
        "tcp . 9000": f"{address} . 90",
        "udp . 9000": f"{address} . 91",
        "sctp . 9000": f"{address} . 92",
        "sctp . 9001": f"{address} . 93",
    }


def test_ports_lead_to_the_first_network_that_is_not_internal(bench: Bench) -> None:
    """An internal network that is named first can't be reached from outside: the ports pass it over."""
    bench.container(ID, "inner", "front", ports=("8080:80",))
    (address,) = leases.held(bench.layout, ID)["front"]
    assert set(firewall.read_ports().values()) == {(address, 80)}
    bench.network("front", internal=True)
    published = endpoint.observe_ports(bench.layout, ID)
    apply(Plan(endpoint_plan.unpublish_steps(bench.layout, ID, (Attachment("inner"), *FRONT), published)))
    assert firewall.read_ports() == {}
    with pytest.raises(Failure, match="no such address on a network that isn't internal"):
        bench.container(ID, "inner", "front", ports=("8080:80",))


def test_a_port_of_another_container_is_refused(bench: Bench) -> None:
    """A port that leads to a container is refused to another, also by a wider address, and free for itself."""
    bench.container(ID, "front", ports=("127.0.0.1:8080:80",))
    for port in ("8080:80", "127.0.0.1:8080:90"):
        with pytest.raises(Failure, match=r"it leads to the container at 10\.88\.1\.1"):
            endpoint.port_conflicts(bench.layout, parse_ports([port]), "bbbb")
        endpoint.port_conflicts(bench.layout, parse_ports([port]), ID)
    endpoint.port_conflicts(bench.layout, parse_ports(["127.0.0.2:8080:80", "8080:80/udp"]), "bbbb")


@pytest.mark.parametrize(
    ("family", "kind", "address", "refused", "allowed"),
    [
        (socket.AF_INET, socket.SOCK_STREAM, "0.0.0.0", "127.0.0.1:7777:80", "7777:80/udp"),
        (socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1", "7777:80", "127.0.0.2:7777:80"),
        (socket.AF_INET, socket.SOCK_DGRAM, "127.0.0.1", "7777:80/udp", "7777:80"),
        (socket.AF_INET6, socket.SOCK_STREAM, "::", "127.0.0.1:7777:80", "7778:80"),
        (socket.AF_INET6, socket.SOCK_DGRAM, "::", "7777:80/udp", "7777:80"),
        (socket.AF_INET6, socket.SOCK_STREAM, "::ffff:127.0.0.1", "127.0.0.1:7777:80", "127.0.0.2:7777:80"),
    ],
)
def test_a_port_that_the_host_listens_on_is_refused(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, family: int, kind: int, address: str, refused: str, allowed: str
) -> None:
    """A program of the host keeps its port: same protocol and an address that meets."""
    with socket.socket(family, kind) as program:
        program.bind((address, 7777))
        if kind == socket.SOCK_STREAM:
            program.listen()
        for absent in (False, True):
            with monkeypatch.context() as patch:
                if absent:  # as in a kernel without sock_diag
                    patch.setattr(socket_diag, "tcp_listening", lambda family: None)
                else:
                    assert socket_diag.tcp_listening(family) is not None
                with pytest.raises(Failure, match="a program of the host listens on"):
                    endpoint.port_conflicts(bench.layout, parse_ports([refused]))
                endpoint.port_conflicts(bench.layout, parse_ports([allowed]))
    endpoint.port_conflicts(bench.layout, parse_ports([refused]))


def test_an_ipv6_loopback_program_is_in_nobodys_way(bench: Bench) -> None:
    """A program on ::1 hears no IPv4 packet, so its port is free to be published."""
    with socket.socket(socket.AF_INET6) as program:
        program.bind(("::1", 7777))
        program.listen()
        assert listeners.listening() == ()


def test_a_withdrawn_port_frees_its_hairpin(bench: Bench) -> None:
    """A container's entry for reaching itself comes with its first port and goes with its last."""
    bench.container(ID, "front", ports=("8080:80", "8081:81"))
    one = (Port("tcp", "", 8081, 81),)
    apply(Plan(endpoint_plan.publish_steps(bench.layout, ID, FRONT, one, published(bench))))
    assert firewall.read().hairpins == {"10.88.1.1"}
    apply(Plan(endpoint_plan.unpublish_steps(bench.layout, ID, FRONT, published(bench))))
    assert firewall.read().hairpins == frozenset()


def published(bench: Bench, *recorded: str) -> tuple[Port, ...]:
    """The ports that lead to the container, of which these are in its record."""
    known = Container(name="c", networks=bench.containers[ID], published_ports=parse_ports(recorded))
    return endpoint.observe_ports(bench.layout, ID, known)


def test_observing_a_container_imports_no_pyroute2(bench: Bench) -> None:
    """Reading a container's place and ports, and one without networks, needs no netlink library."""
    bench.container(ID, "front", ports=("8080:80",))
    module = "ansible_collections.pycontainers.linux.plugins.module_utils.runtime"
    program = f"""
import sys
from {module}.core.layout import Layout
from {module}.core.plan import Plan, apply
from {module}.resources import endpoint, endpoint_plan
from {module}.resources.attachments import Attachment
layout = Layout({bench.layout.root!r}, {bench.layout.run!r})
assert endpoint.observe_endpoint(layout, {ID!r}, (Attachment("front"),))["front"].present
assert len(endpoint.observe_ports(layout, {ID!r})) == 1
apply(Plan((*endpoint_plan.attach_steps(layout, "lone", (), {{}}), *endpoint_plan.detach_steps(layout, "lone", ()))))
assert "pyroute2" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
