# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cgroup that a container's own is made in."""
from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_facts import inspect
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

TOP = f"pycontainers-test-{os.getpid()}"
PARENT = f"/{TOP}/shop.slice"


@pytest.fixture(autouse=True)
def _parents(host: Host) -> Iterator[None]:
    """What containers have been in goes with the test; nothing of theirs is in it then."""
    yield
    for identity in container_state.identities(host.layout):
        container = container_state.load(host.layout, identity)
        assert container is not None
        host.converge(container.name, state="absent", force_kill=True)
    for path in (PARENT.strip("/"), f"{TOP}/other", TOP):
        for folder in cgroups().directories(path):
            with suppress(FileNotFoundError):
                os.rmdir(folder)


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process in any case."""
    try:
        yield
    finally:
        process.kill()


def groups(host: Host) -> list[str]:
    """The folders of the container's cgroup."""
    return [each for each in cgroups().directories(f"{PARENT.strip('/')}/{host.observed().id}") if os.path.isdir(each)]


def test_the_cgroup_is_made_there(host: Host) -> None:
    """The program is in it with the container's limits, seen and changed there; it goes with the container."""
    container = host.run(cgroup_parent=PARENT, memory="64m")
    found = groups(host)
    assert found
    assert all(str(host.pid()) in Path(each, "cgroup.procs").read_text().split() for each in found)
    assert not any(map(os.path.isdir, cgroups().directories(f"pycontainers/{container.id}")))
    assert inspect(host.layout, host.observed())["HostConfig"]["CgroupParent"] == PARENT
    assert not host.converge(cgroup_parent=f"{PARENT}/").changed
    assert not host.converge().changed
    host.converge(memory="32m")
    assert host.observed().memory == 32 << 20
    assert json.loads(host.ok("stats", "--no-stream", "--json"))
    host.ok("exec", "c", "true")
    host.converge(state="stopped")
    assert groups(host) == []


def test_another_parent_is_another_container(host: Host) -> None:
    """A check says so, and what was in the old place goes."""
    host.run()
    old = host.observed().id
    check = host.converge(cgroup_parent=PARENT, check=True)
    assert [(each.path, each.after, each.effect.name) for each in check.changes] == [
        ("cgroup_parent", PARENT, "RECREATE")
    ]
    assert host.converge(cgroup_parent=PARENT).actions == check.actions
    assert groups(host)
    assert not any(map(os.path.isdir, cgroups().directories(f"pycontainers/{old}")))
    host.converge(cgroup_parent="")
    assert groups(host) == []


def test_what_is_left_of_a_damaged_container_is_found(host: Host) -> None:
    """Without a record the cgroup is found by the container's id, and removed."""
    container = host.run(cgroup_parent=PARENT)
    found, pid = groups(host), host.pid()
    Path(container_state.record_path(host.layout, container.id or "")).write_text("{")
    host.converge(state="absent")
    assert not any(map(os.path.exists, found))
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def test_a_parent_with_processes(host: Host) -> None:
    """With version 2 it is refused, as the kernel would limit nothing in it; version 1 takes it."""
    host.run()
    pid = host.pid()
    cgroups().create(f"{TOP}/other")
    with subprocess.Popen(["sleep", "1000"]) as idle, ended(idle):
        for folder in cgroups().directories(f"{TOP}/other"):
            Path(folder, "cgroup.procs").write_text(str(idle.pid))
        if cgroups().version == 2:
            with pytest.raises(InvalidValue, match="cgroup_parent: there are processes in"):
                host.converge(cgroup_parent=f"/{TOP}/other")
            assert host.pid() == pid
        else:
            host.converge(cgroup_parent=f"/{TOP}/other")
            assert host.pid() not in (0, pid)


def test_the_flag_of_the_command_line(host: Host) -> None:
    """``--cgroup-parent`` is the same."""
    host.ok("run", "-d", "--name", "c", "--cgroup-parent", PARENT, host.busybox, "sleep", "1000")
    assert groups(host)
