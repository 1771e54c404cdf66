# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens without a task: programs end and are started again, the host boots and shuts down."""
from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups, links, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_state,
    firewall,
    restart_policy,
    supervise,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_state import Status
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, processes, wait


def test_the_delay_doubles_from_a_tenth_of_a_second_to_a_minute() -> None:
    """The delays before restarts in a row are Docker's."""
    delays = [restart_policy.delay(count) for count in (0, 1, 2, 3, 9, 10, 100, 10**9)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 51.2, 60, 60, 60]


@pytest.mark.parametrize(
    ("policy", "retries", "wanted", "count", "code", "again"),
    [
        (None, None, "running", 0, 1, False),
        ("no", None, "running", 0, 1, False),
        ("always", None, "running", 99, 0, True),
        ("always", None, "stopped", 0, 1, False),
        ("unless-stopped", None, "running", 99, 0, True),
        ("unless-stopped", None, "stopped", 0, 1, False),
        ("on-failure", None, "running", 99, 1, True),
        ("on-failure", None, "running", 0, 0, False),
        ("on-failure", 3, "running", 2, 137, True),
        ("on-failure", 3, "running", 3, 137, False),
        ("on-failure", 3, "stopped", 0, 137, False),
    ],
)
def test_policies_at_the_end_of_a_program(
    policy: str | None, retries: int | None, wanted: str, count: int, code: int, again: bool
) -> None:
    """Each policy starts again what Docker's of its name does."""
    container = Container(name="c", restart_policy=policy, restart_retries=retries)
    assert restart_policy.restarts(container, wanted, count, code) is again


@pytest.mark.parametrize(
    ("policy", "wanted", "started"),
    [
        (None, "running", False),
        ("no", "running", False),
        ("always", "running", True),
        ("always", "stopped", True),
        ("unless-stopped", "running", True),
        ("unless-stopped", "stopped", False),
        ("on-failure", "running", True),
        ("on-failure", "stopped", False),
    ],
)
def test_policies_at_boot(policy: str | None, wanted: str, started: bool) -> None:
    """At boot each policy starts what Docker's of its name does when its daemon starts."""
    assert restart_policy.boots(Container(name="c", restart_policy=policy), Status(wanted=wanted)) is started


def test_a_good_run_begins_the_delay_anew() -> None:
    """After ten seconds a run was a good one, and restarts before it do not count; the date does not matter."""
    status = Status(started_at=1e12, started_clock=1000.0, restarts=9, in_a_row=7)
    assert [restart_policy.in_a_row(status, now) for now in (1009.9, 1010.0)] == [7, 0]


def status_of(host: Host, container: Container) -> Status:
    """What has become of it."""
    return container_state.status(host.layout, container.id or "")


def killed(host: Host, name: str = "c") -> int:
    """Kill the program from outside and wait until another runs; return that one's pid."""
    pid = host.pid(name)
    os.kill(pid, signal.SIGKILL)
    wait(lambda: host.pid(name) not in (0, pid))
    return host.pid(name)


@pytest.mark.parametrize("policy", ["always", "unless-stopped", "on-failure"])
def test_a_killed_program_comes_back(host: Host, policy: str) -> None:
    """A program that was killed runs again with the same files, address and limits."""
    host.network()
    container = host.shell(
        "echo run >> /runs; cat /runs; sleep 1000", restart_policy=policy, networks=[{"name": "front"}], memory="32m"
    )
    wait(lambda: host.log(container) == "run\n")
    killed(host)
    assert host.observed() == container
    wait(lambda: host.log(container) == "run\n" * 3)
    assert status_of(host, container).restarts == 1


def test_the_policy_no_leaves_it_ended(host: Host) -> None:
    """Without a policy a killed program stays away, and nothing of it is left in the kernel."""
    container = host.run()
    os.kill(host.pid(), signal.SIGKILL)
    assert host.ended(container).exit_code == 137
    assert (host.observed().state, host.observed().remains) == ("stopped", ())


def test_on_failure_leaves_a_good_end(host: Host) -> None:
    """A program that ends with status 0 is not started again on failure."""
    container = host.shell("exit 0", restart_policy="on-failure")
    assert host.ended(container).restarts == 0


