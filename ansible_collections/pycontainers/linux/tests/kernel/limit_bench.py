# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of limits have in common: declaring them, reading them from the kernel, and a disk to hold to a rate."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import block_devices
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import (
    Group,
    cgroups,
    write_file,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.cgroup_limit import (
    CGROUP_LIMIT,
    CgroupLimit,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import (
    LIMIT_ROWS,
    Limits,
    observe_limits,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

ROWS = {row.name: row for row in LIMIT_ROWS}


def limit(host: Host, name: str | None = "c", check: bool = False, **values: Any) -> Outcome[CgroupLimit]:
    """Declare the limits of a container."""
    return converge(CGROUP_LIMIT, host.layout, parse(CgroupLimit, {"name": name, **values}), check)


def usage(host: Host, name: str = "c") -> dict[str, Any]:
    """What a container uses."""
    found: dict[str, Any] = limit(host, name, check=True).facts["cgroup_limit"]["usage"]
    return found


def busy_seconds(pid: int) -> float:
    """The processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def in_kernel(host: Host, *names: str, said: Limits | None = None, name: str = "c") -> dict[str, Any]:
    """The container's limits as the kernel has them, read as its record has said them."""
    container = host.observed(name)
    kept = container_state.load(host.layout, container.id or "")
    found = observe_limits(cgroups(), container_state.cgroup(container), said or kept or Limits())
    return {each: found[each] for each in names}


def offered(host: Host, name: str, container: str = "c") -> bool:
    """Whether this kernel has a limit: its controller, and in a group with that its file."""
    groups, place = cgroups(), ROWS[name].facts[f"v{cgroups().version}"]
    if place is None or not (place.controller == "cgroup" or groups.offers(place.controller)):
        return False
    group = Group(groups, container_state.cgroup(host.observed(container)))
    there = "cgroup.controllers" if groups.version == 2 else f"{place.controller}/cgroup.procs"
    known = group.has(there) and (groups.version == 1 or place.controller in group.text(there).split())
    return not known or any(group.has(each) for each in place.files)


@contextmanager
def short_of_processors(path: str) -> Iterator[None]:
    """Give a group of version 1 half a processor, so that the kernel refuses more to those below."""
    quota = cgroups().file(path, "cpu/cpu.cfs_quota_us")
    write_file(quota, "50000")
    try:
        yield
    finally:
        write_file(quota, "-1")


@cache
def disk() -> str:
    """A folder or a node of a disk that this kernel has."""
    for path in ("/", "/tmp", "/dev/loop0", "/dev/vda", "/dev/sda"):
        try:
            block_devices.number(path)
        except Failure:
            continue
        return path
    raise AssertionError(f"no disk among {os.listdir('/sys/class/block')}")
