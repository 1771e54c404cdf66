# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much the writable layer of an overlay may take, and by which means the kernel holds it to that.

A project quota where the filesystem of the upper directory enforces them. Elsewhere the layer is in a filesystem of its
own: an ext4 in the file ``UPPER.img``, mounted on UPPER, in which ``upper`` and ``work`` are the layer. What is there
is read from the kernel: the folder's project and its limits, or the size of the filesystem.
"""
from __future__ import annotations

import os
from typing import Any

from ..core.kinds import UNLIMITED, limit_count, limit_size, show_limit
from ..core.model import Kind
from ..errors import InvalidValue
from ..kernel import loop, quota
from ..lean.dataclasses import dataclass

QUOTA, IMAGE = "quota", "image"
LEAST = 1 << 20
"""The smallest size: an ext4 of less has no room for anything."""

PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def size(value: Any) -> int:
    """A size in bytes, in whole blocks of 4096 as filesystems count them, or UNLIMITED."""
    limit = limit_size(value)
    if limit == UNLIMITED:
        return UNLIMITED
    if limit < LEAST:
        raise ValueError(f"it is below {LEAST} bytes (1m)")
    return limit // loop.BLOCK * loop.BLOCK


def inodes(value: Any) -> int:
    """A number of files, or UNLIMITED."""
    limit = limit_count(value)
    if limit >= 2**63:
        raise ValueError("it is more than any filesystem can count (2^63)")
    return limit


SIZE = Kind("layer_size", {"type": "str"}, size, show_limit)
INODES = Kind("inodes", {"type": "str"}, inodes, show_limit)


@dataclass(frozen=True)
class Room:
    """What a layer may take, in bytes and in files, and by which means."""

    by: str
    size: int = UNLIMITED
    inodes: int = UNLIMITED

    @property
    def quota(self) -> quota.Quota:
        """The limits as the kernel's quotas have them."""
        return quota.Quota(*(0 if each == UNLIMITED else each for each in (self.size, self.inodes)))


def image(upper: str) -> str:
    """The file that has the filesystem of an upper directory, where one is needed."""
    return f"{upper}.img"


def inside(upper: str) -> tuple[str, str]:
    """The upper and work directories in the filesystem that is mounted on ``upper``."""
    return f"{upper}/upper", f"{upper}/work"


def project(upper: str) -> int:
    """The project that is a folder's own; 0 if it has none, or that of the folder that it is in."""
    found = quota.project(upper)
    return found if found and found != quota.project(os.path.dirname(upper)) else 0


def observe(upper: str) -> Room | None:
    """What the layer of an upper directory may take; None where nothing of this kind holds it."""
    file = image(upper)
    if os.path.exists(file):
        there = loop.image_mount(file, upper)
        return Room(IMAGE, loop.mounted_size(upper) if there else os.stat(file).st_size // loop.BLOCK * loop.BLOCK)
    if not os.path.isdir(upper):
        return None
    own = project(upper)
    if not own or not quota.enforced(upper):
        return None
    found = quota.quota(upper, own)
    return Room(QUOTA, found.size or UNLIMITED, found.inodes or UNLIMITED)


def is_mounted(upper: str) -> bool:
    """Whether the filesystem of a layer is mounted on its upper directory."""
    return os.path.exists(image(upper)) and loop.image_mount(image(upper), upper) is not None


def target(upper: str, limit: int | None, inodes: int | None, have: Room | None) -> Room | None:
    """What the layer is to take, given what is asked for and what is there; None if nothing is to hold it.

    Raises :class:`InvalidValue` for what can't be.
    """
    asked = [each for each in (limit, inodes) if each is not None]
    if have is None and (not asked or set(asked) == {UNLIMITED}):
        return None
    by = have.by if have else means(upper)
    before = have or Room(by)
    wanted = Room(by, before.size if limit is None else limit, before.inodes if inodes is None else inodes)
    if by == IMAGE:
        _check_image(upper, wanted, have)
    return wanted


def means(upper: str) -> str:
    """By which means a layer that has no limit yet is held to one."""
    folder = upper
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return QUOTA if quota.enforced(folder) else IMAGE


def _check_image(upper: str, wanted: Room, have: Room | None) -> None:
    lacks = f"the filesystem of {upper} has no project quota"
    if wanted.inodes != UNLIMITED:
        raise InvalidValue("inodes", wanted.inodes, lacks, "mount it with prjquota, or give a size only")
    if have is not None and wanted.size != have.size and not have.size < wanted.size:
        shown = show_limit(wanted.size)
        reason = f"it is in the filesystem {image(upper)}, which has {have.size} bytes and can only grow"
        raise InvalidValue("size", shown, reason, f"give at least {have.size}, or remove the layer first")
    if have is not None:
        return
    if wanted.size == UNLIMITED:
        raise InvalidValue("size", show_limit(wanted.size), lacks, "give a number of bytes")
    if os.path.isdir(upper) and os.listdir(upper):
        reason = f"{lacks}, and there are files in it already"
        raise InvalidValue("size", wanted.size, reason, "mount it with prjquota, or give an upper that is empty")
    if not any(os.access(f"{place}/mkfs.ext4", os.X_OK) for place in PLACES.split(":")):
        reason = f"{lacks}, and there is no mkfs.ext4 to make a filesystem of this size with"
        raise InvalidValue("size", wanted.size, reason, "install e2fsprogs, or mount it with prjquota")
