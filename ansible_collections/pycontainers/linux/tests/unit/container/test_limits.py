# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import UNLIMITED
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Row, parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import V1
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limit_steps import limit_steps
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import (
    LIMIT_ROWS,
    SETTINGS,
    Limits,
    cleared,
    observe_limits,
)
from ansible_collections.pycontainers.linux.tests.unit.container.limit_files import FRESH, group, take

BY_NAME = {row.name: row for row in LIMIT_ROWS}
KNOBS = {row.name: rows for rows in SETTINGS for row in rows}
GIB, MIB = 2**30, 2**20


def texts(folder: Path, version: int, after: dict[str, Any], before: dict[str, Any]) -> list[tuple[str, str]]:
    """What is written to get from these limits to those, all of one knob, for what a playbook says of them."""
    rows = KNOBS[next(iter(after))]
    there = {row.name: row.kind.parse(before[row.name]) if row.name in before else cleared(row) for row in rows}
    wanted = there | {row.name: row.kind.parse(after[row.name]) for row in rows if row.name in after}
    old, new = tuple(there.values()), tuple(wanted.values())
    knob = rows[0].facts[f"v{version}"].knob
    return list(knob.texts(group(folder, version), new, old))


@pytest.mark.parametrize(
    ("after", "before", "unified", "legacy"),
    [
        ({"memory": "512m"}, {}, ["memory.max 536870912"], ["memory.limit_in_bytes 536870912"]),
        ({"memory": "5000"}, {}, ["memory.max 4096"], ["memory.limit_in_bytes 4096"]),
        ({"memory": "max"}, {"memory": "1g"}, ["memory.max max"], ["memory.limit_in_bytes -1"]),
        (
            {"memory": "1m", "memory_swap": "3m"},
            {},
            ["memory.max 1048576", "memory.swap.max 2097152"],
            ["memory.limit_in_bytes 1048576", "memory.memsw.limit_in_bytes 3145728"],
        ),
        (
            {"memory": "4m", "memory_swap": "5m"},
            {"memory": "1m", "memory_swap": "3m"},
            ["memory.max 4194304", "memory.swap.max 1048576"],
            ["memory.memsw.limit_in_bytes 5242880", "memory.limit_in_bytes 4194304"],
        ),
        (
            {"memory": "1m", "memory_swap": "2m"},
            {"memory": "4m", "memory_swap": "5m"},
            ["memory.max 1048576"],
            ["memory.limit_in_bytes 1048576", "memory.memsw.limit_in_bytes 2097152"],
        ),
        (
            {"memory": "2m"},
            {"memory": "1m", "memory_swap": "3m"},
            ["memory.max 2097152", "memory.swap.max 1048576"],
            ["memory.limit_in_bytes 2097152"],
        ),
        (
            {"memory": "max", "memory_swap": "max"},
            {"memory": "1m", "memory_swap": "3m"},
            ["memory.max max", "memory.swap.max max"],
            ["memory.memsw.limit_in_bytes -1", "memory.limit_in_bytes -1"],
        ),
        ({"cpus": "1.5"}, {}, ["cpu.max 150000 100000"], ["cpu.cfs_quota_us 150000"]),
        ({"cpus": "max"}, {"cpus": 1}, ["cpu.max max 100000"], ["cpu.cfs_quota_us -1"]),
        (
            {"cpu_period": 50000},
            {"cpus": 0.5},
            ["cpu.max 25000 50000"],
            ["cpu.cfs_quota_us 25000", "cpu.cfs_period_us 50000"],
        ),
        (
            {"cpu_period": 200000},
            {"cpus": 0.5},
            ["cpu.max 100000 200000"],
            ["cpu.cfs_period_us 200000", "cpu.cfs_quota_us 100000"],
        ),
        (
            {"cpus": 0.5, "cpu_burst": 2000},
            {},
            ["cpu.max 50000 100000", "cpu.max.burst 2000"],
            ["cpu.cfs_quota_us 50000", "cpu.cfs_burst_us 2000"],
        ),
        (
            {"cpus": 0.02, "cpu_burst": 2000},
            {"cpus": 0.5, "cpu_burst": 50000},
            ["cpu.max.burst 2000", "cpu.max 2000 100000"],
            ["cpu.cfs_burst_us 2000", "cpu.cfs_quota_us 2000"],
        ),
        ({"cpu_shares": 512}, {}, ["cpu.weight 59"], ["cpu.shares 512"]),
        ({"cpu_shares": 512, "cpu_idle": True}, {}, ["cpu.idle 1"], ["cpu.idle 1"]),
        (
            {"cpu_idle": False},
            {"cpu_shares": 512, "cpu_idle": True},
            ["cpu.idle 0", "cpu.weight 59"],
            ["cpu.idle 0", "cpu.shares 512"],
        ),
        ({"cpuset_cpus": "3,0-1"}, {}, ["cpuset.cpus 0-1,3"], ["cpuset.cpus 0-1,3"]),
        ({"cpuset_cpus": ""}, {"cpuset_cpus": "0"}, ["cpuset.cpus 0-7"], ["cpuset.cpus 0-7"]),
        ({"pids_limit": 100}, {}, ["pids.max 100"], ["pids.max 100"]),
        ({"blkio_weight": 1000}, {}, ["io.weight default 10000"], ["blkio.bfq.weight 1000"]),
        (
            {"rdma": {"mlx4_0": {"handles": 2}}},
            {},
            ["rdma.max mlx4_0 hca_handle=2 hca_object=max"],
            ["rdma.max mlx4_0 hca_handle=2 hca_object=max"],
        ),
    ],
)
def test_limits_are_files(
    tmp_path: Path, after: dict[str, Any], before: dict[str, Any], unified: list[str], legacy: list[str]
) -> None:
    """Limits are written to the files that their cgroup version has for them, in its units, in an order it takes."""
    for version, expected in ((2, unified), (1, legacy)):
        found = texts(tmp_path / str(version), version, after, before)
        assert [f"{name.rpartition('/')[2]} {text}" for name, text in found] == expected


