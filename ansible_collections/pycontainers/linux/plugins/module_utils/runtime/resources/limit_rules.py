# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limits mean together, and whether this host has them: all that is refused before anything is written."""
from __future__ import annotations

import os
from typing import Any, TypeVar

from ..core import store
from ..core.kinds import UNLIMITED
from ..core.model import Row
from ..errors import Failure, InvalidValue
from ..kernel import block_devices
from ..kernel.cgroup_values import PERIOD, SHORTEST_QUOTA
from ..kernel.cgroups import V1, Cgroups, Group
from ..kernel.knobs_coupled import BILLION, quota_of
from ..lean.dataclasses import replace
from .limit_kinds import CPU_MOST
from .limits import LIMIT_ROWS, SETTINGS, Limits, Place, cleared, place, without_nothing

RATES = ("device_read_bps", "device_write_bps", "device_read_iops", "device_write_iops")

ONLINE = {"cpuset_cpus": "/sys/devices/system/cpu/online", "cpuset_mems": "/sys/devices/system/node/online"}
"""Where the kernel lists the processors and the nodes of memory that there are (sysfs-devices-system-cpu)."""

L = TypeVar("L", bound=Limits)


def check_said(said: Limits) -> None:
    """Refuse a task that says one thing in two ways. Raises :class:`InvalidValue`."""
    for name in ("cpu_quota", "cpu_period"):
        if said.cpus is not None and getattr(said, name) is not None:
            reason = "cpus says the same in another way"
            raise InvalidValue(name, getattr(said, name), reason, f"give either cpus or {name}")


def settled(full: L, said: Limits, kept: Limits | None, have: Limits | None) -> L:
    """``full`` in the form that is kept and compared. Raises :class:`InvalidValue` for what can't go together.

    ``full`` is what was said over what is kept, ``said`` what the task itself says, ``have`` what is observed.
    """
    full = _processors(full, said)
    full = _swap(full, said)
    rates: dict[str, Any] = {name: _devices(name, full, kept) for name in RATES if getattr(full, name)}
    full = replace(full, **rates)
    values = {row.name: getattr(full, row.name) for row in LIMIT_ROWS}
    return replace(full, **without_nothing(values, kept, have))


def _processors(full: L, said: Limits) -> L:
    """``cpu_quota`` as ``cpus``: a share of the period that is said, else kept."""
    period = full.cpu_period or PERIOD
    if said.cpu_quota is not None:
        quota = said.cpu_quota
        cpus = UNLIMITED if quota == UNLIMITED else round(quota * BILLION / period)
        if cpus > CPU_MOST * BILLION:
            raise InvalidValue("cpu_quota", quota, f"in a period of {period} it is more than {CPU_MOST} processors")
        full = replace(full, cpus=cpus, cpu_quota=None)
    if full.cpus not in (None, UNLIMITED):
        quota = quota_of(full.cpus or 0, period)
        if quota < SHORTEST_QUOTA:
            shown, fix = (full.cpus or 0) / BILLION, "take more of it, or a longer cpu_period"
            reason = f"it is {quota} microseconds of a period of {period}, and the least is {SHORTEST_QUOTA}"
            raise InvalidValue("cpus", shown, reason, fix)
        if full.cpu_burst and full.cpu_burst > quota:
            raise InvalidValue("cpu_burst", full.cpu_burst, f"it is above the quota, {quota}", "take less of it")
    return full


def _swap(full: L, said: Limits) -> L:
    """``memory_swap`` takes memory in: it goes with that, and is never below it."""
    both, memory = full.memory_swap, full.memory
    if both in (None, UNLIMITED):
        return full
    if memory in (None, UNLIMITED):
        if said.memory_swap is None:
            return replace(full, memory_swap=UNLIMITED)
        raise InvalidValue("memory_swap", both, "it includes memory, which has no limit", "set memory too")
    if both is not None and memory is not None and both < memory:
        if said.memory_swap is None:
            raise InvalidValue("memory", memory, f"it is above memory_swap, {both}, which includes it", "set both")
        raise InvalidValue("memory_swap", both, f"it includes memory, whose limit is {memory}", "set it to more")
    return full


