# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room below a new limit of memory: getting back what is in use above it, or telling that it is."""
from __future__ import annotations

import errno
import time
from collections.abc import Sequence
from contextlib import suppress

from ..core.kinds import UNLIMITED
from ..errors import Failure
from ..kernel.cgroup_writes import Refused, Text, write_all
from ..kernel.cgroups import Cgroups, Group, write_file

PAUSE = 0.01
"""Seconds between two tries: what is written back needs its time."""


def used(groups: Cgroups, path: str) -> int:
    """Bytes in use by a cgroup; 0 for one without the controller."""
    group = Group(groups, path)
    return int(group.text("memory.current" if groups.version == 2 else "memory/memory.usage_in_bytes") or 0)


def make_room(groups: Cgroups, path: str, limit: int, operation: str, patience: float) -> None:
    """Refuse a limit below what is in use, or with ``patience`` have the kernel get it back within these seconds.

    Version 2 would take any limit, and kill processes until the rest fits (cgroup-v2.rst, memory.max). Version 1
    reclaims by itself when the limit is written.
    """
    if limit == UNLIMITED or (groups.version == 1 and patience):
        return
    end = time.monotonic() + patience
    while (now := used(groups, path)) > limit:
        if time.monotonic() >= end:
            if patience:
                reason = f"{now} bytes are in use, and no more could be reclaimed in {patience:g} seconds"
                raise Failure(operation, reason, "free some, or set a higher limit")
            raise Failure(operation, f"{now} bytes are in use", "free some, set a higher limit, or use reclaim")
        with suppress(OSError):  # EAGAIN: not all of it could be reclaimed; before Linux 5.19 there is no such file
            write_file(groups.file(path, "memory.reclaim"), str(now - limit))
        time.sleep(PAUSE)


def write_patiently(groups: Cgroups, path: str, texts: Sequence[Text], patience: float) -> tuple[Text, ...]:
    """Write texts; version 1 reclaims as a limit of memory is written, and is asked again while that is not enough.

    Raises :class:`Refused`.
    """
    end = time.monotonic() + patience
    while True:
        try:
            return write_all(groups, path, texts)
        except Refused as refused:
            busy = isinstance(refused.error, OSError) and refused.error.errno == errno.EBUSY
            if not busy or time.monotonic() >= end:
                raise
        time.sleep(PAUSE)
