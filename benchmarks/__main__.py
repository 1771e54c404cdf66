# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``./dev bench [NAME…]``: figures beside a peer's, the two measured in turn in one run."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from benchmarks import boot, network, pull, replace, runtime, shims
from benchmarks import idle as idle_cost
from benchmarks.world import World, world

ROUNDS = 15
CROWD = 100
"""Containers of one task."""


def interleaved(candidates: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The median time of each candidate in ms: all in turn, so that a machine's change of speed meets all alike.

    What a candidate returns, if that can be called, takes away what it has made, and its time does not count.
    """
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(ROUNDS + 1):
        for name, act in candidates.items():
            began = time.perf_counter()
            after = act()
            if turn:
                times[name].append((time.perf_counter() - began) * 1000)
            if callable(after):
                after()
    return {name: statistics.median(each) for name, each in times.items()}


def show(title: str, unit: str, figures: Mapping[str, float]) -> None:
    """Print the figures, the first of them as the one that the others are compared with."""
    print(f"\n{title}")
    base = next(iter(figures.values()))
    for name, value in figures.items():
        print(f"  {name:<44} {value:8.1f} {unit}  x {value / base:.2f}")


def program(made: World, module: str, options: Mapping[str, object]) -> Callable[[], object]:
    """The process that a task is on a host: what Ansible sends, run by this Python."""
    file = Path(made.layout.run) / f"{module}.py"
    command = [sys.executable, "-m", "benchmarks.payload", module, json.dumps(options), str(file)]
    subprocess.run(command, check=True)
    # Tests and CI machines may forbid bytecode; a host does not.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}

    def act() -> None:
        result = subprocess.run([sys.executable, str(file)], capture_output=True, check=True, env=environment)
        answer = json.loads(result.stdout)
        if answer.get("changed"):
            raise SystemExit(f"bench: {module} was to change nothing and did: {answer.get('actions')}")

    return act


def noop(made: World) -> None:
    """Modules that find nothing to do, beside ansible.builtin.ping."""
    options = made.container("bench")
    made.declare(CONTAINER, **options)
    here = {"run": made.layout.run}
    figures = interleaved(
        {
            "ansible.builtin.ping": program(made, "ansible.builtin.ping", {}),
            "image": program(made, "pycontainers.linux.image", {"name": options["image"], **here}),
            "bridge_network": program(made, "pycontainers.linux.bridge_network", {"name": "web", **here}),
            "cgroup_limit": program(made, "pycontainers.linux.cgroup_limit", {"name": "bench", "cpus": "0.5", **here}),
            "container": program(made, "pycontainers.linux.container", {**options, **here}),
        }
    )
    show("A module's process that finds nothing to do", "ms", figures)


def limits(made: World) -> None:
    """A task that finds the limits of a hundred containers as they are wanted, beside ansible.builtin.ping."""
    options = {"image": f"{made.registry}/busybox:latest", "command": "sleep 1000", "labels": {"bench": "limits"}}
    for number in range(CROWD):
        made.declare(CONTAINER, **options, name=f"crowd{number}", memory="32m", cpus="0.5")
    asked = {"labels": {"bench": "limits"}, "memory": "32m", "cpus": "0.5", "run": made.layout.run}
    figures = interleaved(
        {
            "ansible.builtin.ping": program(made, "ansible.builtin.ping", {}),
            f"cgroup_limit, {CROWD} containers": program(made, "pycontainers.linux.cgroup_limit", asked),
        }
    )
    show("A module's process that finds nothing to do", "ms", figures)


def start(made: World) -> None:
    """A container made, started and removed, beside unshare(1), and runc and crun where they are installed."""
    options = {"name": "short", "image": f"{made.registry}/busybox:latest", "command": "sleep 60"}
    made.declare(CONTAINER, **options, state="stopped")

    def ours() -> None:
        made.declare(CONTAINER, name="short", state="started")

    def undo() -> None:
        made.declare(CONTAINER, name="short", state="stopped")

    times, peer = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(["unshare", "-fmpiun", "--mount-proc", "true"], check=True)
        peer.append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        ours()
        times.append((time.perf_counter() - began) * 1000)
        undo()
    figures = {"unshare -fmpiun --mount-proc true": statistics.median(peer), "start": statistics.median(times)}
    show("Start of a container: cgroups, overlay, namespaces, waiter, until its program runs", "ms", figures)


def idle(made: World) -> None:
    """What stays while a container runs."""
    show("What stays with a container that runs: private memory", "kB", idle_cost.figures(made))


def oci(made: World) -> None:
    """The OCI runtime beside its peers."""
    # Both keep their records below /run, which is memory, unless they are told otherwise.
    syscalls.mount("tmpfs", made.layout.run, "tmpfs")
    try:
        _oci(made)
    finally:
        syscalls.umount(made.layout.run)


def _oci(made: World) -> None:
    folder = runtime.bundle(made, Path(made.layout.run))
    title = "run of true and its removal, the same bundle: whole processes"
    show(title, "ms", interleaved(runtime.whole(folder)))
    show("Until it runs, within a process that runs already", "ms", interleaved(runtime.within(folder)))


BENCHMARKS = {
    "runtime": oci,
    "noop": noop,
    "limits": limits,
    "start": start,
    "idle": idle,
    "boot": boot.measure,
    "pull": pull.measure,
    "network": network.measure,
    "replace": replace.measure,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown or os.geteuid() != 0:
        known = ", ".join(BENCHMARKS)
        words = f"there is no benchmark {unknown[0]}; there are {known}" if unknown else "run it as root"
        print(f"bench: {words}", file=sys.stderr)
        return 2
    print(f"{date.today()}, {platform.platform()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(f"medians of {ROUNDS} rounds, in turn")
    if "runtime" in names or not names:
        runtime.peers()
    if "pull" in names or not names:
        pull.peers()
    if "network" in names or not names:
        network.peers()
    if "idle" in names or not names:
        shims.peers()
    with world() as made:
        for name in names or BENCHMARKS:
            BENCHMARKS[name](made)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
