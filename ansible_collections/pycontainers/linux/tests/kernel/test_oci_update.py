# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits that depend on one another, and limits that are put back."""
from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups, freezer
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import limits
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import Oci

MEBIBYTE = 1 << 20
MEMORY = ("memory/memory.limit_in_bytes", "memory.max")
SWAP = ("memory/memory.memsw.limit_in_bytes", "memory.swap.max")
QUOTA = ("cpu/cpu.cfs_quota_us", "cpu.max")
BURST = ("cpu/cpu.cfs_burst_us", "cpu.max.burst")
PIDS = ("pids/pids.max", "pids.max")
READ = ("blkio/blkio.throttle.read_bps_device", "io.max")
WEIGHT = ("blkio/blkio.bfq.weight", "io.bfq.weight")
ALL = (MEMORY, SWAP, QUOTA, BURST, PIDS, READ, WEIGHT)


def known(oci: Oci, *files: str) -> str:
    """A limit, or nothing where this kernel has no such file."""
    try:
        return oci.limit(*files)
    except FileNotFoundError:
        return ""


def disk() -> tuple[int, int]:
    """The numbers of a block device of this host."""
    for name in sorted(os.listdir("/sys/block")):
        major, _, minor = Path(f"/sys/block/{name}/dev").read_text().strip().partition(":")
        return int(major), int(minor)
    pytest.skip("there is no block device here")


def update(oci: Oci, resources: dict[str, Any]) -> str:
    """Change limits by a document; returns why not."""
    return oci.call("update", "--resources", "-", "c", stdin=json.dumps(resources)).stderr


def throttled(rate: int, major: int, minor: int) -> dict[str, Any]:
    """A limit on reading from a device."""
    return {"throttleReadBpsDevice": [{"major": major, "minor": minor, "rate": rate}]}


def test_what_was_written_before_a_refusal_is_put_back(oci: Oci) -> None:
    """A limit on a device that is not there takes back all that were set before it, those on devices too."""
    major, minor = disk()
    limited = {
        "memory": {"limit": 64 * MEBIBYTE},
        "cpu": {"quota": 50000, "burst": 20000},
        "pids": {"limit": 40},
        "blockIO": throttled(MEBIBYTE, major, minor),
    }
    oci.configure(change=lambda document: document["linux"]["resources"].update(limited))
    oci.create()
    before = [known(oci, *files) for files in ALL]
    assert before[0] == str(64 * MEBIBYTE)
    devices = throttled(5, major, minor)["throttleReadBpsDevice"] + throttled(5, 4000, 0)["throttleReadBpsDevice"]
    wanted = {
        "memory": {"limit": 32 * MEBIBYTE},
        "cpu": {"quota": 10000, "burst": 5000},
        "pids": {"limit": 30},
        "blockIO": {"throttleReadBpsDevice": devices},
    }
    assert "4000:0" in update(oci, wanted)
    assert [known(oci, *files) for files in ALL] == before


def test_refused_device_rules_put_limits_back(oci: Oci) -> None:
    """Limits that came with device rules which this host can't have stay as they were."""
    if limits.groups().version == 2:
        pytest.skip("version 2 takes all rules")
    oci.configure(change=lambda document: document["linux"]["resources"].update(pids={"limit": 40}))
    oci.create()
    rules = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "access": "rwm"},
        {"allow": False, "type": "c", "major": 10, "minor": 200, "access": "rwm"},
    ]
    assert "can't tell them apart" in update(oci, {"pids": {"limit": 30}, "devices": rules})
    assert oci.limit(*PIDS) == "40"


def test_quota_and_burst_are_lowered_and_raised_together(oci: Oci) -> None:
    """The kernel takes no burst above the quota at any moment, so their order depends on what is there."""
    oci.create()
    for quota, burst in ((50000, 20000), (10000, 5000), (80000, 40000)):
        assert update(oci, {"cpu": {"quota": quota, "burst": burst}}) == ""
        assert (oci.limit(*QUOTA).split()[0], oci.limit(*BURST)) == (str(quota), str(burst))


