# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Control groups of both versions behind the same few verbs.

A cgroup is named by its path below the root, such as ``pycontainers/<id>``. Sources: the kernel's
admin-guide/cgroup-v2.rst and admin-guide/cgroup-v1/.
"""
from __future__ import annotations

import errno
import os

from ..errors import Failure, NotFound
from ..lean.contextlib import contextmanager, suppress
from ..typed import NamedTuple, Protocol
from .mounts import mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

V1_CONTROLLERS = ("memory", "cpu", "cpuacct", "pids", "blkio", "freezer", "devices")
"""The version 1 hierarchies that a container gets a group in, where they are mounted."""

V1_SPARE = ("cpuset", "hugetlb", "rdma")
"""Those in which it gets one when a limit needs it: each costs a start the moves of two processes."""

V2_CONTROLLERS = ("cpu", "memory", "pids", "io")


class Cgroups(Protocol):
    """One host's control groups."""

    version: int

    def directories(self, path: str) -> tuple[str, ...]:
        """The directories that make up the cgroup, one per hierarchy."""

    def create(self, path: str) -> None:
        """Make the cgroup, and what is above it; that it is there already is fine."""

    def file(self, path: str, name: str) -> str:
        """The path of a knob's file."""

    def provide(self, path: str, controller: str) -> str:
        """Give the cgroup, which is there, a controller that it lacks; what runs in it goes on undisturbed.

        Returns what :meth:`withdraw` takes. Raises ``OSError``, and :class:`Failure` on a host without that controller.
        """

    def withdraw(self, path: str, controller: str, made: str) -> None:
        """Undo :meth:`provide`, as far as that has made something."""

    def offers(self, controller: str) -> bool:
        """Whether the host has the controller here."""


class Group(NamedTuple):
    """A group whose files are looked at."""

    groups: Cgroups
    path: str

    def has(self, name: str) -> bool:
        """Whether the file is there: not all kernels have all of them."""
        with suppress(Failure):
            return os.path.exists(self.groups.file(self.path, name))
        return False

    def read(self, name: str) -> str | None:
        """A file's text, None where there is no such file."""
        try:
            return read_file(self.groups.file(self.path, name))
        except (OSError, Failure):
            return None

    def text(self, name: str) -> str:
        """A file's text, empty where there is none."""
        return self.read(name) or ""

    @property
    def above(self) -> Group:
        """The group that this one is in."""
        return Group(self.groups, self.path.rpartition("/")[0] or ".")


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

    def provide(self, path: str, controller: str) -> str:
        """Enable the controller for the children of all groups above."""
        above = self.root
        for name in path.split("/"):
            if controller in idle_controllers(above, (controller,)):
                write_file(f"{above}/cgroup.subtree_control", f"+{controller}")
            above = f"{above}/{name}"
        return ""

    def withdraw(self, path: str, controller: str, made: str) -> None:
        """Leave it enabled: others may have come to use it, and it limits nothing by itself."""

    def offers(self, controller: str) -> bool:
        """Whether the root has it."""
        return controller in read_file(f"{self.root}/cgroup.controllers").split()

    def hand_down(self, directory: str) -> None:
        """Enable our controllers for the children of a group."""
        missing = idle_controllers(directory, V2_CONTROLLERS)
        if missing:
            write_file(f"{directory}/cgroup.subtree_control", " ".join(f"+{name}" for name in missing))

    def file(self, path: str, name: str) -> str:
        """The knob's file."""
        return f"{self.root}/{path}/{name}"


class V1:
    """A hierarchy per controller, or per few that are mounted together.

    Groups are made in ``hierarchies``, and in those of ``spare`` when they are asked for there (:meth:`provide`).
    """

    version = 1

    def __init__(self, hierarchies: dict[str, str], spare: Mapping[str, str] | None = None) -> None:
        self.hierarchies, self.spare = hierarchies, spare or {}
        self._around: dict[str, tuple[str, str]] = {}

    def directories(self, path: str) -> tuple[str, ...]:
        """A directory per hierarchy, none twice where controllers share one; a spare one only where it is there."""
        always = [f"{top}/{path}" for top in self.hierarchies.values()]
        there = [folder for top in self.spare.values() if os.path.isdir(folder := f"{top}/{path}")]
        return tuple(dict.fromkeys(always + there))

    def create(self, path: str) -> None:
        """Make the directories."""
        for controller, top in self.hierarchies.items():
            self._make(controller, top, path)

    def _make(self, controller: str, top: str, path: str) -> None:
        os.makedirs(f"{top}/{path}", 0o755, exist_ok=True)
        if controller == "cpuset":
            _fill(top, path)

    def provide(self, path: str, controller: str) -> str:
        """Make the group in the controller's hierarchy, and move the processes there that are in it elsewhere."""
        top = self._top(controller, f"use the cgroup controller {controller}")
        if os.path.isdir(f"{top}/{path}"):
            return ""
        made = next(folder for folder in _parts(path) if not os.path.isdir(f"{top}/{folder}"))
        try:
            self._make(controller, top, path)
            self._gather(top, path)
        except BaseException:
            self.withdraw(path, controller, made)
            raise
        return made

    def withdraw(self, path: str, controller: str, made: str) -> None:
        """Let the processes go back to the group above those that were made, and remove these."""
        if made:
            with suppress(OSError):
                _scatter(self._top(controller, "leave a cgroup"), path, made)

    def _gather(self, top: str, path: str) -> None:
        """Move all processes; again while there are more, as they fork meanwhile."""
        moved: set[int] = set()
        while ahead := set(members(self, path)) - moved:
            for pid in ahead:
                with suppress(ProcessLookupError):
                    write_file(f"{top}/{path}/cgroup.procs", str(pid))
            moved |= ahead

    def offers(self, controller: str) -> bool:
        """Whether its hierarchy is mounted."""
        return controller in self.hierarchies or controller in self.spare

    def file(self, path: str, name: str) -> str:
        """The knob's file; ``name`` begins with its controller."""
        around = self._around.get(name)
        if around is None:
            controller, _, file = name.partition("/")
            around = self._around[name] = f"{self._top(controller, f'set {file}')}/", f"/{file}"
        return around[0] + path + around[1]

    def _top(self, controller: str, operation: str) -> str:
        top = self.hierarchies.get(controller) or self.spare.get(controller)
        if top is None:
            raise Failure(operation, f"the cgroup controller {controller} is not mounted on this host")
        return top


