# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limits come to in cgroup version 2, and what its files come to in statistics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroup_values import (
    cpu_shares,
    cpu_weight,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import V2
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config import parse_resources
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.statistics import NO_LIMIT, statistics
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.unified import texts


def written(folder: Path, document: dict[str, Any], **files: str) -> list[tuple[str, str]]:
    """What is written to a group in which these files are; two underscores stand for a dot."""
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content + "\n")
    return list(texts(V2(str(folder.parent)), folder.name, parse_resources(document)[0]))


@pytest.mark.parametrize(("shares", "found"), [(2, 1), (1024, 100), (262144, 10000), (512, 59), (100, 17)])
def test_weights(shares: int, found: int) -> None:
    """The least, the default and the most shares are the least, the default and the most weight."""
    assert cpu_weight(shares) == found


@given(some.integers(2, 262143))
def test_weights_grow(shares: int) -> None:
    """More shares are never less weight, and the kernel takes all of them."""
    assert 1 <= cpu_weight(shares) <= cpu_weight(shares + 1) <= 10000
    assert cpu_weight(cpu_shares(cpu_weight(shares))) == cpu_weight(shares)


def test_huge_pages(tmp_path: Path) -> None:
    """The limit is on what is reserved, where the kernel counts that, and on what is used."""
    document = {"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}
    assert written(tmp_path, document) == [("hugetlb.2MB.max", "4194304")]
    found = written(tmp_path, document, hugetlb__2MB__rsvd__max="max")
    assert found == [("hugetlb.2MB.rsvd.max", "4194304"), ("hugetlb.2MB.max", "4194304")]


def test_block_devices(tmp_path: Path) -> None:
    """Weights of bfq are version 1's, those of the kernel's other way are brought to its scale; -1 and 0 are max."""
    document = {
        "blockIO": {
            "weight": 1000,
            "weightDevice": [{"major": 8, "minor": 1, "weight": 10}],
            "throttleWriteIOPSDevice": [{"major": 8, "minor": 1, "rate": 0}],
        }
    }
    assert written(tmp_path, document) == [
        ("io.weight", "10000"),
        ("io.weight", "8:1 1"),
        ("io.max", "8:1 wiops=max"),
    ]
    found = written(tmp_path, document, io__bfq__weight="default 100")
    assert found[:2] == [("io.bfq.weight", "1000"), ("io.bfq.weight", "8:1 10")]


def test_lines_of_unified(tmp_path: Path) -> None:
    """The kernel takes one line at a time."""
    found = written(tmp_path, {"unified": {"io.max": "8:0 rbps=5\n8:1 rbps=6"}})
    assert found == [("io.max", "8:0 rbps=5"), ("io.max", "8:1 rbps=6")]


def test_memory_in_use(tmp_path: Path) -> None:
    """With checkBeforeUpdate a limit below what is in use is refused; the kernel itself would kill until it fits."""
    memory = {"limit": 1 << 20}
    assert written(tmp_path, {"memory": memory}, memory__current=str(2 << 20)) == [("memory.max", "1048576")]
    with pytest.raises(Failure, match="2097152 bytes are in use"):
        written(tmp_path, {"memory": memory | {"checkBeforeUpdate": True}})


@pytest.mark.parametrize(
    ("memory", "now", "found"),
    [
        ({"limit": 5 << 20, "swap": 5 << 20}, "max", ["0", "5242880"]),
        ({"limit": 5 << 20, "swap": 6 << 20}, "max", ["1048576", "5242880"]),
        ({"limit": 5 << 20, "swap": -1}, "max", ["max", "5242880"]),
        ({"limit": -1}, "5242880", ["max", "max"]),
        ({"swap": 6 << 20}, "5242880", ["1048576"]),
        ({"limit": 5 << 20}, "max", ["5242880"]),
    ],
)
def test_swap(tmp_path: Path, memory: dict[str, int], now: str, found: list[str]) -> None:
    """Configurations count memory and swap together, version 2 counts swap alone."""
    written_texts = written(tmp_path, {"memory": memory}, memory__max=now, memory__swap__max="max")
    assert [text for _, text in written_texts] == found


@pytest.mark.parametrize("now", ["max", "8388608"])
def test_impossible_swap(tmp_path: Path, now: str) -> None:
    """Swap is not limited without memory, nor below it."""
    with pytest.raises(Failure, match="it includes memory"):
        written(tmp_path, {"memory": {"swap": 6 << 20}}, memory__max=now)


def test_a_kernel_without_swap(tmp_path: Path) -> None:
    """Where there is no swap, no limit of it and none of it used are as it is."""
    assert written(tmp_path, {"memory": {"limit": 5 << 20, "swap": 5 << 20}}) == [("memory.max", "5242880")]
    assert written(tmp_path, {"memory": {"limit": 5 << 20, "swap": 6 << 20}})[0] == ("memory.swap.max", "1048576")


def test_statistics(tmp_path: Path) -> None:
    """Swap is told as what memory and swap come to together, and pressure with whole totals."""
    group = tmp_path / "g"
    group.mkdir()
    files = {"memory.current": "100", "memory.max": "1000", "memory.swap.current": "10", "memory.swap.max": "50"}
    line = "avg10=1.50 avg60=0.25 avg300=0.00 total=77"
    for name, text in (files | {"memory.pressure": f"some {line}\nfull {line}\n"}).items():
        (group / name).write_text(text)
    found = statistics(V2(str(tmp_path)), "g")
    assert found["memory"]["swap"] == {"usage": 110, "limit": 1050}
    pressure = {"avg10": 1.5, "avg60": 0.25, "avg300": 0.0, "total": 77}
    assert found["memory"]["psi"] == {"some": pressure, "full": pressure}
    assert isinstance(found["memory"]["psi"]["full"]["total"], int)
    assert "psi" not in found["cpu"]
    (group / "memory.swap.max").write_text("max")
    assert statistics(V2(str(tmp_path)), "g")["memory"]["swap"]["limit"] == NO_LIMIT
