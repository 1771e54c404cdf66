# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that depend on others: declared, started, booted and shut down in order."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_rename,
    container_state,
    supervise,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import SLEEP, Host, wait


def began(host: Host, *names: str) -> list[int]:
    """When the first processes of containers were started, in the kernel's ticks."""
    return [int(Path(f"/proc/{host.pid(name)}/stat").read_text().rpartition(")")[2].split()[19]) for name in names]


def chain(host: Host, **values: Any) -> None:
    """Three containers of which the first by name depends on the second, and that on the third."""
    host.run(name="c", **values)
    host.run(name="b", depends_on=["c"], **values)
    host.run(name="a", depends_on=["b"], **values)


def test_what_depends_on_nobody_or_on_itself(host: Host) -> None:
    """Unknown ones, the container itself and one that does not run are refused by name, before anything is touched."""
    host.converge("web", image=host.busybox, command=SLEEP, state="present")
    for name, reason in (("none", "no container of this name"), ("c", "the container itself"), ("web", "does not run")):
        with pytest.raises(InvalidValue, match=f"use '{name}' as depends_on: .*{reason}"):
            host.run(depends_on=[name])
    assert [each.name for each in supervise.named(host.layout)[0]] == ["web"]
    assert host.converge("c", image=host.busybox, command=SLEEP, state="present", depends_on=["web"]).changed
    with pytest.raises(InvalidValue, match="it does not run; start that container first"):
        host.converge("c", state="started")


def test_a_restart_is_a_start(host: Host) -> None:
    """A task restarts a container only if all that it depends on run; else it keeps its process."""
    host.run(name="db")
    host.run(depends_on=["db"])
    host.converge("db", state="stopped")
    pid = host.pid()
    with pytest.raises(InvalidValue, match="use 'db' as depends_on: it does not run"):
        host.converge(restart=True)
    assert host.pid() == pid


def test_circles(host: Host) -> None:
    """Containers that need each other are refused with the way around, by joins as well; nothing is changed."""
    chain(host)
    with pytest.raises(InvalidValue, match="use 'a' as depends_on: a needs b needs c itself"):
        host.converge("c", depends_on=["a"])
    with pytest.raises(InvalidValue, match="use 'b' as pid_mode: b needs c itself"):
        host.converge("c", pid_mode="container:b")
    assert host.observed("c").depends_on == ()


def test_dependencies_are_live_and_compared(host: Host) -> None:
    """They change without a new container, a second time nothing differs, and an empty list takes them away."""
    host.run(name="db")
    host.run()
    before = host.pid()
    changed = host.converge(depends_on=["db"])
    assert [each.path for each in changed.changes] == ["depends_on"]
    assert not host.converge(depends_on=[{"name": "db", "condition": "started"}]).changed
    assert '"DependsOn": [\n' in host.ok("inspect", "c")
    host.converge("db", state="stopped")
    assert host.converge(memory="64m").changed
    assert host.converge(depends_on=[]).changed
    assert host.pid() == before


READY = {"test": "test -e /ready", "interval": "50ms", "retries": 1000}


def test_one_that_has_to_be_healthy(host: Host) -> None:
    """A task refuses to start before it is, ``start`` and a boot wait for it, and what nobody checks is refused."""
    need = [{"name": "db", "condition": "healthy"}]
    host.run(name="db", restart_policy="always")
    with pytest.raises(InvalidValue, match="nothing checks its health; give it a healthcheck"):
        host.run(depends_on=need)
    host.converge("db", healthcheck=READY)
    with pytest.raises(InvalidValue, match="it is starting, not healthy; declare that one with state: healthy first"):
        host.run(depends_on=need)
    host.ok("exec", "db", "touch", "/ready")
    host.converge("db", state="healthy")
    host.run(depends_on=need, restart_policy="always")
    assert not host.converge(depends_on=need).changed
    for bring in (lambda: supervise.boot(host.layout), lambda: host.ok("start", "c").replace("c\n", "")):
        supervise.shutdown(host.layout)
        assert not bring()
        assert host.observed("db").health == "healthy"
        assert host.pid()


