# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb ``update``: limits and restart policies, changed while containers run."""
from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import UNLIMITED
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, limits
from ansible_collections.pycontainers.linux.tests.kernel.cli_bench import failure, ok
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot, wait


def in_kernel(host: Host, name: str = "c") -> tuple[int, int, int]:
    """A container's memory, processors and processes as the kernel limits them."""
    found = limits.observe_limits(cgroups.cgroups(), container_state.cgroup(host.observed(name)))
    return found["memory"], found["cpus"], found["pids_limit"]


def test_limits_of_several_containers(host: Host) -> None:
    """They change while the programs run, last over a restart, and -1 or max clears one; others stay."""
    identity = host.run(name="one", memory="64m", pids_limit=30).id or ""
    host.run(name="two")
    pids = host.pid("one"), host.pid("two")
    said = host.ok("update", "-m", "32m", "--cpus", "0.5", identity[:8], "two")
    assert said == f"{identity[:8]}\ntwo\n"
    assert in_kernel(host, "one") == (32 << 20, 500_000_000, 30)
    assert in_kernel(host, "two") == (32 << 20, 500_000_000, UNLIMITED)
    assert ok(host, "update", "--memory=-1", "--pids-limit", "-1", "--cpus", "max", "one") == "one\n"
    assert in_kernel(host, "one") == (UNLIMITED,) * 3
    assert (host.pid("one"), host.pid("two")) == pids
    host.ok("restart", "-t", "0", "two")
    assert in_kernel(host, "two") == (32 << 20, 500_000_000, UNLIMITED)


def test_a_stopped_container(host: Host) -> None:
    """Its limits hold from its next start on."""
    host.run()
    host.converge(state="stopped")
    ok(host, "update", "--memory", "32m", "c")
    host.converge(state="started")
    assert in_kernel(host) == (32 << 20, UNLIMITED, UNLIMITED)


def test_restart_policies(host: Host) -> None:
    """A policy counts at the next end of the program, and a new one has no retries of the old."""
    container = host.run(restart_policy="on-failure", restart_retries=3)
    pid = host.pid()
    ok(host, "update", "--restart", "always", "c")
    assert (host.observed().restart_policy, host.observed().restart_retries) == ("always", 0)
    assert host.pid() == pid
    os.kill(pid, signal.SIGKILL)
    wait(lambda: host.pid() not in (0, pid))
    ok(host, "update", "--restart", "on-failure:5", "--memory", "32m", "c")
    assert (host.observed().restart_policy, host.observed().restart_retries) == ("on-failure", 5)
    assert in_kernel(host) == (32 << 20, UNLIMITED, UNLIMITED)
    ok(host, "update", "--restart", "no", "c")
    os.kill(host.pid(), signal.SIGKILL)
    assert host.ended(container).exit_code == 137
    assert not host.converge(state="present", check=True).changed


def test_a_failure_holds_up_no_other(host: Host) -> None:
    """What can't be done to one is told, and done to the others; the exit status says that something failed."""
    full = host.shell("head -c 20000000 /dev/zero | tail -c 19000000 > /dev/shm/kept; echo full; sleep 1000", "full")
    wait(lambda: "full" in host.log(full))
    host.run()
    result = host.cli("update", "--memory", "8m", "nosuch", "full", "c")
    assert (result.returncode, result.stdout) == (1, "c\n")
    assert result.stderr.count("pycontainers: cannot ") == 2
    assert "bytes are in use" in result.stderr
    assert (in_kernel(host, "full")[0], in_kernel(host)[0]) == (UNLIMITED, 8 << 20)


def test_a_container_that_goes_when_it_ends(host: Host) -> None:
    """There is nothing of it to be restarted, so it takes no policy, and no limit with it; the policy no it has."""
    ok(host, "run", "-d", "--rm", "--name", "c", host.busybox, "sleep", "1000")
    said = failure(host, "update", "--restart", "always", "--memory", "32m", "c")
    assert "container c is removed when it ends" in said
    assert in_kernel(host)[0] == UNLIMITED
    ok(host, "update", "--restart", "no", "c")
    host.ok("stop", "-t", "0", "c")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--memory", "much"], "cannot use 'much' as memory"),
        (["--memory", "32m", "--pids-limit", "-2"], "as pids_limit"),
        (["--memory", "32m", "--restart", "often"], "cannot use 'often' as restart_policy"),
        (["--memory", "32m", "--restart", "on-failure:x"], "as restart_retries"),
        ([], "cannot update c: no option says what to change; give one, such as --memory 64m"),
    ],
)
def test_bad_values_change_nothing(host: Host, words: list[str], said: str) -> None:
    """They are refused before any container is touched."""
    host.run()
    before = snapshot(host.layout)
    assert said in failure(host, "update", *words, "c")
    assert snapshot(host.layout) == before


def test_every_limit_is_cleared_by_its_option(host: Host) -> None:
    """Words, lists, names with values and flags have a way to say that there is none."""
    host.run()
    rule = "c 10:229 rwm"
    ok(host, "update", "--cpu-idle", "--device-cgroup-rule", rule, "--cpu-shares", "512", "--paused", "c")
    found = host.observed()
    assert (found.cpu_idle, found.device_cgroup_rules, found.paused) == (True, (rule,), True)
    ok(host, "update", "--no-cpu-idle", "--device-cgroup-rule", "max", "--no-paused", "--device-read-bps", "max", "c")
    found = host.observed()
    assert (found.cpu_idle, found.device_cgroup_rules, found.paused) == (False, (), False)
    ok(host, "update", "--cpu-quota", "50000", "--hugetlb", "max", "c")
    assert host.observed().cpus == 500_000_000
