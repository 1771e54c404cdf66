# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.kinds import UNLIMITED
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Row, parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import V1, V2, Cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limit_steps import limit_steps
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import (
    LIMIT_ROWS,
    Limits,
    knob,
)

HIERARCHIES = {name: f"/cgroup/{name}" for name in ("memory", "cpu", "pids")}
HOSTS: dict[int, Cgroups] = {1: V1(HIERARCHIES), 2: V2("/cgroup")}
BY_NAME = {row.name: row for row in LIMIT_ROWS}
GIB = 2**30


def written(version: int, name: str, said: Any) -> dict[str, str]:
    """The files of a limit and what is written to them, for what a playbook says."""
    row = BY_NAME[name]
    found = knob(row, HOSTS[version])
    texts = found.encode(row.kind.parse(said))
    return {HOSTS[version].file("web", file): text for file, text in zip(found.files, texts, strict=True)}


@pytest.mark.parametrize(
    ("name", "said", "unified", "legacy"),
    [
        ("memory", "512m", {"memory.max": "536870912"}, {"memory/web/memory.limit_in_bytes": "536870912"}),
        ("memory", "5000", {"memory.max": "4096"}, {"memory/web/memory.limit_in_bytes": "4096"}),
        ("memory", "max", {"memory.max": "max"}, {"memory/web/memory.limit_in_bytes": "-1"}),
        (
            "cpus",
            "1.5",
            {"cpu.max": "150000 100000"},
            {"cpu/web/cpu.cfs_period_us": "100000", "cpu/web/cpu.cfs_quota_us": "150000"},
        ),
        (
            "cpus",
            0.01,
            {"cpu.max": "1000 100000"},
            {"cpu/web/cpu.cfs_period_us": "100000", "cpu/web/cpu.cfs_quota_us": "1000"},
        ),
        ("cpus", 0, {"cpu.max": "max"}, {"cpu/web/cpu.cfs_period_us": "100000", "cpu/web/cpu.cfs_quota_us": "-1"}),
        ("pids_limit", 100, {"pids.max": "100"}, {"pids/web/pids.max": "100"}),
        ("pids_limit", -1, {"pids.max": "max"}, {"pids/web/pids.max": "max"}),
    ],
)
def test_limits_are_files(name: str, said: Any, unified: dict[str, str], legacy: dict[str, str]) -> None:
    """Each limit is written to the files that its cgroup version has for it, in the kernel's units."""
    assert written(2, name, said) == {f"/cgroup/web/{file}": text for file, text in unified.items()}
    assert written(1, name, said) == {f"/cgroup/{file}": text for file, text in legacy.items()}


