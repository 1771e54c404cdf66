# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits on a host with all controllers in cgroup version 2, among them cpuset and hugetlb."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import Fleet

pytestmark = pytest.mark.vm

HOST = "vm1"


def _container(fleet: Fleet) -> Any:
    return json.loads(fleet.shell(HOST, "pycontainers inspect nginx"))[0]


def _kernel(fleet: Fleet, name: str) -> str:
    return fleet.shell(HOST, f"cat /sys/fs/cgroup/pycontainers/{_container(fleet)['Id']}/{name}")


def _limit(fleet: Fleet, **values: Any) -> dict[str, Any]:
    done = fleet.task(HOST, "cgroup_limit", {"name": "nginx", **values})
    assert not done["failed"], done
    return done


def test_limits_of_controllers_that_no_container_had(machine: Fleet) -> None:
    """What cpuset and hugetlb hold is set and cleared while nginx runs, and a second run changes nothing."""
    pid = _container(machine)["State"]["Pid"]
    values = {"cpuset_cpus": "0", "cpuset_mems": "0", "hugetlb": {"2MB": "5m"}, "cpu_shares": 512}
    assert _limit(machine, **values)["changed"]
    assert not _limit(machine, **values)["changed"]
    found = [_kernel(machine, name) for name in ("cpuset.cpus", "cpuset.mems", "hugetlb.2MB.max", "cpu.weight")]
    assert found == ["0", "0", str(4 << 20), "59"]
    none = {"cpuset_cpus": "", "cpuset_mems": "max", "hugetlb": {}, "cpu_shares": "default"}
    assert _limit(machine, **none)["changed"]
    again = _limit(machine, **none)
    assert not again["changed"]
    told = again["cgroup_limit"]
    assert (told["cpuset_cpus"], told["hugetlb"], told["cpu_shares"]) == ("", {}, "default")
    assert (_kernel(machine, "hugetlb.2MB.max"), _kernel(machine, "cpu.weight")) == ("max", "100")
    assert _container(machine)["State"]["Pid"] == pid


HUGE = """import mmap, os, sys
open("/sys/fs/cgroup/pycontainers/" + sys.argv[1] + "/cgroup.procs", "w").write("0")
room = mmap.mmap(-1, int(sys.argv[2]) << 21, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40000)
for page in range(int(sys.argv[2])):
    room[page << 21] = 1
"""
"""A program that goes into a container's cgroup and takes so many huge pages of 2 MB."""


def test_huge_pages_are_held_to_a_limit(machine: Fleet) -> None:
    """A process of the container takes as many as it may, and is refused or ended at one more."""
    machine.shell(HOST, f"cat >/tmp/huge.py <<'TEXT'\n{HUGE}TEXT\nsysctl -w vm.nr_hugepages=4")
    took = f"python3 /tmp/huge.py {_container(machine)['Id']}"
    _limit(machine, hugetlb={"2MB": "4m"})
    assert machine.shell(HOST, f"{took} 2 && echo took") == "took"
    assert machine.shell(HOST, f"{took} 3 2>/dev/null || echo held") == "held"
    _limit(machine, hugetlb={})
    assert machine.shell(HOST, f"{took} 3 && echo took") == "took"
    machine.shell(HOST, "sysctl -w vm.nr_hugepages=0; rm /tmp/huge.py")


def test_a_disk_is_held_to_a_rate(machine: Fleet) -> None:
    """The disk that a folder is on has a rate of its own in io.max, until there is none."""
    _limit(machine, device_write_bps=[{"path": "/var/lib", "rate": "1m"}], device_read_iops=[{"path": "/", "rate": 99}])
    assert "riops=99" in _kernel(machine, "io.max")
    assert f"wbps={1 << 20}" in _kernel(machine, "io.max")
    _limit(machine, device_write_bps=[], device_read_iops=[])
    assert _kernel(machine, "io.max") == ""


def test_what_version_2_does_not_have_is_refused(machine: Fleet) -> None:
    """Swappiness is of version 1 only: it is refused by its name, and nothing else of the task is set."""
    before = _kernel(machine, "memory.max")
    refused = machine.task(HOST, "cgroup_limit", {"name": "nginx", "memory": "80m", "memory_swappiness": "5"})
    assert refused["failed"]
    assert "as memory_swappiness: cgroup version 2 has no such limit" in refused["msg"]
    assert _kernel(machine, "memory.max") == before


def test_a_service_of_the_host_is_limited(machine: Fleet) -> None:
    """A cgroup of OpenRC's is limited by its path, and what people log in by is refused."""
    group = "/sys/fs/cgroup/service"
    sleep = "sleep 1000 </dev/null >/dev/null 2>&1"
    machine.shell(HOST, f"mkdir {group}; {sleep} & echo $! > {group}/cgroup.procs")
    done = machine.task(HOST, "cgroup_limit", {"path": "/service", "pids_limit": "20", "memory": "25%"})
    assert done["changed"], done
    assert machine.shell(HOST, f"cat {group}/pids.max") == "20"
    machine.shell(HOST, f"kill $(cat {group}/cgroup.procs); sleep 1; rmdir {group}")
