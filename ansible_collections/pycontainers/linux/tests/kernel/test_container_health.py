# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Health checks of containers: what runs them, what they see, what is seen of them, what follows."""
from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups, freezer, programs
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_health,
    container_state,
    supervise,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, wait
from ansible_collections.pycontainers.linux.tests.kernel.health_bench import PATIENCE, becomes, check, health


def shell(host: Host, container: Container) -> int:
    """The pid of the checker, once it sleeps."""
    wait(lambda: sleeps(host, container), PATIENCE)
    found = lifecycle.checker(host.layout, container.id or "")
    assert found is not None
    return found.pid


def sleeps(host: Host, container: Container) -> bool:
    """Whether the checker is there, and a shell."""
    found = lifecycle.checker(host.layout, container.id or "")
    return found is not None and os.path.realpath(f"/proc/{found.pid}/exe") == os.path.realpath(programs.shell())


def test_a_container_is_healthy_as_long_as_its_check_says_so(host: Host) -> None:
    """It starts as starting; its checks make it healthy, enough failures unhealthy, and one success healthy again."""
    container = host.run(healthcheck=check("echo seen; test ! -e /bad; exit $?", interval="200ms"))
    assert (container.health, container.checker) == ("starting", "there")
    becomes(host, "healthy")
    assert health(host)["Log"][-1]["Output"] == "seen\n"
    host.ok("exec", "c", "touch", "/bad")
    becomes(host, "unhealthy")
    told = health(host)
    assert told["FailingStreak"] >= 2
    assert (told["Log"][-1]["ExitCode"], len(told["Log"]) <= 5) == (1, True)
    assert told["Log"][-1]["Start"] < told["Log"][-1]["End"]
    host.ok("exec", "c", "rm", "/bad")
    becomes(host, "healthy")


