# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The testbed's cgroups: one for each host, in each hierarchy that the machine mounts."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from testbed.shell import Failure

# The cgroup of what runs on the machine for the testbed: the keepers, and commands in the hosts' network.
OUTSIDE = "outside"


@dataclass(frozen=True)
class Hierarchy:
    """One mounted cgroup hierarchy (cgroups(7))."""

    mount: Path
    version: int
    options: str
    """What mount(8) needs to mount the same hierarchy again: controllers, or name=NAME."""
    parent: Path
    """The cgroup below which this testbed makes its own."""


def hierarchies() -> list[Hierarchy]:
    """Return every cgroup hierarchy mounted on the machine.

    On version 1 the testbed stays below the caller's own cgroup. On a machine with version 2 alone it sits at the top,
    since a cgroup with processes in it cannot hand controllers to children.
    """
    own: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own[controllers] = path
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ", 1)
        root, mount = left.split()[3:5]
        kind, _, options = right.split()
        if kind == "cgroup":
            names = ",".join(word for word in options.split(",") if word in _controllers() or word.startswith("name="))
            path = next(own[key] for key in own if set(key.split(",")) == set(names.split(",")))
            found.append(Hierarchy(Path(mount), 1, names, Path(mount) / _below(path, root)))
        elif kind == "cgroup2":
            found.append(Hierarchy(Path(mount), 2, "", Path(mount)))
    if not found:
        raise Failure("no cgroup hierarchy is mounted on this machine: mount cgroup2 at /sys/fs/cgroup")
    return found


def _controllers() -> set[str]:
    lines = Path("/proc/cgroups").read_text().splitlines()
    return {line.split()[0] for line in lines if not line.startswith("#")}


def _below(path: str, root: str) -> str:
    return path.removeprefix(root.rstrip("/")).lstrip("/")


def make(path: Path) -> None:
    """Make a cgroup that processes can enter, or keep it when it exists.

    Its parent hands it every controller that it can; on version 2 the parent must be without processes of its own.
    """
    path.mkdir(exist_ok=True)
    # A new cpuset of version 1 is empty, and no process can enter it before it has processors and memory nodes.
    if _is_v1(path) and (path / "cpuset.cpus").exists():
        for file in ("cpuset.cpus", "cpuset.mems"):
            (path / file).write_text((path.parent / file).read_text())


def delegate(path: Path) -> None:
    """Hand every available controller to the children of a cgroup; version 1 does so by itself."""
    if _is_v1(path):
        return
    for name in (path / "cgroup.controllers").read_text().split():
        # The kernel refuses some where others are granted, such as cpu while there are real-time processes.
        with contextlib.suppress(OSError):
            (path / "cgroup.subtree_control").write_text(f"+{name}")


def _is_v1(path: Path) -> bool:
    return not (path / "cgroup.controllers").exists()


def enter(path: Path) -> None:
    """Move this process into a cgroup."""
    (path / "cgroup.procs").write_text("0")


def entering(paths: list[Path], *argv: str | Path) -> list[str]:
    """Return the command line that enters these cgroups and then becomes `argv`."""
    files = [f"{path}/cgroup.procs" for path in paths]
    script = 'for file in $1; do echo $$ >"$file" || exit; done; shift; exec "$@"'
    return ["sh", "-c", script, "sh", " ".join(files), *(str(word) for word in argv)]


def end_processes(*tops: Path, seconds: float = 10.0) -> None:
    """Kill every process in these cgroups and below them; raise Failure when one is still there after `seconds`."""
    deadline = time.monotonic() + seconds
    while pids := {pid for top in tops for pid in _processes(top)}:
        if time.monotonic() > deadline:
            raise Failure(f"the processes {sorted(pids)} of the testbed do not end though killed: try again later")
        # A process that version 1 has frozen takes no signal.
        for frozen in (file for top in tops for file in _files(top, "freezer.state")):
            with contextlib.suppress(OSError):
                frozen.write_text("THAWED")
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def _processes(top: Path) -> set[int]:
    pids: set[int] = set()
    for file in _files(top, "cgroup.procs"):
        try:
            pids.update(int(word) for word in file.read_text().split())
        except OSError:
            # Gone meanwhile, or a threaded cgroup, whose processes its domain lists.
            continue
    return pids - {0, os.getpid()}


def _files(top: Path, name: str) -> list[Path]:
    return [Path(folder, name) for folder, _, files in os.walk(top) if name in files]


def remove(top: Path, seconds: float = 10.0) -> None:
    """Remove a cgroup without processes and all below it; raise Failure when it is still there after `seconds`."""
    deadline = time.monotonic() + seconds
    while top.is_dir():
        try:
            for folder, _, _ in os.walk(top, topdown=False):
                Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if time.monotonic() > deadline:
                raise Failure(f"cannot remove the cgroup {error.filename}: {error.strerror}") from error
            time.sleep(0.05)
