# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container whose network slirp4netns or pasta makes, with real traffic, and nothing of the host's changed."""
from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import (
    HOST,
    HOST6,
    IMPATIENCE,
    NEIGHBOUR,
    NEIGHBOUR6,
    Bench,
)
from ansible_collections.pycontainers.linux.tests.kernel.user_network_bench import (
    TCP,
    UDP,
    bench,
    both,
    bound,
    of_host,
    program_of,
    start,
)

__all__ = ["bench"]


@both
def test_it_reaches_what_the_host_reaches(host: Host, bench: Bench, program: str) -> None:
    """By TCP and UDP, by both families, from the first moment; as the host; and the host's own network is as it was."""
    before = of_host()
    identity = start(host, program)
    for family, address, own in ((socket.AF_INET, NEIGHBOUR, HOST), (socket.AF_INET6, NEIGHBOUR6, HOST6)):
        for kind in (TCP, UDP):
            waiting = bench.listen("neighbour", 7000, kind, family)
            assert bench.reach(identity, address, 7000, waiting) == own
    assert host.ok("exec", "c", "ls", "/sys/class/net").split() == ["lo", "tap0"]
    assert of_host() == before
    assert not host.converge(network_mode=program).changed


@both
def test_a_published_port(host: Host, bench: Bench, program: str) -> None:
    """It is there on the addresses that it is asked for on, for the host and for others, by TCP and UDP."""
    before = of_host()
    ports = ["8080:80", "8080:80/udp", "127.0.0.1:8443:443", f"{HOST}:8444:443"]
    identity = start(host, program, published_ports=ports)
    waiting = bench.listen(identity, 80)
    for where, address in ((None, "127.0.0.1"), (None, HOST), ("neighbour", HOST)):
        assert bench.reach(where, address, 8080, waiting)
    assert bench.reach("neighbour", HOST, 8080, bench.listen(identity, 80, UDP)) == NEIGHBOUR
    waiting = bench.listen(identity, 443)
    assert bench.reach(None, "127.0.0.1", 8443, waiting)
    assert bench.reach("neighbour", HOST, 8444, waiting)
    for where, address, port in (("neighbour", HOST, 8443), (None, "127.0.0.1", 8444)):
        with pytest.raises(ConnectionRefusedError):
            bench.reach(where, address, port, waiting)
    assert of_host() == before
    facts: Any = host.converge(published_ports=ports, network_mode=program)
    assert not facts.changed
    assert "8080->80/tcp" in host.ok("ps")


def test_pasta_publishes_by_ipv6_too(host: Host, bench: Bench) -> None:
    """A port on every address is one of both families; one on an address of IPv6 is there alone."""
    identity = start(host, "pasta", published_ports=["8080:80", f"[{HOST6}]:8081:81"])
    assert bench.reach(identity, NEIGHBOUR6, 7000, bench.listen("neighbour", 7000, TCP, socket.AF_INET6))
    waiting = bench.listen(identity, 80, TCP, socket.AF_INET6)
    assert bench.reach(None, "::1", 8080, waiting)
    assert bench.reach("neighbour", HOST6, 8080, waiting)
    waiting = bench.listen(identity, 81, TCP, socket.AF_INET6)
    assert bench.reach("neighbour", HOST6, 8081, waiting)
    assert not host.converge(published_ports=["8080:80", f"[{HOST6}]:8081:81"]).changed


