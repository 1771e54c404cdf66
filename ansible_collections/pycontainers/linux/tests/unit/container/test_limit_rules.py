# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limits mean together, and on a host that lacks some."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limit_rules import (
    check_host,
    check_said,
    settled,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import Limits
from ansible_collections.pycontainers.linux.tests.unit.container.limit_files import group


def full(**values: Any) -> Limits:
    """Limits as a playbook says them."""
    return parse(Limits, values)


@pytest.mark.parametrize(
    ("kept", "said", "found"),
    [
        ({}, {"cpu_quota": 50000}, {"cpus": 0.5}),
        ({}, {"cpu_quota": 50000, "cpu_period": 50000}, {"cpus": 1, "cpu_period": 50000}),
        ({"cpu_period": 50000}, {"cpu_quota": 25000}, {"cpus": 0.5, "cpu_period": 50000}),
        ({"cpus": 0.5}, {"cpu_quota": "max"}, {"cpus": "max"}),
        ({"cpus": 0.5, "cpu_period": 50000}, {"cpus": 1}, {"cpus": 1, "cpu_period": 50000}),
        ({"memory": "1m", "memory_swap": "2m"}, {"memory": "max"}, {"memory": "max", "memory_swap": "max"}),
        ({"memory": "1m"}, {"memory_swap": "2m"}, {"memory": "1m", "memory_swap": "2m"}),
        ({"memory": "1m"}, {"memory": "2m", "memory_swap": "2m"}, {"memory": "2m", "memory_swap": "2m"}),
    ],
)
def test_limits_that_go_together(kept: dict[str, Any], said: dict[str, Any], found: dict[str, Any]) -> None:
    """A quota is processors of its period, which stays; memory and swap go with memory."""
    assert settled(full(**{**kept, **said}), full(**said), full(**kept), None) == full(**found)


@pytest.mark.parametrize(
    ("kept", "said", "option", "reason"),
    [
        ({}, {"cpus": 1, "cpu_quota": 50000}, "cpu_quota", "cpus says the same"),
        ({}, {"cpus": 1, "cpu_period": 50000}, "cpu_period", "cpus says the same"),
        ({"cpu_period": 1000}, {"cpus": 0.5}, "cpus", "500 microseconds of a period of 1000"),
        ({"cpus": 0.01}, {"cpu_period": 50000}, "cpus", "500 microseconds of a period of 50000"),
        ({}, {"cpu_quota": 2**44 - 1, "cpu_period": 1000}, "cpu_quota", "more than 10000 processors"),
        ({"cpus": 0.5}, {"cpu_burst": 50001}, "cpu_burst", "above the quota, 50000"),
        ({}, {"memory_swap": "1m"}, "memory_swap", "memory, which has no limit; set memory too"),
        ({"memory": "2m"}, {"memory_swap": "1m"}, "memory_swap", "whose limit is 2097152"),
        ({"memory": "1m", "memory_swap": "2m"}, {"memory": "3m"}, "memory", "above memory_swap, 2097152"),
        ({}, {"device_read_bps": [{"path": "/proc/version", "rate": 1}]}, "device_read_bps", "neither a block device"),
        ({}, {"device_read_bps": [{"path": "/nowhere", "rate": 1}]}, "device_read_bps", "No such file"),
        ({}, {"device_read_bps": [{"path": "/proc", "rate": 1}]}, "device_read_bps", "no block device of its own"),
        ({}, {"device_read_bps": [{"path": "999:9", "rate": 1}]}, "device_read_bps", "none of these numbers"),
    ],
)
def test_limits_that_do_not_go_together(kept: dict[str, Any], said: dict[str, Any], option: str, reason: str) -> None:
    """What makes no sense with what else is said or kept is refused, by its option's name."""

    def declared() -> None:
        check_said(full(**said))
        settled(full(**{**kept, **said}), full(**said), full(**kept), None)

    with pytest.raises(InvalidValue) as caught:
        declared()
    assert caught.value.option == option
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("version", "said", "reason"),
    [
        (2, {"memory_swappiness": 5}, "cgroup version 2 has no such limit; leave it out on this host"),
        (1, {"memory_high": "1m"}, "cgroup version 1 has no such limit"),
        (1, {"hugetlb": {"2MB": "4m"}}, "cgroup version 1 has no controller hugetlb mounted on this host"),
        (2, {"hugetlb": {"2MB": "4m"}}, "no file hugetlb.*.max for it in cgroup version 2"),
        (2, {"memory_swap": "1m", "memory": "1m"}, "no file memory.swap.max for it in cgroup version 2"),
    ],
)
def test_limits_that_the_host_lacks(tmp_path: Path, version: int, said: dict[str, Any], reason: str) -> None:
    """A limit that this host does not have is refused by its name; that there is none of it is fine."""
    there = group(tmp_path, version)
    (tmp_path / "cgroup.controllers").write_text("cpu memory hugetlb\n")
    if version == 2:
        Path(there.groups.file(there.path, "memory.swap.max")).unlink()
    with pytest.raises(InvalidValue) as caught:
        check_host(there.groups, there.path, full(**said))
    assert caught.value.option == next(iter(said))
    assert reason in str(caught.value)
    check_host(there.groups, there.path, full(memory_swap="max", memory_swappiness="max", hugetlb={}))
