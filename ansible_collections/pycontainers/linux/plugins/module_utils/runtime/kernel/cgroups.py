# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control groups of both versions behind the same few verbs.

A cgroup is named by its path below the root, such as ``pycontainers/<id>``. A *knob* is how one limit is kept
by one version: its files, and the way between their texts and a value. Sources: the kernel's
admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/.
"""
from __future__ import annotations

import errno
import os

from ..errors import Failure, NotFound
from ..lean.contextlib import suppress
from ..typed import NamedTuple, Protocol
from .mounts import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids", "blkio", "freezer", "devices")
"""The version 1 hierarchies that a container gets a group in, where they are mounted."""

V2_CONTROLLERS = ("cpu", "memory", "pids", "io")


class Knob(NamedTuple):
    """The files that keep one limit (version 1 with the controller before), and their texts' meaning."""

    files: tuple[str, ...]
    encode: Callable[[int], tuple[str, ...]]
    decode: Callable[[tuple[str, ...]], int]


class Cgroups(Protocol):
    """One host's control groups."""

    version: int

    def directories(self, path: str) -> tuple[str, ...]:
        """The directories that make up the cgroup, one per hierarchy."""

    def create(self, path: str) -> None:
        """Make the cgroup, and what is above it; that it is there already is fine."""

    def file(self, path: str, name: str) -> str:
        """The path of a knob's file."""


class V2:
    """The unified hierarchy."""

    version = 2

    def __init__(self, root: str) -> None:
        self.root = root

    def directories(self, path: str) -> tuple[str, ...]:
        """The one directory."""
        return (f"{self.root}/{path}",)

    def create(self, path: str) -> None:
        """Make the cgroup with its controllers, which each group above must hand down (cgroup.subtree_control)."""
        above = self.root
        for name in path.split("/"):
            self.hand_down(above)
            above = f"{above}/{name}"
            with suppress(FileExistsError):
                os.mkdir(above, 0o755)

    def hand_down(self, directory: str) -> None:
        """Enable our controllers for the children of a group."""
        missing = idle_controllers(directory, V2_CONTROLLERS)
        if missing:
            write_file(f"{directory}/cgroup.subtree_control", " ".join(f"+{name}" for name in missing))

    def file(self, path: str, name: str) -> str:
        """The knob's file."""
        return f"{self.root}/{path}/{name}"


class V1:
    """A hierarchy per controller, or per few that are mounted together."""

    version = 1

    def __init__(self, hierarchies: dict[str, str]) -> None:
        self.hierarchies = hierarchies

    def directories(self, path: str) -> tuple[str, ...]:
        """A directory per hierarchy, none twice where controllers share one."""
        return tuple(f"{top}/{path}" for top in dict.fromkeys(self.hierarchies.values()))

    def create(self, path: str) -> None:
        """Make the directories."""
        for directory in self.directories(path):
            os.makedirs(directory, 0o755, exist_ok=True)

    def file(self, path: str, name: str) -> str:
        """The knob's file; ``name`` begins with its controller."""
        controller, _, file = name.partition("/")
        if controller not in self.hierarchies:
            raise Failure(f"set {file}", f"the cgroup controller {controller} is not mounted on this host")
        return f"{self.hierarchies[controller]}/{path}/{file}"


def idle_controllers(directory: str, among: Sequence[str] = ()) -> list[str]:
    """The controllers that a version 2 group has and its children do not; ``among`` these, if any are given."""
    here = read_file(f"{directory}/cgroup.controllers").split()
    enabled = read_file(f"{directory}/cgroup.subtree_control").split()
    return [name for name in here if name not in enabled and (not among or name in among)]


