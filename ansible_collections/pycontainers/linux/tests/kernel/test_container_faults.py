# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run of ``container`` that fails or is killed at any of its steps, and two runs at the same time."""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, Step, apply, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import links, namespaces
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.mounts import mounted, mounts
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_state,
    firewall,
    leases,
    volume_model,
    volume_steps,
    volume_users,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.volume import VOLUME
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.volume_model import Volume
from ansible_collections.pycontainers.linux.tests.kernel.broken import Broken, killed_in_child
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, snapshot, wait

REPOSITORY = Path(__file__).resolve().parents[5]

OLD: dict[str, Any] = {
    "command": ["sleep", "1000"],
    "networks": [{"name": "front"}],
    "published_ports": ["8080:80"],
    "memory": "32m",
    "stop_timeout": 0,
}
TASKS: dict[str, dict[str, Any]] = {
    "create": OLD,
    "start": {"state": "started"},
    "stop": {"state": "stopped"},
    "remove": {"state": "absent"},
    "live": {"memory": "64m", "cpus": "0.5", "published_ports": ["8081:80"], "restart_policy": "always"},
    "replace": OLD | {"env": {"NEW": "yes"}, "published_ports": ["8080:80", "8081:80"]},
    "move": {"networks": [{"name": "back"}, {"name": "front", "ipv4_address": "10.91.0.51", "aliases": ["www"]}]},
    "leave": {"networks": [], "published_ports": []},
    "hand over": OLD | {"networks": [{"name": "front", "ipv4_address": "10.91.0.50"}], "env": {"NEW": "yes"}},
    "volumes": OLD | {"volumes": ["memory:/m", "new:/n", "/etc", "/b"], "env": {"NEW": "yes"}},
    "volumes go": {"state": "absent", "keep_volumes": False},
}
WITH_VOLUMES: dict[str, Any] = {"volumes": ["memory:/m", "/etc"], "keep_volumes": False}
"""What each scenario asks for. It begins with nothing, a stopped container, or one that runs as OLD."""


@dataclass(frozen=True)
class Nothing:
    """A step after all others."""

    def describe(self) -> str:
        """Say so."""
        return "nothing"

    def do(self) -> None:
        """Do nothing."""

    def undo(self) -> None:
        """Undo nothing."""


def begin(host: Host, name: str) -> None:
    """Bring the container to where a scenario begins."""
    if name == "create":
        host.converge(state="absent")
        return
    _begin_volumes(host, name)
    networks = TASKS[name]["networks"] if name == "hand over" else OLD["networks"]
    old = OLD | {"networks": networks} | (WITH_VOLUMES if name.startswith("volumes") else {})
    host.converge(image=host.busybox, env={}, restart_policy="no", cpus="max", **old)
    if name == "start":
        host.converge(state="stopped")


def _begin_volumes(host: Host, name: str) -> None:
    """Have no volumes but those with which a scenario begins, one of which is mounted for the container that runs."""
    if name.startswith("volumes"):
        host.converge(state="absent", keep_volumes=False)
        for each in volume_model.names(host.layout):
            volume_steps.remove(host.layout, each)
        options = {"type": "tmpfs", "o": "size=1m"}
        converge(VOLUME, host.layout, parse(Volume, {"name": "memory", "driver_options": options}), False)


def broken_run(host: Host, name: str, number: int, killed: bool) -> bool:
    """Do what converge does, but break at a step; whether there was a step of this number."""
    want = parse(Container, {"name": "c", "image": host.busybox, **TASKS[name]})
    with CONTAINER.lock(host.layout, want):
        have = CONTAINER.observe(host.layout, want)
        plan = CONTAINER.plan(host.layout, CONTAINER.resolve(host.layout, want, have), have)
        steps, purge = list(plan.steps), list(plan.purge)
        everything: list[Step] = [*steps, *purge, Nothing()] if killed else [*steps, Nothing()]
        if number >= len(everything):
            return False
        everything[number] = Broken(everything[number], killed)
        cut = len(steps) if killed else len(everything)
        apply(Plan(tuple(everything[:cut]), tuple(everything[cut:])))
    return True


def settled(host: Host) -> dict[str, Any]:
    """A snapshot without what tells one run from another: pids, times, namespaces, what the program wrote."""
    found = snapshot(host.layout)
    names = "status.json init waiter.json config.json current lock state hosts hostname resolv.conf volume.json".split()
    files = {path: what for path, what in found["files"].items() if os.path.basename(path) not in names}
    for path in files:
        if "/netns/" in path:
            files[path] = "a namespace"
    statuses = {}
    for identity in container_state.identities(host.layout):
        status = container_state.status(host.layout, identity)
        statuses[identity] = (status.wanted, status.error)
    empty = ("/upper", "/work", "/merged", "/work/work")
    of_runs = f"{host.layout.run}/containers"
    files = {path: what for path, what in files.items() if not path.endswith(empty) and of_runs not in path}
    return {**found, "files": files, "statuses": statuses}


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """List what differs between two snapshots."""
    found = []
    for subject in before:
        old, new = before[subject], after[subject]
        if not isinstance(old, dict):
            old, new = {subject: old}, {subject: new}
        found += [(str(key), old.get(key), new.get(key)) for key in {*old, *new} if old.get(key) != new.get(key)]
    return found


