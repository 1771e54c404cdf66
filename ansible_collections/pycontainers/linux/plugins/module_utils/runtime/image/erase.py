# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder is removed with all in it, in little memory: a stranger's archive may have put a million names there."""
from __future__ import annotations

import os
from itertools import islice

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_AT_ONCE = 1000


def erase(name: str, dir_fd: int | None = None) -> None:
    """Remove a folder, by a path or by its name in another; no link in it is followed. Raises ``OSError``."""
    folder = os.open(name, _FOLDER, dir_fd=dir_fd)
    try:
        _empty(folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=dir_fd)


def _empty(folder: int) -> None:
    while True:
        with os.scandir(folder) as entries:
            listed = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in islice(entries, _AT_ONCE)]
        if not listed:
            return
        for name, is_folder in listed:
            if is_folder:
                erase(name, folder)
            else:
                os.unlink(name, dir_fd=folder)
