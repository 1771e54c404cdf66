# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""UDP clients that keep their port while what is published changes: they are led by what is published now."""
from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, apply
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import conntrack, nlsocket
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import endpoint_plan
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.attachments import Attachment
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import parse_ports
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import HOST, IMPATIENCE, PATIENCE, Bench

OLD, NEW = "aaaa", "bbbb"
FRONT = (Attachment("front"),)
PORTS = ("5353:53/udp",)


@pytest.fixture
def bench(layout: Layout) -> Iterator[Bench]:
    """A network, and a neighbour whose packets are sent to the host."""
    made = Bench(layout)
    made.network("front", subnet="10.88.1.0/24")
    made.neighbour()
    yield made
    made.close()


def client(bench: Bench) -> socket.socket:
    """A socket of the neighbour's that keeps its port, and with it its flow."""
    made = bench._socket("neighbour", socket.SOCK_DGRAM, socket.AF_INET)
    made.connect((HOST, 5353))
    return made


def arrives(calling: socket.socket, waiting: socket.socket, patience: float = PATIENCE) -> bool:
    """Whether a packet of the client gets through to who waits there."""
    waiting.settimeout(patience)
    calling.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # that the host refused an earlier one is no matter now
    calling.send(b"question")
    try:
        return waiting.recv(100) == b"question"
    except TimeoutError:
        return False


def test_a_client_of_a_replaced_container_reaches_the_new_one(bench: Bench) -> None:
    """What it sends goes to the container that has the port now, also if it did not stop sending in between."""
    bench.container(OLD, "front", ports=PORTS)
    calling = client(bench)
    assert arrives(calling, bench.listen(OLD, 53, socket.SOCK_DGRAM))
    bench.container(NEW, "front")
    waiting = bench.listen(NEW, 53, socket.SOCK_DGRAM)
    apply(Plan(endpoint_plan.unpublish_steps(bench.layout, OLD, FRONT, parse_ports(list(PORTS)))))
    assert not arrives(calling, waiting, IMPATIENCE)
    apply(Plan(endpoint_plan.publish_steps(bench.layout, NEW, FRONT, parse_ports(list(PORTS)))))
    assert arrives(calling, waiting)


def test_a_client_follows_a_port_that_is_led_elsewhere(bench: Bench) -> None:
    """A port that is changed live leads also clients that were there before to the container's other port."""
    bench.container(OLD, "front", ports=PORTS)
    calling = client(bench)
    first, second = (bench.listen(OLD, port, socket.SOCK_DGRAM) for port in (53, 54))
    assert arrives(calling, first)
    ports = parse_ports(["5353:54/udp"]), parse_ports(list(PORTS))
    apply(Plan(endpoint_plan.publish_steps(bench.layout, OLD, FRONT, *ports)))
    assert arrives(calling, second)


def test_an_unpublished_port_leads_nowhere(bench: Bench) -> None:
    """A client that was there before does not reach the container any more."""
    bench.container(OLD, "front", ports=PORTS)
    calling, waiting = client(bench), bench.listen(OLD, 53, socket.SOCK_DGRAM)
    assert arrives(calling, waiting)
    apply(Plan(endpoint_plan.unpublish_steps(bench.layout, OLD, FRONT, parse_ports(list(PORTS)))))
    assert not arrives(calling, waiting, IMPATIENCE)


def test_only_flows_to_the_hosts_port_are_forgotten(bench: Bench) -> None:
    """Flows to another port, and to the same port of another machine, stay known to the kernel."""
    bench.container(OLD, "front", ports=("5353:53/udp", "5354:54/udp"))
    bench.container(NEW, "front")
    earlier = places()
    other, through = (bench._socket(each, socket.SOCK_DGRAM, socket.AF_INET) for each in ("neighbour", NEW))
    other.connect((HOST, 5354))
    through.connect(("192.0.2.2", 5353))
    assert arrives(other, bench.listen(OLD, 54, socket.SOCK_DGRAM))
    assert arrives(through, bench.listen("neighbour", 5353, socket.SOCK_DGRAM))
    assert arrives(client(bench), bench.listen(OLD, 53, socket.SOCK_DGRAM))
    assert places() - earlier == {(HOST, 5353), (HOST, 5354), ("192.0.2.2", 5353)}
    conntrack.forget_udp([("0.0.0.0", 5353)])
    assert places() - earlier == {(HOST, 5354), ("192.0.2.2", 5353)}
    conntrack.forget_udp([(HOST, 5354)])
    assert places() - earlier == {("192.0.2.2", 5353)}


def places() -> set[tuple[str, int]]:
    """Where the flows that the kernel knows of were first sent, but for multicast."""
    found = (conntrack._udp_place(each[conntrack._TUPLE_ORIG]) for _, each in conntrack._listed())
    return {(socket.inet_ntoa(each[0]), each[1]) for each in found if each and len(each[0]) == 4 and each[0][0] != 224}


def test_a_kernel_without_it_says_that_the_message_is_unknown() -> None:
    """What nfnetlink answers to a subsystem that it does not have is among what is passed over."""
    with pytest.raises(OSError, match="Invalid argument") as failure:
        nlsocket.dump(nlsocket.NETLINK_NETFILTER, 0x7F << 8 | 1, conntrack._EVERY_FAMILY)
    assert failure.value.errno == errno.EINVAL
    assert failure.value.errno in conntrack._ABSENT