def test_on_failure_gives_up(host: Host) -> None:
    """After as many restarts as allowed, a failing program stays ended with its last status."""
    container = host.shell("echo run; exit 3", restart_policy="on-failure", restart_retries=2)
    status = host.ended(container)
    assert host.log(container) == "run\n" * 3
    assert (status.restarts, status.exit_code, status.wanted) == (2, 3, "stopped")


def test_on_failure_counts_all_restarts(host: Host) -> None:
    """A good run between two failures gives no new restarts, as with Docker; whoever starts the container does."""
    container = host.run(restart_policy="on-failure", restart_retries=1)
    for _ in range(2):
        identity, status = container.id or "", status_of(host, container)
        longer = replace(status, started_at=status.started_at - 100, started_clock=status.started_clock - 100)
        container_state.set_status(host.layout, identity, longer)
        if not status.restarts:
            killed(host)
    os.kill(host.pid(), signal.SIGKILL)
    status = host.ended(container)
    assert (status.restarts, status.in_a_row, status.wanted) == (1, 0, "stopped")
    host.converge(state="started")
    assert status_of(host, container).restarts == 0
    killed(host)


def test_a_crash_loop_slows_down(host: Host) -> None:
    """A program that ends at once is started 0.1, 0.2, 0.4, … seconds after each end."""
    container = host.shell("cat /proc/uptime; exit 1", restart_policy="always")
    wait(lambda: len(host.log(container).splitlines()) >= 4)
    moments = [float(line.split()[0]) for line in host.log(container).splitlines()[:4]]
    gaps = [second - first for first, second in itertools.pairwise(moments)]
    assert all(gap >= least for gap, least in zip(gaps, (0.1, 0.2, 0.4), strict=True)), gaps
    host.converge(state="stopped")
    assert host.observed().remains == ()


def test_between_two_runs_it_is_started_and_can_be_stopped(host: Host) -> None:
    """While it waits for a restart it counts as started; a stop then leaves no process, and it stays stopped."""
    container = host.shell("exit 1", restart_policy="always")
    wait(lambda: status_of(host, container).restarts >= 3 and not host.pid())
    assert not host.converge().changed
    assert not host.converge(memory="max", check=True).changed
    wait(lambda: [line[:11] for line in processes(host.layout)] == ["sh -c sleep"])
    host.converge(state="stopped")
    assert processes(host.layout) == []
    assert host.observed().remains == ()
    before = host.log(container)
    time.sleep(1)
    assert host.log(container) == before
    assert status_of(host, container).wanted == "stopped"


def test_a_late_record_is_no_good_run(host: Host) -> None:
    """How long a run took is told by when it ended, not by when somebody found the time to record that."""
    container = host.run(restart_policy="always")
    identity = container.id or ""
    ended = Path(host.layout.running(identity, "exit"))
    with container_state.lock(host.layout, "c"):
        before, pid = status_of(host, container), host.pid()
        os.kill(pid, signal.SIGKILL)
        wait(lambda: ended.exists() and ended.read_text().endswith("\n\n"))
        # As if all that had been a while ago: it ran for a second.
        long_ago = replace(before, started_clock=before.started_clock - 100, in_a_row=3)
        container_state.set_status(host.layout, identity, long_ago)
        os.utime(ended, times=(time.time() - 99, time.time() - 99))
    wait(lambda: status_of(host, container).restarts == 1)
    assert status_of(host, container).in_a_row == 4
    assert time.time() - status_of(host, container).finished_at > 90


def test_a_restart_after_a_stop_by_the_user_is_none(host: Host) -> None:
    """A container that was stopped stays so, though its program fails as it ends."""
    container = host.shell("trap 'exit 9' TERM; echo set; while :; do sleep 0.02; done", restart_policy="always")
    wait(lambda: host.log(container) == "set\n")
    host.converge(state="stopped", stop_timeout=5)
    assert status_of(host, container).exit_code == 9
    time.sleep(0.5)
    assert (host.pid(), processes(host.layout)) == (0, [])


def test_many_kills_in_a_row_lose_nothing(host: Host) -> None:
    """Stops at any moment of a crash loop leave neither a process nor anything in the kernel."""
    for number in range(12):
        container = host.shell("exit 1", restart_policy="always")
        time.sleep(0.017 * number)
        host.converge(state="stopped")
        assert (host.pid(), host.observed().remains) == (0, ())
        group = host.layout.container(container.id or "")
        assert [line for line in processes(host.layout) if group in line] == []