@both
def test_ports_change_while_it_runs(host: Host, bench: Bench, program: str) -> None:
    """The container's program goes on, what stays is not interrupted with slirp4netns, and what goes is free."""
    identity = start(host, program, published_ports=["8080:80", "8081:81"])
    pid, served = host.pid(), program_of(host, identity)
    told = host.converge(check=True, published_ports=["8080:80", "8082:81", "8083:81/udp"])
    done = host.converge(published_ports=["8080:80", "8082:81", "8083:81/udp"])
    assert done.actions == told.actions
    assert told.actions[0] == "publish 8082:81 8083:81/udp, unpublish 8081:81"
    assert host.pid() == pid
    assert (program_of(host, identity) == served) is (program == "slirp4netns")
    waiting = bench.listen(identity, 81)
    assert bench.reach(None, "127.0.0.1", 8082, waiting)
    assert bench.reach("neighbour", HOST, 8083, bench.listen(identity, 81, UDP))
    bench.listen(None, 8081)
    assert host.converge(published_ports=[]).changed
    for port in (8080, 8082, 8083):
        bench.listen(None, port)
    assert host.pid() == pid


def test_the_hosts_loopback_is_closed_unless_asked_for(host: Host, bench: Bench) -> None:
    """What listens on 127.0.0.1 of the host is reached by the gateway's address, which has a name, only if allowed."""
    waiting = bench.listen(None, 7000)
    identity = start(host, "slirp4netns")
    with pytest.raises(OSError, match=r"timed out|refused|unreachable"):
        bench.reach(identity, "10.0.2.2", 7000, waiting, IMPATIENCE)
    identity = start(host, "slirp4netns:cidr=10.0.7.0/24,allow_host_loopback=true", etc_hosts={"up": "host-gateway"})
    assert bench.reach(identity, "10.0.7.2", 7000, waiting) == "127.0.0.1"
    hosts = host.ok("exec", "c", "cat", "/etc/hosts")
    assert "10.0.7.2 up\n" in hosts
    assert f"10.0.7.100 {identity[:12]}\n" in hosts
    identity = start(host, "pasta:--map-gw")
    assert f"{NEIGHBOUR} up\n" in host.ok("exec", "c", "cat", "/etc/hosts")
    assert bench.reach(identity, NEIGHBOUR, 7000, waiting) == "127.0.0.1"
    assert not host.converge(network_mode="pasta:--map-gw").changed


@both
def test_a_resolver_on_the_hosts_loopback_is_asked(host: Host, bench: Bench, program: str, tmp_path: Path) -> None:
    """By an address of the container's network, which its resolv.conf names before what else the host asks."""
    own = tmp_path / "resolv.conf"
    own.write_text(f"nameserver 127.0.0.1\nnameserver {NEIGHBOUR}\nsearch lan\n")
    with bound(own, "/etc/resolv.conf"):
        identity = start(host, program)
        lines = host.ok("exec", "c", "cat", "/etc/resolv.conf").splitlines()
        forwarder = {"slirp4netns": "10.0.2.3", "pasta": "169.254.1.53"}[program]
        assert lines == [f"nameserver {forwarder}", f"nameserver {NEIGHBOUR}", "search lan"]
        assert bench.reach(identity, forwarder, 53, bench.listen(None, 53, UDP)) == "127.0.0.1"


@both
def test_the_command_line_says_it_as_podman_does(host: Host, bench: Bench, program: str) -> None:
    """In the place of a network's name; another container can share it."""
    words = {"slirp4netns": "slirp4netns:mtu=1500,enable_ipv6=false", "pasta": "pasta:--mtu,1500,-4"}[program]
    host.ok("run", "-d", "--name", "c", "--network", words, "-p", "8080:80", host.busybox, "sleep", "100")
    told = {"slirp4netns": "slirp4netns:enable_ipv6=false,mtu=1500", "pasta": "pasta:--ipv4-only,--mtu,1500"}[program]
    assert json.loads(host.ok("inspect", "c"))[0]["HostConfig"]["NetworkMode"] == told
    identity = host.observed().id or ""
    assert links.links(host.layout.netns(identity))["tap0"].mtu == 1500
    host.ok("run", "-d", "--name", "other", "--network", "container:c", host.busybox, "sleep", "100")
    assert host.ok("exec", "other", "ls", "/sys/class/net").split() == ["lo", "tap0"]
