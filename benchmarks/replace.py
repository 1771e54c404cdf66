# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a client is without an answer while a container is replaced, and what having its health checked costs."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import lifecycle
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.tests.kernel.replace_bench import PORT, asking, server
from benchmarks.world import World

ROUNDS = 7
CHECK = {"test": ["CMD", "wget", "-qO", "/dev/null", "http://127.0.0.1/"], "interval": "1h"}
CHECK |= {"start_period": "1m", "start_interval": "100ms"}


def measure(made: World) -> None:
    """Replacements of a server, seen by a client; then the checker of one whose health is checked."""
    image = f"{made.registry}/busybox:latest"
    options: dict[str, Any] = {"name": "served", "image": image, "networks": [{"name": "web"}], "stop_timeout": 0}
    options["published_ports"] = [f"{PORT}:80"]
    made.declare(CONTAINER, **options, command=server("first"))
    print("\nReplacement of a server, seen by a client of its published port")
    for title, asked in (("started", {}), ("healthy", {"state": "healthy", "healthcheck": CHECK})):
        down, took = [], []
        for turn in range(ROUNDS):
            with asking() as seen:
                began = time.perf_counter()
                made.declare(CONTAINER, **options, **asked, command=server(f"{title}{turn}"))
                took.append((time.perf_counter() - began) * 1000)
            down.append(seen.down() * 1000)
        print(f"  state: {title:<10} longest without an answer {statistics.median(down):8.0f} ms", end="")
        print(f"  the whole of it {statistics.median(took):8.0f} ms")
    _checker(made)


def _checker(made: World) -> None:
    identity = container_state.identity_of(made.layout, "served") or ""
    found = lifecycle.checker(made.layout, identity)
    if found is None:
        raise SystemExit("bench: the container has no checker")
    while Path(f"/proc/{found.pid}/comm").read_text(encoding="ascii") != "sh\n":
        time.sleep(0.05)
    lines = Path(f"/proc/{found.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    sizes = {word: sum(int(line.split()[1]) for line in lines if line.startswith(word)) for word in ("Private", "Pss:")}
    shell = Path(f"/proc/{found.pid}/exe").resolve().name
    print(f"  private memory of a checker between two checks ({shell}) {sizes['Private']} kB, PSS {sizes['Pss:']} kB")