def nothing_is_left(host: Host) -> None:
    """Check that all there is in files and in the kernel belongs to the containers that have a name."""
    there = {name: host.observed(name) for name in os.listdir(host.layout.names) if not name.startswith(".")}
    identities = sorted(each.id or "" for each in there.values())
    running = sorted(each.id or "" for each in there.values() if each.state == "started")
    assert sorted(container_state.identities(host.layout)) == identities
    assert sorted(os.listdir(f"{host.layout.run}/containers")) == identities or not running
    groups = {each for top in cgroups().directories("pycontainers") for each in os.listdir(top)}
    assert sorted(each for each in groups if len(each) == 64) == running
    assert sorted(os.path.basename(os.path.dirname(each.target)) for each in _merged(host)) == running
    assert sorted(each for each in _pinned(host)) == running
    on = [(each.id, network.name) for each in there.values() for network in each.networks or ()]
    connected = [each for each, _ in on if each in running]
    assert len([name for name in links.links() if name.startswith("v")]) == len(connected)
    held = {identity: leases.held(host.layout, identity) for identity in identities}
    leased = {(holder, name) for name in ("front", "back") for holder in leases.read(host.layout, name).values()}
    assert leased <= {*on}
    addresses = {address for each in running for own in held[each].values() for address in own}
    assert {address for address, _ in firewall.read_ports().values()} <= addresses
    using = volume_users.users(host.layout)
    assert set(volume_model.names(host.layout)) - {"memory", "new"} <= set(using)
    assert set(volume_model.holders(host.layout, "memory")) == set(running) & set(using.get("memory", {}))
    assert bool(mounted(host.layout.volume("memory", "_data"))) is bool(volume_model.holders(host.layout, "memory"))
    # A waiter and a logger each.
    wait(lambda: len(processes(host.layout)) == 2 * len(running))


def _merged(host: Host) -> list[Any]:
    return [each for each in mounts() if each.target.startswith(host.layout.containers) and each.fstype == "overlay"]


def _pinned(host: Host) -> list[str]:
    folder = os.path.dirname(host.layout.netns("x"))
    found = os.listdir(folder)
    assert all(namespaces.pinned(os.path.join(folder, each)) for each in found)
    return found


@pytest.mark.parametrize("name", list(TASKS))
def test_a_failure_at_any_step_changes_nothing(host: Host, name: str) -> None:
    """Whichever step fails, what was done before it is undone: the host is as before, and an old container runs."""
    host.network()
    host.network("back", "10.92.0.0/24")
    # So that folders and tables are there that the first container makes.
    host.run(name="other", networks=[{"name": "front"}, {"name": "back"}], published_ports=["8079:80"])
    begin(host, name)
    before, pid = settled(host), host.pid()
    number = 0
    while True:
        said = ""
        try:
            if not broken_run(host, name, number, killed=False):
                break
        except Failure as error:
            said = str(error)
        assert "it was made to fail" in said
        assert "not put back" not in said
        assert differences(before, settled(host)) == [], number
        assert bool(host.pid()) is bool(pid), number
        number += 1
    assert number >= 5
    assert host.converge(image=host.busybox, **TASKS[name]).changed
    host.converge("other", state="absent")
    nothing_is_left(host)


@pytest.mark.parametrize("name", list(TASKS))
def test_a_kill_at_any_step_is_mended_by_the_next_run(host: Host, name: str) -> None:
    """Wherever the acting process is killed, the next run reaches what is wanted, and nothing else is left."""
    host.network()
    host.network("back", "10.92.0.0/24")
    number = 0
    while True:
        begin(host, name)
        if not killed_in_child(partial(broken_run, host, name, number, killed=True)):
            break
        task = {"image": host.busybox, **TASKS[name]}
        told = host.converge(check=True, **task)
        done = host.converge(**task)
        assert done.actions == told.actions, number
        assert host.converge(**task).actions == (), number
        wanted = TASKS[name].get("state", "started")
        assert bool(host.pid()) is (wanted == "started"), number
        nothing_is_left(host)
        number += 1
    assert number >= 5


