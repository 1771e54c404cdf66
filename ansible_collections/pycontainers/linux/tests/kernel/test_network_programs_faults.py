# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that fails or is killed at any of its steps, of a container whose network slirp4netns or pasta makes."""
from __future__ import annotations

import os
import signal
import time
from functools import partial
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, Step, apply
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.user_network import LOG
from ansible_collections.pycontainers.linux.tests.kernel.broken import Broken, killed_in_child
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import SLEEP, Host
from ansible_collections.pycontainers.linux.tests.kernel.network_bench import Bench
from ansible_collections.pycontainers.linux.tests.kernel.test_container_faults import Nothing, differences, settled
from ansible_collections.pycontainers.linux.tests.kernel.user_network_bench import (
    bench,
    both,
    end_program,
    programs,
)

__all__ = ["bench"]

OLD: dict[str, Any] = {"command": SLEEP, "published_ports": ["8080:80"], "stop_timeout": 0, "env": {}}
TASKS: dict[str, dict[str, Any]] = {
    "create": OLD,
    "start": {"state": "started"},
    "stop": {"state": "stopped"},
    "remove": {"state": "absent"},
    "ports": {"published_ports": ["8080:80", "8081:81", "8082:82/udp"]},
    "replace": OLD | {"env": {"NEW": "yes"}, "published_ports": ["8080:80", "8081:81"]},
    "mend": {},
}
"""What each scenario asks for. It begins with nothing, a stopped container, or one that runs as OLD."""

each_task = pytest.mark.parametrize("name", list(TASKS))


def begin(host: Host, name: str, program: str) -> None:
    """Bring the container to where a scenario begins."""
    if name == "create":
        host.converge(state="absent")
        return
    host.converge(image=host.busybox, network_mode=program, **OLD)
    if name == "start":
        host.converge(state="stopped")
    if name == "mend":
        end_program(host)


def task(host: Host, name: str, program: str) -> dict[str, Any]:
    """What is asked for."""
    return {"image": host.busybox, "network_mode": program, **TASKS[name]}


def without_log(host: Host) -> dict[str, Any]:
    """A snapshot without what the program says of each look at it."""
    found = settled(host)
    return {**found, "files": {path: what for path, what in found["files"].items() if not path.endswith(LOG)}}


def broken_run(host: Host, asked: dict[str, Any], number: int, killed: bool) -> bool:
    """Do what converge does, but break at a step; whether there was a step of this number."""
    want = parse(Container, {"name": "c", **asked})
    with CONTAINER.lock(host.layout, want):
        have = CONTAINER.observe(host.layout, want)
        plan = CONTAINER.plan(host.layout, CONTAINER.resolve(host.layout, want, have), have)
        purge = list(plan.purge) if killed else []
        everything: list[Step] = [*plan.steps, *purge, Nothing()]
        if number >= len(everything):
            return False
        everything[number] = Broken(everything[number], killed)
        cut = len(plan.steps) if killed else len(everything)
        apply(Plan(tuple(everything[:cut]), tuple(everything[cut:])))
    return True


@both
@each_task
def test_a_failure_at_any_step_changes_nothing(host: Host, bench: Bench, program: str, name: str) -> None:
    """Whichever step fails, the program runs as it did, with the ports that it led."""
    host.run(name="other")  # so that folders are there that the first container makes
    begin(host, name, program)
    before, pid, served = without_log(host), host.pid(), len(programs())
    number = 0
    while True:
        said = ""
        try:
            if not broken_run(host, task(host, name, program), number, killed=False):
                break
        except Failure as error:
            said = str(error)
        assert "it was made to fail" in said
        assert "not put back" not in said
        assert differences(before, without_log(host)) == [], number
        assert (bool(host.pid()), len(programs())) == (bool(pid), served), number
        assert name in ("create", "mend") or not host.converge(state="present").changed
        number += 1
    assert number >= 2
    assert host.converge(**task(host, name, program)).changed


@both
@each_task
def test_a_kill_at_any_step_is_mended_by_the_next_run(host: Host, bench: Bench, program: str, name: str) -> None:
    """Wherever the acting process is killed, the next run reaches what is wanted, with one program or none."""
    number = 0
    while True:
        begin(host, name, program)
        if not killed_in_child(partial(broken_run, host, task(host, name, program), number, killed=True)):
            break
        told = host.converge(check=True, **task(host, name, program))
        done = host.converge(**task(host, name, program))
        assert done.actions == told.actions, number
        assert host.converge(**task(host, name, program)).actions == (), number
        runs = TASKS[name].get("state", "started") == "started"
        assert (bool(host.pid()), len(programs())) == (runs, int(runs)), number
        number += 1
    assert number >= 2


@both
def test_a_kill_at_any_moment_is_mended_by_the_next_run(host: Host, bench: Bench, program: str) -> None:
    """Killed while it starts the program or has it lead ports, a run leaves nothing that the next can't mend."""
    for number, moment in enumerate((0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12)):
        begin(host, ("create", "start", "ports")[number % 3], program)
        asked = task(host, "replace" if number % 2 else "ports", program) | {"command": SLEEP, "state": "started"}
        child = os.fork()
        if not child:
            try:
                host.converge(**asked)
            finally:
                os._exit(0)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        host.converge(**asked)
        assert host.converge(**asked).actions == (), number
        assert (bool(host.pid()), len(programs())) == (True, 1), number
