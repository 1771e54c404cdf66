# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets how much of a disk that is slower than those who read it."""
from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import block_devices, cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.statistics import statistics
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.limit_bench import limit
from ansible_collections.pycontainers.linux.tests.kernel.slow_disk import slow_disk

NAMES = ("a", "b")
ATTEMPTS = 4
"""How often the disk is looked at: what else the machine does has a part in what each gets."""


@pytest.fixture
def disk(host: Host, tmp_path: Path) -> Iterator[str]:
    """Give a slow disk whose scheduler goes by the weights of cgroups; no container has it any more afterwards."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("the kernel has no FUSE, by which a disk is made slow")
    with slow_disk(tmp_path) as device:
        queue = Path(f"/sys/block/{Path(device).name}/queue")
        if "bfq" not in (queue / "scheduler").read_text():
            pytest.skip("the kernel has no I/O scheduler that goes by weights (bfq)")
        (queue / "scheduler").write_text("bfq")
        # It prefers whoever has just begun to read.
        (queue / "iosched/low_latency").write_text("0")
        yield device
        for name in NAMES:
            with suppress(Exception):
                host.converge(name, state="absent", stop_timeout=0)
        (queue / "scheduler").write_text("none")


def read(host: Host, device: str) -> dict[str, int]:
    """The bytes that each container has read of a device."""
    found, number = {}, block_devices.number(device)
    for name in NAMES:
        told = statistics(cgroups.cgroups(), container_state.cgroup(host.observed(name)))["blkio"]
        of_device = [each for each in told["ioServiceBytesRecursive"] if f"{each['major']}:{each['minor']}" == number]
        found[name] = sum(each["value"] for each in of_device if each["op"] == "Read")
    return found


def test_weights_decide_whose_disk_it_is(host: Host, disk: str) -> None:
    """Of two programs that read all the time the one with ten times the weight gets most, until both have the same."""
    once = f"while :; do dd if={disk} of=/dev/null bs=64k iflag=direct 2>/dev/null; done"
    for name in NAMES:
        host.shell(f"{once} & {once}", name, devices=[disk])
    for weights, most in (((1000, 100), "a"), ((100, 1000), "b"), ((100, 100), "")):
        for name, weight in zip(NAMES, weights, strict=True):
            limit(host, name, blkio_weight=weight)
        parts: list[float] = []
        while not parts or not {"a": parts[-1] > 0.75, "b": parts[-1] < 0.25, "": 0.3 < parts[-1] < 0.7}[most]:
            assert len(parts) < ATTEMPTS, (weights, parts)
            time.sleep(0.3)
            before = read(host, disk)
            time.sleep(1.5)
            got = {name: amount - before[name] for name, amount in read(host, disk).items()}
            parts.append(got["a"] / sum(got.values()))
