# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder is removed with all in it, in little memory and few descriptors, whatever strangers have put there.

An archive may have a million names in one folder, and a program of a container may make folders in folders without
end, too deep for a path, for as many descriptors and for Python's stack.
"""
from __future__ import annotations

import os
from itertools import islice

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_AT_ONCE = 1000
_DEEPEST = 100


def erase(name: str, dir_fd: int | None = None) -> None:
    """Remove a folder, by a path or by its name in another; no link in it is followed. Raises ``OSError``."""
    folder = os.open(name, _FOLDER, dir_fd=dir_fd)
    try:
        _empty(folder, folder, 0)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=dir_fd)


def _empty(folder: int, top: int, depth: int) -> None:
    while True:
        with os.scandir(folder) as entries:
            listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in islice(entries, _AT_ONCE)]
        if not listed:
            return
        for name, is_folder in listed:
            if not is_folder:
                os.unlink(name, dir_fd=folder)
            elif depth < _DEEPEST:
                below = os.open(name, _FOLDER, dir_fd=folder)
                try:
                    _empty(below, top, depth + 1)
                finally:
                    os.close(below)
                os.rmdir(name, dir_fd=folder)
            else:
                os.rename(name, os.urandom(16).hex(), src_dir_fd=folder, dst_dir_fd=top)
