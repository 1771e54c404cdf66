# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each limit in the kernel's files: set, changed and cleared while the container runs, in both cgroup versions."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import block_devices
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroup_values import ranges
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import Group, cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.cgroup_limit import CgroupLimit
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import (
    LIMIT_ROWS,
    SETTINGS,
    Limits,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, proc_status, snapshot
from ansible_collections.pycontainers.linux.tests.kernel.limit_bench import disk, in_kernel, limit, offered

MIB = 1 << 20
NONE_1 = str((2**63 - 1) // 4096 * 4096)


class Case(NamedTuple):
    """Values that are said one after another, and what the file of either version holds then."""

    said: Any
    v2: str | None
    v1: str | None


DISK = "DISK"
"""In texts, the numbers of a disk of this kernel; in values, a folder on it."""

CASES: dict[str, list[Case]] = {
    "memory": [Case("64m", str(64 * MIB), str(64 * MIB)), Case("0.25g", str(256 * MIB), str(256 * MIB)),
               Case("max", "max", NONE_1)],
    "memory_reservation": [Case("16m", str(16 * MIB), str(16 * MIB)), Case("8m", str(8 * MIB), str(8 * MIB)),
                           Case(0, "0", NONE_1)],
    "memory_high": [Case("48m", str(48 * MIB), None), Case("max", "max", None)],
    "memory_min": [Case("4m", str(4 * MIB), None), Case("max", "0", None)],
    "memory_swappiness": [Case(10, None, "10"), Case(0, None, "0"), Case("default", None, "60")],
    "oom_group": [Case(True, "1", None), Case(False, "0", None)],
    "oom_killer": [Case(True, None, "oom_kill_disable 1"), Case(False, None, "oom_kill_disable 0")],
    "cpus": [Case("0.5", "50000 100000", "50000"), Case("0.123456", "12346 100000", "12346"),
             Case("max", "max 100000", "-1")],
    "cpu_period": [Case(20000, "max 20000", "20000"), Case(100000, "max 100000", "100000")],
    "cpu_shares": [Case(512, "59", "512"), Case(2, "1", "2"), Case(513, "59", "513"), Case("default", "100", "1024")],
    "cpu_idle": [Case(True, "1", "1"), Case(False, "0", "0")],
    "cpuset_cpus": [Case("0", "0", "0"), Case("", None, None)],
    "cpuset_mems": [Case("0", "0", "0"), Case("max", None, None)],
    "pids_limit": [Case(100, "100", "100"), Case("50", "50", "50"), Case(-1, "max", "max")],
    "blkio_weight": [Case(500, None, "500"), Case(10, None, "10"), Case(0, None, "100")],
    "device_read_bps": [Case([{"path": DISK, "rate": "1m"}], f"DISK rbps={MIB} wbps=max riops=max wiops=max",
                             f"DISK {MIB}"), Case([], "", "")],
    "device_write_bps": [Case([{"path": DISK, "rate": 4096}], "DISK rbps=max wbps=4096 riops=max wiops=max",
                              "DISK 4096"), Case([], "", "")],
    "device_read_iops": [Case([{"path": DISK, "rate": 10}], "DISK rbps=max wbps=max riops=10 wiops=max", "DISK 10"),
                         Case([{"path": DISK, "rate": 20}], "DISK rbps=max wbps=max riops=20 wiops=max", "DISK 20"),
                         Case([{"path": DISK, "rate": 0}], "", "")],
    "device_write_iops": [Case([{"path": DISK, "rate": 10}], "DISK rbps=max wbps=max riops=max wiops=10", "DISK 10"),
                          Case([], "", "")],
    "hugetlb": [Case({"2MB": "5m"}, None, None), Case({}, None, None)],
    "rdma": [Case({"mlx4_0": {"handles": 2}}, None, None), Case({}, None, None)],
    "misc": [Case({"sev": 2}, None, None), Case({}, None, None)],
    "paused": [Case(True, "1", "FROZEN"), Case(False, "0", "THAWED")],
}  # fmt: skip
"""The rows that are a file by themselves; memory_swap, cpu_burst and cpu_quota go with others, and have own tests."""

ROWS = {row.name: row for together in SETTINGS for row in together}


def said_here(value: Any) -> Any:
    """The value, with a device of this kernel."""
    if isinstance(value, list):
        return [{**each, "path": disk()} for each in value]
    return value


def test_every_row_has_a_case() -> None:
    """No limit is without a test of it in the kernel."""
    assert set(CASES) | {"memory_swap", "cpu_burst", "device_cgroup_rules"} == {row.name for row in LIMIT_ROWS}


@pytest.mark.parametrize("name", CASES)
def test_a_limit_is_set_changed_and_cleared(host: Host, name: str) -> None:
    """The file has it, a second run changes nothing, a check tells what a run does, the pid stays; or it is refused."""
    host.run()
    pid, row = host.pid(), ROWS[name]
    if not offered(host, name):
        refused(host, name, CASES[name][0].said)
        return
    for said, *texts in CASES[name]:
        value = said_here(said)
        told = limit(host, check=True, **{name: value})
        done = limit(host, **{name: value})
        assert (told.changes, told.actions) == (done.changes, done.actions)
        assert [each.path for each in done.changes] == [name]
        assert in_kernel(host, name)[name] == settled(row.kind.parse(value))
        text = texts[2 - cgroups().version]
        if text is not None:
            assert held(host, name) == text.replace("DISK", block_devices.number(disk()))
        again = limit(host, **{name: value})
        assert (again.changes, again.actions) == ((), ())
        assert not host.converge().changed
    assert host.pid() == pid


def settled(value: Any) -> Any:
    """A value as it is kept: a device by its own name."""
    if isinstance(value, tuple) and value and value[0][0] == disk():
        return tuple((block_devices.name(block_devices.number(path)), rate) for path, rate in value)
    return value


def held(host: Host, name: str) -> str:
    """What the kernel's file says of a limit."""
    group = Group(cgroups(), container_state.cgroup(host.observed()))
    place = ROWS[name].facts[f"v{cgroups().version}"]
    file = next(each for each in place.files if group.has(each))
    text = group.text(file)
    return text.removeprefix("default ").partition("\n")[0]


def refused(host: Host, name: str, value: Any) -> None:
    """A limit that this host lacks is refused before anything is written; that there is none is as it is."""
    before = snapshot(host.layout)
    for check in (True, False):
        with pytest.raises(InvalidValue) as caught:
            limit(host, check=check, memory="64m", **{name: said_here(value)})
        assert caught.value.option == name
        assert f"cgroup version {cgroups().version}" in str(caught.value)
        with pytest.raises(InvalidValue):
            host.converge(check=check, memory="64m", **{name: said_here(value)})
    assert snapshot(host.layout) == before
    nothing = limit(host, **{name: CASES[name][-1].said})
    assert (nothing.changes, nothing.actions) == ((), ())
    assert nothing.facts["cgroup_limit"][name] is None


def test_a_cleared_cpuset_is_what_the_group_above_has(host: Host) -> None:
    """A group has its processors back when it is asked for no own ones any more, as those above have them."""
    host.run()
    if not offered(host, "cpuset_cpus"):
        refused(host, "cpuset_cpus", "0")
        return
    limit(host, cpuset_cpus="0")
    assert proc_status(host.pid())["Cpus_allowed_list"] == "0"
    host.converge(state="stopped")
    host.converge(state="started")
    assert proc_status(host.pid())["Cpus_allowed_list"] == "0"
    inside = host.ok("exec", "c", "grep", "Cpus_allowed_list", "/proc/self/status")
    assert inside.split() == ["Cpus_allowed_list:", "0"]
    limit(host, cpuset_cpus="max")
    assert proc_status(host.pid())["Cpus_allowed_list"] == ranges(sorted(os.sched_getaffinity(0)))


def test_all_limits_at_once(host: Host) -> None:
    """A new container has all limits that the host offers from its start, a restart keeps them, absent clears them."""
    values = {name: said_here(cases[0].said) for name, cases in CASES.items() if name not in ("paused", "cpu_period")}
    host.run(name="probe")
    values = {name: value for name, value in values.items() if offered(host, name, "probe")}
    values |= {"cpu_burst": 1000}
    host.run(**values)
    expected = {name: settled(getattr(parse(CgroupLimit, {name: value}), name)) for name, value in values.items()}
    assert in_kernel(host, *values) == expected
    assert not host.converge(**values).changed
    host.converge(state="stopped")
    host.converge(state="started")
    assert in_kernel(host, *values) == expected
    assert limit(host, state="absent").changed
    none = {name: ROWS[name].facts["cleared"] for name in values}
    assert in_kernel(host, *values) == none
    assert not limit(host, state="absent").changed
    host.converge(state="stopped")
    host.converge(state="started")
    assert in_kernel(host, *values) in (none, none | dict.fromkeys(("cpuset_cpus", "cpuset_mems")))


def test_what_is_set_by_hand_is_seen(host: Host) -> None:
    """A limit of the record that somebody has changed in the kernel is a difference, and is put back."""
    host.run(cpu_shares=512, memory_reservation="16m", pids_limit=100)
    group, version = Group(cgroups(), container_state.cgroup(host.observed())), cgroups().version
    for name, text in (("cpu_shares", "300"), ("memory_reservation", str(8 * MIB)), ("pids_limit", "7")):
        Path(group.groups.file(group.path, ROWS[name].facts[f"v{version}"].files[0])).write_text(text)
    assert {each.path for each in host.converge(check=True).changes} == {
        "cpu_shares",
        "memory_reservation",
        "pids_limit",
    }
    host.converge()
    assert in_kernel(host, "cpu_shares", "pids_limit") == {"cpu_shares": 512, "pids_limit": 100}


def test_an_unmanaged_limit_set_by_hand_is_told_and_left(host: Host) -> None:
    """A limit that nobody has declared stays as somebody has set it, until cgroup_limit says otherwise."""
    host.run()
    group, version = Group(cgroups(), container_state.cgroup(host.observed())), cgroups().version
    Path(group.groups.file(group.path, ROWS["pids_limit"].facts[f"v{version}"].files[0])).write_text("70")
    assert not host.converge().changed
    assert limit(host).facts["cgroup_limit"]["pids_limit"] == 70
    assert limit(host, state="absent").changed
    assert in_kernel(host, "pids_limit") == {"pids_limit": -1}


def test_a_value_is_read_as_its_own_without_a_record(host: Host) -> None:
    """Every value is read as one that comes to the same, so that what is written back is what was there."""
    host.run()
    for name in ("cpu_shares", "blkio_weight", "cpus"):
        if not offered(host, name):
            continue
        limit(host, **{name: CASES[name][0].said})
        text = held(host, name)
        found = in_kernel(host, name, said=Limits())[name]
        limit(host, **{name: CASES[name][-1].said})
        limit(host, **{name: ROWS[name].kind.show(found)})
        assert held(host, name) == text


def test_what_was_cleared_while_it_stood_still_is_none_at_the_next_start(host: Host) -> None:
    """A limit that is cleared in the record, and that a new group has no file for, is no difference when it runs."""
    host.run()
    # Not every kernel has this controller.
    spare: dict[str, Any] = {"cpuset_mems": "0"} if offered(host, "cpuset_mems") else {}
    host.converge(state="stopped")
    limit(host, pids_limit=9, **spare)
    limit(host, state="absent")
    host.converge(state="started")
    assert not host.converge().changed
    assert not limit(host).changed
