# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A seccomp profile as Docker and Podman keep it in files, made into one of a configuration.

Theirs is that of the OCI configuration with conditions: a rule may be for some capabilities, architectures or kernels
only (``includes``, ``excludes``), and ``archMap`` names architectures by what they run beside themselves.
"""
from __future__ import annotations

import os
import re
from collections.abc import Collection
from typing import Any

MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "x86"}
"""Go's names of machines, which conditions have, by uname's. Others are called the same."""

CONDITIONS = ("caps", "arches", "minKernel")


def resolved(profile: Any, capabilities: Collection[str], machine: str = "", kernel: str = "") -> dict[str, Any]:
    """The profile for a container with these capabilities (``CAP_…``) on a machine, by default this one.

    Raises ``ValueError`` for what is no profile. A profile without conditions stays as it is.
    """
    if not isinstance(profile, dict):
        raise ValueError("it is not an object")
    host = os.uname()
    machine, kernel = machine or host.machine, kernel or host.release
    found = {name: value for name, value in profile.items() if name not in ("archMap", "syscalls")}
    if profile.get("archMap"):
        if profile.get("architectures"):
            raise ValueError("it has both architectures and archMap")
        found["architectures"] = _architectures(profile["archMap"], machine)
    found["syscalls"] = []
    for rule in _objects("syscalls", profile.get("syscalls")):
        entry = dict(rule)
        includes, excludes = (_conditions(entry.pop(name, None)) for name in ("includes", "excludes"))
        if "name" in entry and not entry.get("names"):
            entry["names"] = [entry.pop("name")]
        met = [_met(name, value, capabilities, machine, kernel) for name, value in includes.items()]
        barred = [_met(name, value, capabilities, machine, kernel, some=True) for name, value in excludes.items()]
        if all(met) and not any(barred):
            found["syscalls"].append(entry)
    return found


def _architectures(pairs: Any, machine: str) -> list[str]:
    own = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}.get(machine, f"SCMP_ARCH_{machine.upper()}")
    for each in _objects("archMap", pairs):
        if each.get("architecture") == own:
            return [own, *(each.get("subArchitectures") or [])]
    return []


def _objects(where: str, value: Any) -> list[dict[str, Any]]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError(f"{where} is not a list of objects")
    return value


def _conditions(value: Any) -> dict[str, Any]:
    """The conditions that are there; one that is not known would be overlooked, and is refused."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("includes or excludes is not an object")
    for name in value:
        if name not in CONDITIONS:
            raise ValueError(f"the condition {name!r} is not known")
    return {name: given for name, given in value.items() if given}


def _met(
    name: str, value: Any, capabilities: Collection[str], machine: str, kernel: str, *, some: bool = False
) -> bool:
    """Whether a condition is met: of capabilities all must be there, with ``some`` any of them."""
    if name == "minKernel":
        return _version(kernel) >= _version(str(value))
    if not isinstance(value, list):
        raise ValueError(f"the condition {name} is not a list")
    if name == "arches":
        return MACHINES.get(machine, machine) in value
    there = [each in capabilities for each in value]
    return any(there) if some else all(there)


def _version(release: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", release)
    return tuple(int(each) for each in found.groups()) if found else (0, 0)
