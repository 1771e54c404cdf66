# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's process 1 is, and whose processes it sees."""
from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups, programs
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.process import process
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_facts,
    container_init,
    container_state,
    supervise,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import SLEEP, Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import client

ORPHAN = "(sleep 0.1 & ) ; sleep 1000"
"""A script whose shell has been left by a child of its own before that ends."""


@pytest.fixture
def tini(monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of an init, which is the first to be found."""
    folders = client("tini-static")["PATH"]
    monkeypatch.setenv("PATH", folders)
    return f"{folders.split(':')[1]}/tini-static"


def zombies(host: Host) -> list[str]:
    """The zombies that the container sees."""
    script = "grep -h '^State' /proc/[0-9]*/status"
    return [line for line in host.ok("exec", "c", "sh", "-c", script).splitlines() if "Z" in line]


def test_an_init_reaps_and_passes_signals_on(host: Host, tini: str) -> None:
    """With an init orphans are reaped and a command without handlers ends by the stop signal, with its own status."""
    host.shell(ORPHAN)
    wait(lambda: len(zombies(host)) == 1)
    host.converge(state="absent")
    container = host.shell(ORPHAN, init=True)
    assert Path(f"/proc/{host.pid()}/cmdline").read_bytes().split(b"\0")[:3] == [b"/sbin/docker-init", b"--", b"sh"]
    assert os.path.samestat(os.stat(f"/proc/{host.pid()}/root/sbin/docker-init"), os.stat(tini))
    wait(lambda: "sleep\0000.1" not in host.ok("exec", "c", "sh", "-c", "cat /proc/[0-9]*/cmdline"))
    assert zombies(host) == []
    os.kill(host.pid(), 15)
    assert host.ended(container).exit_code == 143
    assert host.said("touch /sbin/docker-init 2>&1; exit 0", init=True).strip().endswith("Read-only file system")


def test_declaring_an_init(host: Host, tini: str) -> None:
    """It is told in diff and facts, makes the container anew once, and false is the same as nothing."""
    host.run()
    before = host.observed().id
    assert host.converge(init=False).changed is False
    checked = host.converge(init=True, check=True)
    assert [(each.path, each.before, each.after) for each in checked.changes if each.path == "init"] == [
        ("init", False, True)
    ]
    assert host.observed().id == before
    assert host.converge(init=True, stop_timeout=0).changed is True
    assert host.observed().id != before
    assert host.converge(init=True).changed is False
    assert host.converge().changed is False
    shown = json.loads(host.ok("inspect", "c"))[0]
    assert shown["HostConfig"]["Init"] is True
    assert (shown["Path"], shown["Args"]) == (SLEEP[0], SLEEP[1:])
    assert shown["HostConfig"]["UsernsMode"] == "host"
    assert host.converge(userns_mode="host").changed is False


def test_a_missing_program_is_told_before_an_init_runs(host: Host, tini: str) -> None:
    """What is looked for in the image is the command, not the init."""
    with pytest.raises(Exception, match=r'exec: "no-such": executable file not found'):
        host.run(["no-such"], init=True)


def test_a_host_without_an_init(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host that has none, or one that needs the host's C library, is told what it lacks, before anything is made."""
    monkeypatch.setattr(programs, "FOLDERS", "/none")
    monkeypatch.setattr(container_init, "FOLDERS", ())
    monkeypatch.setenv("PATH", "/none")
    with pytest.raises(InvalidValue, match="install the package tini") as caught:
        host.run(init=True)
    assert caught.value.option == "init"
    (tmp_path / "tini").symlink_to(os.path.realpath("/bin/ls"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidValue, match=f"statically linked, which {tmp_path}/tini is not"):
        host.run(init=True)
    (tmp_path / "dumb-init").write_text("#!/bin/sh\n")
    (tmp_path / "dumb-init").chmod(0o755)
    with pytest.raises(InvalidValue, match="statically linked"):
        host.run(init=True)


def spaces(host: Host, name: str = "c") -> str:
    """The pid namespace of a container."""
    return os.readlink(f"/proc/{host.pid(name)}/ns/pid")


def test_the_hosts_processes(host: Host) -> None:
    """With pid_mode=host a container sees all processes, and when it stops all of its own end."""
    container = host.shell("sleep 2000 & exec sleep 1000", pid_mode="host")
    pid = host.pid()
    assert spaces(host) == os.readlink("/proc/self/ns/pid")
    assert host.ok("exec", "c", "cat", f"/proc/{os.getpid()}/comm").strip()
    inside = members(container.id)
    assert len(inside) == 2
    assert pid in inside
    assert container_facts.inspect(host.layout, host.observed())["HostConfig"]["PidMode"] == "host"
    host.converge(state="stopped")
    assert not any(running(each) for each in inside)
    assert cgroup_folders() == []


def test_the_end_of_the_first_of_the_hosts_processes(host: Host) -> None:
    """When the program ends by itself the others end too, before the container is started again or put away."""
    policy: dict[str, Any] = {"restart_policy": "on-failure", "restart_retries": 1}
    container = host.shell("sleep 2000 & sleep 0.2; exit 3", pid_mode="host", **policy)
    wait(lambda: host.observed().state == "stopped")
    assert (host.ended(container).exit_code, host.ended(container).restarts) == (3, 1)
    assert members(container.id) == ()


def test_what_a_killed_stop_has_left_of_the_hosts_processes(host: Host) -> None:
    """What runs in the cgroup of a container that has ended is ended by the next run."""
    container = host.shell("sleep 2000 & exec sleep 1000", pid_mode="host")
    inside = members(container.id)
    waiter = lifecycle.waiter(host.layout, container.id or "")
    assert waiter is not None
    os.kill(waiter.pid, signal.SIGKILL)
    os.kill(host.pid(), signal.SIGKILL)
    wait(lambda: host.observed().state == "stopped")
    assert host.observed().remains
    host.converge(state="started", stop_timeout=0)
    assert host.pid()
    assert not any(running(each) for each in inside)


def test_a_damaged_record_of_one_with_the_hosts_processes(host: Host) -> None:
    """All processes of a container are found to be ended without its record too."""
    container = host.shell("sleep 2000 & exec sleep 1000", pid_mode="host")
    inside = members(container.id)
    Path(container_state.record_path(host.layout, container.id or "")).write_text("{")
    host.converge(state="absent", stop_timeout=0)
    assert not any(running(each) for each in inside)
    assert cgroup_folders() == []


def members(identity: str | None) -> tuple[int, ...]:
    """The processes in a container's cgroup."""
    return cgroups.members(cgroups.cgroups(), f"pycontainers/{identity}")


def running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    found = process(pid)
    return found is not None and found.alive


def cgroup_folders() -> list[str]:
    """The cgroups of containers, but for the waiters'."""
    tops = filter(os.path.isdir, cgroups.cgroups().directories("pycontainers"))
    return sorted(each.path for top in tops for each in os.scandir(top) if each.is_dir() and each.name != "waiters")


def test_another_containers_processes(host: Host) -> None:
    """A container that joins another's sees its processes, keeps cgroup and files of its own, and ends with it."""
    host.run(name="web")
    host.run(pid_mode="container:web")
    assert spaces(host) == spaces(host, "web") != os.readlink("/proc/self/ns/pid")
    assert host.ok("exec", "c", "cat", "/proc/1/cmdline") == "sleep\x001000\x00"
    assert os.stat(f"/proc/{host.pid()}/root").st_ino != os.stat(f"/proc/{host.pid('web')}/root").st_ino
    assert members(host.observed().id) == (host.pid(),)
    assert host.converge(pid_mode="container:web").changed is False
    first = host.pid()
    host.converge(state="stopped", stop_timeout=0)
    assert host.pid("web")
    host.converge(state="started")
    assert first != host.pid() != 0
    container = host.observed()
    host.converge("web", state="stopped", stop_timeout=0)
    assert host.ended(container).exit_code == 137
    assert host.observed().state == "stopped"
    assert not host.observed().remains


def test_another_container_that_is_replaced(host: Host) -> None:
    """A container with a policy is with the other's next one when that runs, though it may have to try again."""
    host.run(name="web")
    host.run(pid_mode="container:web", restart_policy="always")
    first = host.pid()
    host.converge("web", state="stopped", stop_timeout=0)
    wait(lambda: container_state.status(host.layout, host.observed().id or "").in_a_row > 1)
    assert "container not running" in container_state.status(host.layout, host.observed().id or "").error
    host.converge("web", state="started")
    wait(lambda: host.pid() not in (0, first))
    wait(lambda: os.path.exists(f"/proc/{host.pid()}/ns/pid") and spaces(host) == spaces(host, "web"))


def test_others_that_can_not_be_joined(host: Host) -> None:
    """One that is not there, does not run, or is the container itself is refused by the option's name."""
    host.converge("web", image=host.busybox, command=SLEEP, state="present")
    for other, reason in (("none", "there is no container"), ("web", "it does not run"), ("c", "the container itself")):
        with pytest.raises(InvalidValue, match=reason) as caught:
            host.run(pid_mode=f"container:{other}")
        assert caught.value.option == "pid_mode"
    with pytest.raises(InvalidValue, match="it would not be process 1"):
        host.run(pid_mode="host", init=True)
    assert host.converge(pid_mode="container:web", image=host.busybox, command=SLEEP, state="present").changed


def test_declaring_whose_processes_it_sees(host: Host) -> None:
    """The mode is told in the diff, makes the container anew once, and private is the same as nothing."""
    host.run()
    assert host.converge(pid_mode="private").changed is False
    (told,) = (each for each in host.converge(pid_mode="host", check=True).changes if each.path == "pid_mode")
    assert (told.before, told.after) == ("private", "host")
    assert host.converge(pid_mode="host").changed is True
    assert host.converge(pid_mode="host").changed is False
    assert host.converge().changed is False
    assert host.converge(pid_mode="", stop_timeout=0).changed is True
    assert spaces(host) != os.readlink("/proc/self/ns/pid")


def test_booting_those_that_join_others(host: Host) -> None:
    """At boot a container comes after the one whose processes it joins, whatever their ids."""
    for name in ("web", "db"):
        host.run(name=name, restart_policy="always")
    for name, other in (("a", "web"), ("b", "db")):
        host.run(name=name, pid_mode=f"container:{other}", restart_policy="always")
    supervise.shutdown(host.layout)
    assert supervise.boot(host.layout) == []
    assert (spaces(host, "a"), spaces(host, "b")) == (spaces(host, "web"), spaces(host, "db"))


def test_the_options_of_run(host: Host, tini: str) -> None:
    """``run`` has them in Docker's words, and what it removes at its end leaves none of the host's processes."""
    host.run(name="web")
    host.ok("run", "-d", "--name", "c", "--pid", "container:web", "--userns", "host", host.busybox, *SLEEP)
    assert spaces(host) == spaces(host, "web")
    host.ok("rm", "-f", "c")
    host.ok("run", "-d", "--name", "c", "--init", host.busybox, *SLEEP)
    assert Path(f"/proc/{host.pid()}/cmdline").read_bytes().startswith(b"/sbin/docker-init\0")
    assert "it would not be process 1" in host.failure("run", "--init", "--pid", "host", host.busybox, "true", code=125)
    script = "sleep 2000 & exec sleep 0.2"
    identity = host.ok("run", "-d", "--rm", "--pid", "host", host.busybox, "sh", "-c", script).strip()
    inside = members(identity)
    assert inside
    wait(lambda: identity not in container_state.identities(host.layout))
    assert not any(running(each) for each in inside)