def test_start_begins_with_those_that_are_needed(host: Host) -> None:
    """``start`` and ``restart`` start first what a container depends on, and what that depends on; ``run`` does not."""
    chain(host)
    for name in "abc":
        host.converge(name, state="stopped")
    assert host.ok("start", "a") == "a\n"
    first = began(host, "c", "b", "a")
    assert first == sorted(first)
    host.converge("c", state="stopped")
    assert host.ok("restart", "-t", "0", "b") == "b\n"
    assert host.pid("c")
    host.converge("c", state="stopped")
    assert "it does not run" in host.failure("run", "-d", "--requires", "c", host.busybox, "true", code=125)


def test_boot_keeps_the_order(host: Host) -> None:
    """After a boot each runs and was started after those it depends on; the others did not wait for that."""
    host.network()
    chain(host, restart_policy="always", networks=[{"name": "front"}])
    for number in range(8):
        host.run(name=f"free{number}", restart_policy="always", networks=[{"name": "front"}])
    assert supervise.shutdown(host.layout) == []
    assert supervise.boot(host.layout) == []
    moments = began(host, "c", "b", "a")
    assert moments == sorted(moments)
    hosts = [host.ok("exec", name, "cat", "/etc/hosts") for name in ("c", "free0")]
    for name in ("a", "b", "c", *(f"free{number}" for number in range(8))):
        assert all(name in each.split() for each in hosts)


def test_one_that_fails_holds_up_only_those_that_depend_on_it(host: Host, tmp_path: Path) -> None:
    """They are told of with the name of the one that does not run; when that can run again, a boot starts all."""
    volume = tmp_path / "volume"
    volume.mkdir()
    host.run(name="broken", restart_policy="always", volumes=[f"{volume}:/volume"])
    host.run(name="a-needs", restart_policy="always", depends_on=["broken"])
    host.run(name="b-needs", restart_policy="always", depends_on=["a-needs"])
    host.run(name="free", restart_policy="always")
    supervise.shutdown(host.layout)
    volume.rmdir()
    lines = supervise.boot(host.layout)
    assert len(lines) == 3
    assert f"there is no {volume}" in lines[0]
    assert lines[1:] == [
        f"cannot start container {name}: container {other}, on which it depends, does not run; start that first"
        for name, other in (("a-needs", "broken"), ("b-needs", "a-needs"))
    ]
    assert host.pid("free")
    kept = container_state.status(host.layout, host.observed("a-needs").id or "")
    assert "container broken, on which it depends" in kept.error
    volume.mkdir()
    assert supervise.boot(host.layout) == []
    assert all(map(host.pid, ("broken", "a-needs", "b-needs", "free")))


def test_one_that_is_not_to_run_is_not_started_for_others(host: Host) -> None:
    """A boot starts nothing that somebody has stopped or that has no policy: who depends on it is told so."""
    host.run(name="db", restart_policy="unless-stopped")
    host.run(restart_policy="always", depends_on=["db"])
    host.converge("db", state="stopped")
    supervise.shutdown(host.layout)
    (line,) = supervise.boot(host.layout)
    assert "container db, on which it depends, does not run" in line
    assert (host.pid("db"), host.pid()) == (0, 0)
    host.ok("rm", "db")
    (line,) = supervise.boot(host.layout)
    assert "there is no container db, on which it depends" in line


def test_shutdown_ends_them_the_other_way_round(host: Host) -> None:
    """Each has ended when the one that it depends on is asked to, and has its own time for that."""
    script = "trap 'sleep 0.3; exit' TERM; echo set; while :; do sleep 0.02; done"
    for name, needs in (("c", []), ("b", ["c"]), ("a", ["b"])):
        container = host.shell(script, name, depends_on=needs, restart_policy="always")
        wait(lambda: host.log(container) == "set\n")  # noqa: B023 - it is waited for within the turn
        host.converge(name, stop_timeout=5)
    assert supervise.shutdown(host.layout) == []
    ends = {name: container_state.status(host.layout, host.observed(name).id or "") for name in "abc"}
    assert ends["b"].finished_at - ends["a"].finished_at >= 0.25
    assert ends["c"].finished_at - ends["b"].finished_at >= 0.25
    assert [each.exit_code for each in ends.values()] == [0, 0, 0]


def test_a_name_that_others_depend_on_stays(host: Host) -> None:
    """A container keeps the name by which another depends on it."""
    chain(host)
    with pytest.raises(Failure, match="container a depends on it by this name"):
        container_rename.rename(host.layout, "b", "d")
    container_rename.rename(host.layout, "a", "d")
    assert os.path.lexists(host.layout.name("d"))