RACE = """
import json, sys
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import layout, model, plan
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
place, task = json.loads(sys.argv[1])
sys.stdin.read(1)
outcome = plan.converge(CONTAINER, layout.Layout(*place), model.parse(CONTAINER.model, task), False)
print(json.dumps([outcome.changed, outcome.facts["container"]["Id"]]))
"""


def test_a_kill_at_any_moment_is_mended_by_the_next_run(host: Host) -> None:
    """Killed at moments that are no step's, in a start and in a stop, a run leaves nothing that the next can't mend."""
    host.network()
    place = [host.layout.root, host.layout.run]
    stubborn = OLD | {"command": ["sh", "-c", "trap '' TERM; while :; do sleep 0.02; done"], "stop_timeout": 1}
    moments = [0.0, 0.003, 0.006, 0.01, 0.014, 0.018, 0.022, 0.026, 0.03, 0.04, 0.06, 0.09]
    for number, moment in enumerate(moments):
        begin(host, "create" if number % 2 else "replace")
        task = {"name": "c", "image": host.busybox, **stubborn, "state": "stopped" if number % 4 == 0 else "started"}
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", RACE, json.dumps([place, task])]
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=REPOSITORY) as run:
            wait(partial(_reads, run.pid))
            assert run.stdin is not None
            run.stdin.write(b"x")
            run.stdin.flush()
            time.sleep(moment)
            run.kill()
        wanted = TASKS["create"] | {"image": host.busybox}
        host.converge(**wanted)
        assert host.observed().wanted == "running"
        wait(host.pid)
        assert host.converge(**wanted).actions == ()
        nothing_is_left(host)


def _reads(pid: int) -> bool:
    """Whether a process waits in read(2) of its stdin."""
    return Path(f"/proc/{pid}/syscall").read_text().startswith("0 0x0 ")


def test_a_folder_without_a_record_is_removed(host: Host) -> None:
    """A folder that a killed run has made, or not yet removed, goes with the next run of any container."""
    host.run()
    identity = "f" * 64
    for folder in (host.layout.container(identity, "upper"), host.layout.running(identity)):
        os.makedirs(folder)
    told = host.converge(check=True)
    done = host.converge()
    assert done.actions == told.actions == (f"remove unfinished container {identity[:12]}",)
    assert not os.path.exists(host.layout.running(identity))
    assert container_state.identities(host.layout) == [host.observed().id]


def test_a_stop_that_was_given_up_is_taken_back(host: Host) -> None:
    """A container that survives a stop whose process was killed is kept up again when it is declared started."""
    container = host.shell("trap '' TERM; echo set; while :; do sleep 0.02; done", restart_policy="always")
    wait(lambda: host.log(container) == "set\n")
    child = os.fork()
    if not child:
        try:
            host.converge(state="stopped", stop_timeout=30)
        finally:
            os._exit(1)
    wait(lambda: host.observed().wanted == "stopped")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pid = host.pid()
    outcome = host.converge(state="started")
    assert [(each.path, each.before, each.after) for each in outcome.changes] == [("wanted", "stopped", "running")]
    assert host.pid() == pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: host.pid() not in (0, pid))
    assert not host.converge(state="started").changed


def test_two_runs_at_the_same_time_make_one_container(host: Host) -> None:
    """Of two processes that declare the same container, one makes it, and the other finds it made."""
    host.network()
    given = json.dumps([[host.layout.root, host.layout.run], {"name": "c", "image": host.busybox, **OLD}])
    pipe = subprocess.PIPE
    runs = [
        subprocess.Popen([sys.executable, "-c", RACE, given], stdin=pipe, stdout=pipe, stderr=pipe, cwd=REPOSITORY)
        for _ in range(2)
    ]
    answers = [run.communicate(b"x", timeout=30) for run in runs]
    assert [error for _, error in answers] == [b"", b""]
    said = sorted(json.loads(answer) for answer, _ in answers)
    assert [changed for changed, _ in said] == [False, True]
    assert said[0][1] == said[1][1] == host.observed().id
    nothing_is_left(host)


def test_a_first_install_by_two_runs(host: Host) -> None:
    """Two containers that are the first on a host install the runtime at the same moment, and both run."""
    shutil.rmtree(host.layout.runtimes)
    pipe = subprocess.PIPE
    runs = []
    for name in ("one", "two"):
        task = {"name": name, "image": host.busybox, "command": ["sleep", "1000"], "stop_timeout": 0}
        given = json.dumps([[host.layout.root, host.layout.run], task])
        command = [sys.executable, "-c", RACE, given]
        runs.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, cwd=REPOSITORY))
    answers = [run.communicate(b"x", timeout=30) for run in runs]
    assert [error for _, error in answers] == [b"", b""]
    assert host.pid("one")
    assert host.pid("two")
    assert len(os.listdir(host.layout.runtimes)) == 2
