# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stopping all processes of a cgroup where they are, and letting them go on (cgroup-v2.rst, freezer-subsystem.rst)."""
from __future__ import annotations

import time

from ..errors import Failure
from ..lean.contextlib import suppress
from .cgroups import Cgroups, read_file, write_file

PATIENCE = 2.0
"""Seconds within which the kernel must have frozen all processes; one that sleeps uninterruptibly delays it."""


def frozen(groups: Cgroups, path: str) -> bool:
    """Whether the cgroup is frozen, or being frozen. One that is gone is not."""
    with suppress(FileNotFoundError, Failure):
        if groups.version == 2:
            return read_file(groups.file(path, "cgroup.freeze")) == "1"
        return read_file(groups.file(path, "freezer/freezer.state")) != "THAWED"
    return False


def freeze(groups: Cgroups, path: str) -> None:
    """Freeze the cgroup and wait until it is. Raises :class:`Failure`, and nothing is frozen then."""
    end = time.monotonic() + PATIENCE
    _write(groups, path, True)
    while not _settled(groups, path):
        if time.monotonic() > end:
            thaw(groups, path)
            raise Failure(f"freeze cgroup {path}", f"its processes have not stopped in {PATIENCE:g} s", "try again")
        time.sleep(0.002)
        if groups.version == 1:
            # Version 1 misses what is forked meanwhile; writing again makes it look again.
            _write(groups, path, True)


def thaw(groups: Cgroups, path: str) -> None:
    """Let its processes go on."""
    _write(groups, path, False)


def _write(groups: Cgroups, path: str, stop: bool) -> None:
    if groups.version == 2:
        write_file(groups.file(path, "cgroup.freeze"), "1" if stop else "0")
    else:
        write_file(groups.file(path, "freezer/freezer.state"), "FROZEN" if stop else "THAWED")


def _settled(groups: Cgroups, path: str) -> bool:
    if groups.version == 2:
        return "frozen 1" in read_file(groups.file(path, "cgroup.events"))
    return read_file(groups.file(path, "freezer/freezer.state")) == "FROZEN"
