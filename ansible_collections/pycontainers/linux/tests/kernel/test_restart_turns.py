# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of many containers that are to be started again only so many are at it at once as the host has processors."""
from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import store
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import programs
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, restart_turns
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, wait
from ansible_collections.pycontainers.linux.tests.kernel.health_bench import check

ONCE = "echo run; [ -e /before ] && exec sleep 1000; touch /before; exit 1"
"""A script that crashes the first time."""


@contextmanager
def all_taken(layout: Layout) -> Iterator[None]:
    """Have all turns of the host, none of which anybody else may have."""
    with ExitStack() as held:
        for number in range(os.cpu_count() or 1):
            descriptor = store.lock_file(layout.lock(f"restart-{number}"))
            held.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def taken(layout: Layout) -> bool:
    """Whether anybody else has a turn."""
    try:
        with all_taken(layout):
            return False
    except BlockingIOError:
        return True


def test_a_run_begins_when_it_is_its_turn(host: Host) -> None:
    """Until then there is a shell, and what that waits with, and it can be stopped."""
    with all_taken(host.layout):
        one, other = (host.shell(ONCE, name, restart_policy="always") for name in ("one", "other"))
        time.sleep(1.5)
        assert [host.log(each) for each in (one, other)] == ["run\n"] * 2
        assert all(lifecycle.waiter(host.layout, each.id or "") for each in (one, other))
        assert host.observed("one").state == "started"
        host.converge("one", state="stopped")
        assert not any(one.id and one.id in each for each in processes(host.layout))
    wait(lambda: host.log(other) == "run\nrun\n")
    assert host.log(one) == "run\n"


def test_a_turn_ends_when_the_next_run_has_begun(host: Host) -> None:
    """Neither the waiter of that keeps it, nor the container, nor who checks its health."""
    container = host.shell(ONCE, restart_policy="always", healthcheck=check("true"))
    wait(lambda: host.log(container) == "run\nrun\n")
    with all_taken(host.layout):
        assert host.pid()
    # What would let go of it, had it taken longer, is not left to the waiter of that run, whose end it would be.
    time.sleep(restart_turns.LONGEST)
    assert lifecycle.waiter(host.layout, container.id or "")


@contextmanager
def locked_between_runs(host: Host, identity: str) -> Iterator[None]:
    """Have the lock of the container, whose last end is recorded, and whose next run has not begun."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with container_state.lock(host.layout, "c"):
            begun = os.path.exists(host.layout.running(identity, lifecycle.INIT))
            if not begun and container_state.status(host.layout, identity).restarts:
                yield
                return
        time.sleep(0.01)
    raise AssertionError("it is never between two runs")


def test_who_is_held_up_holds_up_no_other(host: Host) -> None:
    """A task has the lock of the container that is to begin its next run; those that have the same turn do."""
    container = host.shell("echo run; exit 1", restart_policy="always")
    with locked_between_runs(host, container.id or ""):
        before = host.log(container)
        wait(lambda: any(" resume " in each and "flock" not in each for each in processes(host.layout)))
        wait(lambda: taken(host.layout))
        wait(lambda: not taken(host.layout))
        assert host.log(container) == before
    wait(lambda: len(host.log(container)) > len(before))


def test_without_the_program_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host may lack it."""
    layout = Layout(str(tmp_path / "root"), str(tmp_path / "run"))
    program = tmp_path / "root/runtime/current/pycontainers"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$*" > {tmp_path}/said\n')
    program.chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sleep").symlink_to(shutil.which("sleep") or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(programs, "SMALL_SHELL", str(tmp_path / "missing"))  # which might have it built in
    with all_taken(layout):
        waiter = os.fork()
        if not waiter:
            restart_turns.sleep(layout, "beef" * 16, 0.1)
        assert os.waitpid(waiter, 0)[1] == 0
    assert (tmp_path / "said").read_text() == f"--root {layout.root} --run {layout.run} resume {'beef' * 16}\n"