@pytest.mark.parametrize(
    ("version", "files", "name", "value"),
    [
        (2, {"memory.max": "536870912"}, "memory", GIB // 2),
        (1, {"memory/memory.limit_in_bytes": "9223372036854775807"}, "memory", UNLIMITED),
        (1, {"memory/memory.limit_in_bytes": "0"}, "memory", 0),
        (2, {"memory.max": str(MIB), "memory.swap.max": str(MIB)}, "memory_swap", 2 * MIB),
        (2, {"memory.max": str(MIB)}, "memory_swap", UNLIMITED),
        (2, {"memory.low": str(MIB)}, "memory_reservation", MIB),
        (2, {"cpu.max": "75000 50000"}, "cpus", 1_500_000_000),
        (2, {"cpu.max": "75000 50000"}, "cpu_period", 50_000),
        (2, {"cpu.max": "1 3"}, "cpus", 333_333_333),
        (1, {"cpu/cpu.cfs_period_us": "50000", "cpu/cpu.cfs_quota_us": "75000"}, "cpus", 1_500_000_000),
        (2, {"cpu.idle": "1", "cpu.weight": "0"}, "cpu_shares", UNLIMITED),
        (2, {"cpu.idle": "1", "cpu.weight": "0"}, "cpu_idle", True),
        (1, {"cpuset/cpuset.cpus": "0-3"}, "cpuset_cpus", "0-3"),
        (1, {"pids/pids.max": "12"}, "pids_limit", 12),
        (2, {"io.max": "254:99 rbps=max wbps=77 riops=max wiops=5"}, "device_write_bps", (("254:99", 77),)),
        (2, {"io.max": "254:99 rbps=max wbps=77 riops=max wiops=5"}, "device_read_bps", ()),
        (1, {"blkio/blkio.throttle.read_bps_device": "254:99 77"}, "device_read_bps", (("254:99", 77),)),
        (1, {"freezer/freezer.state": "FREEZING"}, "paused", True),
        (2, {"misc.max": "sev 3\nsev_es max"}, "misc", (("sev", 3),)),
    ],
)
def test_what_the_kernel_says_is_a_value(
    tmp_path: Path, version: int, files: dict[str, str], name: str, value: Any
) -> None:
    """The texts of the files mean the limit, also where another program set them in other terms."""
    there = group(tmp_path, version)
    for file, text in files.items():
        Path(there.groups.file(there.path, file)).write_text(f"{text}\n")
    assert observe_limits(there.groups, there.path, Limits())[name] == value


@pytest.mark.parametrize("version", FRESH)
def test_a_new_group_has_no_limits(tmp_path: Path, version: int) -> None:
    """What a new group's files say is no limit, in every row; of what its version does not have there is nothing."""
    there = group(tmp_path, version)
    found = observe_limits(there.groups, there.path, Limits())
    for rows in SETTINGS:
        for row in rows:
            lacks = row.facts[f"v{version}"] is None or row.name == "hugetlb"
            assert found[row.name] == (None if lacks else cleared(row)), row.name


ASKED: dict[str, some.SearchStrategy[Any]] = {
    "memory": some.sampled_from([2**63 - 1, 2**63 - 4097]) | some.integers(4096, 2**63 - 1),
    "memory_reservation": some.integers(4096, 2**63 - 1),
    "memory_high": some.floats(1, 4096).map("{:.3f}m".format),
    "memory_min": some.integers(4096, 2**63 - 1),
    "memory_swappiness": some.integers(0, 100),
    "oom_group": some.booleans(),
    "oom_killer": some.booleans(),
    "cpus": some.floats(0.01, 10_000) | some.sampled_from([0.1, "0.29", 0.57, 1.1, "2.675", 10_000, "0.123456789"]),
    "cpu_period": some.integers(1000, 1_000_000),
    "cpu_burst": some.integers(0, 10_000_000),
    "cpu_shares": some.integers(2, 262144),
    "cpu_idle": some.booleans(),
    "cpuset_cpus": some.sampled_from(["0", "0-3", "7,5"]),
    "cpuset_mems": some.just("0"),
    "pids_limit": some.integers(1, 2**22),
    "blkio_weight": some.integers(10, 1000),
    "rdma": some.fixed_dictionaries({"mlx4_0": some.fixed_dictionaries({"handles": some.integers(0, 9)})}),
    "misc": some.fixed_dictionaries({"sev": some.integers(0, 9)}),
    "paused": some.booleans(),
}
ROWS = [BY_NAME[name] for name in ASKED]


@pytest.mark.parametrize("version", FRESH)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=20, deadline=None)
@given(draw=some.data())
def test_what_is_read_back_is_what_was_asked(version: int, row: Row, draw: some.DataObject) -> None:
    """A limit is read as it was said, however coarse the kernel's value; without a record as one that comes to that."""
    if row.facts[f"v{version}"] is None:
        return
    none = some.just("max") if row.kind.spec["type"] == "str" else some.nothing()
    value = row.kind.parse(draw.draw(ASKED[row.name] | none))
    with tempfile.TemporaryDirectory() as folder:
        there, rows, said = group(Path(folder), version), KNOBS[row.name], Limits(**{row.name: value})
        knob, fresh = row.facts[f"v{version}"].knob, tuple(map(cleared, rows))
        place = [each.name for each in rows].index(row.name)
        after = (*fresh[:place], value, *fresh[place + 1 :])
        for name, text in knob.texts(there, after, fresh):
            take(there, name, text)
        assert knob.read(there, tuple(getattr(said, each.name) for each in rows))[place] == value
        # Somebody who knows of no record would write the very same.
        unsaid = knob.read(there, (None,) * len(rows))
        before = {file: there.text(file) for file in FRESH[version]}
        for name, text in knob.texts(there, unsaid, fresh):
            take(there, name, text)
        assert {file: there.text(file) for file in FRESH[version]} == before