def test_what_fails_at_the_end_is_told(host: Host) -> None:
    """When the end can't be handled, the container's status and what logs says on stderr say why."""
    container = host.run(restart_policy="always")
    config = Path(host.layout.container(container.id or "", "config.json"))
    config.unlink()
    os.kill(host.pid(), signal.SIGKILL)
    host.ended(container)
    assert "its bundle has no config.json" in host.complaints(container)
    assert "its bundle has no config.json" in status_of(host, container).error
    assert host.complaints(container).count("\n") == 1
    assert host.log(container) == ""
    assert "at the end of a run: " in host.cli("logs", "c").stderr


def test_a_lost_runtime_is_told(host: Host) -> None:
    """When the runtime is gone that a waiter calls, that is kept, and logs says so on stderr."""
    container = host.run()
    current = Path(host.layout.runtimes, "current")
    target = os.readlink(current)
    current.unlink()
    os.kill(host.pid(), signal.SIGKILL)
    wait(lambda: lifecycle.waiter(host.layout, container.id or "") is None)
    current.symlink_to(target)
    assert "No such file" in host.complaints(container)
    assert "No such file" in host.cli("logs", "c").stderr


def reboot(host: Host) -> None:
    """End and forget all that a reboot of the host ends: processes, mounts, links, firewall, cgroups, /run."""
    for identity in container_state.identities(host.layout):
        lifecycle.stop(host.layout, identity, signal.SIGKILL, 5)
        merged = host.layout.container(identity, "merged")
        if os.path.ismount(merged):
            syscalls.umount(merged)
        if os.path.exists(host.layout.netns(identity)):
            syscalls.umount(host.layout.netns(identity), syscalls.MNT_DETACH)
        container = container_state.load(host.layout, identity)
        if container:
            cgroups.remove(cgroups.cgroups(), container_state.cgroup(container))
    for name, link in links.links().items():
        if link.kind in ("bridge", "veth"):
            subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    shutil.rmtree(host.layout.run)


def declared(host: Host, name: str, **values: Any) -> Container:
    """Start a container on the network."""
    return host.run(name=name, networks=[{"name": "front"}], **values)


@pytest.mark.parametrize("how", ["shutdown", "power cut"])
def test_a_boot_brings_back_what_should_run(host: Host, how: str) -> None:
    """After a boot, networks are there, and what ran with a policy runs: same id, same address, same ports, limits."""
    host.network()
    before = {
        name: declared(host, name, restart_policy=policy, published_ports=[f"{port}:80"], memory="32m")
        for name, policy, port in (
            ("always", "always", 8081),
            ("stopped-always", "always", 8082),
            ("unless", "unless-stopped", 8083),
            ("stopped-unless", "unless-stopped", 8084),
            ("no", "no", 8085),
        )
    }
    for name in ("stopped-always", "stopped-unless"):
        host.converge(name, state="stopped")
    ports = firewall.read_ports()
    if how == "shutdown":
        assert supervise.shutdown(host.layout) == []
        assert firewall.read_ports() == {}
    reboot(host)
    assert [host.observed(name).state for name in before] == ["stopped"] * 5
    result = host.cli("boot")
    assert (result.returncode, result.stderr) == (0, "")
    after = {name: host.observed(name) for name in before}
    assert {name for name in after if after[name].state == "started"} == {"always", "stopped-always", "unless"}
    for name in ("always", "unless"):
        assert after[name] == before[name]
    assert {key: value for key, value in firewall.read_ports().items() if key[2] != 8082} == {
        key: value for key, value in ports.items() if key[2] not in (8082, 8085)
    }
    assert host.cli("boot").returncode == 0
    assert status_of(host, after["no"]).wanted == "stopped"


