# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of docs/limits.md is what the rows say. It is written anew where PYCONTAINERS_WRITE_DOCS is set."""

from __future__ import annotations

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Effect, Row, rows
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.limits import Limits
from ansible_collections.pycontainers.linux.tests import pages

UNITS = {
    "memory": "bytes",
    "protection": "bytes",
    "swappiness": "0 to 100",
    "bool": "yes or no",
    "cpus": "processors",
    "period": "microseconds",
    "quota": "microseconds",
    "burst": "microseconds",
    "shares": "2 to 262144",
    "cpu_numbers": "list of processors",
    "node_numbers": "list of nodes",
    "pids": "processes and threads",
    "block_weight": "10 to 1000",
    "rates_bytes": "bytes a second, by device",
    "rates_operations": "operations a second, by device",
    "hugetlb": "bytes, by page size",
    "rdma": "handles and objects, by device",
    "misc": "number, by resource",
    "device_rules": "rules",
    "ulimits": "soft and hard, by name",
    "score": "-1000 to 1000",
}

LIVE = set(
    "memory memory_swap memory_reservation cpu_shares cpu_period cpu_quota cpuset_cpus cpuset_mems blkio_weight".split()
)
"""What docker_container changes while the container runs, beside the restart policy."""

LACKING = set("memory_high memory_min oom_group cpu_burst cpu_idle hugetlb rdma misc".split())
"""What neither Docker's nor Podman's module has."""

ELSEWHERE = {
    "device_cgroup_rules": ("a program", "devices.list"),
    "ulimits": ("prlimit(2)", "prlimit(2)"),
    "oom_score_adj": ("/proc/PID/oom_score_adj",) * 2,
}
"""Where those are that are in no file of their own."""


PLACED = {"cpu_quota": next(row for row in rows(Limits) if row.name == "cpus")}
"""A row that is kept as another one."""


def _file(row: Row, version: int) -> str:
    if row.name in ELSEWHERE:
        return ELSEWHERE[row.name][version == 1]
    place = PLACED.get(row.name, row).facts[f"v{version}"]
    return " or ".join(f"`{file.rpartition('/')[2]}`" for file in place.files) if place else "no"


def _line(row: Row) -> str:
    docker = "no such option" if row.name in LACKING else "live" if row.name in LIVE else "recreates"
    if row.name == "paused":
        docker = "live"
    podman = "no such option" if row.name in LACKING | {"paused"} else "recreates"
    live = "yes" if PLACED.get(row.name, row).effect == Effect.LIVE else "no"
    words = [f"`{row.name}`", UNITS[row.kind.name], _file(row, 2), _file(row, 1), live, docker, podman]
    return f"| {' | '.join(words)} |\n"


def table() -> str:
    """A line for each limit."""
    others = [row for row in rows(Container) if row.name in ("ulimits", "oom_score_adj")]
    head = "| option | unit | version 2 | version 1 | live | docker_container | podman_container |\n"
    return head + "|---|---|---|---|---|---|---|\n" + "".join(map(_line, (*rows(Limits), *others)))


def test_the_page_tells_what_the_rows_say() -> None:
    """Each limit is on the page with its files, its unit, and what it costs."""
    pages.check("limits.md", "limits", table())
