# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a container this once: to be restarted, to be killed."""
from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

DEAF = "trap '' TERM; trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done"


def deaf(host: Host, **options: Any) -> None:
    """Start a container whose program does not end by SIGTERM, but by SIGUSR1."""
    container = host.run(["sh", "-c", DEAF], **{"stop_timeout": 600} | options)
    wait(lambda: host.log(container) == "ready\n")


def test_a_restart_is_told_and_done(host: Host) -> None:
    """A check tells the restart and does nothing; the run gives the same container another process."""
    host.network()
    before = host.run(networks=[{"name": "front"}], published_ports=["8080:80"])
    host.ok("exec", "c", "touch", "/written")
    pid = host.pid()
    check = host.converge(restart=True, check=True)
    assert [(each.path, each.after, each.effect.name) for each in check.changes] == [("restart", True, "RESTART")]
    assert host.pid() == pid
    done = host.converge(restart=True)
    assert (done.actions, done.changes) == (check.actions, check.changes)
    after = host.observed()
    assert host.pid() not in (pid, 0)
    assert (after.id, after.held, after.published_ports) == (before.id, before.held, before.published_ports)
    host.ok("exec", "c", "ls", "/written")
    assert not host.converge().changed


def test_a_restart_takes_live_changes_with_it(host: Host) -> None:
    """What differs beside is in the kernel and in the record afterwards, and told with what it costs."""
    host.run(memory="64m")
    pid = host.pid()
    done = host.converge(restart=True, memory="32m", restart_policy="always")
    assert {each.path for each in done.changes} == {"memory", "restart_policy", "restart"}
    after = host.observed()
    assert (after.memory, after.restart_policy) == (32 << 20, "always")
    assert host.pid() not in (pid, 0)


def test_a_restart_that_fails_gives_the_container_back(host: Host) -> None:
    """A container that can't start with what is wanted of it runs as it did before."""
    host.run(memory="64m")
    before = host.observed()
    with pytest.raises((Failure, InvalidValue)):
        host.converge(restart=True, memory="16k")
    after = host.observed()
    assert (after.state, after.memory, after.id) == ("started", before.memory, before.id)
    assert host.pid()


@pytest.mark.parametrize("state", ["stopped", "started"])
def test_a_container_that_does_not_run_is_not_restarted(host: Host, state: str) -> None:
    """It is started once if it is to run, and left alone if not."""
    host.run()
    host.converge(state="stopped")
    done = host.converge(state=state, restart=True)
    assert done.changed == (state == "started")
    assert "restart" not in {each.path for each in done.changes}
    assert not any(line.startswith("stop ") for line in done.actions)


def test_a_container_is_killed_at_once(host: Host) -> None:
    """With force_kill nobody waits for a program that does not end; nothing of the request is kept."""
    deaf(host)
    record = Path(container_state.record_path(host.layout, host.observed().id or ""))
    before = record.read_text()
    host.converge(state="stopped", force_kill=True)
    status = container_state.status(host.layout, host.observed().id or "")
    assert status.exit_code == 128 + signal.SIGKILL
    assert record.read_text() == before
    assert not host.converge(state="stopped", force_kill=True).changed


@pytest.mark.parametrize("said", ["USR1", "SIGUSR1", "10"])
def test_a_container_is_killed_by_another_signal(host: Host, said: str) -> None:
    """The program gets the signal that is asked for, and ends as it does by that."""
    deaf(host)
    host.converge(state="stopped", force_kill=True, kill_signal=said)
    assert container_state.status(host.layout, host.observed().id or "").exit_code == 7


@pytest.mark.parametrize("way", [{"restart": True}, {"recreate": True}, {"state": "absent"}, {"env": {"A": "1"}}])
def test_whatever_stops_a_container_kills_it(host: Host, way: dict[str, Any]) -> None:
    """A restart, a replacement and a removal do not wait either."""
    deaf(host)
    pid = host.pid()
    host.converge(**way, force_kill=True)
    assert host.pid() != pid


def test_a_signal_alone_kills_nobody(host: Host) -> None:
    """Without force_kill a container is stopped as it wants to be."""
    deaf(host, stop_signal="USR1")
    host.converge(state="stopped", kill_signal="KILL")
    assert container_state.status(host.layout, host.observed().id or "").exit_code == 7


def test_a_signal_that_is_none_leaves_the_container_alone(host: Host) -> None:
    """The error names option and value, and the container keeps its process."""
    deaf(host)
    pid = host.pid()
    with pytest.raises(InvalidValue, match=r"SIGWHAT.*kill_signal.*there is no such signal"):
        host.converge(state="stopped", force_kill=True, kill_signal="SIGWHAT")
    assert host.pid() == pid
