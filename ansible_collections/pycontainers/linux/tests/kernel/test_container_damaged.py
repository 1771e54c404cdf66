# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers whose record is damaged, gone, or in another version's format: they can be removed, and nothing else."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, supervise
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, snapshot, wait

DAMAGED = {"no JSON": "{", "another format": '{"format": 99, "name": "c"}', "no container": '{"format": 1}'}


@pytest.fixture
def before(host: Host) -> dict[str, Any]:
    """What there is when a container has been removed in the usual way: a first run leaves table and waiters' group."""
    host.network()
    running(host)
    host.converge(state="absent")
    return snapshot(host.layout)


def running(host: Host) -> Container:
    """A container that has all that one can have."""
    return host.run(networks=[{"name": "front"}], published_ports=["8080:80"], restart_policy="always")


def record(host: Host, container: Container) -> Path:
    """The file of its record."""
    return Path(container_state.record_path(host.layout, container.id or ""))


def removed(host: Host, before: dict[str, Any]) -> None:
    """There is nothing more of it than before it was made."""
    wait(lambda: processes(host.layout) == [])
    assert snapshot(host.layout) == before


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_running_container_with_a_damaged_record_is_removed(host: Host, before: dict[str, Any], text: str) -> None:
    """``absent`` ends its process and takes away all there is of it; a check tells so."""
    container = running(host)
    record(host, container).write_text(text)
    told = host.converge(state="absent", check=True).actions
    assert host.converge(state="absent", stop_timeout=0).actions == told
    removed(host, before)
    assert not host.converge(state="absent").changed


def test_a_stopped_container_without_a_record_is_removed(host: Host, before: dict[str, Any]) -> None:
    """A name that stands for a container without a record is taken away with what there is of that."""
    container = running(host)
    host.converge(state="stopped")
    record(host, container).unlink()
    host.converge(state="absent")
    removed(host, before)


@pytest.mark.parametrize("by", ["name", "id"])
def test_rm_removes_a_container_with_a_damaged_record(host: Host, before: dict[str, Any], by: str) -> None:
    """``rm -f`` removes it by its name and by its id; without -f it does not, since it runs."""
    container = running(host)
    record(host, container).write_text("{")
    wanted = "c" if by == "name" else str(container.id)
    assert "it runs" in host.failure("rm", wanted)
    host.ok("rm", "-f", wanted)
    removed(host, before)


def test_rm_removes_a_damaged_container_without_a_name(host: Host, before: dict[str, Any]) -> None:
    """A folder whose record can't be read and that no name stands for is removed by its id."""
    container = running(host)
    record(host, container).write_text("{")
    os.unlink(host.layout.name("c"))
    host.ok("rm", "-f", str(container.id))
    removed(host, before)


@pytest.mark.parametrize("state", ["present", "started", "stopped"])
def test_other_states_refuse_a_damaged_record(host: Host, state: str) -> None:
    """A container that can't be read is neither changed nor replaced: the failure names its record and what to do."""
    host.network()
    container = running(host)
    kept = record(host, container).read_text()
    record(host, container).write_text(json.dumps(json.loads(kept) | {"format": 99}))
    with pytest.raises(Failure, match=r"another version.*state: absent") as failure:
        host.converge(state=state, image=host.busybox)
    assert str(record(host, container)) in str(failure.value)
    record(host, container).write_text(kept)
    assert host.pid()


def test_what_another_version_has_left_unfinished_is_removed(host: Host, before: dict[str, Any]) -> None:
    """A folder without a name, whose record has this name in another format, goes with the next run."""
    container = running(host)
    record(host, container).write_text('{"format": 99, "name": "c"}')
    os.unlink(host.layout.name("c"))
    host.converge(state="absent")
    removed(host, before)


STATUSES = {
    "empty": "", "half written": '{"wanted": "run', "no object": "[]", "a number": '{"wanted": 5}',
    "no time": '{"started_at": 1e300}',
}  # fmt: skip


def status_file(host: Host, container: Container) -> Path:
    """The file that keeps what has become of it."""
    return Path(host.layout.container(container.id or "", "status.json"))