def _devices(name: str, full: Limits, kept: Limits | None) -> tuple[tuple[str, int], ...]:
    """Rates with each device by its own name: who says a folder, or another name of a device, means the same."""
    found: dict[str, tuple[str, int]] = {}
    before = dict(getattr(kept, name) or ()) if kept else {}
    for device, rate in getattr(full, name):
        try:
            number = block_devices.number(device)
        except Failure as error:
            if device in before:
                found[device] = device, rate
                continue
            raise InvalidValue(name, device, error.reason, error.fix or "name a device, or a folder on it") from error
        if number in found:
            raise InvalidValue(name, device, f"{found[number][0]} is the same device", "name each device once")
        found[number] = block_devices.name(number), rate
    return tuple(sorted(found.values()))


def check_host(groups: Cgroups, path: str, limits: Limits) -> None:
    """Refuse limits that this host does not have. Raises :class:`InvalidValue`."""
    for name, file in ONLINE.items():
        _check_online(name, getattr(limits, name) or "", file)
    for row in (row for together in SETTINGS for row in together):
        value = getattr(limits, row.name)
        if value is None or value == cleared(row):
            continue
        reason = _lacking(groups, path, row, value)
        if reason:
            raise InvalidValue(row.name, row.kind.show(value), reason, "leave it out on this host")


def _check_online(name: str, said: str, file: str) -> None:
    """Refuse processors or nodes that the host does not have."""
    there = (store.read(file) or b"").decode().strip() if said else ""
    beyond = _numbers(said) - _numbers(there) if there else set()
    if beyond:
        raise InvalidValue(name, said, f"this host has {there}, and no {min(beyond)}", "name some of those")


def _numbers(said: str) -> set[int]:
    """The numbers of a list such as ``0-2,4``."""
    ranges = [part.partition("-") for part in said.split(",") if part]
    return {number for first, _, last in ranges for number in range(int(first), int(last or first) + 1)}


def _lacking(groups: Cgroups, path: str, row: Row, value: Any) -> str:
    """Why the host has no such limit; empty if it has it, or if there is no group yet to look at."""
    version, here = f"cgroup version {groups.version}", place(row, groups)
    if here is None:
        return f"{version} has no such limit"
    if here.controller != "cgroup" and not groups.offers(here.controller):
        mounted = " mounted" if groups.version == 1 else ""
        return f"{version} has no controller {here.controller}{mounted} on this host"
    shown = " or ".join(file.rpartition("/")[2] for file in here.files)
    group = _example(groups, path, here)
    if group is None or any(group.has(file) for file in _files(here, value)):
        return ""
    return f"the kernel of this host has no file {shown} for it in {version}"


def _files(here: Place, value: Any) -> list[str]:
    """The files; of huge pages, those of the sizes that are limited."""
    if "*" in here.files[0]:
        return [here.files[0].replace("*", size) for size, _ in value]
    return list(here.files)


def _example(groups: Cgroups, path: str, here: Place) -> Group | None:
    """A group with the controller, in which its files can be looked for: this one, else any but the root."""
    return next((each for each in _groups(groups, path) if _has(each, here.controller)), None)


def _groups(groups: Cgroups, path: str) -> list[Group]:
    found = [path]
    for folder in groups.directories(".") if groups.version == 2 else _tops(groups):
        if os.path.isdir(folder):
            found += [each.name for each in os.scandir(folder) if each.is_dir(follow_symlinks=False)]
    return [Group(groups, each) for each in dict.fromkeys(found)]


def _tops(groups: Cgroups) -> list[str]:
    return [*groups.hierarchies.values(), *groups.spare.values()] if isinstance(groups, V1) else []


def _has(group: Group, controller: str) -> bool:
    if group.groups.version == 1:
        return group.has(f"{controller}/cgroup.procs")
    if controller == "cgroup":
        return group.has("cgroup.procs")
    return controller in group.text("cgroup.controllers").split()
