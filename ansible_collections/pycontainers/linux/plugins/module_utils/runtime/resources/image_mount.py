# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image mounted read-only at a directory of the host.

Strangers' programs are in it, so no set-user-ID bit and no device counts there, from the first moment on: the
overlay is mounted where nobody looks, and what gets to the directory is a copy of that mount with other rights.
"""
from __future__ import annotations

import os
import shutil
from contextlib import suppress

from ..core.layout import Layout
from ..errors import Failure, failing
from ..image import content
from ..image.content import StoredImage
from ..kernel import syscalls
from ..kernel.mounts import Mount, mounted, mounts
from ..kernel.overlay import Overlay, mount_overlay, overlay


def mount(layout: Layout, image: StoredImage, path: str) -> None:
    """Mount an image's layers on a directory. Its layers stay as long as it is mounted. Raises :class:`Failure`."""
    operation = f"mount image {image.id[:19]} on {path}"
    with failing(operation), content.lock(layout):
        if not all(map(os.path.isdir, image.layers)):
            raise Failure(operation, "a layer of it is missing", "pull or load it again")
        target = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if mounted(os.path.realpath(path)):
                raise Failure(operation, "something is mounted there", "unmount that first, or give another directory")
            _mount(layout, image.layers, target, os.path.realpath(path))
        finally:
            os.close(target)


def _mount(layout: Layout, layers: tuple[str, ...], target: int, path: str) -> None:
    tree = detached(layout, layers, path)
    try:
        syscalls.move_mount(tree, target)
    finally:
        os.close(tree)


def detached(layout: Layout, layers: tuple[str, ...], path: str) -> int:
    """The descriptor of layers one over the other, the uppermost first, to be read; they are mounted nowhere.

    The store's lock is held. ``path`` is what they are for, by which what the mount needs is named.
    """
    # Its name is always the same, so that what a killed run has left there goes with the next one.
    aside = f"{layout.run}/mounting"
    # An overlay without an upper directory needs two lower ones.
    empty, merged = f"{aside}/empty", f"{aside}/merged"
    _clear(aside)
    try:
        for folder, mode in ((aside, 0o700), (empty, 0o755), (merged, 0o700)):
            os.makedirs(folder, mode)
        mount_overlay(merged, Overlay((*layers, empty)), lambda: layout.overlay(path))
        tree = syscalls.open_tree(merged)
        try:
            rights = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
            syscalls.mount_setattr(tree, rights)
        except BaseException:
            os.close(tree)
            raise
        return tree
    finally:
        _clear(aside)


def _clear(aside: str) -> None:
    """Take away the folder in which images are mounted at first, with what is mounted in it."""
    merged = f"{aside}/merged"
    while mounted(os.path.realpath(merged)):
        syscalls.umount(merged)
    for folder in (merged, f"{aside}/empty", aside):
        with suppress(FileNotFoundError):
            os.rmdir(folder)


def unmount(layout: Layout, path: str) -> None:
    """Unmount an image from a directory. Raises :class:`Failure` if there is none."""
    target = os.path.realpath(path)
    there = mounted(target)
    if there is None or not is_image(layout, there):
        raise Failure(f"unmount {path}", "no image is mounted there", "see pycontainers mount")
    with failing(f"unmount {path}", "end what uses it (see fuser -m)"):
        syscalls.umount(target)
    shutil.rmtree(layout.overlay(target), ignore_errors=True)


def is_image(layout: Layout, there: Mount) -> bool:
    """Whether a mount is of an image of ours: an overlay of layers, without anything above."""
    if there.fstype != "overlay":
        return False
    found = _overlay(layout, there)
    folder = layout.layer("").rstrip("/")
    return not found.upper and any(os.path.dirname(each) == folder for each in found.lower)


def _overlay(layout: Layout, there: Mount) -> Overlay:
    return overlay(there, lambda: layout.overlay(there.target))


def image_mounts(layout: Layout) -> list[tuple[str, tuple[str, ...]]]:
    """Where images are mounted, each with its layers' digests, uppermost first."""
    found = []
    for each in mounts():
        if is_image(layout, each):
            names = [os.path.basename(lower) for lower in _overlay(layout, each).lower[:-1]]
            found.append((each.target, tuple(f"sha256:{name}" for name in names)))
    return found
