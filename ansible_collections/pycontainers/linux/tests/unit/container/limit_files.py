# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders with the files of a cgroup as a kernel has them, for what is read from and written to such files."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import V1, V2, Group

LARGEST = (2**63 - 1) // 4096 * 4096

FRESH_2 = {
    "cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc",
    "memory.max": "max",
    "memory.swap.max": "max",
    "memory.low": "0",
    "memory.high": "max",
    "memory.min": "0",
    "memory.oom.group": "0",
    "cpu.max": "max 100000",
    "cpu.max.burst": "0",
    "cpu.weight": "100",
    "cpu.idle": "0",
    "cpuset.cpus": "",
    "cpuset.cpus.effective": "0-7",
    "cpuset.mems": "",
    "cpuset.mems.effective": "0",
    "pids.max": "max",
    "io.weight": "default 100",
    "io.max": "",
    "rdma.max": "mlx4_0 hca_handle=max hca_object=max",
    "misc.max": "sev max",
    "cgroup.freeze": "0",
}
FRESH_1 = {
    "memory/memory.limit_in_bytes": str(LARGEST),
    "memory/memory.memsw.limit_in_bytes": str(LARGEST),
    "memory/memory.soft_limit_in_bytes": str(LARGEST),
    "memory/memory.swappiness": "60",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0",
    "cpu/cpu.cfs_quota_us": "-1",
    "cpu/cpu.cfs_period_us": "100000",
    "cpu/cpu.cfs_burst_us": "0",
    "cpu/cpu.shares": "1024",
    "cpu/cpu.idle": "0",
    "cpuset/cpuset.cpus": "0-7",
    "cpuset/cpuset.mems": "0",
    "pids/pids.max": "max",
    "blkio/blkio.bfq.weight": "100",
    **{f"blkio/blkio.throttle.{each}_device": "" for each in ("read_bps", "write_bps", "read_iops", "write_iops")},
    "rdma/rdma.max": "mlx4_0 hca_handle=max hca_object=max",
    "freezer/freezer.state": "THAWED",
}
FRESH = {1: FRESH_1, 2: FRESH_2}
"""What a new group's files say, and those of the group above."""


def group(folder: Path, version: int) -> Group:
    """A new group below another one, in files of this folder."""
    for path in ("above", "above/group"):
        for name, text in FRESH[version].items():
            controller, slash, file = name.rpartition("/")
            place = folder / controller / path if slash else folder / path
            place.mkdir(parents=True, exist_ok=True)
            (place / file).write_text(f"{text}\n")
    if version == 2:
        return Group(V2(str(folder)), "above/group")
    tops = dict.fromkeys(name.partition("/")[0] for name in FRESH_1)
    return Group(V1({name: str(folder / name) for name in tops}), "above/group")


def take(where: Group, name: str, text: str) -> None:
    """Write a text, and have the file say what the kernel says then."""
    file = Path(where.groups.file(where.path, name))
    file.write_text(f"{_said(name.rpartition('/')[2], text, file.read_text())}\n")


def _said(name: str, text: str, before: str) -> str:
    if name == "memory.oom_control":
        return before.rstrip().replace(before.split("\n")[0], f"oom_kill_disable {text}")
    if name.startswith("memory.") and name not in ("memory.swappiness", "memory.oom.group"):
        largest = "max" if "bytes" not in name else str(LARGEST)
        if text in ("max", "-1") or int(text) >= LARGEST:
            return largest
        return str(int(text) // 4096 * 4096)
    if name == "io.max":
        return _nested(text, before)
    if ".throttle." in name:
        device, rate = text.split()
        lines = [line for line in before.splitlines() if line and line.split()[0] != device]
        return "\n".join([*lines, *([text] if rate != "0" else [])])
    return text


def _nested(text: str, before: str) -> str:
    """A device's line, in which what is not written stays; without any limit there is no line."""
    device, *words = text.split()
    lines = {line.split()[0]: line.split()[1:] for line in before.splitlines() if line}
    old = dict(word.split("=") for word in lines.pop(device, ["rbps=max", "wbps=max", "riops=max", "wiops=max"]))
    new = old | dict(word.split("=") for word in words)
    if set(new.values()) != {"max"}:
        lines[device] = [f"{key}={value}" for key, value in new.items()]
    return "\n".join(" ".join([each, *rest]) for each, rest in lines.items())
