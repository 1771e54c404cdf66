# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limits do to programs that run while they are set."""
from __future__ import annotations

import os
import re
import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import Group
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, proc_status, snapshot, wait
from ansible_collections.pycontainers.linux.tests.kernel.limit_bench import (
    busy_seconds,
    in_kernel,
    limit,
    offered,
    short_of_processors,
    usage,
)

MIB = 1 << 20
BUSY = "while :; do :; done"


def test_memory_above_high_is_got_back_and_nobody_killed(host: Host) -> None:
    """A program above memory_high goes on, and the kernel counts how often it had to be slowed down."""
    host.shell("while :; do head -c 20000000 /dev/zero | tail -c 19000000 > /dev/null; sleep 0.1; done")
    if not offered(host, "memory_high"):
        with pytest.raises(InvalidValue, match="cgroup version 1 has no such limit"):
            limit(host, memory_high="4m")
        return
    limit(host, memory_high="4m")
    wait(lambda: usage(host)["memory_events"]["high"] > 0)
    assert usage(host)["memory_events"]["oom_kill"] == 0
    assert host.pid()


def test_all_end_together_with_oom_group(host: Host) -> None:
    """When memory runs out with oom_group all processes are killed, without it the one that took it."""
    if cgroups.cgroups().version == 1:
        host.run()
        with pytest.raises(InvalidValue, match="cgroup version 1 has no such limit"):
            limit(host, oom_group=True)
        return
    script = "sleep 1000 & dd if=/dev/zero of=/dev/null bs=200M count=1; echo survived; sleep 1000"
    container = host.shell(script, memory="32m")
    wait(lambda: "survived" in host.log(container))
    container = host.shell(f"sleep 0.2; {script}", name="other", memory="32m", oom_group=True)
    host.ended(container)
    assert "survived" not in host.log(container)


def test_who_asks_for_too_much_waits_without_the_killer(host: Host) -> None:
    """When memory runs out nobody is killed; the program goes on as soon as there is more. It is switched live."""
    if cgroups.cgroups().version == 2:
        host.run()
        with pytest.raises(InvalidValue, match="cgroup version 2 has no such limit"):
            limit(host, oom_killer=True)
        return
    # Who asks by a system call is told that there is none; who touches a page waits.
    script = """sleep 0.2; awk 'BEGIN { s = "x"; for (i = 0; i < 25; i++) s = s s; print "done" }'; sleep 1000"""
    container = host.shell(script, memory="16m", oom_killer=True)
    control = Path("/sys/fs/cgroup/memory", container_state.cgroup(container), "memory.oom_control")
    wait(lambda: "under_oom 1" in control.read_text())
    assert host.log(container) == ""
    assert "oom_kill 0" in control.read_text()
    assert limit(host, memory="128m").changed
    wait(lambda: host.log(container) == "done\n")
    assert "oom_kill 0" in control.read_text()
    pid = host.pid()
    assert [each.path for each in host.converge(oom_killer=False).changes] == ["oom_killer"]
    assert "oom_kill_disable 0" in control.read_text()
    assert host.pid() == pid


def test_shares_decide_who_gets_more(host: Host) -> None:
    """Of two busy programs on one processor the one with sixteen times the shares gets most; idle ones get least."""
    cpu = str(min(os.sched_getaffinity(0)))
    for name in ("a", "b"):
        host.shell(BUSY, name=name)
        os.sched_setaffinity(host.pid(name), {int(cpu)})
    for values in ({"a": {"cpu_shares": 1600}, "b": {"cpu_shares": 100}}, {"a": {}, "b": {"cpu_idle": True}}):
        for name, said in values.items():
            limit(host, name, **said)
        before = {name: busy_seconds(host.pid(name)) for name in values}
        time.sleep(1.5)
        used = {name: busy_seconds(host.pid(name)) - before[name] for name in values}
        assert used["a"] > 3 * used["b"], used
    assert in_kernel(host, "cpu_shares", name="b") == {"cpu_shares": 100}
    limit(host, "b", cpu_idle=False)
    assert in_kernel(host, "cpu_shares", "cpu_idle", name="b") == {"cpu_shares": 100, "cpu_idle": False}


