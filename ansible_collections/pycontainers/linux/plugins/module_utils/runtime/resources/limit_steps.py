# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that change limits, and those that make and remove the cgroup they are on."""
from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from ..core.kinds import UNLIMITED
from ..core.model import Row
from ..errors import Failure
from ..kernel import cgroups
from ..kernel.cgroups import Cgroups
from .device_access import DEFAULT_DEVICES, DeviceAccess
from .limits import LIMIT_ROWS, Limits, knob


@dataclass(frozen=True)
class SetLimit:
    """The step that writes one limit's files. ``before`` is None for a cgroup that is yet to be made."""

    path: str
    row: Row
    value: int
    before: int | None

    def describe(self) -> str:
        """The limit with its old and its new value."""
        show = self.row.kind.show
        was = "" if self.before is None else f" (was {show(self.before)})"
        return f"set {self.row.name} to {show(self.value)}{was} on cgroup {self.path}"

    def do(self) -> None:
        """Write the files; when the kernel refuses one, those before it get their old texts back."""
        self._write(self.value)

    def undo(self) -> None:
        """Write the old value."""
        if self.before is not None:
            self._write(self.before)

    def _write(self, value: int) -> None:
        groups = cgroups.cgroups()
        which = knob(self.row, groups)
        if self.row.name == "memory" and groups.version == 2 and value != UNLIMITED:
            _make_room(groups, self.path, value)
        files = [groups.file(self.path, name) for name in which.files]
        old = [cgroups.read_file(file) for file in files]
        written: list[tuple[str, str]] = []
        try:
            for file, text, had in zip(files, which.encode(value), old, strict=True):
                cgroups.write_file(file, text)
                written.append((file, had))
        except OSError as error:
            for file, had in reversed(written):
                cgroups.write_file(file, had)
            operation = f"set {self.row.name} to {self.row.kind.show(value)}"
            raise Failure(operation, error, _advice(self.row.name, groups, self.path)) from error


def _make_room(groups: Cgroups, path: str, limit: int) -> None:
    """Refuse a limit below what is in use and can't be reclaimed, as version 1 does.

    Version 2 takes any limit, and kills processes until the rest fits (cgroup-v2.rst, memory.max).
    """
    current = groups.file(path, "memory.current")
    excess = int(cgroups.read_file(current)) - limit
    if excess > 0:
        with suppress(OSError):  # EAGAIN: not all of it could be reclaimed; before Linux 5.19 there is no such file
            cgroups.write_file(groups.file(path, "memory.reclaim"), str(excess))
    if int(cgroups.read_file(current)) > limit:
        operation = f"set memory to {limit}"
        raise Failure(operation, "more is in use and can't be reclaimed", _advice("memory", groups, path))


def _advice(name: str, groups: Cgroups, path: str) -> str:
    """What helps against a refused memory limit: the kernel says EBUSY when it can't reclaim down to it."""
    if name != "memory":
        return ""
    file = groups.file(path, "memory.current" if groups.version == 2 else "memory/memory.usage_in_bytes")
    return f"{cgroups.read_file(file)} bytes are in use: free some, or set a higher limit"


@dataclass(frozen=True)
class MakeCgroup:
    """The step that makes a container's cgroup, with the rules about its devices."""

    path: str
    devices: DeviceAccess = DEFAULT_DEVICES

    def describe(self) -> str:
        """Which cgroup."""
        return f"make cgroup {self.path}"

    def do(self) -> None:
        """Make it in every hierarchy. Nothing is left of one that can't have its device rules."""
        try:
            _make(self.path, self.devices)
        except BaseException:
            self.undo()
            raise

    def undo(self) -> None:
        """Remove it."""
        cgroups.remove(cgroups.cgroups(), self.path)


@dataclass(frozen=True)
class RemoveCgroup:
    """The step that removes a cgroup that nothing runs in any more. ``limits`` are those it has."""

    path: str
    limits: tuple[SetLimit, ...] = ()
    devices: DeviceAccess = DEFAULT_DEVICES

    def describe(self) -> str:
        """Which cgroup."""
        return f"remove cgroup {self.path}"

    def do(self) -> None:
        """Remove it from every hierarchy."""
        cgroups.remove(cgroups.cgroups(), self.path)

    def undo(self) -> None:
        """Make it again, with its limits."""
        _make(self.path, self.devices)
        for limit in self.limits:
            limit.do()


def _make(path: str, devices: DeviceAccess) -> None:
    """Make a container's cgroup, in which only these devices can be used."""
    from ..kernel.devices import set_rules

    groups = cgroups.cgroups()
    groups.create(path)
    set_rules(groups, path, devices.rules())


def limit_steps(path: str, want: Limits, have: dict[str, int] | None) -> tuple[SetLimit, ...]:
    """The steps from the limits a cgroup has (None: it is new, and has none) to those wanted."""
    steps = []
    for row in LIMIT_ROWS:
        value = getattr(want, row.name)
        before = None if have is None else have[row.name]
        if value is not None and value != before and not (have is None and value == UNLIMITED):
            steps.append(SetLimit(path, row, value, before))
    return tuple(steps)