def _parts(path: str) -> list[str]:
    """A path and those above it, the topmost first."""
    parts = path.split("/")
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _fill(top: str, path: str) -> None:
    """Give groups of cpuset, which take no process before they have CPUs and memory nodes, those of the group above."""
    above = top
    for part in path.split("/"):
        folder = f"{above}/{part}"
        for name in ("cpuset.cpus", "cpuset.mems"):
            if not read_file(f"{folder}/{name}"):
                write_file(f"{folder}/{name}", read_file(f"{above}/{name}"))
        above = folder


def _scatter(top: str, path: str, made: str) -> None:
    """Take away a group, and those above it from ``made`` on."""
    above = os.path.dirname(f"{top}/{made}")
    for pid in read_file(f"{top}/{path}/cgroup.procs").split():
        with suppress(ProcessLookupError):
            write_file(f"{above}/cgroup.procs", pid)
    for folder in reversed(_parts(path)):
        if len(folder) >= len(made):
            _remove_one(f"{top}/{folder}")


def idle_controllers(directory: str, among: Sequence[str] = ()) -> list[str]:
    """The controllers that a version 2 group has and its children do not; ``among`` these, if any are given."""
    here = read_file(f"{directory}/cgroup.controllers").split()
    enabled = read_file(f"{directory}/cgroup.subtree_control").split()
    return [name for name in here if name not in enabled and (not among or name in among)]


_LOOKS: list[Cgroups] = []
"""What :func:`looked_once` has found, and its users need not look for."""


@contextmanager
def looked_once() -> Iterator[None]:
    """Take the host's control groups for what they are now within the block, which asks for those of many containers.

    Where many run, the kernel takes a millisecond to list the mounts.
    """
    _LOOKS.append(cgroups())
    try:
        yield
    finally:
        _LOOKS.pop()


def cgroups(controllers: Sequence[str] = V1_CONTROLLERS, spare: Sequence[str] = V1_SPARE) -> Cgroups:
    """The host's control groups: version 2 where the unified hierarchy holds the controllers, else version 1.

    ``controllers`` are the version 1 hierarchies that groups are made in, where they are mounted, ``spare`` those in
    which they can be made besides.
    """
    if _LOOKS and (controllers, spare) == (V1_CONTROLLERS, V1_SPARE):
        return _LOOKS[-1]
    hierarchies: dict[str, str] = {}
    others: dict[str, str] = {}
    for each in mounts(kinds="cgroup"):
        if each.fstype == "cgroup2":
            with suppress(OSError), open(f"{each.target}/cgroup.controllers", encoding="utf-8") as file:
                if "memory" in file.read().split():
                    return V2(each.target)
        elif each.fstype == "cgroup":
            hierarchies |= {name: each.target for name in controllers if name in each.options}
            others |= {name: each.target for name in spare if name in each.options and name not in controllers}
    if not hierarchies:
        raise NotFound("find control groups", "no cgroup filesystem is mounted", "mount cgroup2 on /sys/fs/cgroup")
    return V1(hierarchies, others)


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


_ROOM = 1 << 16
_HALF_A_PAGE = 2048


def read_file(path: str) -> str:
    """A cgroup file's content, without the last newline."""
    # A file object asks the kernel four more questions about each of these many.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = part = os.read(descriptor, _ROOM)
        # The kernel fills a page with lines, and breaks off before one that does not fit: less than half of it is all.
        while len(part) > _HALF_A_PAGE:
            part = os.read(descriptor, _ROOM)
            content += part
    finally:
        os.close(descriptor)
    return content.decode().rstrip("\n")


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
