# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs network and port, as hands know them from Docker."""
from __future__ import annotations

import json

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host


def test_a_network_is_made_listed_shown_and_removed(host: Host) -> None:
    """Without a subnet it gets one that is free; what is said to Docker's driver is said here."""
    options = ["-o", "com.docker.network.bridge.name=br-back", "--opt", "mtu=1400", "--internal"]
    assert host.ok("network", "create", "front") == "front\n"
    assert host.ok("network", "create", "--subnet", "10.91.7.0/24", "--gateway", "10.91.7.9", *options, "back")
    assert host.ok("network", "ls", "-q") == "back\nfront\n"
    lines = [line.split() for line in host.ok("network", "ls").splitlines()]
    assert lines == [
        ["NAME", "DRIVER", "SUBNET", "INTERFACE", "OUTSIDE"],
        ["back", "bridge", "10.91.7.0/24", "br-back", "no"],
        ["front", "bridge", "10.89.0.0/24", "pyc-front", "masqueraded"],
    ]
    back, front = json.loads(host.ok("network", "inspect", "back", "front"))
    assert back["IPAM"]["Config"] == [{"Subnet": "10.91.7.0/24", "Gateway": "10.91.7.9"}]
    assert (back["Internal"], back["Options"]["mtu"], front["Internal"]) == (True, 1400, False)
    assert json.loads(host.ok("network", "ls", "--json")) == [back, front]
    assert host.ok("network", "rm", "back", "front") == "back\nfront\n"
    assert not {"br-back", "pyc-front"} & set(links.links())
    assert host.ok("network", "rm", "-f", "front") == "front\n"
    host.ok("network", "create", "last")
    partly = host.cli("network", "rm", "none", "last")
    assert (partly.returncode, partly.stdout) == (1, "last\n")
    masquerade = "com.docker.network.bridge.enable_ip_masquerade=0"
    host.ok("network", "create", "-o", "isolate=False", "-o", masquerade, "open")
    (document,) = json.loads(host.ok("network", "inspect", "open"))
    assert (document["Isolated"], document["Options"]["masquerade"]) == (False, False)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["create", "front"], "cannot create network front: there is one of this name; remove it first, or name"),
        (["create", "--subnet", "10.91.0.128/25", "x"], "it overlaps 10.91.0.0/24 of the network front"),
        (["create", "-o", "colour=red", "x"], "cannot use 'colour=red' as opt: it is not KEY=VALUE with one of"),
        (["create", "-o", "mtu=ten", "x"], "mtu"),
        (["create", "-o", "isolate=no", "x"], "cannot use 'no' as isolate: it is neither true nor false"),
        (["create", "a/b"], "a/b"),
        (["inspect", "x"], "cannot use the network x: there is no such network; networks are front"),
        (["rm", "x"], "cannot remove network x: there is none of this name; see pycontainers network ls"),
        (["rm", "front"], "containers are connected: c; remove them first"),
    ],
)
def test_what_can_not_be_is_said_in_a_line(host: Host, words: list[str], reason: str) -> None:
    """And changes nothing."""
    host.network()
    host.run(networks=[{"name": "front"}])
    assert reason in host.failure("network", *words)
    assert host.ok("network", "ls", "-q") == "front\n"


def test_networks_that_no_container_is_on_are_pruned(host: Host) -> None:
    """It shows what goes, and asks."""
    host.network()
    host.run(networks=[{"name": "front"}])
    host.ok("network", "create", "idle")
    assert host.cli("network", "prune", stdin="n\n").returncode == 1
    assert host.ok("network", "ls", "-q") == "front\nidle\n"
    assert "idle" in host.ok("network", "prune", "-f")
    assert host.ok("network", "ls", "-q") == "front\n"


def test_ports_are_shown_as_the_kernel_leads_them(host: Host) -> None:
    """All of them, or where one leads from; those of a stopped container lead nowhere."""
    host.network()
    host.run(networks=[{"name": "front"}], published_ports=["8081:81", "127.0.0.1:8080:80", "8053:53/udp"])
    assert host.ok("port", "c") == "53/udp -> 0.0.0.0:8053\n80/tcp -> 127.0.0.1:8080\n81/tcp -> 0.0.0.0:8081\n"
    assert host.ok("port", "c", "80") == "127.0.0.1:8080\n"
    assert host.ok("port", "c", "53/udp") == "0.0.0.0:8053\n"
    assert "show the port 53/tcp of container c: no port of the host leads to it" in host.failure("port", "c", "53")
    assert "it is no number, with /tcp, /udp, /sctp or nothing behind it" in host.failure("port", "c", "53/icmp")
    host.converge(state="stopped", stop_timeout=0)
    assert host.ok("port", "c") == ""
