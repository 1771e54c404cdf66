# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Block devices by what people call them: a node's path, numbers, or a folder on them."""
from __future__ import annotations

import os
import stat

from ..errors import Failure

_SYSFS = "/sys/dev/block"


def number(said: str) -> str:
    """``major:minor`` of the device that a path or numbers stand for: of a partition, and of a folder, the disk below.

    The kernel holds rates of whole disks only (block/blk-cgroup.c, blkg_conf_open_bdev). Raises :class:`Failure`.
    """
    found = _numbers(said)
    # A partition's folder is in that of its disk.
    disk = os.path.dirname(os.path.realpath(f"{_SYSFS}/{found}"))
    if os.path.exists(f"{_SYSFS}/{found}/partition"):
        with open(f"{disk}/dev", encoding="ascii") as file:
            found = file.read().strip()
    return found


def _numbers(said: str) -> str:
    if not said.startswith("/"):
        if os.path.exists(f"{_SYSFS}/{said}"):
            return said
        raise Failure(f"find block device {said}", "there is none of these numbers")
    try:
        there = os.stat(said)
    except OSError as error:
        raise Failure(f"find block device {said}", error) from error
    block = stat.S_ISBLK(there.st_mode)
    if not block and not stat.S_ISDIR(there.st_mode):
        raise Failure(f"find block device {said}", "it is neither a block device nor a directory")
    device = there.st_rdev if block else there.st_dev
    found = f"{os.major(device)}:{os.minor(device)}"
    if not os.path.exists(f"{_SYSFS}/{found}"):
        reason = "the filesystem it is on has no block device of its own"
        raise Failure(f"find block device {said}", reason, "name the device itself")
    return found


def number_or_none(said: str) -> str | None:
    """The same; None if there is no such device any more."""
    try:
        return number(said)
    except Failure:
        return None


def name(found: str) -> str:
    """The path by which a device is known, by its numbers; the numbers, if it has none."""
    path = f"/dev/{os.path.basename(os.path.realpath(f'{_SYSFS}/{found}')).replace('!', '/')}"
    return path if number_or_none(path) == found else found
