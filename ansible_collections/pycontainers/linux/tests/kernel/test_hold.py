# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs kill, pause, unpause, top, wait and rename, and the group container."""
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import plan
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_rename,
    container_state,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_exec import (
    CONTAINER_EXEC,
    ContainerExec,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

STATES = {"running": "Up ", "paused": "(Paused)"}


def state(host: Host) -> str:
    """The word that inspect has for the container c; ps has to say the same."""
    word = str(json.loads(host.ok("inspect", "c"))[0]["State"]["Status"])
    assert STATES.get(word, "") in host.ok("ps", "-a")
    return word


def ticks(host: Host) -> int:
    """How much of its time a container's first process has used."""
    fields = Path(f"/proc/{host.pid()}/stat").read_text().rpartition(") ")[2].split()
    return int(fields[11]) + int(fields[12])


def test_paused_processes_stand_still(host: Host) -> None:
    """They do nothing until they may go on, and nothing is run beside them; ps and inspect say that they are paused."""
    host.shell("while true; do :; done")
    assert host.ok("pause", "c") == "c\n"
    before = ticks(host)
    assert state(host) == "paused"
    assert "it is paused already" in host.failure("pause", "c")
    assert "it is paused; unpause it first" in host.failure("exec", "c", "true", code=125)
    with pytest.raises(Failure, match="it is paused"):
        plan.converge(CONTAINER_EXEC, host.layout, parse(ContainerExec, {"container": "c", "command": "true"}), True)
    assert ticks(host) == before
    assert host.ok("unpause", "c") == "c\n"
    wait(lambda: ticks(host) > before)
    assert state(host) == "running"
    assert "it is not paused" in host.failure("unpause", "c")


@pytest.mark.parametrize("verb", [["stop", "-t", "0"], ["kill"], ["rm", "-f"]])
def test_a_paused_container_can_be_ended(host: Host, verb: list[str]) -> None:
    """It is let go for its end."""
    container = host.run()
    host.ok("pause", "c")
    host.ok(*verb, "c")
    wait(lambda: lifecycle.running(host.layout, container.id or "") is None)


@pytest.mark.parametrize(("options", "code"), [([], 137), (["-s", "KILL"], 137), (["--signal", "15"], 143)])
def test_a_killed_container_is_not_started_again(host: Host, options: list[str], code: int) -> None:
    """A signal that is to end it counts as stopping it, whatever its policy; its end is recorded."""
    container = host.run(["sh", "-c", "trap 'exit 143' TERM; while true; do sleep 0.01; done"], restart_policy="always")
    wait(lambda: host.ok("top", "c").count("\n") > 1)
    host.ok("kill", *options, "c")
    status = host.ended(container)
    assert (status.exit_code, status.wanted, status.restarts) == (code, "stopped", 0)
    assert "container not running" in host.failure("kill", "c")


def test_other_signals_are_only_sent(host: Host) -> None:
    """The program does with them what it likes, and its policy stays in force."""
    script = "trap 'echo hup' HUP; touch /ready; while true; do sleep 0.01; done"
    container = host.shell(script, restart_policy="always")
    wait(lambda: Path(f"/proc/{host.pid()}/root/ready").exists())
    host.ok("kill", "-s", "HUP", "c")
    wait(lambda: host.log(container) == "hup\n")
    assert container_state.status(host.layout, container.id or "").wanted == "running"
    assert "there is no such signal" in host.failure("kill", "-s", "NONE", "c")


def test_top_lists_the_processes(host: Host) -> None:
    """A line for each, by its pid on the host; what a container calls them can't move the reader's screen."""
    host.shell("sleep 1001 & exec sleep 1002")
    wait(lambda: host.ok("top", "c").count("sleep") == 2)
    found = json.loads(host.ok("top", "--json", "c"))
    assert sorted(each["CMD"] for each in found) == ["sleep 1001", "sleep 1002"]
    assert str(host.pid()) in {each["PID"] for each in found}
    assert {each["UID"] for each in found} == {"root"}
    host.ok("exec", "-d", "c", "sh", "-c", "exec sleep 1003 # \x1b[31m")
    host.ok("stop", "-t", "0", "c")
    assert "container not running" in host.failure("top", "c")


def test_wait_tells_how_containers_end(host: Host) -> None:
    """It waits for those that run, and tells of those that have ended before."""
    host.ended(host.shell("exit 3"))
    host.shell("until [ -e /go ]; do sleep 0.01; done; exit 7", name="d")
    with host.beside("wait", "c", "d") as waiting:
        assert waiting.stdout is not None
        host.ok("exec", "d", "touch", "/go")
        assert waiting.stdout.read() == b"3\n7\n"
        assert waiting.wait(10) == 0
    assert "there is none of this name" in host.failure("wait", "none")


def hosts(host: Host, name: str) -> str:
    """The hosts file as a container sees it."""
    return Path(f"/proc/{host.pid(name)}/root/etc/hosts").read_text()


def test_a_renamed_container_stays_what_it_is(host: Host) -> None:
    """Its id, process and address stay; others on its network know it by the new name, and the old one is free."""
    host.network()
    host.run(name="other", networks=[{"name": "front"}])
    before, pid = host.run(networks=[{"name": "front"}]), host.pid()
    assert host.ok("rename", "c", "web") == ""
    after = host.observed("web")
    assert (after.id, after.held, host.pid("web")) == (before.id, before.held, pid)
    address = dict(after.held)["front"][0]
    for name in ("other", "web"):
        lines = [line.split() for line in hosts(host, name).splitlines() if line.startswith(f"{address} ")]
        assert any("web" in line and "c" not in line for line in lines)
    assert sorted(host.ok("ps", "-a", "--format", "{{.Names}}").split()) == ["other", "web"]
    assert not host.converge("web", state="started").changed
    assert host.converge("c", image=host.busybox, command=["true"], state="present").changed
    host.ended(host.run(["true"], name="web", networks=[{"name": "front"}]))


def test_what_can_not_be_renamed(host: Host) -> None:
    """A name that is none, is in use or is its own, and a container that another knows by its name."""
    host.run()
    host.run(name="d", pid_mode="container:c")
    for words, said in (
        (("c", "-x"), "a name starts with"),
        (("c", "d"), "the name stands for container"),
        (("c", "c"), "that is its name"),
        (("c", "e"), "container d joins it by this name"),
        (("none", "e"), "there is none of this name"),
    ):
        assert said in host.failure("rename", "--", *words)
    assert sorted(os.listdir(host.layout.names)) == ["c", "d"]


@pytest.mark.parametrize("done", range(5))
def test_a_rename_that_is_cut_short(host: Host, done: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any of its steps the container is there and no leftover, and the same words finish it."""
    container = host.run()

    def some(plan: plan.Plan) -> None:
        for step in plan.steps[:done]:
            step.do()

    monkeypatch.setattr(container_rename, "apply", some)
    container_rename.rename(host.layout, "c", "web")
    monkeypatch.undo()
    for name in ("c", "web"):
        identity = container_state.identity_of(host.layout, name)
        assert identity in (None, container.id)
        assert container_state.leftovers(host.layout, name, identity) == ()
    assert host.ok("ps", "-q", "--no-trunc") == f"{container.id}\n"
    if os.path.lexists(host.layout.name("c")):
        container_rename.rename(host.layout, "c", "web")
    assert os.listdir(host.layout.names) == ["web"]
    assert host.pid("web")


def test_a_container_ends_while_it_is_renamed(host: Host) -> None:
    """Whoever records the end waits for the rename, and finds the container under its new name."""
    container = host.run(["sh", "-c", "until [ -e /go ]; do sleep 0.01; done"])
    with container_state.lock(host.layout, "c"):
        Path(f"/proc/{host.pid()}/root/go").touch()
        wait(lambda: lifecycle.exit_status(host.layout, container.id or "") is not None)
        plan.apply(plan.Plan(tuple(container_rename._steps(host.layout, container, "c", "web"))))
    assert host.ended(container).exit_code == 0
    assert host.observed("web").state == "stopped"
    assert lifecycle.waiter(host.layout, container.id or "") is None


def test_the_group_has_the_verbs(host: Host) -> None:
    """What pycontainers does with containers it does below ``container`` too; ls is ps there."""
    host.run()
    assert host.ok("container", "ls", "-q") == host.ok("ps", "-q")
    assert host.ok("container", "exec", "c", "echo", "x") == "x\n"
    assert host.ok("container", "stop", "-t", "0", "c") == "c\n"
    assert "remove container c" in host.ok("container", "prune", "-f")