def test_a_period_alone_leaves_the_quota(oci: Oci) -> None:
    """Quota and period are one file of version 2; what is not given stays."""
    oci.create()
    assert update(oci, {"cpu": {"quota": 30000}}) == ""
    assert update(oci, {"cpu": {"period": 50000}}) == ""
    assert oci.limit(*QUOTA) in ("30000", "30000 50000")


def test_idle_comes_and_goes_with_shares(oci: Oci) -> None:
    """An idle group takes no shares, so they are written while it is not."""
    oci.create()
    for idle in (1, 0):
        assert update(oci, {"cpu": {"idle": idle, "shares": 512}}) == ""
        assert oci.limit("cpu/cpu.idle", "cpu.idle") == str(idle)
    assert oci.limit("cpu/cpu.shares", "cpu.weight") in ("512", "59")


def test_unlimited_memory_is_unlimited_swap(oci: Oci) -> None:
    """Who takes the limit of memory away takes that of memory and swap away too."""
    oci.create()
    if not known(oci, *SWAP):
        pytest.skip("this kernel does not count swap")
    assert update(oci, {"memory": {"limit": 64 * MEBIBYTE, "swap": 96 * MEBIBYTE}}) == ""
    assert oci.limit(*SWAP) in (str(96 * MEBIBYTE), str(32 * MEBIBYTE))
    assert update(oci, {"memory": {"limit": -1}}) == ""
    assert oci.limit(*MEMORY) in ("9223372036854771712", "max")
    assert oci.limit(*SWAP) in ("9223372036854771712", "max")


def test_swap_alone_counts_with_the_memory_that_is_set(oci: Oci) -> None:
    """A limit of memory and swap may come after that of memory."""
    oci.create()
    if not known(oci, *SWAP):
        pytest.skip("this kernel does not count swap")
    assert update(oci, {"memory": {"limit": 64 * MEBIBYTE}}) == ""
    assert update(oci, {"memory": {"swap": 80 * MEBIBYTE}}) == ""
    assert oci.limit(*SWAP) in (str(80 * MEBIBYTE), str(16 * MEBIBYTE))


def test_weight_of_block_devices(oci: Oci) -> None:
    """The weight is in the file of the scheduler that this kernel has."""
    oci.create()
    old = known(oci, "blkio/blkio.weight", "io.weight")
    if not old and not known(oci, *WEIGHT):
        pytest.skip("this kernel has no weights of block devices")
    assert update(oci, {"blockIO": {"weight": 300}}) == ""
    assert "300" in known(oci, *WEIGHT) or known(oci, "blkio/blkio.weight", "io.weight") not in ("", old)


def test_a_refused_limit_leaves_no_group_above(oci: Oci) -> None:
    """The groups that were made for the container's to be below are removed with it, those that were there stay."""
    groups, top = limits.groups(), f"pycontainers-tops-{os.getpid()}"
    groups.create(top)

    def change(document: dict[str, Any]) -> None:
        document["linux"]["cgroupsPath"] = f"/{top}/deep/deeper"
        document["linux"]["resources"]["cpu"] = {"cpus": "4095"}

    try:
        assert "cpuset.cpus" in oci.refused(change)
        assert [os.path.exists(f"{folder}/deep") for folder in groups.directories(top)].count(True) == 0
    finally:
        cgroups.remove(groups, top)


def test_a_frozen_group_is_not_taken(oci: Oci) -> None:
    """A process that joined it would stop there, and the runtime would wait for ever."""
    groups, path = limits.groups(), f"pycontainers-frozen-{os.getpid()}"
    groups.create(path)
    freezer.freeze(groups, path)
    try:
        said = oci.refused(lambda document: document["linux"].update(cgroupsPath=f"/{path}"))
        assert f"its cgroup {path} is frozen" in said
    finally:
        freezer.thaw(groups, path)
        cgroups.remove(groups, path)
