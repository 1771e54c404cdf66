# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that a task runs to their end."""
from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait


def job(host: Host, script: str, **options: Any) -> dict[str, Any]:
    """A task that runs a script to its end."""
    return {"image": host.busybox, "command": ["sh", "-c", script], "detach": False, "stop_timeout": 0} | options


def test_status_and_output_are_returned(host: Host) -> None:
    """A check tells that it would wait; the run does, and returns what the program said. The container stays."""
    task = job(host, "echo one; sleep 0.2; echo two >&2")
    check = host.converge(**task, check=True)
    assert check.actions[-1].startswith("wait for the end of container c (")
    assert "status" not in check.facts
    done = host.converge(**task)
    assert done.actions == check.actions
    assert done.facts["status"] == 0
    assert sorted(done.facts["container"]["Output"].split()) == ["one", "two"]
    assert done.facts["container"]["State"]["Status"] == "exited"
    assert host.observed().state == "stopped"


def test_a_second_run_is_told_alone(host: Host) -> None:
    """The container is started again, and what it said before is not returned again."""
    task = job(host, "echo again")
    first, second = host.converge(**task), host.converge(**task)
    assert first.facts["container"]["Id"] == second.facts["container"]["Id"]
    assert second.changed
    assert (first.facts["container"]["Output"], second.facts["container"]["Output"]) == ("again\n", "again\n")


def test_a_program_that_fails_fails_the_task(host: Host) -> None:
    """The error has the status and the last lines, the task's result all of it; the container stays to be looked at."""
    with pytest.raises(Failure) as caught:
        host.converge(**job(host, "for i in $(seq 20); do echo line $i; done; exit 3", cleanup=True))
    said = str(caught.value)
    assert said.startswith("cannot run container c to its end: its program ended with status 3; it said last: line 11")
    assert said.endswith("| line 20")
    assert caught.value.facts["status"] == 3
    container: Any = caught.value.facts["container"]
    assert container["Output"].startswith("line 1\n")
    assert host.observed().state == "stopped"


def test_a_program_that_says_nothing(host: Host) -> None:
    """That is said too."""
    with pytest.raises(Failure, match=r"ended with status 137; it said nothing$"):
        host.converge(**job(host, "exit 137"))


def test_it_is_removed_at_a_good_end(host: Host) -> None:
    """With cleanup nothing of it is left, its volumes without a name neither; what it said is still returned."""
    task = job(host, "echo done > /nameless/a; cat /nameless/a", cleanup=True, volumes=["/nameless"])
    check = host.converge(**task, check=True)
    assert check.actions[-1].startswith("remove container c (")
    done = host.converge(**task)
    assert done.actions == check.actions
    assert done.facts["container"]["Output"] == "done\n"
    assert container_state.identity_of(host.layout, "c") is None
    assert os.listdir(f"{host.layout.root}/volumes") == []


def test_what_runs_already_is_waited_for(host: Host) -> None:
    """A task that was cut short and comes again does not start the program twice."""
    script = "echo begun; while [ ! -e /go ]; do sleep 0.02; done; exit 4"
    host.converge(**job(host, script) | {"detach": True})
    pid = host.pid()
    timer = threading.Timer(0.3, lambda: host.ok("exec", "c", "touch", "/go"))
    timer.start()
    with pytest.raises(Failure, match=r"ended with status 4; it said last: begun$"):
        host.converge(**job(host, script))
    timer.join()
    assert host.pid() == 0
    assert pid


def test_a_policy_has_its_tries(host: Host) -> None:
    """With on-failure the end is that of the last try."""
    script = "echo try >> /tries; [ $(wc -l < /tries) = 3 ] && exit 0; exit 1"
    done = host.converge(**job(host, script), restart_policy="on-failure", restart_retries=5)
    assert (done.facts["status"], done.facts["container"]["RestartCount"]) == (0, 2)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"restart_policy": "always"}, "restart_policy is always"),
        ({"restart_policy": "unless-stopped"}, "restart_policy is unless-stopped"),
        ({"paused": True}, "paused is true: its program does not get to its end"),
        ({"auto_remove": True}, "with auto_remove nobody could tell how its program ended"),
    ],
)
def test_what_has_no_end_is_not_waited_for(host: Host, options: dict[str, Any], reason: str) -> None:
    """It is refused, and nothing is made."""
    with pytest.raises(InvalidValue, match=f"use False as detach: {reason}"):
        host.converge(**job(host, "true"), **options)
    assert container_state.identities(host.layout) == []


def test_others_need_not_wait(host: Host) -> None:
    """While a task waits nobody is kept from the container: it can be stopped, which ends the waiting."""
    host.converge(**job(host, "sleep 1000") | {"detach": True})

    def stop() -> None:
        host.ok("stop", "-t", "0", "c")

    timer = threading.Timer(0.3, stop)
    timer.start()
    with pytest.raises(Failure, match="ended with status 137"):
        host.converge(**job(host, "sleep 1000"))
    timer.join()
    wait(lambda: host.observed().state == "stopped")


def test_a_container_that_is_not_to_run_is_not_waited_for(host: Host) -> None:
    """``stopped`` and ``absent`` end at once."""
    host.converge(**job(host, "sleep 1000"), state="stopped")
    assert host.observed().state == "stopped"
