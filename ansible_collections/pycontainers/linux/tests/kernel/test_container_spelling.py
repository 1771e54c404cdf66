# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked for in other words than those of the rows that it is kept in, and what that comes to in the kernel."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import namespaces
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.links import links
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_facts import inspect
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

MAC, OTHER_MAC = "02:42:ac:11:00:99", "02:42:ac:11:00:98"


def macs(host: Host) -> set[str]:
    """The MAC addresses of the interfaces in the container."""
    with namespaces.entered(host.layout.netns(host.observed().id or "")):
        return {each.mac for each in links().values()}


def variables(host: Host) -> dict[str, str]:
    """What the kernel says is the environment of the container's program."""
    words = Path(f"/proc/{host.pid()}/environ").read_text().split("\0")
    return dict(each.partition("=")[::2] for each in words)


def test_a_file_of_variables(host: Host, tmp_path: Path) -> None:
    """Its variables are the program's, env goes over them, and what differs is seen wherever it is said."""
    file = tmp_path / "env"
    file.write_text("A=of the file\nB=of the file\n")
    host.run(env={"B": "of the task"}, env_file=str(file))
    found = variables(host)
    assert (found["A"], found["B"]) == ("of the file", "of the task")
    assert not host.converge(env={"B": "of the task"}, env_file=str(file)).changed
    assert not host.converge(env={"A": "of the file", "B": "of the task"}).changed
    assert not host.converge().changed
    file.write_text("A=another\nB=of the file\n")
    check = host.converge(env={"B": "of the task"}, env_file=str(file), check=True)
    assert [(each.path, each.before["A"], each.after["A"]) for each in check.changes] == [
        ("env", "of the file", "another")
    ]
    assert variables(host)["A"] == "of the file"
    assert host.converge(env={"B": "of the task"}, env_file=str(file)).actions == check.actions
    assert variables(host)["A"] == "another"
    assert "env_file" not in Path(container_state.record_path(host.layout, host.observed().id or "")).read_text()


def test_files_of_variables_of_the_command_line(host: Host, tmp_path: Path) -> None:
    """Each can be given, a later one goes over an earlier, -e over all, and a name alone has the caller's value."""
    (tmp_path / "a").write_text("A=1\nB=1\nHOME\n")
    (tmp_path / "b").write_text("B=2\nC=2\n")
    files = ["--env-file", str(tmp_path / "a"), "--env-file", str(tmp_path / "b")]
    said = host.ok("run", "--rm", *files, "-e", "C=3", host.busybox, "sh", "-c", "echo $A $B $C $HOME")
    assert said.split() == ["1", "2", "3", os.environ["HOME"]]


def test_the_address_of_ports_that_name_none(host: Host) -> None:
    """Ports lead from the default address, but those that name one; empty, from every address."""
    host.network()
    ports = ["8080:80", "0.0.0.0:81:81"]
    host.run(networks=["front"], published_ports=ports, default_host_ip="127.0.0.1")
    pid = host.pid()
    assert sorted(each.address for each in host.observed().published_ports or ()) == ["0.0.0.0", "127.0.0.1"]
    assert not host.converge(published_ports=ports, default_host_ip="127.0.0.1").changed
    assert not host.converge(default_host_ip="127.0.0.9").changed
    assert not host.converge(published_ports=["127.0.0.1:8080:80", "0.0.0.0:81:81"]).changed
    done = host.converge(published_ports=ports, default_host_ip="")
    assert [each.path for each in done.changes] == ["published_ports"]
    assert sorted(each.address for each in host.observed().published_ports or ()) == ["", "0.0.0.0"]
    assert host.pid() == pid


def test_the_address_of_the_first_network(host: Host) -> None:
    """The interface on the first network has it, another one after a live change, and the usual one when cleared."""
    host.network()
    host.network("back", "10.92.0.0/24")
    host.run(networks=["front", "back"], mac_address=MAC)
    pid = host.pid()
    assert MAC in macs(host)
    assert not host.converge(mac_address=MAC.upper().replace(":", "-")).changed
    assert not host.converge(networks=["front", "back"]).changed
    check = host.converge(mac_address=OTHER_MAC, check=True)
    assert [each.path for each in check.changes] == ["networks"]
    assert host.converge(mac_address=OTHER_MAC).actions == check.actions
    assert OTHER_MAC in macs(host)
    assert MAC not in macs(host)
    assert host.converge(mac_address="").changed
    assert OTHER_MAC not in macs(host)
    assert host.pid() == pid


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"networks": []}, "the container is on no network"),
        ({"networks": [{"name": "front", "mac_address": OTHER_MAC}]}, f"networks asks for {OTHER_MAC} on the first"),
        ({"networks": ["front", {"name": "back", "mac_address": MAC}]}, "it has that on another network"),
    ],
)
def test_an_address_of_no_network(host: Host, options: dict[str, Any], reason: str) -> None:
    """It is refused where there is no interface for it, and where another one is asked for."""
    host.network()
    host.network("back", "10.92.0.0/24")
    host.run(networks=["front", "back"])
    pid = host.pid()
    with pytest.raises(InvalidValue, match=rf"mac_address: {reason}"):
        host.converge(**options, mac_address=MAC)
    assert host.pid() == pid


