# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an overlay's upper directory adds, changes and deletes of what its lower directories show."""
from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ..errors import Failure
from .names import DEEPEST
from .overlay import is_opaque, is_whiteout

ADDED, CHANGED, DELETED = "A", "C", "D"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

Parts = tuple[str, ...]


def differences(upper: str, lowers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Each difference as its kind and its path, sorted by path. ``lowers`` are the uppermost first.

    Raises :class:`Failure` for folders in folders beyond what a layer may have.
    """
    try:
        root = os.open(upper, _FOLDER)
    except FileNotFoundError:
        return  # never started
    try:
        yield from sorted(_below(root, (), lowers), key=lambda each: each[1])
    finally:
        os.close(root)


def _below(folder: int, path: Parts, lowers: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if len(path) > DEEPEST:
        raise Failure("compare what a container has written", f"/{path[0]}/… is more than {DEEPEST} folders deep")
    names = os.listdir(folder)
    if path and is_opaque(folder):
        hidden = {name for name in _names(lowers, path) if name not in names}
        yield from ((DELETED, _text((*path, name))) for name in hidden)
    for name in names:
        parts = (*path, name)
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        before = shown(lowers, parts)
        if is_whiteout(there):
            if before is not None:
                yield DELETED, _text(parts)
            continue
        yield ADDED if before is None else CHANGED, _text(parts)
        if stat.S_ISDIR(there.st_mode):
            descriptor = os.open(name, _FOLDER, dir_fd=folder)
            try:
                yield from _below(descriptor, parts, lowers)
            finally:
                os.close(descriptor)


def shown(lowers: tuple[str, ...], parts: Parts) -> os.stat_result | None:
    """What directories on top of each other show under a path, by names only: links on the way lead nowhere."""
    for lower in lowers:
        path, hides = lower, False
        for depth, part in enumerate(parts, 1):
            path = f"{path}/{part}"
            try:
                there = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                break
            if is_whiteout(there) or (depth < len(parts) and not stat.S_ISDIR(there.st_mode)):
                return None
            if depth == len(parts):
                return there
            hides = hides or is_opaque(path)
        if hides:
            return None
    return None


def _names(lowers: tuple[str, ...], path: Parts) -> set[str]:
    """The names that a folder has in directories on top of each other."""
    found: set[str] = set()
    for lower in lowers:
        try:
            found |= set(os.listdir("/".join((lower, *path))))
        except (FileNotFoundError, NotADirectoryError):
            continue
    return {name for name in found if shown(lowers, (*path, name)) is not None}


def _text(parts: Parts) -> str:
    return "/" + "/".join(parts)
