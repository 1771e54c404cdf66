# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``cgroup_parent`` of a container: the cgroup that its own is made in, in both cgroup versions."""
from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from ..core.kinds import path
from ..core.model import Kind
from ..errors import InvalidValue
from ..kernel.cgroups import cgroups

USUAL = "pycontainers"
"""Where containers' cgroups are unless said otherwise."""

LONGEST = 255
"""Bytes of a file's name (NAME_MAX)."""


def cgroup_parent(value: Any) -> str:
    """A path from the root of the cgroups, without slashes at its ends; empty for the usual place."""
    said = value if not isinstance(value, str) or value.startswith("/") or not value else f"/{value}"
    found: str = path(said).strip("/") if said != "" else ""
    if said and not found:
        raise ValueError("it is the root, which has no limits")
    if "\n" in found:
        raise ValueError("a line ends within it")
    if any(len(os.fsencode(each)) > LONGEST for each in found.split("/")):
        raise ValueError(f"a name in it is longer than {LONGEST} bytes")
    if found.partition("/")[0] == USUAL:
        if found == USUAL:
            return ""
        raise ValueError(f"what is below {USUAL} are containers")
    return found


CGROUP_PARENT = Kind("cgroup_parent", {"type": "str"}, cgroup_parent, lambda value: value and f"/{value}")


def check(parent: str) -> None:
    """Refuse what can't be a cgroup with others in it. Raises :class:`InvalidValue`."""
    groups, parts = cgroups(), parent.split("/")
    for depth in range(len(parts)):
        above = "/".join(parts[: depth + 1])
        for folder in groups.directories(above):
            if os.path.lexists(folder) and not os.path.isdir(folder):
                raise InvalidValue("cgroup_parent", f"/{parent}", f"{folder} is a file of the kernel's", "name another")
            if groups.version == 2 and _inhabited(folder):
                reason = f"there are processes in {folder}, and so cgroup version 2 lets nobody limit groups in it"
                raise InvalidValue("cgroup_parent", f"/{parent}", reason, "name one without processes of its own")


def _inhabited(folder: str) -> bool:
    with suppress(OSError), open(f"{folder}/cgroup.procs", encoding="ascii") as file:
        return bool(file.read(1))
    return False


def found(identity: str) -> str:
    """The parent of a container's cgroup where no record tells it; empty for the usual one and for none."""
    for top in cgroups().directories("."):
        for folder, below, _ in os.walk(top):
            if identity in below:
                return cgroup_parent(os.path.relpath(folder, top))
    return ""
