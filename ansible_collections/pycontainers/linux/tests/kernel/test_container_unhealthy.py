# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the health of a container: a task that waits for it, an end, a restart."""
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_state,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, wait
from ansible_collections.pycontainers.linux.tests.kernel.health_bench import PATIENCE, becomes, check


def test_unhealthy_can_mean_stopped(host: Host) -> None:
    """A container that is to be stopped then is, stays so, and says why."""
    container = host.run(healthcheck=check("echo no; false"), on_unhealthy="stop", restart_policy="always")
    wait(lambda: host.observed().remains == (), PATIENCE)
    status = container_state.status(host.layout, container.id or "")
    assert (status.wanted, status.restarts) == ("stopped", 0)
    assert status.error == "it was unhealthy: 2 checks failed in a row, the last one ended with status 1, and said: no"
    wait(lambda: processes(host.layout) == [], PATIENCE)


@pytest.mark.parametrize(
    ("policy", "script"), [("no", "sleep 1000"), ("always", "trap 'exit 0' TERM; sleep 1000 & wait")]
)
def test_unhealthy_can_mean_started_again(host: Host, policy: str, script: str) -> None:
    """It is ended as by a stop and started again whatever its policy and status, and that is counted as a restart."""
    given: dict[str, Any] = {"healthcheck": check("test -e /well"), "on_unhealthy": "restart", "restart_policy": policy}
    container = host.shell(f"test -e /before && touch /well; touch /before; {script}", **given)
    first = host.pid()
    becomes(host, "healthy")
    assert host.pid() not in (0, first)
    status = container_state.status(host.layout, container.id or "")
    assert (status.restarts, status.in_a_row >= 1, status.unhealthy) == (1, True, False)
    host.ok("stop", "-t", "0", "c")
    assert host.observed().state == "stopped"


def test_restarts_of_the_unhealthy_come_to_an_end(host: Host) -> None:
    """With a policy that allows so many restarts, there are no more of these either."""
    given: dict[str, Any] = {"restart_policy": "on-failure", "restart_retries": 1}
    container = host.run(healthcheck=check("false"), on_unhealthy="restart", **given)
    wait(lambda: host.observed().remains == (), PATIENCE)
    status = container_state.status(host.layout, container.id or "")
    assert (status.restarts, status.wanted, status.exit_code) == (1, "stopped", 137)


def test_state_healthy_waits(host: Host) -> None:
    """The task comes back once the container is healthy; a check tells the same and waits for nothing."""
    given: dict[str, Any] = {"image": host.busybox, "stop_timeout": 0, "healthcheck": check("test -e /well")}
    given |= {"command": ["sh", "-c", "sleep 1; touch /well; sleep 1000"], "state": "healthy"}
    told = host.converge(check=True, **given)
    done = host.converge(**given)
    assert done.actions == told.actions
    assert done.actions[-1].endswith("is healthy, at most 300 s")
    assert done.facts["container"]["State"]["Health"]["Status"] == "healthy"
    assert host.converge(**given).actions == ()
    host.ok("exec", "c", "rm", "/well")
    becomes(host, "unhealthy")
    assert [each.path for each in host.converge(**given, check=True).changes] == ["health"]
    with pytest.raises(Failure, match=r"after 0\.2 s it is unhealthy, and its last check ended with exit status 1"):
        host.converge(**given, healthy_wait_timeout=0.2)
    assert host.pid()


def test_what_nothing_checks_can_not_become_healthy(host: Host) -> None:
    """It is refused before anything is touched."""
    with pytest.raises(InvalidValue, match="neither it nor its image says how its health is checked"):
        host.converge(image=host.busybox, command=["sleep", "1000"], state="healthy")
    with pytest.raises(InvalidValue, match="use 'healthy' as state"):
        host.converge(image=host.busybox, command=["sleep", "1000"], state="healthy", healthcheck={"test": "NONE"})
    assert container_state.identities(host.layout) == []


def test_a_new_container_that_is_not_healthy_in_time_goes_again(host: Host) -> None:
    """The failure tells how long was waited, the last check with what it said, and the last lines of the log."""
    given: dict[str, Any] = {"image": host.busybox, "stop_timeout": 0, "healthcheck": check("echo 'no answer'; exit 3")}
    given |= {"command": ["sh", "-c", "echo one; echo two; sleep 1000"], "state": "healthy"}
    with pytest.raises(Failure) as caught:
        host.converge(**given, healthy_wait_timeout=2)
    said = str(caught.value)
    why = "after 2 s it is unhealthy, and its last check ended with exit status 3 and said: no answer"
    assert f"is healthy: {why}" in said
    assert said.endswith("; the last that it wrote is: one | two")
    assert caught.value.facts == {"exit_status": None, "log": "one\ntwo\n"}
    assert container_state.identities(host.layout) == []
    with pytest.raises(Failure, match="its program ended before it was healthy, with exit status 4; the last that it"):
        host.converge(**given | {"command": ["sh", "-c", "echo bad; exit 4"]})


def test_one_that_is_to_be_ended_is_not_waited_for(host: Host) -> None:
    """Where something is to be done with a container that is unhealthy, it does not become healthy any more."""
    for acts in ("restart", "stop"):
        given: dict[str, Any] = {"healthcheck": check("false"), "on_unhealthy": acts, "state": "healthy"}
        with pytest.raises(Failure, match="it has become unhealthy, and its last check ended with exit status 1; it w"):
            host.run(**given)
    assert container_state.identities(host.layout) == []


def test_one_that_removes_itself_is_removed_when_it_is_stopped(host: Host) -> None:
    """What is to go at its end goes when that is since it is unhealthy."""
    words = ["--rm", "-d", "--name", "c", "--stop-timeout", "0", "--health-interval", "50ms", "--health-retries", "1"]
    host.ok("run", *words, "--health-cmd", "false", "--on-unhealthy", "stop", host.busybox, "sleep", "1000")
    wait(lambda: container_state.identities(host.layout) == [], PATIENCE)
    wait(lambda: processes(host.layout) == [], PATIENCE)
