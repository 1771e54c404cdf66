# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What layers and containers take on the disk."""
from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress

DEEPEST = 255
"""Folders within each other that are looked into. No layer has more, and a program may make them without end."""


def size_of(paths: Iterable[str]) -> int:
    """What files and directories with all below them take on the disk, in bytes; a file of several names once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            total += _size(path, None, seen, 0)
    return total


def _size(name: str, parent: int | None, seen: set[tuple[int, int]], depth: int) -> int:
    # By descriptor: a path to what a container has made may be longer than the kernel takes.
    there = os.stat(name, dir_fd=parent, follow_symlinks=False)
    is_known = (there.st_dev, there.st_ino) in seen
    seen.add((there.st_dev, there.st_ino))
    total = 0 if is_known else there.st_blocks * 512
    if not stat.S_ISDIR(there.st_mode) or depth > DEEPEST:
        return total
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        for each in os.listdir(folder):
            with suppress(FileNotFoundError):
                total += _size(each, folder, seen, depth + 1)
    finally:
        os.close(folder)
    return total