def test_what_is_seen_of_it(host: Host) -> None:
    """The listing tells the health, and can be asked for it; inspect has the check; what nothing checks has none."""
    host.run(healthcheck={"test": ["CMD", "true"], "interval": "50ms", "start_period": "1m", "start_interval": "1h"})
    host.run(name="other")
    assert " (health: starting)" in host.ok("ps")
    host.converge(healthcheck=check("true"), state="healthy")
    assert [" (healthy)" in line for line in host.ok("ps").splitlines()] == [False, False, True]
    assert host.ok("ps", "-q", "--filter", "health=healthy").split() == [(host.observed().id or "")[:12]]
    assert host.ok("ps", "-q", "--filter", "health=none").split() == [(host.observed("other").id or "")[:12]]
    assert host.ok("ps", "-q", "-f", "health=unhealthy", "-f", "health=starting") == ""
    assert "--filter" in host.failure("ps", "--filter", "health=well")
    shown = json.loads(host.ok("inspect", "c"))[0]
    assert shown["Config"]["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 50_000_000, "Retries": 2}
    other = json.loads(host.ok("inspect", "other"))[0]
    assert ("Health" in other["State"], "Healthcheck" in other["Config"]) == (False, False)
    host.converge(state="stopped")
    assert health(host)["Status"] == "unhealthy"


def test_a_check_runs_as_the_container_does(host: Host) -> None:
    """It has the container's user, variables, folder, namespaces, limits, capabilities and filter."""
    script = (
        "id -u; pwd; echo $A; cat /proc/self/status | grep -E 'CapEff|Seccomp:'; ls -l /proc/self/ns/net "
        "| sed 's/.*-> //'; grep memory: /proc/self/cgroup; ls /proc/self/fd | wc -l"
    )
    given: dict[str, Any] = {"user": "33", "working_dir": "/usr", "env": {"A": "b c"}, "memory": "32m"}
    given["cap_drop"] = ["ALL"]
    container = host.run(healthcheck=check(script), state="healthy", **given)
    said = health(host)["Log"][-1]["Output"]
    inside = host.ok("exec", "c", "sh", "-c", script)
    assert said.splitlines()[:3] == ["33", "/usr", "b c"]
    assert said.splitlines()[:-1] == inside.splitlines()[:-1]
    assert container.memory == 32 << 20


def test_a_check_that_takes_too_long_is_killed_with_all_it_has_started(host: Host) -> None:
    """What it has put into the background, and into a session of its own, ends too; the container's own goes on."""
    script = "test -e /once && exit 1; touch /once; echo begun; setsid sleep 1001 & sleep 1002 & sleep 1003"
    host.run(healthcheck=check(script, timeout="500ms", retries=1, interval="3s"))
    becomes(host, "unhealthy")
    first = health(host)["Log"][0]
    assert first["ExitCode"] == -1
    assert "longer than its timeout of 500ms: begun" in first["Output"]
    assert not {"1001", "1002", "1003"} & {line.split()[-1] for line in host.ok("top", "c").splitlines()}


def test_what_a_check_leaves_goes_on(host: Host) -> None:
    """A program that a good check has put into the background is the container's own, as with Docker."""
    host.run(healthcheck=check("pidof -s nc || nc -l -p 9 < /dev/null > /dev/null 2>&1 & exit 0"), state="healthy")
    host.converge(healthcheck=check("sleep 1003", timeout="100ms", retries=1))
    becomes(host, "unhealthy")
    host.converge(healthcheck={"test": "NONE"})
    assert "nc -l" in host.ok("top", "c")


@pytest.mark.parametrize(
    ("script", "code", "output"),
    [
        ("exit 2", 2, ""),
        ("kill -9 $$", 137, ""),
        ("no-such-program", 127, "not found"),
        ("yes | head -c 5000; exit 1", 1, "y\n" * 2048 + "..."),
        ("printf 'a\\377b'; exit 1", 1, "a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_any_other_status_is_unhealthy(host: Host, script: str, code: int, output: str) -> None:
    """Whatever the status, the check has failed; of what it says the first 4096 bytes are kept, as with Docker."""
    host.run(healthcheck=check(script, retries=1))
    becomes(host, "unhealthy")
    last = health(host)["Log"][-1]
    assert last["ExitCode"] == code
    assert last["Output"] == output or (output == "not found" and last["Output"].endswith("not found\n"))


def test_a_program_that_is_not_there_is_unhealthy(host: Host) -> None:
    """What can't be executed is told as the check's output."""
    host.run(healthcheck={"test": ["CMD", "/no/such"], "interval": "50ms", "retries": 1})
    becomes(host, "unhealthy")
    last = health(host)["Log"][-1]
    assert last["ExitCode"] in (126, 127)
    assert "/no/such" in last["Output"]


def test_an_image_says_how_it_is_checked(host: Host) -> None:
    """The image's check holds part by part, unless the container says otherwise or wants none."""
    own = {"Test": ["CMD-SHELL", "echo of the image"], "Interval": 50_000_000, "Retries": 9}
    image = host.image("checked", {"Healthcheck": own})
    host.converge(image=image, command=["sleep", "1000"], state="healthy", stop_timeout=0)
    assert health(host)["Log"][-1]["Output"] == "of the image\n"
    assert json.loads(host.ok("inspect", "c"))[0]["Config"]["Healthcheck"] == own
    host.converge(healthcheck={"retries": 1})
    assert json.loads(host.ok("inspect", "c"))[0]["Config"]["Healthcheck"] == own | {"Retries": 1}
    host.converge(healthcheck={"test": ["NONE"]})
    assert (host.observed().health, host.observed().checker) == (None, None)
    host.converge(healthcheck={}, state="healthy")
    assert host.observed().health == "healthy"
    host.ok("commit", "c", "registry.test/again")
    told = json.loads(host.ok("inspect", "registry.test/again"))[0]
    assert told["Config"]["Healthcheck"] == own


def test_the_command_line_has_dockers_options(host: Host) -> None:
    """Options of run have Docker's names, and --no-healthcheck is none of an image that has one."""
    image = host.image("checked", {"Healthcheck": {"Test": ["CMD", "false"], "Interval": 50_000_000}})
    host.ok("run", "-d", "--name", "c", "--no-healthcheck", image, "sleep", "1000")
    assert host.observed().checker is None
    host.converge(state="absent", stop_timeout=0)
    words = "--health-cmd true --health-interval 50ms --health-timeout 5s --health-retries 1".split()
    words += "--health-start-period 1s --health-start-interval 20ms --stop-timeout 0".split()
    host.ok("create", "--name", "c", *words, image, "sleep", "1000")
    host.ok("start", "c")
    becomes(host, "healthy")


def test_a_pause_is_no_illness(host: Host) -> None:
    """While a container is held still it is not checked, and a check that is held still does not count."""
    given = check("touch /begun; sleep 2; rm /begun", timeout="4s", retries=1)
    container = host.run(healthcheck=given, state="healthy")
    inside = Path(f"/proc/{host.pid()}/root/begun")
    wait(lambda: not inside.exists(), PATIENCE)
    wait(inside.exists, PATIENCE)
    host.ok("pause", "c")
    assert inside.exists()
    before = health(host)["Log"]
    shell(host, container)
    time.sleep(1)
    assert (health(host)["Log"], inside.exists()) == (before, True)
    assert "(Paused)" in host.ok("ps")
    host.ok("unpause", "c")
    wait(lambda: health(host)["Log"] != before, PATIENCE)
    assert {each["ExitCode"] for each in health(host)["Log"]} == {0}
    assert host.ok("top", "c").count("sh -c touch") <= 1


@pytest.mark.parametrize("way", ["stopped", "absent", "exit", "kill", "shutdown", "replaced"])
def test_the_checker_ends_with_the_run(host: Host, way: str) -> None:
    """However a run comes to its end, nobody goes on checking it."""
    container = host.run(healthcheck=check("true", interval="1h"))
    pid = shell(host, container)
    if way in ("stopped", "absent"):
        host.converge(state=way)
    elif way == "exit":
        os.kill(host.pid(), signal.SIGKILL)
        host.ended(container)
    elif way == "kill":
        host.ok("kill", "c")
        host.ended(container)
    elif way == "shutdown":
        assert supervise.shutdown(host.layout) == []
    else:
        host.converge(recreate=True)
        assert lifecycle.checker(host.layout, host.observed().id or "") is not None
    assert lifecycle.checker(host.layout, container.id or "") is None
    assert not Path(f"/proc/{pid}").exists() or Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] == "Z"


@pytest.mark.parametrize("way", ["restart", "boot", "start"])
def test_each_run_has_a_checker_of_its_own(host: Host, way: str) -> None:
    """A restart by the policy, a boot and a start by hand have the health checked from the beginning."""
    container = host.run(healthcheck=check("true", interval="1h"), restart_policy="always")
    before, pid = shell(host, container), host.pid()
    container_health.write(host.layout, container.id or "", container_health.Health("healthy"))
    if way == "restart":
        os.kill(pid, signal.SIGKILL)
    elif way == "boot":
        assert supervise.shutdown(host.layout) == []
        assert supervise.boot(host.layout) == []
    else:
        host.ok("restart", "c")
    wait(lambda: host.pid() not in (0, pid), PATIENCE)
    assert shell(host, container) != before
    assert host.observed().health == "starting"


def test_a_lost_checker_is_drift(host: Host) -> None:
    """A checker that somebody has killed is seen by a check, by the doctor, and put back; the health stays known."""
    container = host.run(healthcheck=check("true"), state="healthy")
    os.kill(shell(host, container), signal.SIGKILL)
    wait(lambda: host.observed().checker == "lost")
    assert "checker" in host.cli("doctor").stdout
    told = host.converge(state="healthy", check=True)
    assert [(each.path, each.before, each.after) for each in told.changes] == [("checker", "lost", "there")]
    assert host.converge(state="healthy").actions == told.actions != ()
    assert host.converge(state="healthy").actions == ()
    assert shell(host, container)
    assert len([each for each in processes(host.layout) if " health " in each or "sh -c trap" in each]) == 1


def test_a_checker_that_is_left_behind_ends_by_itself(host: Host) -> None:
    """Whose program and waiter were killed is not checked any more, and until then the checker shows as remains."""
    container = host.run(healthcheck=check("true", interval="1s"))
    waiter = lifecycle.waiter(host.layout, container.id or "")
    assert waiter is not None
    os.kill(waiter.pid, signal.SIGKILL)
    os.kill(host.pid(), signal.SIGKILL)
    wait(lambda: host.pid() == 0)
    assert "health checker" in (host.observed().remains or ())
    wait(lambda: lifecycle.checker(host.layout, container.id or "") is None, PATIENCE)
    host.converge(state="stopped")
    assert host.observed().remains == ()


def test_a_check_whose_checker_was_killed_ends(host: Host) -> None:
    """A check that nobody waits for any more is ended by whoever checks next."""
    container = host.run(healthcheck=check("echo $$ > /mine; sleep 1003"))
    wait(lambda: "sleep 1003" in host.cli("top", "c").stdout, PATIENCE)
    found = lifecycle.checker(host.layout, container.id or "")
    assert found is not None
    os.kill(found.pid, signal.SIGKILL)
    wait(lambda: host.observed().checker == "lost")
    assert "sleep 1003" in host.ok("top", "c")
    host.converge(healthcheck=check("true"), state="healthy")
    assert "sleep 1003" not in host.ok("top", "c")


def test_a_change_begins_anew_and_costs_nothing(host: Host) -> None:
    """Another check is another health; the program goes on, and what has not changed is known still."""
    container = host.run(healthcheck=check("true"), state="healthy")
    pid = host.pid()
    told = host.converge(healthcheck=check("true", interval="1h"), check=True)
    assert [(each.path, each.effect.name) for each in told.changes] == [("healthcheck", "LIVE")]
    host.converge(healthcheck=check("true", interval="1h"))
    assert (host.observed().health, host.pid()) == ("starting", pid)
    assert host.converge(healthcheck=check("true", interval="60m")).actions == ()
    host.converge(on_unhealthy="stop", memory="64m")
    assert (host.observed().health, shell(host, container) > 0) == ("starting", True)


def test_wait_takes_a_health_for_its_condition(host: Host) -> None:
    """As with Podman it prints -1 then; what ends before fails."""
    container = host.run(healthcheck=check("test -e /well"))
    with host.beside("wait", "--condition", "healthy", "c") as waiting:
        host.ok("exec", "c", "touch", "/well")
        assert waiting.communicate(timeout=30)[0] == b"-1\n"
    host.ok("exec", "c", "rm", "/well")
    assert host.ok("wait", "--condition=unhealthy", "c") == "-1\n"
    with host.beside("wait", "--condition", "healthy", "c") as waiting:
        wait(lambda: Path(f"/proc/{waiting.pid}").exists())
        host.ok("stop", "-t", "0", "c")
        assert b"container not running" in waiting.communicate(timeout=30)[1]
    assert host.ended(container).exit_code == 137
    assert "its health is not checked" in host.failure("wait", "--condition=healthy", host.run(name="o").id or "")


def test_checks_add_nothing_that_stays(host: Host) -> None:
    """Between two checks there is one shell with little memory of its own, in the waiters' cgroup, and nothing else."""
    container = host.run(healthcheck=check("true", interval="300ms"), state="healthy")
    pid = shell(host, container)
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    assert sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) < 400
    assert not Path(f"/proc/{pid}/task/{pid}/children").read_text()
    groups = Path(f"/proc/{pid}/cgroup").read_text()
    assert "pycontainers/waiters" in groups
    assert str(container.id) not in groups
    assert os.getsid(pid) == pid
    members = cgroups.members(cgroups.cgroups(), container_state.cgroup(container))
    assert members == (host.pid(),)
    assert not freezer.frozen(cgroups.cgroups(), container_state.cgroup(container))
