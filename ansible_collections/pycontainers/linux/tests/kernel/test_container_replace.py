# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replacements that fail, whatever the reason: the old container is back with its id, its address and its ports."""
from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, Step, apply
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.broken import Broken, killed_in_child
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.replace_bench import PORT, answer, asking, server
from ansible_collections.pycontainers.linux.tests.kernel.test_container_faults import nothing_is_left

OTHER_PORT = 8081
TAKEN = "10.91.0.77"
CHECKED: dict[str, Any] = {"interval": "100ms", "retries": 2}
WELL = CHECKED | {"test": ["CMD", "wget", "-qO", "/dev/null", "http://127.0.0.1/"]}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "image missing": ({"image": "registry.test/none", "pull": "never"}, "none"),
    "bad command": ({"command": ["no-such-program"]}, "executable file not found"),
    "no command": ({"command": ["/etc/passwd"]}, "permission denied"),
    "crash at start": (
        {"command": ["sh", "-c", "echo cannot open config; exit 3"]},
        "as soon as it had been started, with exit status 3; the last that it wrote is: cannot open config",
    ),
    "crash in a loop": (
        {"command": ["sh", "-c", "exit 4"], "restart_policy": "always"}, "with exit status 4; it wrote nothing"
    ),
    "crash in a moment": ({"command": ["sh", "-c", "sleep 0.2; exit 7"]}, "with exit status 7; it wrote nothing"),
    "killed for memory": (
        {"command": ["sh", "-c", "tail /dev/zero"], "memory": "8m", "memory_swap": "8m"},
        "the kernel killed its program for want of memory at 20",
    ),
    "unhealthy": (
        {"state": "healthy", "healthcheck": CHECKED | {"test": "echo refused; false"}, "healthy_wait_timeout": 5},
        "after 5 s it is unhealthy, and its last check ended with exit status 1 and said: refused",
    ),
    "never healthy": (
        {"state": "healthy", "healthcheck": {"test": "true"}, "healthy_wait_timeout": 0.2},
        "after 0.2 s it is starting, and no check has been done yet",
    ),
    "ends before it is healthy": (
        {"state": "healthy", "healthcheck": {"test": "true"}, "command": ["sh", "-c", "echo bye; sleep 0.6"]},
        "its program ended before it was healthy, with exit status 0; the last that it wrote is: bye",
    ),
    "port taken": ({"published_ports": [f"{PORT}:80", f"{OTHER_PORT}:80"]}, str(OTHER_PORT)),
    "address taken": ({"networks": [{"name": "front", "ipv4_address": TAKEN}]}, TAKEN),
}
"""What a replacement asks for besides, and what the failure says."""

AFTER_THE_STOP = ("no command", "crash", "killed", "unhealthy", "never", "ends")
"""How those begin that are known only once the old container has been stopped."""


def old(host: Host, **others: Any) -> dict[str, Any]:
    """What the container is before."""
    common = {"image": host.busybox, "networks": [{"name": "front"}], "published_ports": [f"{PORT}:80"]}
    return common | {"command": server("old"), "stop_timeout": 0} | others


def new(host: Host, **others: Any) -> dict[str, Any]:
    """What it is to be."""
    return old(host, command=server("new")) | others


def begin(host: Host, started: bool, **others: Any) -> tuple[Any, ...]:
    """Have the old container, and return what is to be the same afterwards."""
    host.network()
    host.network("back", "10.92.0.0/24")
    host.run(name="other", networks=[{"name": "front", "ipv4_address": TAKEN}, {"name": "back"}])
    host.converge(**old(host, **others))
    wait(lambda: answer() == "old")
    if not started:
        host.converge(state="stopped")
    return identity(host)


def identity(host: Host) -> tuple[Any, ...]:
    """What others know a container by, and whether it runs."""
    found = host.observed()
    return found.id, found.held, found.published_ports, found.state, found.wanted


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Have somebody listen at a port of the host."""
    with socket.create_server(("0.0.0.0", port)):
        yield


def is_back(host: Host, before: tuple[Any, ...], started: bool) -> None:
    """Check that the old container is there as it was, serves, and that nothing else is left."""
    assert identity(host) == before
    if not started:
        assert answer() == ""
        host.converge(**old(host))
        assert (identity(host)[:3]) == before[:3]
    wait(lambda: answer() == "old")
    assert host.converge(**old(host)).actions == ()
    host.converge("other", state="absent", stop_timeout=0)
    nothing_is_left(host)


@pytest.mark.parametrize("started", [True, False], ids=["running", "stopped"])
@pytest.mark.parametrize("name", list(BAD))
def test_the_old_container_is_back(host: Host, name: str, started: bool) -> None:
    """Whatever keeps the new one from running: the old one is as it was, and a client sees nobody else's answers."""
    before = begin(host, started)
    asked, reason = BAD[name]
    with taken(OTHER_PORT) if name == "port taken" else nullcontext(), asking() as seen:
        with pytest.raises(Failure) as caught:
            host.converge(**new(host, **asked))
        if started:
            wait(lambda: answer() == "old")
    said = str(caught.value)
    assert reason in said
    assert "not put back" not in said
    assert "\n" not in said
    expected = {"old", ""} if not name.startswith(("unhealthy", "never")) else {"old", "", "new"}
    assert set(seen.answers) <= expected
    if started and not name.startswith(AFTER_THE_STOP):
        assert set(seen.answers) == {"old"}
    if started:
        assert seen.answers[0] == seen.answers[-1] == "old"
    is_back(host, before, started)


