# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that change limits, and those that make and remove the cgroup they are on."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.model import Row
from ..core.plan import Step
from ..errors import Failure
from ..kernel import cgroups, freezer
from ..kernel.cgroup_writes import Refused, Text, put_back
from ..kernel.cgroups import Cgroups, Group
from ..kernel.knobs import Values
from ..lean.dataclasses import dataclass, field
from .device_access import DEFAULT_DEVICES, DeviceAccess
from .limit_room import make_room, used, write_patiently
from .limits import SETTINGS, Limits, cleared, place


@dataclass(frozen=True)
class SetLimit:
    """The step that writes one limit's files, or those of some limits that the kernel keeps together.

    ``before`` are the values there are, ``told`` the names of those of which there is something to say.
    """

    path: str
    rows: tuple[Row, ...]
    after: Values
    before: Values
    told: tuple[str, ...]
    fresh: bool = False
    patience: float = 0
    written: list[Text] = field(default_factory=list, compare=False, repr=False)
    provided: list[str] = field(default_factory=list, compare=False, repr=False)

    def describe(self) -> str:
        """The limits with their old and their new values."""
        said = []
        for row, after, before in zip(self.rows, self.after, self.before, strict=True):
            if row.name in self.told:
                was = "" if self.fresh else f" (was {_shown(row, before)})"
                said.append(f"{row.name} to {_shown(row, after)}{was}")
        return f"set {' and '.join(said)} on cgroup {self.path}"

    def do(self) -> None:
        """Write the files; when the kernel refuses one, those before it get their old texts back."""
        groups = cgroups.cgroups()
        group, here = Group(groups, self.path), place(self.rows[0], groups)
        if here is None:
            raise Failure(self._operation(), f"cgroup version {groups.version} has no such limit")
        if not self.fresh and self.rows[0].name == "memory" and self.after[0] != self.before[0]:
            make_room(groups, self.path, self.after[0], self._operation(), self.patience)
        try:
            if not any(map(group.has, here.files)):
                self.provided[:] = [groups.provide(self.path, here.controller)]
            texts = tuple(here.knob.texts(group, self.after, self.before))
            self.written[:] = write_patiently(groups, self.path, texts, self.patience)
        except Refused as refused:
            advice = self._advice(groups)
            self._withdraw(groups, here.controller)
            raise Failure(self._operation(), refused.error, advice) from refused
        except OSError as error:
            raise Failure(self._operation(), error, self._advice(groups)) from error

    def undo(self) -> None:
        """Write the old texts, and take away the group that was made for them."""
        put_back(self.written)
        groups = cgroups.cgroups()
        here = place(self.rows[0], groups)
        if here is not None:
            self._withdraw(groups, here.controller)

    def _withdraw(self, groups: Cgroups, controller: str) -> None:
        for made in self.provided:
            groups.withdraw(self.path, controller, made)
        self.provided.clear()

    def _operation(self) -> str:
        pairs = zip(self.rows, self.after, strict=True)
        return "set " + " and ".join(f"{row.name} to {_shown(row, new)}" for row, new in pairs if row.name in self.told)

    def _advice(self, groups: Cgroups) -> str:
        """What helps against a refusal: the kernel says EBUSY when it can't reclaim down to a limit of memory."""
        if self.rows[0].name == "memory":
            return f"{used(groups, self.path)} bytes are in use: free some, or set a higher limit"
        if self.rows[0].name.startswith("cpuset"):
            here = place(self.rows[0], groups)
            above = Group(groups, self.path).above
            there = above.text(f"{here.files[0]}.effective") or above.text(here.files[0]) if here else ""
            return f"the group above has {there}"
        return ""


def _shown(row: Row, value: Any) -> Any:
    found = row.kind.show(value)
    return '""' if found == "" else str(found).lower() if isinstance(found, bool) else found


@dataclass(frozen=True)
class SetPaused:
    """The step that holds all processes of a cgroup still, or lets them go on."""

    path: str
    paused: bool

    def describe(self) -> str:
        """Which cgroup."""
        return f"{'pause' if self.paused else 'unpause'} cgroup {self.path}"

    def do(self) -> None:
        """Freeze it and wait until it is; or thaw it."""
        self.set(self.paused)

    def undo(self) -> None:
        """The other."""
        self.set(not self.paused)

    def set(self, paused: bool) -> None:
        """Freeze or thaw."""
        (freezer.freeze if paused else freezer.thaw)(cgroups.cgroups(), self.path)


@dataclass(frozen=True)
class SetDeviceRules:
    """The step that says anew which devices can be used in a cgroup."""

    path: str
    before: DeviceAccess
    after: DeviceAccess

    def describe(self) -> str:
        """The rules beside those that all containers have."""
        return f"set device_cgroup_rules to {list(self.after.rows)} on cgroup {self.path}"

    def do(self) -> None:
        """Set them, while processes run in it."""
        _set_rules(self.path, self.after)

    def undo(self) -> None:
        """Set those that were there."""
        _set_rules(self.path, self.before)


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
    limits: tuple[Step, ...] = ()
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
    cgroups.cgroups().create(path)
    _set_rules(path, devices)


def _set_rules(path: str, devices: DeviceAccess) -> None:
    from ..kernel.devices import set_rules

    set_rules(cgroups.cgroups(), path, devices.rules())


def limit_steps(path: str, want: Limits, have: Mapping[str, Any] | None, patience: float = 0) -> tuple[SetLimit, ...]:
    """The steps from the limits a cgroup has (None: it is new, and has none) to those wanted.

    ``patience`` are the seconds within which memory may be got back that is above its new limit.
    """
    steps = []
    for rows in SETTINGS:
        if rows[0].name == "paused":
            continue
        before = tuple(_or_cleared(row, have.get(row.name) if have else None) for row in rows)
        said = tuple(getattr(want, row.name) for row in rows)
        after = tuple(old if new is None else new for new, old in zip(said, before, strict=True))
        told = tuple(row.name for row, new, old in zip(rows, after, before, strict=True) if new != old)
        if told:
            steps.append(SetLimit(path, rows, after, before, told, have is None, patience))
    return tuple(steps)


def _or_cleared(row: Row, value: Any) -> Any:
    return cleared(row) if value is None else value


def pause_steps(path: str, want: Limits, paused: bool | None) -> tuple[SetPaused, ...]:
    """Hold a cgroup still, or let it go on, if that is wanted and not so."""
    return () if want.paused in (None, bool(paused)) else (SetPaused(path, bool(want.paused)),)