def cgroups(controllers: Sequence[str] = V1_CONTROLLERS) -> Cgroups:
    """The host's control groups: version 2 where the unified hierarchy holds the controllers, else version 1.

    ``controllers`` are the version 1 hierarchies that groups are made in, where they are mounted.
    """
    hierarchies: dict[str, str] = {}
    for each in mounts():
        if each.fstype == "cgroup2":
            with suppress(OSError), open(f"{each.target}/cgroup.controllers", encoding="utf-8") as file:
                if "memory" in file.read().split():
                    return V2(each.target)
        elif each.fstype == "cgroup":
            hierarchies |= {name: each.target for name in controllers if name in each.options}
    if not hierarchies:
        raise NotFound("find control groups", "no cgroup filesystem is mounted", "mount cgroup2 on /sys/fs/cgroup")
    return V1(hierarchies)


def write_file(path: str, text: str) -> None:
    """Write a cgroup file in one write(2), without creating it. Raises ``OSError`` with path and value."""
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        os.write(descriptor, text.encode())
    except OSError as error:
        raise OSError(error.errno, f"{os.strerror(error.errno or 0)} (writing {text!r})", path) from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def read_file(path: str) -> str:
    """A cgroup file's content, without the last newline."""
    # Unbuffered and decoded here: a text file asks the kernel four more questions about each of these many.
    with open(path, "rb", buffering=0) as file:
        return (file.readall() or b"").decode().rstrip("\n")


def read(groups: Cgroups, path: str, knob: Knob) -> int:
    """The value of a limit as the kernel holds it now."""
    return knob.decode(tuple(read_file(groups.file(path, name)) for name in knob.files))


def killed_for_memory(groups: Cgroups, path: str) -> int:
    """How many of its processes the kernel has killed for want of memory; 0 where there is no such cgroup.

    Version 2 counts those in groups below with it.
    """
    with suppress(OSError, Failure):
        name = "memory.events" if groups.version == 2 else "memory/memory.oom_control"
        for line in read_file(groups.file(path, name)).splitlines():
            key, _, count = line.partition(" ")
            if key == "oom_kill":
                return int(count)
    return 0


def exists(groups: Cgroups, path: str) -> bool:
    """Whether the cgroup is there, in every hierarchy."""
    return all(os.path.isdir(directory) for directory in groups.directories(path))


def processes(groups: Cgroups, path: str) -> tuple[int, ...]:
    """The pids in the cgroup itself, in any of its hierarchies."""
    pids: set[int] = set()
    for directory in groups.directories(path):
        with suppress(FileNotFoundError):
            pids.update(int(pid) for pid in read_file(f"{directory}/cgroup.procs").split())
    return tuple(sorted(pids))


def join(directories: Iterable[str]) -> None:
    """Move the calling process into the cgroup; ``0`` means the writer, in whichever pid namespace it is."""
    for directory in directories:
        write_file(f"{directory}/cgroup.procs", "0")


def tree(groups: Cgroups, path: str) -> list[str]:
    """The directories of the cgroup and of all below it, those above first; none that is not there."""
    found: list[str] = []
    for directory in groups.directories(path):
        _add(directory, found)
    return found


def _add(directory: str, found: list[str]) -> None:
    with suppress(FileNotFoundError):
        links = os.stat(directory).st_nlink
        found.append(directory)
        # Two, and one for each group below: to read the many files' names for nothing takes longer than all else.
        if links > 2:
            for entry in os.scandir(directory):
                if entry.is_dir(follow_symlinks=False):
                    _add(entry.path, found)


def members(groups: Cgroups, path: str) -> tuple[int, ...]:
    """The pids in the cgroup and those below it."""
    found: set[int] = set()
    for directory in tree(groups, path):
        with suppress(OSError):
            found.update(int(pid) for pid in read_file(f"{directory}/cgroup.procs").split())
    return tuple(sorted(found))


def remove(groups: Cgroups, path: str) -> None:
    """Remove the cgroup and those below it. That there is none is fine; a process in it is an error."""
    for directory in reversed(tree(groups, path)):
        with suppress(FileNotFoundError):
            _remove_one(directory)


def _remove_one(directory: str) -> None:
    import time

    for attempt in range(200):
        try:
            os.rmdir(directory)
            return
        except OSError as error:
            # The kernel frees a group a moment after its last process has been reaped.
            if error.errno != errno.EBUSY or attempt == 199:
                raise
            time.sleep(0.005)