def test_the_failure_has_the_last_lines_apart(host: Host) -> None:
    """A program that reads the failure has the exit status and the lines themselves."""
    begin(host, True)
    with pytest.raises(Failure) as caught:
        host.converge(**new(host, command=["sh", "-c", "for i in $(seq 20); do echo line $i; done; exit 5"]))
    lines = "".join(f"line {number}\n" for number in range(11, 21))
    assert caught.value.facts == {"exit_status": 5, "log": lines}


def test_lines_that_are_kept_elsewhere_are_not_told(host: Host) -> None:
    """Where a log driver keeps nothing here, the failure says so, and not that nothing was written."""
    begin(host, True)
    with pytest.raises(Failure, match="with exit status 5; its log driver is none, so its lines are kept nowhere"):
        host.converge(**new(host, command=["sh", "-c", "echo line; exit 5"], log_driver="none"))


def test_a_job_that_is_done_at_once_has_not_failed(host: Host) -> None:
    """A new container whose program has ended with status 0 is no failure, and takes the old one's place."""
    before = begin(host, True)
    host.converge(**new(host, command=["true"]))
    assert host.observed().id != before[0]
    assert host.ended(host.observed()).exit_code == 0


@pytest.mark.parametrize("started", [True, False], ids=["running", "stopped"])
def test_a_good_replacement_serves_the_new_one(host: Host, started: bool) -> None:
    """The new one answers at the same port as soon as the old one does not; a client never gets anything else."""
    before = begin(host, started)
    with asking() as seen:
        host.converge(**new(host, state="healthy", healthcheck=WELL))
        assert answer() == "new"
    assert seen.said()[-1] == "new"
    assert set(seen.answers) <= {"old", "new", ""}
    assert "old" not in seen.answers[seen.answers.index("new") :]
    assert host.observed().id != before[0]
    host.converge("other", state="absent", stop_timeout=0)
    nothing_is_left(host)


@contextmanager
def small_disk(host: Host) -> Iterator[Path]:
    """Have the containers on a disk of their own, of two megabytes; gives the path for a file that fills it."""
    folder = Path(host.layout.containers)
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "small", folder], check=True)
    try:
        yield folder / ".ballast"
    finally:
        for name in ("c", "other"):
            host.converge(name, state="absent", stop_timeout=0)
        subprocess.run(["umount", folder], check=True)


def crowded(host: Host, ballast: Path, room: int) -> str:
    """Replace the container with so many bytes left on the disk; what the failure says, nothing where there is none."""
    there = os.statvfs(ballast.parent)
    ballast.write_bytes(b"x" * max(0, there.f_bfree * there.f_frsize - room))
    try:
        host.converge(**new(host))
    except Failure as error:
        return str(error)
    finally:
        ballast.unlink()
    return ""


@pytest.mark.parametrize("started", [True, False], ids=["running", "stopped"])
def test_a_full_disk_leaves_the_old_container(host: Host, started: bool) -> None:
    """However little room there is, a replacement that it does not suffice for leaves the old one as it was."""
    with small_disk(host) as ballast:
        # So that the servers write nothing to the disk.
        before = begin(host, started, tmpfs=["/srv"])
        failed, room = 0, 0
        while said := crowded(host, ballast, room):
            assert "No space left on device" in said, room
            assert "not put back" not in said, room
            assert identity(host) == before, room
            assert answer() == ("old" if started else ""), room
            failed, room = failed + 1, room + 4096
        assert failed > 2
        assert host.observed().id != before[0]
        wait(lambda: answer() == "new")


def killed_run(host: Host, number: int) -> bool:
    """Replace the container, and be killed at a step; whether there was a step of this number."""
    want = parse(Container, {"name": "c", **new(host)})
    with CONTAINER.lock(host.layout, want):
        have = CONTAINER.observe(host.layout, want)
        plan = CONTAINER.plan(host.layout, CONTAINER.resolve(host.layout, want, have), have)
        everything: list[Step] = [*plan.steps, *plan.purge]
        if number >= len(everything):
            return False
        everything[number] = Broken(everything[number], killed=True)
        apply(Plan(tuple(everything)))
    return True


@pytest.mark.parametrize("started", [True, False], ids=["running", "stopped"])
def test_whoever_replaces_is_killed_at_any_step(host: Host, started: bool) -> None:
    """Until the new one has the name, the next run of what was declared has the old one back; then the new serves."""
    before = begin(host, started)
    number, kept = 0, 0
    while True:
        if not killed_in_child(partial(killed_run, host, number)):
            break
        if container_state.identity_of(host.layout, "c") == before[0]:
            kept += 1
            host.converge(**old(host))
            assert identity(host)[:3] == before[:3], number
            wait(lambda: answer() == "old")
        else:
            wait(lambda: answer() == "new")
            host.converge(**new(host))
            assert answer() == "new"
            host.converge(**old(host))
            before = identity(host)
            wait(lambda: answer() == "old")
        if not started:
            host.converge(state="stopped")
        number += 1
    assert kept > 10
    assert number > kept
    host.converge("other", state="absent", stop_timeout=0)
    nothing_is_left(host)
