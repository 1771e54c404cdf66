# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits: what they do to programs, and ``cgroup_limit``, which changes them while those run."""
from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import UNLIMITED
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state, limits
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.cgroup_limit import (
    CGROUP_LIMIT,
    CgroupLimit,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot, wait

ALLOCATE = "dd if=/dev/zero of=/dev/null bs={} count=1"


def limit(host: Host, name: str = "c", check: bool = False, **values: Any) -> Outcome[CgroupLimit]:
    """Declare the limits of a container."""
    return converge(CGROUP_LIMIT, host.layout, parse(CgroupLimit, {"name": name, **values}), check)


def in_kernel(host: Host, *names: str) -> dict[str, Any]:
    """The container's limits as the kernel has them; those three that every host has, if no others are named."""
    found = limits.observe_limits(cgroups.cgroups(), container_state.cgroup(host.observed()))
    return {name: found[name] for name in names or ("memory", "cpus", "pids_limit")}


def test_a_program_above_its_memory_is_killed(host: Host) -> None:
    """What allocates more than the limit is killed, what stays below is not."""
    script = f"{ALLOCATE.format('8M')} 2>/dev/null && echo small; {ALLOCATE.format('200M')} 2>/dev/null; echo $?"
    assert host.said(script, memory="32m").splitlines()[-2:] == ["small", "137"]


def test_a_fork_above_the_number_of_processes_is_refused(host: Host) -> None:
    """The kernel refuses to fork when as many processes as allowed are there."""
    said = host.said("for n in 1 2 3 4 5 6 7 8; do sleep 30 & done; echo all; kill $(jobs -p)", pids_limit=5)
    assert "can't fork" in said
    assert host.said("for n in 1 2 3; do sleep 30 & done; echo all; kill $(jobs -p)", pids_limit=5) == "all\n"


def test_cpu_time_is_bounded(host: Host) -> None:
    """A busy program with a tenth of a processor gets about that, measured over more than a second."""
    container = host.shell("while :; do :; done", cpus="0.1")
    time.sleep(0.3)
    first, began = _cpu_seconds(host.pid()), time.monotonic()
    time.sleep(1.2)
    share = (_cpu_seconds(host.pid()) - first) / (time.monotonic() - began)
    assert 0.01 < share < 0.25
    assert container.cpus == 100_000_000


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_limits_are_set_changed_and_cleared(host: Host) -> None:
    """cgroup_limit sets, changes and clears limits of a running container, which goes on with the same pid."""
    host.run()
    pid = host.pid()
    for values, expected in (
        ({"memory": "64m", "cpus": 0.5, "pids_limit": 9}, (64 << 20, 500_000_000, 9)),
        ({"memory": "48m"}, (48 << 20, 500_000_000, 9)),
        ({"cpus": "max", "pids_limit": "unlimited"}, (48 << 20, UNLIMITED, UNLIMITED)),
        ({"state": "absent"}, (UNLIMITED, UNLIMITED, UNLIMITED)),
    ):
        told = limit(host, check=True, **values)
        done = limit(host, **values)
        assert (told.changes, told.actions) == (done.changes, done.actions)
        assert done.changed
        assert tuple(in_kernel(host).values()) == expected
        again = limit(host, **values)
        assert (again.changes, again.actions) == ((), ())
    assert host.pid() == pid


def test_limits_survive_a_restart_of_the_container(host: Host) -> None:
    """What cgroup_limit has set holds after a stop and a start, and so does that it was cleared."""
    host.run(memory="32m")
    limit(host, memory="64m", pids_limit=9)
    for expected in ((64 << 20, UNLIMITED, 9), (UNLIMITED, UNLIMITED, UNLIMITED)):
        host.converge(state="stopped")
        host.converge(state="started")
        assert tuple(in_kernel(host).values()) == expected
        limit(host, state="absent")


def test_a_stopped_container_is_limited_at_its_next_start(host: Host) -> None:
    """Limits of a stopped container are kept, and set when it starts."""
    host.run()
    host.converge(state="stopped")
    assert limit(host, memory="32m").changed
    assert not limit(host, memory="32m").changed
    host.converge(state="started")
    assert in_kernel(host)["memory"] == 32 << 20


def test_the_record_keeps_what_else_was_declared(host: Host) -> None:
    """A limit set while the kernel has lost other parts leaves those in the record, to be mended."""
    host.network()
    host.run(networks=[{"name": "front"}], published_ports=["8080:80"], memory="32m")
    name = "memory/memory.limit_in_bytes" if cgroups.cgroups().version == 1 else "memory.max"
    cgroups.write_file(cgroups.cgroups().file(container_state.cgroup(host.observed()), name), str(48 << 20))
    subprocess.run(["nft", "flush", "map", "inet", "pycontainers", "ports_any"], check=True)
    limit(host, pids_limit=9)
    kept = container_state.load(host.layout, host.observed().id or "")
    assert kept is not None
    assert (kept.memory, kept.pids_limit, len(kept.published_ports or ())) == (32 << 20, 9, 1)
    assert {each.path for each in host.converge().changes} == {"memory", "published_ports"}


def test_a_limit_changed_by_hand_is_recorded_when_declared(host: Host) -> None:
    """When the kernel has what is declared and the record has not, the record is brought to it."""
    host.run(memory="32m")
    name = "memory/memory.limit_in_bytes" if cgroups.cgroups().version == 1 else "memory.max"
    cgroups.write_file(cgroups.cgroups().file(container_state.cgroup(host.observed()), name), str(48 << 20))
    limit(host, memory="48m")
    kept = container_state.load(host.layout, host.observed().id or "")
    assert kept is not None
    assert kept.memory == 48 << 20
    assert not limit(host, memory="48m").changed


def test_memory_below_what_is_in_use_is_refused(host: Host) -> None:
    """A limit below what is in use and can't be freed is refused with both numbers; the old limit stays."""
    container = host.shell("head -c 20000000 /dev/zero | tail -c 19000000 > /dev/shm/kept; echo full; sleep 1000",
                           memory="64m")  # fmt: skip
    wait(lambda: "full" in host.log(container))
    pid, before = host.pid(), snapshot(host.layout)
    with pytest.raises(Failure) as caught:
        limit(host, memory="8m", pids_limit=9)
    said = str(caught.value)
    assert f"set memory to {8 << 20}" in said
    used = re.search(r"(\d+) bytes are in use", said)
    assert used is not None
    assert int(used[1]) > 16 << 20
    assert in_kernel(host) == {"memory": 64 << 20, "cpus": UNLIMITED, "pids_limit": UNLIMITED}
    assert (host.pid(), snapshot(host.layout)) == (pid, before)


def test_a_container_that_is_not_there(host: Host) -> None:
    """Limits of a container that is not there are refused in one sentence, in a check too."""
    for check in (False, True):
        with pytest.raises(NotFound, match="cannot limit container nosuch: there is no container of this name"):
            limit(host, "nosuch", check=check, memory="32m")


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("memory", "4095"),
        ("memory", "12q"),
        ("memory", "-5"),
        ("cpus", "1_000"),
        ("cpus", "0.0001"),
        ("cpus", "\u0661"),
        ("cpus", "nan"),
        ("cpus", "1e1"),
        ("pids_limit", "4194305"),
        ("pids_limit", "-2"),
        ("pids_limit", "1.5"),
    ],
)
def test_values_that_no_kernel_takes_are_refused(option: str, value: str) -> None:
    """A value that the kernel would refuse is refused before anything is touched."""
    with pytest.raises(InvalidValue):
        parse(CgroupLimit, {"name": "c", option: value})


@pytest.mark.parametrize(
    ("option", "value", "normal"),
    [
        ("memory", "9223372036854775807", UNLIMITED),
        ("memory", "9223372036854771712", UNLIMITED),
        ("memory", "9223372036854771711", 9223372036854767616),
        ("memory", "4097", 4096),
        ("memory", 0, UNLIMITED),
        ("pids_limit", "4194304", 4194304),
        ("cpus", "0.010004", 10_004_000),
        ("cpus", " 2 ", 2_000_000_000),
        ("cpus", 0, UNLIMITED),
    ],
)
def test_values_are_what_the_kernel_makes_of_them(option: str, value: Any, normal: int) -> None:
    """Values are compared as the kernel will show them: whole pages, no limit; processors as they are said."""
    assert getattr(parse(CgroupLimit, {"name": "c", option: value}), option) == normal


def test_the_largest_values_converge(host: Host) -> None:
    """The largest values that are taken are kept as they are, and a second run changes nothing."""
    host.run()
    values: dict[str, Any] = {"memory": 9223372036854771711, "pids_limit": 4194304, "cpus": 100}
    limit(host, **values)
    assert not limit(host, **values).changed