def test_a_quota_is_processors_of_a_period(host: Host) -> None:
    """A quota of its own period throttles, is the same as cpus, and stays in its period when cpus change."""
    host.shell(BUSY, cpu_quota=5000, cpu_period=50000)
    wait(lambda: usage(host)["cpu_throttled"] > 0)
    assert in_kernel(host, "cpus", "cpu_period") == {"cpus": 100_000_000, "cpu_period": 50000}
    assert not host.converge(cpus="0.1").changed
    assert not limit(host, cpu_quota=5000).changed
    assert limit(host, cpus="0.2", cpu_burst=3000).changed
    assert in_kernel(host, "cpus", "cpu_period", "cpu_burst") == {
        "cpus": 200_000_000, "cpu_period": 50000, "cpu_burst": 3000,
    }  # fmt: skip
    # A burst that no longer fits goes with the quota in one task, in the order that the kernel takes.
    assert limit(host, cpus="0.04", cpu_burst=0).changed
    assert not host.converge().changed
    limit(host, state="absent")
    assert in_kernel(host, "cpus", "cpu_period", "cpu_burst") == {"cpus": -1, "cpu_period": 100000, "cpu_burst": 0}


def test_a_burst_is_let_pass(host: Host) -> None:
    """A program that is idle most of the time runs past its quota as far as cpu_burst says, and else is held back."""
    host.shell("while :; do sleep 0.4; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done", cpus="0.1")
    group = Group(cgroups.cgroups(), container_state.cgroup(host.observed("c")))
    file = "cpu.stat" if group.groups.version == 2 else "cpu/cpu.stat"

    def bursts() -> int:
        return int(dict(line.split() for line in group.text(file).splitlines())["nr_bursts"])

    wait(lambda: usage(host)["cpu_throttled"] > 0)
    assert bursts() == 0
    limit(host, cpu_burst=10000)
    wait(lambda: bursts() > 0)
    limit(host, cpu_burst=0)
    before = bursts(), usage(host)["cpu_throttled"]
    wait(lambda: usage(host)["cpu_throttled"] > before[1])
    assert bursts() == before[0]


def test_memory_and_swap_go_together(host: Host) -> None:
    """Both are raised and lowered in one task whichever way, and swap has no limit without memory."""
    host.run()
    if not offered(host, "memory_swap"):
        return
    for memory, both in (("64m", "96m"), ("128m", "160m"), ("32m", "48m"), ("40m", "40m")):
        limit(host, memory=memory, memory_swap=both)
        found = in_kernel(host, "memory", "memory_swap")
        assert found == {"memory": int(memory[:-1]) * MIB, "memory_swap": int(both[:-1]) * MIB}
        assert not host.converge(memory=memory, memory_swap=both).changed
    limit(host, memory="24m")
    assert in_kernel(host, "memory", "memory_swap") == {"memory": 24 * MIB, "memory_swap": 40 * MIB}
    with pytest.raises(InvalidValue, match="above memory_swap"):
        limit(host, memory="64m")
    limit(host, memory="max")
    assert in_kernel(host, "memory", "memory_swap") == {"memory": -1, "memory_swap": -1}
    assert not host.converge().changed
    with pytest.raises(InvalidValue, match="which has no limit; set memory too"):
        limit(host, memory_swap="64m")


@pytest.fixture
def node(host: Host, tmp_path: Path) -> Iterator[str]:
    """Give a block device that nobody else uses."""
    image = tmp_path / "disk"
    image.write_bytes(b"\0" * (4 * MIB))
    found = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True).stdout
    yield found.strip()
    host.converge(state="absent", stop_timeout=0)
    subprocess.run(["losetup", "--detach", found.strip()], check=True)


def test_a_device_is_held_to_a_rate(host: Host, node: str) -> None:
    """What a program reads and writes of a disk takes as long as its rate says, until the rate is cleared."""
    host.run(devices=[node])
    read, write = f"if={node} of=/dev/null iflag=direct", f"if=/dev/zero of={node} oflag=direct"
    for option, words in (("device_read_bps", read), ("device_write_bps", write)):
        rate: dict[str, Any] = {option: [{"path": node, "rate": "512k"}]}
        assert limit(host, **rate).changed
        began = time.monotonic()
        host.ok("exec", "c", "sh", "-c", f"dd {words} bs=64k count=16 2>/dev/null")
        # A megabyte at half a megabyte a second, but for what the kernel lets pass at first.
        assert time.monotonic() - began > 1
        none: dict[str, Any] = {option: []}
        limit(host, **none)
        assert in_kernel(host, option) == {option: ()}
    limit(host, device_read_iops=[{"path": node, "rate": 10}], device_write_iops=[{"path": node, "rate": 20}])
    began = time.monotonic()
    host.ok("exec", "c", "sh", "-c", f"dd {read} bs=4k count=20 2>/dev/null")
    assert time.monotonic() - began > 1
    assert in_kernel(host, "device_read_iops", "device_write_iops") == {
        "device_read_iops": ((node, 10),), "device_write_iops": ((node, 20),),
    }  # fmt: skip


