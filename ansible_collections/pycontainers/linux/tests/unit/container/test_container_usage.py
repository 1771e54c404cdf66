# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container uses, of the files of both cgroup versions, and how people see it."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli import stats, table
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import V1, V2, Cgroups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.links import Counters
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.statistics import statistics, swap
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_stats import measured
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_usage import (
    Reading,
    document,
)

MACHINE = 8 << 30
MEBIBYTE = 1 << 20
PAUSE = "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n"
FILES_2 = {
    "cpu.stat": "usage_usec 2500000\nuser_usec 1500000\nsystem_usec 1000000\ncore_sched.force_idle_usec 0\n"
    "nr_periods 16\nnr_throttled 13\nthrottled_usec 487473\nnr_bursts 0\nburst_usec 0\n",
    "cpu.pressure": "some avg10=9.00 avg60=3.00 avg300=1.00 total=900\n",
    "memory.current": f"{50 * MEBIBYTE}\n",
    "memory.max": f"{64 * MEBIBYTE}\n",
    "memory.peak": f"{60 * MEBIBYTE}\n",
    "memory.swap.current": "8192\n",
    "memory.swap.max": "max\n",
    "memory.stat": f"anon 4096\nfile {30 * MEBIBYTE}\nkernel 0\nswapcached 0\ninactive_file {18 * MEBIBYTE}\n",
    "memory.events": "low 0\nhigh 0\nmax 3\noom 0\noom_kill 0\n",
    "memory.pressure": PAUSE,
    "io.stat": "8:16 rbytes=1459200 wbytes=314773504 rios=192 wios=353 dbytes=0 dios=0\n"
    "8:0 rbytes=90430464 wbytes=299008000 rios=8950 wios=1252 dbytes=50331648 dios=3021\n253:0 \n",
    "io.pressure": PAUSE,
    "pids.current": "5\n",
    "pids.max": "max\n",
}
"""Of the kernel's admin-guide/cgroup-v2.rst."""

FILES_1 = {
    "cpuacct.usage": "2500000000\n",
    "cpuacct.stat": "user 150\nsystem 100\n",
    "cpuacct.usage_percpu": "1500000000 1000000000 \n",
    "cpu.stat": "nr_periods 16\nnr_throttled 13\nthrottled_time 487473000\nnr_bursts 0\nburst_time 0\n",
    "memory.usage_in_bytes": f"{50 * MEBIBYTE}\n",
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.max_usage_in_bytes": f"{60 * MEBIBYTE}\n",
    "memory.memsw.usage_in_bytes": f"{50 * MEBIBYTE + 8192}\n",
    "memory.memsw.limit_in_bytes": "9223372036854771712\n",
    "memory.stat": f"cache {30 * MEBIBYTE}\nrss 4096\ninactive_file 1\nhierarchical_memory_limit {64 * MEBIBYTE}\n"
    f"total_cache {30 * MEBIBYTE}\ntotal_swap 8192\ntotal_inactive_file {18 * MEBIBYTE}\n",
    "blkio.throttle.io_service_bytes_recursive": "8:16 Read 1459200\n8:16 Write 314773504\n8:16 Sync 1\n8:16 Total 2\n"
    "8:0 Read 90430464\n8:0 Write 299008000\n8:0 Discard 50331648\nTotal 9\n",
    "blkio.throttle.io_serviced_recursive": "8:16 Read 192\n8:16 Write 353\n8:0 Read 8950\n8:0 Write 1252\nTotal 9\n",
    "pids.current": "5\n",
    "pids.max": "max\n",
}
"""Of the kernel's admin-guide/cgroup-v1/, and of a host that has it."""

WEB = Container(name="web", id="5b0a3f9d2c7e41d8")
ETH0 = Counters(4, 2, 1320, 240, 0, 0, 1, 0)


def written(folder: Path, files: dict[str, str]) -> None:
    """Write the files of a group."""
    (folder / "g").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "g" / name).write_text(text)


def used(groups: Cgroups, before: Reading | None = None) -> dict[str, Any]:
    """What a group uses, read ten seconds after the beginning."""
    group = statistics(groups, "g")
    return document(WEB, Reading(10.0, group, {"eth0": ETH0}, swap(groups, "g", group["memory"]), 7), before, MACHINE)


BOTH = {
    "id": "5b0a3f9d2c7e41d8",
    "name": "web",
    "running": True,
    "cpu_percent": None,
    "cpu_usage": 2_500_000_000,
    "cpu_usage_user": 1_500_000_000,
    "cpu_usage_system": 1_000_000_000,
    "cpu_throttled": 487_473_000,
    "cpu_throttled_periods": 13,
    "cpu_periods": 16,
    "memory_usage": 32 * MEBIBYTE,
    "memory_limit": 64 * MEBIBYTE,
    "memory_percent": 50.0,
    "memory_peak": 60 * MEBIBYTE,
    "memory_cache": 30 * MEBIBYTE,
    "swap_usage": 8192,
    "swap_limit": None,
    "oom_kills": 7,
    "networks": {"eth0": ETH0._asdict()},
    "block_read_bytes": 1459200 + 90430464,
    "block_write_bytes": 314773504 + 299008000,
    "block_read_ops": 192 + 8950,
    "block_write_ops": 353 + 1252,
    "pids_current": 5,
    "pids_limit": None,
}


@pytest.fixture
def version_1(tmp_path: Path) -> V1:
    """Give a group of version 1 whose controllers are all mounted in one place."""
    written(tmp_path, FILES_1)
    return V1(dict.fromkeys(("cpu", "cpuacct", "memory", "blkio", "pids"), str(tmp_path)))


