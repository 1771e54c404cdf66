# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a kernel of its own: modules to load, cgroup version 2."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import Fleet

pytestmark = pytest.mark.vm

HOST = "vm1"


def _inspect(fleet: Fleet) -> Any:
    return json.loads(fleet.shell(HOST, "pycontainers inspect nginx"))[0]


def _kernel(fleet: Fleet, identity: str, name: str) -> str:
    return fleet.shell(HOST, f"cat /sys/fs/cgroup/pycontainers/{identity}/{name}")


def test_the_limits_are_in_the_files_of_version_2(machine: Fleet) -> None:
    """memory.max, cpu.max and pids.max hold what the playbook says, and nginx is in the cgroup."""
    found = _inspect(machine)
    identity, pid = found["Id"], found["State"]["Pid"]
    assert _kernel(machine, identity, "memory.max") == str(64 << 20)
    assert _kernel(machine, identity, "cpu.max") == "50000 100000"
    assert _kernel(machine, identity, "pids.max") == "100"
    assert str(pid) in _kernel(machine, identity, "cgroup.procs").split()
    assert "Welcome to nginx" in machine.page(HOST)


def test_a_limit_changes_and_is_cleared_live(machine: Fleet) -> None:
    """cgroup_limit writes the kernel's file while nginx keeps its pid; max clears it."""
    before = _inspect(machine)
    changed = machine.task(HOST, "cgroup_limit", {"name": "nginx", "memory": "96m", "pids_limit": "max"})
    assert changed["changed"], changed
    assert _kernel(machine, before["Id"], "memory.max") == str(96 << 20)
    assert _kernel(machine, before["Id"], "pids.max") == "max"
    assert _inspect(machine)["State"]["Pid"] == before["State"]["Pid"]


def test_the_container_sees_its_own_cgroup_as_the_root(machine: Fleet) -> None:
    """A program inside finds itself at the root of the cgroup tree, and can't write to it."""
    inside = machine.shell(HOST, "pycontainers exec nginx cat /proc/self/cgroup")
    assert inside == "0::/"
    refused = machine.shell(HOST, "pycontainers exec nginx sh -c 'echo max > /sys/fs/cgroup/memory.max' 2>&1 || true")
    assert "Read-only file system" in refused