def test_what_on_failure_starts_at_boot(host: Host) -> None:
    """What ran when the host went down, however it ended then; nothing that somebody has stopped, or that has ended."""
    well = "trap 'exit 0' TERM; touch /ready; while :; do sleep 0.01; done"
    policy: dict[str, Any] = {"restart_policy": "on-failure", "stop_timeout": 10}
    for name in ("shut-well", "stopped-well"):
        host.shell(well, name=name, **policy)
    for name in ("shut-badly", "stopped-badly"):
        host.run(name=name, **policy | {"stop_timeout": 0})
    ends = {"done": ("exit 0", 0), "given-up": ("exit 3", 1)}
    for name, (script, retries) in ends.items():
        host.ended(host.shell(script, name=name, restart_retries=retries, **policy))
    for name in ("shut-well", "stopped-well"):
        wait(partial(os.path.exists, f"/proc/{host.pid(name)}/root/ready"))
    host.converge("stopped-well", state="stopped")
    host.ok("kill", "stopped-badly")
    host.ended(host.observed("stopped-badly"))
    assert supervise.shutdown(host.layout) == []
    codes = {name: container_state.status(host.layout, host.observed(name).id or "").exit_code for name in
             ("shut-well", "shut-badly", "stopped-well", "stopped-badly")}  # fmt: skip
    assert codes == {"shut-well": 0, "shut-badly": 137, "stopped-well": 0, "stopped-badly": 137}
    assert supervise.boot(host.layout) == []
    assert {name for name in (*codes, *ends) if host.pid(name)} == {"shut-well", "shut-badly"}


def test_one_that_does_not_boot_holds_up_no_other(host: Host, tmp_path: Path) -> None:
    """A container that can't be started is told of, with its status, and the others are started."""
    volume = tmp_path / "volume"
    volume.mkdir()
    broken = host.run(name="a-broken", restart_policy="always", volumes=[f"{volume}:/volume"])
    damaged = host.run(name="b-damaged", restart_policy="always")
    host.run(name="c-good", restart_policy="always")
    supervise.shutdown(host.layout)
    volume.rmdir()
    record = Path(container_state.record_path(host.layout, damaged.id or ""))
    text = record.read_text()
    record.write_text("{")
    reboot_result = host.cli("boot")
    record.write_text(text)
    assert reboot_result.returncode == 1
    lines = reboot_result.stderr.splitlines()
    assert len(lines) == 2
    assert f"there is no {volume}" in lines[0]
    assert "it is not JSON" in lines[1]
    assert host.pid("c-good")
    assert str(volume) in status_of(host, broken).error
    volume.mkdir()


def test_shutdown_keeps_what_should_run(host: Host) -> None:
    """A shutdown stops all, also what waits for a restart, and leaves nothing; stopped ones stay stopped."""
    running = host.run(name="running")
    crashing = host.shell("exit 1", "crashing", restart_policy="always")
    stopped = host.run(name="stopped")
    host.converge("stopped", state="stopped")
    wait(lambda: status_of(host, crashing).restarts >= 2)
    assert supervise.shutdown(host.layout) == []
    wait(lambda: processes(host.layout) == [])
    assert [host.observed(name).remains for name in ("running", "crashing", "stopped")] == [()] * 3
    assert [status_of(host, each).wanted for each in (running, crashing, stopped)] == ["running", "running", "stopped"]


def test_shutdown_stops_all_at_the_same_time(host: Host) -> None:
    """Containers that take their time to end do so side by side."""
    for number in range(4):
        container = host.shell(
            "trap '' TERM; echo set; while :; do sleep 0.02; done", f"slow{number}", restart_policy="always"
        )
        wait(partial(_has_set_its_trap, host, container))
        host.converge(f"slow{number}", stop_timeout=1)
    began = time.monotonic()
    assert supervise.shutdown(host.layout) == []
    assert time.monotonic() - began < 4


def _has_set_its_trap(host: Host, container: Container) -> bool:
    return host.log(container) == "set\n"


def test_a_record_of_another_format_is_named(host: Host) -> None:
    """A container whose record a newer version has written is left alone and told of."""
    container = host.run()
    host.converge(state="stopped")
    record = Path(container_state.record_path(host.layout, container.id or ""))
    text = record.read_text()
    record.write_text(text.replace('"format": 1', '"format": 2'))
    found, failures = supervise.named(host.layout)
    record.write_text(text)
    assert found == []
    assert len(failures) == 1
    assert "another version of pycontainers wrote it" in failures[0]
