# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroup_values import UNLIMITED
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.devices import MKNOD, READ, DeviceRule
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import config
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_cgroup import CgroupPath
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_resources import Resources, rdma
from ansible_collections.pycontainers.linux.tests.unit.oci_config.samples import (
    DOCKER,
    EVERYTHING,
    RUNC_SPEC,
    Place,
    with_value,
)


def parsed(place: Place, value: Any, **options: bool) -> config.Config:
    """What a configuration with this value at this place comes to."""
    return config.parse(with_value(RUNC_SPEC, place, value), "/bundle", **options)


def limits(name: str, value: Any) -> Resources:
    """The resources with this field."""
    return parsed(("linux", "resources", name), value).resources


def test_rdma_devices() -> None:
    """A line per device, with what is limited of it."""
    found = limits("rdma", {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}, "ocrdma1": {"hcaObjects": 0}})
    assert list(rdma(found)) == ["mlx5_1 hca_handle=3 hca_object=10000", "ocrdma1 hca_object=0"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (None, None),
        ("", None),
        ("/docker/0a", CgroupPath("docker/0a", True)),
        ("a//b/../c/", CgroupPath("a/c", False)),
        ("a.slice:b:c", CgroupPath("a.slice:b:c", False)),
    ],
)
def test_cgroup_paths(said: str | None, found: CgroupPath | None) -> None:
    """A path is plain, and without systemd a colon is a letter like others."""
    assert parsed(("linux", "cgroupsPath"), said).cgroup == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("machine.slice:libpod:0a", "machine.slice/libpod-0a.scope"),
        ("a-b.slice:p:n", "a.slice/a-b.slice/p-n.scope"),
        (":p:n", "system.slice/p-n.scope"),
        ("-.slice::n", "n.scope"),
        ("user.slice:p:n.slice", "user.slice/n.slice"),
    ],
)
def test_systemd_paths(said: str, found: str) -> None:
    """Slice, prefix and name are where systemd puts such a unit."""
    cgroup = parsed(("linux", "cgroupsPath"), said, systemd=True).cgroup
    assert cgroup
    assert cgroup.path == found


def test_zeros_say_nothing() -> None:
    """The zeros that docker sends for what its user left alone limit nothing."""
    found = config.parse(DOCKER, "/bundle").resources
    assert (found.cpu.shares, found.pids, found.block_io.weight) == (None, None, None)
    assert limits("memory", {"limit": 0, "swap": 0, "reservation": 0}).memory.limit is None


def test_limits() -> None:
    """Limits keep their meaning: -1 takes one away, lists are joined, shares are within the kernel's bounds."""
    found = config.parse(EVERYTHING, "/bundle").resources
    assert (found.memory.limit, found.memory.swap, found.memory.kernel_tcp) == (2**29, 2**30, UNLIMITED)
    assert (found.cpu.cpus, found.cpu.quota, found.cpu.idle) == ("0-3,7", 50000, 0)
    assert found.block_io.leaf_weights == ((8, 0, 300),)
    assert found.hugepages == (("2MB", 209715200),)
    assert dict(found.unified)["memory.high"] == "1048576"
    assert limits("pids", {"limit": -5}).pids == UNLIMITED
    assert limits("cpu", {"shares": 1}).cpu.shares == 2


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ({"allow": False, "access": "mwr"}, DeviceRule(False)),
        ({"allow": False}, DeviceRule(False)),
        ({"allow": True, "type": "c", "major": 136, "access": "r"}, DeviceRule(True, "c", 136, None, READ)),
        ({"allow": True, "type": "u", "major": 5, "minor": 0}, DeviceRule(True, "c", 5, 0)),
        ({"allow": True, "minor": -1, "access": "m"}, DeviceRule(True, access=MKNOD)),
    ],
)
def test_device_rules(said: dict[str, Any], rule: DeviceRule) -> None:
    """What a rule does not say stands for all: types, numbers, and accesses."""
    assert limits("devices", [said]).devices == (rule,)


def test_updates() -> None:
    """Limits by themselves may set swap alone, since the group may have a memory limit already."""
    found, warnings = config.parse_resources({"memory": {"swap": 5000, "kernel": 5}})
    assert (found.memory.swap, len(warnings)) == (5000, 1)