@pytest.mark.parametrize(
    ("name", "said", "reason"),
    [
        ("memory", "4095", "below one page (4096 bytes)"),
        ("memory", "-2", "not a size"),
        ("memory", "9000p", "larger than any size"),
        ("memory", "0%", "above 0%"),
        ("memory", "101%", "up to 100%"),
        ("memory_swap", "x", "not a size"),
        ("memory_swappiness", 101, "not between 0 and 100"),
        ("cpus", 0.0001, "not between 0.001 and 10000 processors"),
        ("cpus", -1.5, "not a number of processors"),
        ("cpus", "inf", "not a number of processors"),
        ("cpus", "nan", "not a number of processors"),
        ("cpus", "1_000", "not a number of processors"),
        ("cpus", "٣", "not a number of processors"),
        ("cpus", 10_001, "not between"),
        ("cpus", "two", "not a number of processors"),
        ("cpus", True, "not a number of processors"),
        ("cpus", "-5%", "not a percentage"),
        ("cpu_quota", 999, "not between 1000 and"),
        ("cpu_period", 999, "not between 1000 and 1000000 microseconds"),
        ("cpu_shares", 1, "not between 2 and 262144"),
        ("cpuset_cpus", "0-", "not a list of numbers and ranges"),
        ("cpuset_cpus", "3-1", "no range of numbers"),
        ("cpuset_mems", "1024", "below 1024"),
        ("pids_limit", "many", "not a whole number"),
        ("pids_limit", 2**22 + 1, "above 4194304"),
        ("pids_limit", 1.5, "not a whole number"),
        ("blkio_weight", 9, "not between 10 and 1000"),
        ("device_read_bps", [{"path": "sda", "rate": 1}], "neither an absolute path nor major:minor"),
        ("device_read_bps", [{"path": "/dev/sda"}], "path and rate"),
        ("device_read_iops", [{"path": "/a", "rate": 1}, {"path": "/a", "rate": 2}], "twice"),
        ("device_read_iops", [{"path": "/a", "rate": "1m"}], "not a whole number"),
        ("hugetlb", {"2MiB": 1}, "not a size of pages"),
        ("hugetlb", {"2MB": "4m", "2mb": "6m"}, "twice"),
        ("rdma", {"mlx4_0": {"handle": 1}}, "handles and objects are"),
        ("rdma", {"mlx4_0": {"handles": -2}}, "not between 0 and"),
        ("misc", {"a b": 1}, "no name"),
        ("device_cgroup_rules", ["c 1:3"], "not of the form"),
        ("device_cgroup_rules", ["c 1:3 rwx"], "not of the form"),
    ],
)
def test_limits_that_no_kernel_takes_are_refused(name: str, said: Any, reason: str) -> None:
    """A limit that the kernel would refuse is refused before it is asked, by its option's name."""
    with pytest.raises(InvalidValue) as caught:
        parse(Limits, {name: said})
    assert caught.value.option == name
    assert reason in str(caught.value)