@pytest.fixture
def version_2(tmp_path: Path) -> V2:
    """Give a group of version 2."""
    written(tmp_path, FILES_2)
    return V2(str(tmp_path))


def test_version_1(version_1: V1) -> None:
    """A limit of a group above counts, caches that groups below hold do, and there is no pressure."""
    assert used(version_1) == BOTH | {"pressure": {}}


def test_version_2(version_2: V2) -> None:
    """The same numbers, with what processes have waited for."""
    found = used(version_2)
    pressure = found.pop("pressure")
    assert found == BOTH
    assert pressure["cpu"] == {"some": {"avg10": 9.0, "avg60": 3.0, "avg300": 1.0, "total": 900}}
    assert pressure["io"] == pressure["memory"]
    assert pressure["memory"]["full"]["total"] == 5


def test_limits(tmp_path: Path, version_2: V2) -> None:
    """Limits are numbers where they are set; memory without one is that of the host; swap is told by itself."""
    written(tmp_path, {"memory.max": "max\n", "memory.swap.max": "4096\n", "pids.max": "9\n"})
    found = used(version_2)
    assert (found["memory_limit"], found["swap_limit"], found["pids_limit"]) == (MACHINE, 4096, 9)
    assert found["memory_percent"] == round(100 * 32 * MEBIBYTE / MACHINE, 2)


def test_a_limit_of_memory_and_swap_together(tmp_path: Path, version_1: V1) -> None:
    """Version 1 limits the sum of both."""
    texts = {"memory.limit_in_bytes": f"{64 * MEBIBYTE}", "memory.memsw.limit_in_bytes": f"{96 * MEBIBYTE}"}
    written(tmp_path, texts)
    assert used(version_1)["swap_limit"] == 32 * MEBIBYTE


def test_a_kernel_that_does_not_count_it(tmp_path: Path, version_2: V2) -> None:
    """What has no file is nothing: the most memory at a time before Linux 5.19, swap of a kernel without it."""
    for name in ("memory.peak", "memory.swap.max", "memory.swap.current", "cpu.pressure"):
        (tmp_path / "g" / name).unlink()
    found = used(version_2)
    assert (found["memory_peak"], found["swap_usage"], found["swap_limit"]) == (None, 0, None)
    assert set(found["pressure"]) == {"memory", "io"}


@pytest.mark.parametrize(("spent", "percent"), [(2_500_000_000, 0.0), (0, 125.0), (2_000_000_001, 25.0)])
def test_the_share_of_processors(version_2: V2, spent: int, percent: float) -> None:
    """A processor's whole time is a hundred, whatever many there are; of another start there is nothing to tell."""
    before = Reading(8.0, {"cpu": {"usage": {"total": spent}}}, {})
    assert used(version_2, before)["cpu_percent"] == percent


def test_a_start_in_between(version_2: V2) -> None:
    """A container that has used less than before has been started anew: nothing to tell of it."""
    assert used(version_2, Reading(8.0, {"cpu": {"usage": {"total": 9 * 10**9}}}, {}))["cpu_percent"] is None


def test_one_that_does_not_run(version_2: V2) -> None:
    """It has all keys, and no numbers."""
    found = document(WEB, None, None, MACHINE)
    assert list(found) == list(used(version_2))
    said: dict[str, Any] = {"id": WEB.id, "name": "web", "running": False, "networks": {}, "pressure": {}}
    assert found == dict.fromkeys(found) | said


def test_the_table(version_2: V2) -> None:
    """The columns and the units are Docker's."""
    running = used(version_2, Reading(8.0, {"cpu": {"usage": {"total": 0}}}, {}))
    stopped = document(Container(name="db", id="f" * 64), None, None, MACHINE)
    assert stats.lines([running, stopped], whole=False) == [
        "CONTAINER ID   NAME   CPU %     MEM USAGE / LIMIT   MEM %    NET I/O         BLOCK I/O           PIDS",
        "5b0a3f9d2c7e   web    125.00%   32MiB / 64MiB       50.00%   1.32kB / 240B   91.89MB / 613.8MB   5",
        "ffffffffffff   db     --        -- / --             --       --              --                  --",
    ]
    assert stats.lines([stopped], whole=True)[1].startswith("f" * 64)


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0B"), (1023, "1023B"), (1024, "1KiB"), (1536 * 1024, "1.5MiB"), (3 << 30, "3GiB"), (5 << 40, "5TiB")],
)
def test_sizes_of_memory(count: int, said: str) -> None:
    """Powers of 1024, with four digits at most below the next unit."""
    assert table.memory_of(count) == said


def test_what_is_drawn_fits_the_terminal() -> None:
    """Each line ends what was there before; what is too long or too much is cut, and how much is said."""
    assert stats.frame(["head", "a"], 80, 24) == "head\x1b[K\na\x1b[K\n\x1b[J"
    content = ["head line", *map(str, range(200))]
    drawn = stats.frame(content, 4, 5).removesuffix("\x1b[J").replace("\x1b[K", "").splitlines()
    assert drawn == ["head", "0", "1", "… an"]
    assert "… and 198 more" in stats.frame(content, 80, 5)
    assert stats.frame(content, 80, 1).count("\n") == 1


@pytest.mark.parametrize("said", ["soon", "-1", "61", "nan", "inf", True, None, [1]])
def test_an_interval_is_a_short_time(said: Any) -> None:
    """Others are refused before anything is read."""
    with pytest.raises(ValueError, match="seconds"):
        measured(said)


def test_the_document_is_json(version_2: V2) -> None:
    """A task and a program get the same."""
    found = used(version_2)
    assert json.loads(json.dumps(found)) == found
