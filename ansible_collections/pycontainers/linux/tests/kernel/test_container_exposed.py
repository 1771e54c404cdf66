# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports that a container exposes, and that are all published."""
from __future__ import annotations

import socket
from contextlib import closing
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_facts import inspect
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import Port
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

LISTEN = ["sh", "-c", "while :; do echo 80 | nc -l -p 80; done & while :; do echo 81 | nc -l -p 81; done"]


@pytest.fixture
def image(host: Host) -> str:
    """An image that exposes a port, on a host with a network."""
    host.network()
    return host.image("exposing", {"ExposedPorts": {"80/tcp": {}, "nonsense": {}}})


def ports(host: Host, name: str = "c") -> dict[int, Port]:
    """The ports that lead to a container, by the container's."""
    return {each.container_port: each for each in host.observed(name).published_ports or ()}


def test_exposed_ports_are_kept_and_shown(host: Host, image: str) -> None:
    """Those of the image and the task's own are shown by inspect and ps; to expose one more takes nothing."""
    host.run(image=image, exposed_ports=["53/udp", "7000-7001"])
    pid = host.pid()
    shown = inspect(host.layout, host.observed())
    assert set(shown["Config"]["ExposedPorts"]) == {"53/udp", "80/tcp", "7000/tcp", "7001/tcp"}
    assert shown["NetworkSettings"]["Ports"] == dict.fromkeys(shown["Config"]["ExposedPorts"])
    assert "53/udp, 80/tcp, 7000/tcp, 7001/tcp" in host.ok("ps")
    assert not host.converge(exposed_ports=["7001/TCP", 7000, "53/udp"]).changed
    done = host.converge(exposed_ports=["80"])
    assert [(each.path, each.effect.name) for each in done.changes] == [("exposed_ports", "LIVE")]
    assert set(inspect(host.layout, host.observed())["Config"]["ExposedPorts"]) == {"80/tcp"}
    assert (host.pid(), host.observed().published_ports) == (pid, ())


def test_all_are_published_at_free_ports(host: Host, image: str) -> None:
    """A check tells the ports that the run takes; they lead to the program, and stay over restarts and replacements."""
    task: dict[str, Any] = {"image": image, "command": LISTEN, "networks": ["front"], "exposed_ports": ["81"]}
    task["stop_timeout"] = 0
    check = host.converge(**task, publish_all_ports=True, check=True)
    host.converge(**task, publish_all_ports=True)
    found = ports(host)
    told = next(each.after for each in check.changes if each.path == "published_ports")
    assert sorted(told) == sorted(str(each) for each in found.values())
    assert set(found) == {80, 81}
    for number, each in found.items():
        with closing(socket.create_connection(("127.0.0.1", each.host_port), 5)) as client:
            assert client.recv(9) == f"{number}\n".encode()
    assert not host.converge(**task, publish_all_ports=True).changed
    assert not host.converge().changed
    pid = host.pid()
    host.converge(restart=True)
    host.converge(env={"A": "1"})
    assert host.pid() != pid
    assert ports(host) == found


def test_named_ports_stay_as_they_are(host: Host, image: str) -> None:
    """A port that is published already is not published again; one that is named takes the place of the chosen."""
    host.run(image=image, networks=["front"], exposed_ports=["81"], published_ports=["8080:80"], publish_all_ports=True)
    pid = host.pid()
    assert ports(host)[80].host_port == 8080
    assert set(ports(host)) == {80, 81}
    assert not host.converge(published_ports=["8080:80"]).changed
    assert not host.converge(publish_all_ports=True).changed
    host.converge(published_ports=["8080:80", "8081:81"])
    assert {each.host_port for each in ports(host).values()} == {8080, 8081}
    assert host.pid() == pid


def test_a_named_port_takes_that_of_a_chosen_one(host: Host, image: str) -> None:
    """A port of the host that was chosen and is named for another port now leads there alone; another one is chosen."""
    host.run(image=image, networks=["front"], exposed_ports=["81"], publish_all_ports=True)
    chosen = ports(host)[80].host_port
    task: dict[str, Any] = {"published_ports": [f"{chosen}:81"]}
    check = host.converge(**task, check=True)
    assert host.converge(**task).changes == check.changes
    assert ports(host)[81].host_port == chosen
    assert ports(host)[80].host_port != chosen
    assert not host.converge(**task).changed


def test_chosen_ports_are_not_more_that_is_present(host: Host, image: str) -> None:
    """Those beside which more may be are the named ones: the chosen stay chosen, and a second run changes nothing."""
    task: dict[str, Any] = {"published_ports": ["8080:90"], "comparisons": {"published_ports": "allow_more_present"}}
    host.run(image=image, networks=["front"], publish_all_ports=True, **task)
    assert not host.converge(**task).changed
    host.converge(**task, publish_all_ports=False)
    assert set(ports(host)) == {90}


def test_it_is_taken_back_live(host: Host, image: str) -> None:
    """Without it the ports that were chosen lead nowhere any more, those that were named still do."""
    host.run(image=image, networks=["front"], exposed_ports=["81"], published_ports=["8080:80"], publish_all_ports=True)
    pid = host.pid()
    done = host.converge(publish_all_ports=False)
    assert {each.path for each in done.changes} == {"publish_all_ports", "published_ports"}
    assert set(ports(host)) == {80}
    assert host.pid() == pid
    assert not host.converge(publish_all_ports=False).changed


def test_no_port_is_taken_from_anybody(host: Host, image: str) -> None:
    """A port that a program of the host listens on, or that another container has or had, is passed over."""
    task: dict[str, Any] = {"image": image, "networks": ["front"], "publish_all_ports": True}
    check = host.converge(**task, check=True)
    wanted = int(next(each.after for each in check.changes if each.path == "published_ports")[0].partition(":")[0])
    with closing(socket.socket()) as other:
        other.bind(("0.0.0.0", wanted))
        other.listen()
        host.run(**task)
    assert ports(host)[80].host_port == wanted + 1
    host.converge(state="stopped")
    host.run(name="d", image=image, networks=["front"], published_ports=[f"{wanted + 2}:80"])
    host.converge("c", state="absent")
    host.run(name="c", **task)
    assert ports(host)[80].host_port == wanted


def test_the_default_address_is_theirs_too(host: Host, image: str) -> None:
    """They lead from it alone, and change their address with it."""
    host.run(image=image, networks=["front"], publish_all_ports=True, default_host_ip="127.0.0.1")
    before = ports(host)[80]
    assert before.address == "127.0.0.1"
    host.converge(default_host_ip="")
    assert (ports(host)[80].address, ports(host)[80].host_port) == ("", before.host_port)


def test_nobody_leads_to_a_container_on_no_network(host: Host, image: str) -> None:
    """It is refused; with the host's network there is nothing to lead."""
    host.run(image=image)
    pid = host.pid()
    with pytest.raises(InvalidValue, match="publish_all_ports: the container is on no network"):
        host.converge(publish_all_ports=True)
    assert host.pid() == pid
    host.converge(network_mode="host", publish_all_ports=True)
    assert host.observed().published_ports == ()


def test_flags_of_the_command_line(host: Host, image: str) -> None:
    """``-P`` and ``--expose`` are what they are to Docker."""
    host.ok("run", "-d", "--name", "c", "--network", "front", "-P", "--expose", "90-91/udp", image, "sleep", "1000")
    assert set(ports(host)) == {80, 90, 91}