def test_networks_that_a_task_does_not_name(host: Host) -> None:
    """Without a purge they stay, behind those that it names; with one the container leaves them."""
    host.network()
    host.network("back", "10.92.0.0/24")
    host.run(networks=["front"])
    pid = host.pid()
    host.converge(networks=["back"], purge_networks=False)
    assert [each.name for each in host.observed().networks or ()] == ["back", "front"]
    assert len(macs(host)) == 3
    assert not host.converge(networks=["back"], purge_networks=False).changed
    assert not host.converge(purge_networks=False).changed
    host.converge(networks=["back"])
    assert [each.name for each in host.observed().networks or ()] == ["back"]
    assert len(macs(host)) == 2
    assert host.pid() == pid


def test_volumes_of_others(host: Host, tmp_path: Path) -> None:
    """What others have is at the same places, read-only where asked for; the task's own words come first."""
    (tmp_path / "file").write_text("of the host\n")
    host.run(name="a", volumes=["files:/files", "/nameless", f"{tmp_path}:/host:ro", "other:/own"])
    host.ok("exec", "a", "sh", "-c", "echo a > /files/a; echo a > /nameless/a")
    given: dict[str, Any] = {"volumes": ["mine:/own"], "volumes_from": ["a:ro"]}
    host.run(**given)
    script = "cat /files/a /nameless/a /host/file; ls /own; touch /files/b 2>&1; touch /own/c"
    assert host.ok("exec", "c", "sh", "-c", script).splitlines() == [
        "a", "a", "of the host", "touch: /files/b: Read-only file system",
    ]  # fmt: skip
    assert not host.converge(**given).changed
    assert not host.converge().changed
    done = host.converge(**given | {"volumes_from": [(host.observed("a").id or "")[:12]]})
    assert [(each.path, each.effect.name) for each in done.changes] == [("volumes", "RECREATE")]
    host.ok("exec", "c", "sh", "-c", "touch /files/b /nameless/b")
    host.converge("a", state="absent", keep_volumes=False)
    assert host.ok("exec", "c", "ls", "/nameless").split() == ["a", "b"]


@pytest.mark.parametrize(
    ("said", "reason"), [("nobody", "there is none of this name or id"), ("c", "it is the container itself")]
)
def test_volumes_of_nobody(host: Host, said: str, reason: str) -> None:
    """Who is not there has no volumes; the container keeps its process."""
    host.run()
    pid = host.pid()
    with pytest.raises(InvalidValue, match=f"volumes_from: {reason}"):
        host.converge(volumes_from=[said])
    assert host.pid() == pid


def test_a_container_that_removes_itself(host: Host) -> None:
    """It is gone when its program has ended, with its volumes without a name; the next task makes it anew."""
    container = host.run(auto_remove=True, volumes=["/nameless"])
    assert inspect(host.layout, container)["HostConfig"]["AutoRemove"]
    assert not host.converge(auto_remove=True).changed
    assert not host.converge().changed
    os.kill(host.pid(), 9)
    wait(lambda: container_state.identity_of(host.layout, "c") is None)
    wait(lambda: os.listdir(f"{host.layout.root}/volumes") == [])
    check = host.converge(image=host.busybox, auto_remove=True, check=True)
    assert check.changed


def test_removing_itself_is_decided_while_it_runs(host: Host) -> None:
    """It can be asked for and taken back live."""
    container = host.run()
    pid = host.pid()
    check = host.converge(auto_remove=True, check=True)
    assert [(each.path, each.effect.name) for each in check.changes] == [("auto_remove", "LIVE")]
    host.converge(auto_remove=True)
    host.converge(auto_remove=False)
    assert host.pid() == pid
    os.kill(pid, 9)
    host.ended(container)
    assert host.observed().state == "stopped"


def test_nothing_is_left_to_restart(host: Host) -> None:
    """A policy that starts it again is refused, whichever of the two is asked for last."""
    host.run(restart_policy="always")
    pid = host.pid()
    with pytest.raises(InvalidValue, match="auto_remove: restart_policy is always"):
        host.converge(auto_remove=True)
    host.converge(auto_remove=True, restart_policy="no")
    with pytest.raises(InvalidValue, match="auto_remove: restart_policy is on-failure"):
        host.converge(restart_policy="on-failure")
    assert host.pid() == pid