def lines(want: Limits, have: dict[str, int] | None) -> list[str]:
    """What is done to get from some limits to others."""
    return [step.describe() for step in limit_steps("a/b", want, have)]


NONE = {"memory": UNLIMITED, "cpus": UNLIMITED, "pids_limit": UNLIMITED}


@pytest.mark.parametrize(
    ("want", "have", "expected"),
    [
        (Limits(), NONE, []),
        (Limits(), None, []),
        (Limits(memory=GIB), None, [f"set memory to {GIB} on cgroup a/b"]),
        (Limits(memory=UNLIMITED, pids_limit=UNLIMITED, device_read_bps=(), oom_group=False), None, []),
        (Limits(memory=GIB), NONE, [f"set memory to {GIB} (was max) on cgroup a/b"]),
        (Limits(memory=GIB), {**NONE, "memory": GIB}, []),
        (Limits(memory=UNLIMITED), {**NONE, "memory": GIB}, [f"set memory to max (was {GIB}) on cgroup a/b"]),
        (
            Limits(cpus=1_500_000_000, pids_limit=5),
            {**NONE, "cpus": 500_000_000},
            ["set cpus to 1.5 (was 0.5) on cgroup a/b", "set pids_limit to 5 (was max) on cgroup a/b"],
        ),
        (Limits(cpus=500_000_000), {"memory": GIB, "cpus": 500_000_000, "pids_limit": 5}, []),
        (
            Limits(memory=GIB, memory_swap=GIB),
            NONE,
            [f"set memory to {GIB} (was max) and memory_swap to {GIB} (was max) on cgroup a/b"],
        ),
        (Limits(cpuset_cpus="0-1"), NONE, ['set cpuset_cpus to 0-1 (was "") on cgroup a/b']),
        (Limits(oom_group=True), NONE, ["set oom_group to true (was false) on cgroup a/b"]),
    ],
)
def test_only_limits_that_differ_are_set(want: Limits, have: dict[str, int] | None, expected: list[str]) -> None:
    """One step per limit that is asked for and differs; a new cgroup has no limits that would have to be cleared."""
    assert lines(want, have) == expected


def test_a_missing_controller_is_named() -> None:
    """With cgroup version 1 a limit whose controller is not mounted is an error that names the controller."""
    with pytest.raises(Failure, match="the cgroup controller pids is not mounted on this host"):
        V1({"memory": "/cgroup/memory"}).file("web", "pids/pids.max")