def test_other_devices_can_be_allowed_live(host: Host, node: str) -> None:
    """A device that a rule names can be written to from then on, until the rules are none again."""
    host.run(devices=[f"{node}:/dev/disk:r"])
    pid, write = host.pid(), ("exec", "c", "sh", "-c", "echo > /dev/disk")
    assert "Operation not permitted" in host.cli(*write).stderr
    there = os.stat(node).st_rdev
    rule = f"b {os.major(there)}:{os.minor(there)} w"
    assert limit(host, device_cgroup_rules=[rule]).changed
    assert not limit(host, device_cgroup_rules=[rule]).changed
    assert host.cli(*write).returncode == 0
    assert host.converge(device_cgroup_rules=[]).changed
    assert "Operation not permitted" in host.cli(*write).stderr
    assert host.pid() == pid
    host.converge(device_cgroup_rules=[rule])
    host.converge(state="stopped")
    host.converge(state="started")
    assert host.cli(*write).returncode == 0
    assert limit(host, state="absent").changed
    assert "Operation not permitted" in host.cli(*write).stderr


def test_a_paused_container_stands_still(host: Host) -> None:
    """A paused program does nothing and has its pid; a stop ends it all the same, and what is started then runs."""
    host.shell("while :; do echo; sleep 0.01; done")
    pid = host.pid()
    assert host.converge(paused=True).actions[:1] == (f"pause cgroup pycontainers/{host.observed().id}",)

    def moved() -> bool:
        before = busy_seconds(pid), host.log(host.observed())
        time.sleep(0.2)
        return (busy_seconds(pid), host.log(host.observed())) != before

    wait(lambda: not moved())  # The logger may still have had something of before.
    assert host.pid() == pid
    host.converge(state="stopped")
    host.converge(state="started")
    assert in_kernel(host, "paused") == {"paused": False}
    assert limit(host, paused=True).changed
    assert limit(host, paused=False).changed
    lines = len(host.log(host.observed()))
    wait(lambda: len(host.log(host.observed())) > lines)


def test_ulimits_change_in_all_processes(host: Host) -> None:
    """Every process has the new limits, and so has what is executed later; the container keeps its pid."""
    container = host.shell("sleep 1000 & sleep 1000", ulimits=["nofile:100:200"])
    pid = host.pid()
    wait(lambda: len(cgroups.members(cgroups.cgroups(), container_state.cgroup(container))) == 2)
    members = cgroups.members(cgroups.cgroups(), container_state.cgroup(container))
    told = host.converge(check=True, ulimits=["nofile:50:150", "core:0"])
    done = host.converge(ulimits=["nofile:50:150", "core:0"])
    assert (told.changes, told.actions) == (done.changes, done.actions)
    assert not host.converge(ulimits=["nofile:50:150", "core:0"]).changed
    for each in members:
        assert resource.prlimit(each, resource.RLIMIT_NOFILE) == (50, 150)
        assert resource.prlimit(each, resource.RLIMIT_CORE) == (0, 0)
    assert host.ok("exec", "c", "sh", "-c", "ulimit -n; ulimit -Hn") == "50\n150\n"
    assert host.pid() == pid


def test_a_hard_limit_that_can_not_be_raised_changes_nothing(host: Host) -> None:
    """Where the kernel refuses to raise a limit, the others that were to change are as before, and it is said why."""
    host.run(ulimits=["nofile:100:200"], memory="64m")
    before = snapshot(host.layout)
    if _may_raise():
        assert host.converge(ulimits=["nofile:100:300"]).changed
        return
    with pytest.raises(Failure, match="Operation not permitted; this takes CAP_SYS_RESOURCE"):
        host.converge(ulimits=["core:0", "nofile:100:300"], memory="32m")
    assert snapshot(host.layout) == before
    assert resource.prlimit(host.pid(), resource.RLIMIT_NOFILE) == (100, 200)
    assert in_kernel(host, "memory") == {"memory": 64 * MIB}


