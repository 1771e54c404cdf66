# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published ports that name no port of the host."""
from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_facts import inspect
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.exposed_ports import RANGE
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import Port
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

LISTEN = ["sh", "-c", "while :; do echo 80 | nc -l -p 80; done & while :; do echo 81 | nc -l -p 81; done"]


@pytest.fixture(autouse=True)
def network(host: Host) -> None:
    """A network to publish ports on."""
    host.network()


def ports(host: Host, name: str = "c") -> list[Port]:
    """The ports that lead to a container."""
    return list(host.observed(name).published_ports or ())


def said_at(number: int) -> bytes:
    """What is said at a port of the host; nothing while nobody listens, as between two of those who are answered."""
    try:
        with closing(socket.create_connection(("127.0.0.1", number), 5)) as client:
            return client.recv(9)
    except ConnectionError:
        return b""


@contextmanager
def taken(number: int) -> Iterator[None]:
    """A program of the host that listens on a port."""
    with closing(socket.socket()) as other:
        other.bind(("0.0.0.0", number))
        other.listen()
        yield


def test_a_free_port_is_found_told_before_and_kept(host: Host) -> None:
    """A check tells the ports that the run takes; they lead to the program, and stay whatever happens to it."""
    task: dict[str, Any] = {"image": host.busybox, "command": LISTEN, "networks": ["front"], "stop_timeout": 0}
    said = ["80-81", "80/udp", "127.0.0.1::81/udp", "8080:80"]
    check = host.converge(**task, published_ports=said, check=True)
    host.converge(**task, published_ports=said)
    found = ports(host)
    told = next(each.after for each in check.changes if each.path == "published_ports")
    assert sorted(told) == sorted(map(str, found))
    assert sorted((each.protocol, each.address, each.container_port) for each in found) == [
        ("tcp", "", 80), ("tcp", "", 80), ("tcp", "", 81), ("udp", "", 80), ("udp", "127.0.0.1", 81),
    ]  # fmt: skip
    with open(RANGE, encoding="ascii") as file:
        first, last = map(int, file.read().split())
    for each in (port for port in found if port.protocol == "tcp"):
        assert each.host_port == 8080 or first <= each.host_port <= last
        said_there = f"{each.container_port}\n".encode()
        wait(lambda: said_at(each.host_port) == said_there)  # noqa: B023 - it is waited for within the turn
    assert not host.converge(**task, published_ports=["80/TCP", *said[1:], 81]).changed
    assert not host.converge().changed
    pid = host.pid()
    host.converge(restart=True)
    host.converge(env={"A": "1"}, published_ports=said)
    host.converge(state="stopped")
    host.converge(state="started")
    host.ok("restart", "c")
    assert host.pid() != pid
    assert ports(host) == found


def test_they_are_where_the_kernel_leads_them(host: Host) -> None:
    """``ps``, ``port`` and ``inspect`` show the port that was found; one that is led away by hand comes back."""
    host.run(networks=["front"], published_ports=["80"])
    (found,) = ports(host)
    assert host.ok("port", "c") == f"80/tcp -> {found.place}\n".replace("*", "0.0.0.0")
    assert f"0.0.0.0:{found.host_port}->80/tcp" in host.ok("ps")
    shown = inspect(host.layout, host.observed())["NetworkSettings"]["Ports"]
    assert shown == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(found.host_port)}]}


def test_a_port_that_is_named_is_no_free_one(host: Host) -> None:
    """To name the port that was found changes no rule, and from then on it is the task's; so the other way round."""
    host.run(networks=["front"], published_ports=["80"])
    pid, (found,) = host.pid(), ports(host)
    host.converge(published_ports=[f"{found.host_port}:80"])
    assert not host.converge(published_ports=[f"{found.host_port}:80"]).changed
    host.converge(published_ports=["8080:80"])
    assert [each.host_port for each in ports(host)] == [8080]
    host.converge(published_ports=["80", "8080:81"])
    assert {each.container_port: each.host_port for each in ports(host)} == {80: found.host_port, 81: 8080}
    assert host.pid() == pid
    host.converge(published_ports=[])
    assert ports(host) == []


def test_they_stay_beside_those_of_all(host: Host) -> None:
    """What is asked for by itself stays when not all are published any more, by the same number."""
    image = host.image("exposing", {"ExposedPorts": {"80/tcp": {}, "90/tcp": {}}})
    host.run(image=image, networks=["front"], publish_all_ports=True)
    found = {each.container_port: each.host_port for each in ports(host)}
    host.converge(published_ports=["80"])
    assert {each.container_port: each.host_port for each in ports(host)} == found
    host.converge(publish_all_ports=False)
    assert {each.container_port: each.host_port for each in ports(host)} == {80: found[80]}
    assert not host.converge(published_ports=["80"], publish_all_ports=False).changed


def test_no_port_is_taken_from_anybody(host: Host) -> None:
    """A port that a program has, or another container, is passed over, also by one that had it itself."""
    task: dict[str, Any] = {"networks": ["front"], "published_ports": ["80"]}
    host.run(**task)
    (found,) = ports(host)
    host.converge(state="absent")
    with taken(found.host_port):
        host.run(**task)
    assert ports(host)[0].host_port == found.host_port + 1
    host.converge(state="stopped")
    with taken(found.host_port + 1):
        assert not host.converge(state="stopped", **task).changed
        check = host.converge(state="started", check=True)
        assert host.converge(state="started").changes == check.changes
    assert ports(host)[0].host_port == found.host_port
    assert not host.converge(**task).changed


def test_the_address_can_change(host: Host) -> None:
    """The number stays with another address; one for each address is possible."""
    host.run(networks=["front"], published_ports=["80"])
    (before,) = ports(host)
    host.converge(published_ports=["80"], default_host_ip="127.0.0.1")
    assert [(each.address, each.host_port) for each in ports(host)] == [("127.0.0.1", before.host_port)]
    assert not host.converge(published_ports=["127.0.0.1::80"]).changed
    host.converge(published_ports=["127.0.0.1::80", "127.0.0.2::80"])
    found = {each.address: each.host_port for each in ports(host)}
    assert found["127.0.0.1"] == before.host_port
    assert set(found) == {"127.0.0.1", "127.0.0.2"}
    assert not host.converge(published_ports=["127.0.0.2::80", "127.0.0.1::80"]).changed


@pytest.mark.parametrize("values", [{}, {"network_mode": "host"}])
def test_a_container_that_nothing_leads_to_is_refused(host: Host, values: dict[str, str]) -> None:
    """By what was said, as if a port of the host had been named."""
    with pytest.raises(InvalidValue, match=re.escape("cannot use ['80'] as published_ports")):
        host.run(published_ports=["80"], **values)


def test_flags_of_the_command_line(host: Host) -> None:
    """``-p`` is what it is to Docker."""
    host.ok("run", "-d", "--name", "c", "--network", "front", "-p", "80", "-p", "127.0.0.1::81/udp",
            host.busybox, "sleep", "1000")  # fmt: skip
    assert [(each.protocol, each.address, each.container_port, each.host_port > 1024) for each in ports(host)] == [
        ("tcp", "", 80, True), ("udp", "127.0.0.1", 81, True),
    ]  # fmt: skip
