# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the service does at boot and at shutdown, with a hundred containers."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from benchmarks.world import World

CROWD = 100
ROUNDS = 3


def measure(made: World) -> None:
    """Seconds from the start of the service until all run, and until none does: alone, and on a network with a port."""
    print(f"\n{CROWD} containers (medians of {ROUNDS} rounds; the machine's load before them is {_load()})")
    for title, more in (("no network", {}), ("on a network, each with a port and limits", {"networks": ["web"]})):
        names = [f"crowd{number}" for number in range(CROWD)]
        for number, name in enumerate(names):
            options: dict[str, Any] = {"image": f"{made.registry}/busybox:latest", "command": "sleep 1000"}
            options |= {"restart_policy": "always", "stop_signal": "SIGKILL"}
            if more:
                options |= {"memory": "32m", "cpus": "0.5", "published_ports": [f"{9000 + number}:80"]}
            made.declare(CONTAINER, name=name, **options, **more)
        times: dict[str, list[float]] = {"shutdown": [], "boot": []}
        for _ in range(ROUNDS):
            for verb, running in (("shutdown", 0), ("boot", CROWD)):
                times[verb].append(_seconds(made, verb))
                there = [each for each in names if lifecycle.running(made.layout, _id(made, each))]
                if len(there) != running:
                    raise SystemExit(f"bench: {len(there)} containers run after {verb}, not {running}")
        for verb, each in times.items():
            print(f"  {verb + ', ' + title:<56} {statistics.median(each):6.2f} s")
        for name in names:
            made.declare(CONTAINER, name=name, state="absent", stop_timeout=0)


def _seconds(made: World, verb: str) -> float:
    """How long a verb takes as the service calls it."""
    # Tests and CI machines may forbid bytecode; a host does not.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [f"{made.layout.runtimes}/current/pycontainers", "--root", made.layout.root, "--run", made.layout.run]
    began = time.perf_counter()
    subprocess.run([*command, verb], check=True, env=environment)
    return time.perf_counter() - began


def _id(made: World, name: str) -> str:
    return container_state.identity_of(made.layout, name) or ""


def _load() -> str:
    return " ".join(f"{each:.2f}" for each in os.getloadavg())
