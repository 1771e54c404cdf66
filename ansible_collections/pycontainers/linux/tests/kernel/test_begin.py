# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever wants into a container while it is being started gets into the container, and not to where that begins.

A container's first process begins on the host: with the host's files for its root, and in the host's namespaces.
"""
from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_guest,
    container_health,
    container_health_run,
    container_state,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_rootfs import MountRootfs
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.health_bench import health

SLOW = {"cpus": "0.05", "restart_policy": "always"}
"""A twentieth of a processor, which is what a first process has as soon as it is in its cgroup."""

HELD = 0.7
"""Seconds for which a first process is held still: more than whoever wants in needs to get there."""


@pytest.fixture
def marked(host: Host, tmp_path: Path) -> str:
    """The path of a file of the host that containers do not have."""
    file = tmp_path / "of-the-host"
    file.write_text("the host's")
    return str(file)


def is_ours(pid: int) -> bool:
    """Whether a process is still the runtime's, and no program of a container."""
    return b"/pycontainers-init\0" in Path(f"/proc/{pid}/cmdline").read_bytes()


@contextmanager
def beginning(host: Host) -> Iterator[None]:
    """Have the container begin another run, and its first process held still for a time before it is the program."""
    before = host.pid()
    os.kill(before, signal.SIGKILL)
    wait(lambda: host.pid() not in (0, before))
    pid = host.pid()
    os.kill(pid, signal.SIGSTOP)
    assert is_ours(pid)
    going_on = Timer(HELD, os.kill, (pid, signal.SIGCONT))
    going_on.start()
    yield
    going_on.join()


def test_exec_waits_for_the_program(host: Host, marked: str) -> None:
    """What it runs sees the container's files, and has its host name."""
    host.run(hostname="inside", **SLOW)
    script = f"hostname; test -e {marked} && echo escaped"
    with beginning(host):
        assert host.cli("exec", "c", "sh", "-c", script).stdout == "inside\n"


def test_files_are_copied_into_the_container(host: Host, marked: str, tmp_path: Path) -> None:
    """And from there: a path of the host leads to nothing."""
    host.run(**SLOW)
    (tmp_path / "new").write_text("new")
    with beginning(host):
        host.ok("cp", str(tmp_path / "new"), f"c:/tmp/{tmp_path.name}")
    assert not Path(f"/tmp/{tmp_path.name}").exists()
    with beginning(host):
        assert "of-the-host" in host.failure("cp", f"c:{marked}", str(tmp_path / "out"))


def test_a_check_of_the_health_waits_for_it(host: Host, marked: str) -> None:
    """The check is the image's, which may not be trusted."""
    often = {"interval": "10ms", "start_interval": "1ms", "timeout": "20s", "start_period": "60s", "retries": 1}
    host.run(healthcheck={"test": ["CMD-SHELL", f"test ! -e {marked}"], **often}, **SLOW)
    with beginning(host):
        time.sleep(HELD)
    wait(lambda: health(host)["Log"])
    assert {each["ExitCode"] for each in health(host)["Log"]} == {0}


def test_who_joins_its_processes_waits_for_it(host: Host) -> None:
    """One that may trace others would get hold of the host's interpreter, which that process still is."""
    host.run(**SLOW)
    with beginning(host):
        host.run(name="other", pid_mode="container:c", cap_add=["SYS_PTRACE"])
        assert not is_ours(host.pid())


def test_what_takes_too_long_is_told_and_is_no_ill_health(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants in hears of it; a check says nothing, and is made again."""
    host.run(healthcheck={"test": ["CMD", "true"], "interval": "1h"}, **SLOW)
    monkeypatch.setattr(lifecycle, "BEGIN_PATIENCE", 0.1)
    with beginning(host):
        container = host.observed()
        with pytest.raises(lifecycle.NotBegun, match="its program has not begun yet; try again"):
            container_guest.running(host.layout, container)
        check = container_health.in_force(container, {})
        assert check is not None
        assert container_health_run._result(host.layout, container, check, ["true"]) is None


def test_files_can_be_copied_between_two_runs(host: Host, tmp_path: Path) -> None:
    """What a container lacks that crashes can be given to it, and the next run has it."""
    container = host.shell("[ -e /given ] && exec sleep 1000; exit 1", restart_policy="always")
    identity = container.id or ""
    (tmp_path / "given").touch()
    # The delay after so many is long enough to get in between.
    wait(lambda: container_state.status(host.layout, identity).restarts == 5 and not host.pid())
    host.ok("cp", str(tmp_path / "given"), "c:/given")
    wait(lambda: host.pid() and host.cli("exec", "c", "true").returncode == 0)
    assert host.observed().state == "started"
    assert container_state.status(host.layout, identity).restarts == 5


def test_a_killed_copy_leaves_nothing_that_the_next_one_does_not_take_away(host: Host, tmp_path: Path) -> None:
    """Of a container that is stopped the root filesystem is mounted for the copy only."""
    container = host.run()
    host.converge(state="stopped")
    step = MountRootfs(host.layout, container)
    step.do()
    (tmp_path / "new").touch()
    host.ok("cp", str(tmp_path / "new"), "c:/new")
    assert mounted(host.layout.container(container.id or "", "merged")) is None


def test_what_is_paused_on_the_way_is_said_to_be(host: Host) -> None:
    """Whoever wants in hears of what keeps the program from beginning."""
    host.run(**SLOW)
    with beginning(host):
        host.ok("pause", "c")
        assert "it is paused; unpause it first" in host.failure("exec", "c", "true", code=125)
        host.ok("unpause", "c")
