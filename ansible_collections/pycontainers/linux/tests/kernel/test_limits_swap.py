# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's swappiness comes to where there is swap, which no test gives the kernel that it runs on."""
from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.tests.kernel import other_kernel
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.limit_bench import limit, usage

MIB = 1 << 20
HOLD = "(head -c 48000000 /dev/zero; sleep 1000) | tail -c 48000000"
"""A script that holds so many bytes of memory."""


@pytest.fixture
def swap(host: Host, tmp_path: Path) -> Iterator[None]:
    """Give the kernel swap. Its programs are gone before that is."""
    if not other_kernel.is_it():
        pytest.skip("swap is the whole machine's: a kernel that runs as a process has some (test_limits_other_kernel)")
    (tmp_path / "swap").touch()
    subprocess.run(["truncate", "-s", "200M", tmp_path / "swap"], check=True)
    words = ["losetup", "--find", "--show", str(tmp_path / "swap")]
    device = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["mkswap", device], check=True, capture_output=True)
    subprocess.run(["swapon", device], check=True)
    yield
    host.converge(state="absent", stop_timeout=0)
    subprocess.run(["swapoff", device], check=True)
    subprocess.run(["losetup", "--detach", device], check=True)


@pytest.mark.usefixtures("swap")
def test_memory_goes_to_swap_as_far_as_swappiness_lets_it(host: Host) -> None:
    """With 0 the kernel gets no memory of programs back, so less is refused; with another it is taken and in swap."""
    host.shell(HOLD)
    wait(lambda: usage(host)["memory"] > 48_000_000, 60)
    limit(host, memory_swappiness=0)
    with pytest.raises(Failure, match="memory"):
        limit(host, memory="24m", reclaim=True, reclaim_timeout=2)
    assert usage(host)["swap"] == 0
    limit(host, memory_swappiness=60)
    limit(host, memory="24m", reclaim=True)
    assert usage(host)["memory"] <= 24 * MIB
    assert usage(host)["swap"] > 10 * MIB
    assert host.pid()
