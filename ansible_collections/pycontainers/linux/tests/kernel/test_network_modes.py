# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In whose network namespace a container is."""
from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import namespaces, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, supervise
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait


def namespace(pid: int | str) -> str:
    """The network namespace of a process."""
    return os.readlink(f"/proc/{pid}/ns/net")


@pytest.fixture
def pinned(host: Host) -> Iterator[str]:
    """The path of a network namespace that somebody else has made."""
    path = f"{host.layout.run}/elsewhere"
    namespaces.pin(path)
    yield path
    namespaces.unpin(path)


def test_none_is_a_namespace_with_loopback_only(host: Host) -> None:
    """As with Docker; to go over to it from networks takes no other words."""
    host.network()
    host.run(networks=["front"], published_ports=["8080:80"])
    assert host.converge(network_mode="none").changed
    assert not host.converge(network_mode="none").changed
    assert host.ok("exec", "c", "ls", "/sys/class/net").split() == ["lo"]
    assert namespace(host.pid()) != namespace("self")
    assert (host.observed().networks, host.observed().held) == ((), ())


def test_host_is_the_hosts_namespace(host: Host) -> None:
    """With its interfaces, its name, its hosts file and its resolvers, those on loopback too."""
    host.run(network_mode="host", etc_hosts={"more": "192.0.2.7"})
    assert namespace(host.pid()) == namespace("self")
    assert host.ok("exec", "c", "hostname").strip() == os.uname().nodename
    hosts = Path("/etc/hosts").read_text()
    assert host.ok("exec", "c", "cat", "/etc/hosts") == f"{hosts}192.0.2.7 more\n"
    assert host.ok("exec", "c", "cat", "/etc/resolv.conf") == Path("/etc/resolv.conf").read_text()
    assert not host.converge(network_mode="host").changed
    facts: Any = host.converge().facts["container"]
    assert facts["HostConfig"]["NetworkMode"] == "host"
    host.converge(state="stopped")
    host.converge(state="started")
    assert namespace(host.pid()) == namespace("self")
    assert host.converge(network_mode="default").changed
    assert namespace(host.pid()) != namespace("self")


def test_the_hosts_settings_are_not_the_containers(host: Host) -> None:
    """A setting below net is the host's, where that is the network: it is refused."""
    with pytest.raises(InvalidValue, match=r"sysctls.*shares the runtime's network namespace"):
        host.run(network_mode="host", sysctls={"net.ipv4.ip_forward": "1"})


def test_another_containers_namespace(host: Host) -> None:
    """Both have one network, one name and one hosts file; the other can be started again meanwhile, or may end."""
    host.network()
    host.run(name="web", networks=["front"], hostname="site", restart_policy="always")
    host.run(network_mode="container:web", restart_policy="always")
    assert namespace(host.pid()) == namespace(host.pid("web"))
    assert host.ok("exec", "c", "hostname").strip() == "site"
    for file in ("hosts", "resolv.conf", "hostname"):
        assert host.ok("exec", "c", "cat", f"/etc/{file}") == host.ok("exec", "web", "cat", f"/etc/{file}")
    host.run(name="near", networks=["front"])
    assert "near" in host.ok("exec", "c", "cat", "/etc/hosts")
    before = host.pid("web")
    os.kill(before, signal.SIGKILL)
    wait(lambda: host.pid("web") not in (0, before) and _together(host))
    before = host.pid()
    os.kill(before, signal.SIGKILL)
    wait(lambda: host.pid() not in (0, before) and _together(host))


def _together(host: Host) -> bool:
    """Whether both are in one namespace, not the host's, in which each is at first."""
    return namespace("self") != namespace(host.pid()) == namespace(host.pid("web"))


def test_it_waits_for_the_other_to_run(host: Host) -> None:
    """A container whose policy starts it again goes on trying while the other is stopped."""
    host.network()
    host.run(name="web", networks=["front"])
    host.run(network_mode="container:web", restart_policy="always")
    host.converge("web", state="stopped", stop_timeout=0)
    os.kill(host.pid(), signal.SIGKILL)
    identity = host.observed().id or ""
    wait(lambda: "container not running" in container_state.status(host.layout, identity).error)
    host.converge("web", state="started")
    wait(lambda: host.pid() != 0 and _together(host))


def test_the_other_is_started_first_at_boot(host: Host) -> None:
    """Whatever their names are."""
    host.network()
    host.run(name="z", networks=["front"], restart_policy="always")
    host.run(name="a", network_mode="container:z", restart_policy="always")
    assert supervise.shutdown(host.layout) == []
    assert supervise.boot(host.layout) == []
    assert namespace(host.pid("a")) == namespace(host.pid("z"))


def test_a_namespace_by_its_path(host: Host, pinned: str) -> None:
    """The container is in it, and leaves it as it was."""
    host.run(network_mode=f"ns:{pinned}", hostname="inside")
    assert os.stat(pinned).st_ino == os.stat(f"/proc/{host.pid()}/ns/net").st_ino
    assert host.ok("exec", "c", "hostname").strip() == "inside"
    host.converge(state="absent", stop_timeout=0)
    assert namespaces.pinned(pinned)


def test_what_can_not_be_joined_is_refused(host: Host, pinned: str) -> None:
    """Before anything is made: what is not there, does not run, is no network, shares one itself, or is itself."""
    host.network()
    host.run(name="web", networks=["front"])
    host.run(name="shares", network_mode="container:web")
    host.run(name="stopped", state="stopped")
    syscalls.mount("/proc/self/ns/uts", pinned, flags=syscalls.MS_BIND)
    refused = {
        "container:none": "there is no container of this name or id; see pycontainers ps -a",
        "container:stopped": "container not running; start it first",
        "container:shares": "it has none of its own, but network_mode=container:web; name that one",
        "container:c": "that is the container itself",
        f"ns:{pinned}": "there is none at this path; make it first",
        "ns:/etc/hosts": "there is none at this path; make it first",
        "ns:/nowhere": "there is none at this path; make it first",
        "front": "networks are named in the option networks",
        "container:": "a name starts with",
        "ns:here": "it is not an absolute path",
    }
    for mode, reason in refused.items():
        with pytest.raises(Failure, match=reason):
            host.run(network_mode=mode)
    parts: list[dict[str, Any]] = [{"networks": ["front"]}, {"published_ports": ["8080:80"]}]
    for options in parts:
        with pytest.raises(InvalidValue, match=f"{next(iter(options))}.*network_mode=host leaves no room for it"):
            host.run(network_mode="host", **options)
    for options in ({"hostname": "x"}, {"etc_hosts": {"x": "::1"}}, {"dns_servers": ["::2"]}):
        with pytest.raises(InvalidValue, match=f"{next(iter(options))}.*leaves no room for it"):
            host.run(network_mode="container:web", **options)
    assert host.cli("ps", "-a", "-q").stdout.count("\n") == 3
    syscalls.umount(pinned, syscalls.MNT_DETACH)


def test_the_command_line_says_it_as_docker_does(host: Host) -> None:
    """A mode in the place of a network's name."""
    host.ok("run", "-d", "--name", "a", "--network", "host", host.busybox, "sleep", "100")
    assert namespace(host.pid("a")) == namespace("self")
    host.ok("run", "-d", "--name", "b", "--net", "none", host.busybox, "sleep", "100")
    host.ok("run", "-d", "--name", "c", "--net=container:b", host.busybox, "sleep", "100")
    assert namespace(host.pid("c")) == namespace(host.pid("b")) != namespace("self")