def _may_raise() -> bool:
    return bool(int(proc_status("self")["CapEff"], 16) >> 24 & 1)


def test_the_oom_score_changes_in_all_processes(host: Host) -> None:
    """Every process has the new score and the same pid; none is 0."""
    host.shell("sleep 1000 & sleep 1000")
    pid = host.pid()
    for score in (500, 600, 0):
        assert host.converge(oom_score_adj=score).changed
        assert not host.converge(oom_score_adj=score).changed
        for each in cgroups.members(cgroups.cgroups(), container_state.cgroup(host.observed())):
            assert Path(f"/proc/{each}/oom_score_adj").read_text() == f"{score}\n"
    assert host.pid() == pid


def test_several_limits_are_set_or_none(host: Host) -> None:
    """When the kernel refuses one of several limits those before it are as they were, and so is the record."""
    host.run(memory="64m", cpus="0.5")
    before = snapshot(host.layout)
    if cgroups.cgroups().version == 2:
        # There a group may have more than the one above, and what the kernel would refuse is known before.
        with pytest.raises(InvalidValue):
            limit(host, memory="32m", cpus=1, cpu_shares=7, cpuset_cpus="4000", pids_limit=9)
    else:
        with short_of_processors("pycontainers"), pytest.raises(Failure, match="cannot set cpus to 1"):
            limit(host, memory="32m", cpus=1, cpu_shares=7, pids_limit=9)
    after = snapshot(host.layout)
    assert after["files"] == before["files"]
    found = in_kernel(host, "memory", "cpus", "cpu_shares", "pids_limit")
    assert found == {"memory": 64 * MIB, "cpus": 500_000_000, "cpu_shares": -1, "pids_limit": -1}


def test_memory_in_use_is_reclaimed_when_asked(host: Host, tmp_path: Path) -> None:
    """Without reclaim a limit below what is in use fails with both numbers; with it the page cache makes room."""
    image, disk = tmp_path / "image", tmp_path / "disk"
    disk.mkdir()
    # All of it, so that none of the image itself is the container's memory where files are in memory.
    image.write_bytes(b"\0" * (64 * MIB))
    subprocess.run(["mkfs.ext4", "-q", "-E", "nodiscard", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, disk], check=True)
    try:
        script = "head -c 30000000 /dev/zero > /disk/file; sync; echo full; sleep 1000"
        container = host.shell(script, volumes=[f"{disk}:/disk"])
        wait(lambda: "full" in host.log(container))
        pid = host.pid()
        with pytest.raises(Failure, match=rf"memory to {16 * MIB}: \d+ bytes are in use; .*, or use reclaim"):
            limit(host, memory="16m")
        assert in_kernel(host, "memory") == {"memory": -1}
        assert limit(host, memory="16m", reclaim=True).changed
        assert (in_kernel(host, "memory"), host.pid()) == ({"memory": 16 * MIB}, pid)
        assert usage(host)["memory"] <= 16 * MIB
    finally:
        host.converge(state="absent", stop_timeout=0)
        subprocess.run(["umount", disk], check=True)


def test_memory_that_nobody_gives_back(host: Host) -> None:
    """What can't be reclaimed within the time fails with both numbers, the limit stays, and nobody is killed."""
    script = "head -c 20000000 /dev/zero | tail -c 19000000 > /dev/shm/kept; echo full; sleep 1000"
    container = host.shell(script, memory="64m")
    wait(lambda: "full" in host.log(container))
    pid = host.pid()
    with pytest.raises(Failure) as caught:
        limit(host, memory="8m", reclaim=True, reclaim_timeout=1)
    used = re.search(r"(\d+) bytes are in use", str(caught.value))
    assert used is not None
    assert int(used[1]) > 16 * MIB
    assert str(8 * MIB) in str(caught.value)
    assert (in_kernel(host, "memory"), host.pid()) == ({"memory": 64 * MIB}, pid)
    assert usage(host)["memory_events"]["oom_kill"] == 0