@pytest.mark.parametrize(
    ("version", "name", "texts", "value"),
    [
        (2, "memory", ["max"], UNLIMITED),
        (2, "memory", ["536870912"], GIB // 2),
        (1, "memory", ["9223372036854771712"], UNLIMITED),
        (1, "memory", ["9223372036854775807"], UNLIMITED),
        (1, "memory", ["0"], 0),
        (2, "cpus", ["max 100000"], UNLIMITED),
        (2, "cpus", ["150000 100000"], 1_500_000_000),
        (2, "cpus", ["75000 50000"], 1_500_000_000),
        (2, "cpus", ["1 3"], 333_330_000),
        (1, "cpus", ["100000", "-1"], UNLIMITED),
        (1, "cpus", ["50000", "75000"], 1_500_000_000),
        (2, "pids_limit", ["max"], UNLIMITED),
        (1, "pids_limit", ["12"], 12),
    ],
)
def test_what_the_kernel_says_is_a_value(version: int, name: str, texts: list[str], value: int) -> None:
    """The texts of the files mean the limit, also where another program set them in other terms."""
    assert knob(BY_NAME[name], HOSTS[version]).decode(tuple(texts)) == value


def shown_by_kernel(version: int, name: str, texts: tuple[str, ...]) -> tuple[str, ...]:
    """What the kernel gives back after these texts have been written (mm/page_counter.c, kernel/sched/core.c)."""
    if name == "memory":
        largest = (2**63 - 1) // 4096 * 4096
        pages = largest if texts[0] in ("max", "-1") else min(int(texts[0]) // 4096 * 4096, largest)
        return ("max" if version == 2 and pages == largest else str(pages),)
    if name == "cpus" and version == 2:
        quota, _, period = texts[0].partition(" ")
        return (f"{quota} {period or '100000'}",)
    return texts


ASKED: dict[str, some.SearchStrategy[Any]] = {
    "memory": some.sampled_from(["max", 2**63 - 1, 2**63 - 4097])
    | some.integers(4096, 2**63 - 1)
    | some.floats(1, 4096).map("{:.3f}m".format),
    "cpus": some.just("max") | some.floats(0.01, 10_000) | some.sampled_from([0.1, "0.29", 0.57, 1.1, "2.675", 10_000]),
    "pids_limit": some.just("max") | some.integers(1, 2**22),
}


@pytest.mark.parametrize("version", HOSTS)
@pytest.mark.parametrize("row", LIMIT_ROWS, ids=lambda row: row.name)
@given(draw=some.data())
def test_what_is_read_back_is_what_was_asked(version: int, row: Row, draw: some.DataObject) -> None:
    """A limit has no more digits than the kernel keeps, so the next run finds just what this one set."""
    value = row.kind.parse(draw.draw(ASKED[row.name]))
    found = knob(row, HOSTS[version])
    assert found.decode(shown_by_kernel(version, row.name, found.encode(value))) == value


@pytest.mark.parametrize(
    ("name", "said", "reason"),
    [
        ("memory", "4095", "below one page (4096 bytes)"),
        ("memory", "-2", "not a size"),
        ("memory", "9000p", "larger than any size"),
        ("cpus", 0.001, "not between 0.01 and 10000 processors"),
        ("cpus", -1.5, "not a number of processors"),
        ("cpus", "inf", "not a number of processors"),
        ("cpus", "nan", "not a number of processors"),
        ("cpus", "1_000", "not a number of processors"),
        ("cpus", "٣", "not a number of processors"),
        ("cpus", 10_001, "not between"),
        ("cpus", "two", "not a number of processors"),
        ("cpus", True, "not a number of processors"),
        ("cpus", "50%", "not a number of processors"),
        ("pids_limit", "many", "not a whole number"),
        ("pids_limit", 2**22 + 1, "above 4194304"),
        ("pids_limit", 1.5, "not a whole number"),
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
        (Limits(memory=UNLIMITED, pids_limit=UNLIMITED), None, []),
        (Limits(memory=GIB), NONE, [f"set memory to {GIB} (was max) on cgroup a/b"]),
        (Limits(memory=GIB), {**NONE, "memory": GIB}, []),
        (Limits(memory=UNLIMITED), {**NONE, "memory": GIB}, [f"set memory to max (was {GIB}) on cgroup a/b"]),
        (
            Limits(cpus=1_500_000_000, pids_limit=5),
            {**NONE, "cpus": 500_000_000},
            ["set cpus to 1.5 (was 0.5) on cgroup a/b", "set pids_limit to 5 (was max) on cgroup a/b"],
        ),
        (Limits(cpus=500_000_000), {"memory": GIB, "cpus": 500_000_000, "pids_limit": 5}, []),
    ],
)
def test_only_limits_that_differ_are_set(want: Limits, have: dict[str, int] | None, expected: list[str]) -> None:
    """One step per limit that is asked for and differs; a new cgroup has no limits that would have to be cleared."""
    assert lines(want, have) == expected


def test_a_missing_controller_is_named() -> None:
    """With cgroup version 1 a limit whose controller is not mounted is an error that names the controller."""
    with pytest.raises(Failure, match="the cgroup controller pids is not mounted on this host"):
        V1({"memory": "/cgroup/memory"}).file("web", "pids/pids.max")
