# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays with a container that runs, in memory that nobody else has."""

from __future__ import annotations

import time
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from benchmarks import shims
from benchmarks.world import World

SETTLED = 1.0
"""Seconds after which nothing is on its way any more."""

NAMES = ("other", "idle")
"""Two of each, else the pages of the programs' own files would count as one's."""


def figures(made: World) -> dict[str, float]:
    """Private memory in kB, by whose it is: the sum of ours first."""
    for name in NAMES:
        image = f"{made.registry}/busybox:latest"
        made.declare(CONTAINER, name=name, image=image, command=["sh", "-c", "echo begun; exec sleep 1000"])
    identity = container_state.identity_of(made.layout, "idle") or ""
    waiter, logger = lifecycle.waiter(made.layout, identity), lifecycle.logger(made.layout, identity)
    if waiter is None or logger is None:
        raise SystemExit("bench: the container has no waiter, or no logger")
    time.sleep(SETTLED)
    ours = {_program(waiter.pid): _private(waiter.pid), _program(logger.pid): _private(logger.pid)}
    each = {f"  of these {name}": kept for name, kept in ours.items()}
    return {"waiter and logger": sum(ours.values()), **each, **shims.figures(made, SETTLED, _private)}


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/exe").resolve().name


def _private(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return float(sum(int(line.split()[1]) for line in lines if line.startswith("Private")))