@pytest.mark.parametrize("text", STATUSES.values(), ids=STATUSES)
def test_a_damaged_status_keeps_nobody_from_removing(host: Host, before: dict[str, Any], text: str) -> None:
    """A running container whose status can't be read is removed, by a task as well as by ``rm -f``."""
    status_file(host, running(host)).write_text(text)
    host.converge(state="absent", stop_timeout=0)
    removed(host, before)
    status_file(host, running(host)).write_text(text)
    Path(host.layout.running(host.observed().id or "", "waiter.json")).write_text(text)
    host.ok("rm", "-f", "c")
    removed(host, before)


def test_a_stopped_container_with_a_damaged_status_is_removed(host: Host, before: dict[str, Any]) -> None:
    """So is one that does not run."""
    container = running(host)
    host.converge(state="stopped")
    status_file(host, container).write_text("{")
    host.converge(state="absent")
    removed(host, before)


def test_a_damaged_status_is_mended(host: Host) -> None:
    """The next task that wants the container to run writes it anew, and tells; a listing works in between."""
    host.network()
    container = running(host)
    status_file(host, container).write_text("{")
    assert "Up " in host.ok("ps")
    assert "it is not JSON" in json.loads(host.ok("inspect", "c"))[0]["State"]["Error"]
    outcome = host.converge(state="started")
    assert [(each.path, each.before, each.after) for each in outcome.changes] == [("wanted", "unknown", "running")]
    assert json.loads(status_file(host, container).read_text())["wanted"] == "running"
    assert host.converge(state="started").changed is False


@pytest.mark.parametrize("moment", ["1e300", "1e999", "-1", "1" + "0" * 400])
def test_a_time_that_is_none_is_told(host: Host, moment: str) -> None:
    """A status with a number for which there is no time is a damaged one, and keeps no listing from the others."""
    container = host.run()
    status_file(host, container).write_text(f'{{"finished_at": {moment}}}')
    assert "Up " in host.ok("ps", "-a")
    assert "finished_at is " in json.loads(host.ok("inspect", "c"))[0]["State"]["Error"]


COMPLAINING = """
import sys, time
while True:
    try:
        open(sys.argv[1], "a").close()
    except FileNotFoundError:
        sys.exit()
    time.sleep(0.0001)
"""


def test_who_complains_while_a_container_goes(host: Host) -> None:
    """A waiter may write why it could not record an end at the very moment that the container is removed."""
    container = host.run(state="stopped")
    complaints = host.layout.container(container.id or "", "complaints")
    with subprocess.Popen([sys.executable, "-I", "-c", COMPLAINING, complaints]) as waiter:
        try:
            wait(lambda: os.path.exists(complaints))
            assert host.converge(state="absent").changed
            assert waiter.wait(10) == 0
        finally:
            waiter.kill()
    assert os.listdir(host.layout.containers) == []


def test_a_program_that_ends_with_a_damaged_status(host: Host) -> None:
    """It is started again by its policy: whoever stops one writes that down first."""
    container = host.shell("test -e /again && exec sleep 1000; touch /again; sleep 0.3", restart_policy="always")
    status_file(host, container).write_text("")
    first = host.pid()
    wait(lambda: host.pid() not in (0, first))
    assert json.loads(status_file(host, container).read_text())["wanted"] == "running"


def test_a_damaged_status_at_boot(host: Host) -> None:
    """Whether a container is to run is not guessed at boot: it is told of, each time, and others start."""
    host.run(name="a", restart_policy="unless-stopped")
    host.run(name="b", restart_policy="unless-stopped")
    supervise.shutdown(host.layout)
    status_file(host, host.observed("a")).write_text("")
    for reason in ("it is not JSON", "wanted is 'unknown' there"):
        done = host.cli("boot")
        assert (done.returncode, reason in done.stderr, host.pid("a") == 0, host.pid("b") > 0) == (1, True, True, True)


@pytest.mark.parametrize("part", ["index", "configuration"])
def test_a_damaged_store_keeps_nobody_from_stopping_a_container(host: Host, part: str) -> None:
    """Which signal its image asks for can't be known then: it gets the usual one, and ends."""
    container = host.shell("trap 'echo ended; exit 7' TERM; echo ready; while :; do sleep 0.1; done")
    wait(lambda: host.log(container) == "ready\n")
    index = Path(host.layout.images, "index.json")
    path = index if part == "index" else Path(content.blob(host.layout, container.image_id or ""))
    good = path.read_bytes()
    path.write_bytes(b"{")
    try:
        host.ok("stop", "-t", "9", "c")
    finally:
        path.write_bytes(good)
    assert host.observed().state == "stopped"
    assert host.log(container) == "ready\nended\n"
