# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filesystems in files: loop devices (loop(4)) and ext4 on them.

A device lets go of its file by itself once nothing mounts it any more, also when whoever mounted it was killed.
"""
from __future__ import annotations

import errno
import fcntl
import os
import struct
from contextlib import suppress

from . import syscalls
from .mounts import Mount, mounted

LOOP_CONFIGURE, LOOP_SET_CAPACITY, LOOP_CTL_GET_FREE = 0x4C0A, 0x4C07, 0x4C82
LO_FLAGS_AUTOCLEAR = 4
EXT4_IOC_RESIZE_FS = 0x40086610
BLOCK = 4096
"""Bytes of a block of the filesystems that are made here."""

TRIES = 16
"""How often another program may be quicker to take the device that is free."""

_CONFIGURATION = struct.Struct("=II52xI64s64x32x16x64x")
"""``struct loop_config`` of linux/loop.h: the file, the size of a block, flags, the file's name."""

OPTIONS = "discard,minixdf"
"""Give the host back what is freed, and count the whole filesystem as its size, not what its own tables leave."""


def device(image: str) -> str | None:
    """The loop device that has a file, by whatever name, if one has."""
    try:
        wanted = os.stat(image)
    except FileNotFoundError:
        return None
    for name in os.listdir("/sys/block"):
        if name.startswith("loop"):
            with suppress(OSError), open(f"/sys/block/{name}/loop/backing_file", "rb") as file:
                if os.path.samestat(os.stat(file.read().rstrip(b"\n")), wanted):
                    return f"/dev/{name}"
    return None


def _attach(image: str) -> int:
    """A loop device that has the file, as a descriptor that keeps it. Raises ``OSError``."""
    held = device(image)
    while held is not None:
        descriptor = os.open(held, os.O_RDWR | os.O_CLOEXEC)
        if device(image) == held:
            return descriptor
        os.close(descriptor)  # It was letting go of the file just then.
        held = device(image)
    file = os.open(image, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    control = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    try:
        packed = _CONFIGURATION.pack(file, 0, LO_FLAGS_AUTOCLEAR, os.fsencode(image)[:63])
        for _ in range(TRIES):
            free = os.open(f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}", os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(free, LOOP_CONFIGURE, packed)
            except OSError as error:
                os.close(free)
                if error.errno != errno.EBUSY:
                    raise
                continue
            return free
        raise OSError(errno.EBUSY, "other programs take every loop device that is free", image)
    finally:
        os.close(control)
        os.close(file)


def mount_image(image: str, target: str) -> None:
    """Mount the ext4 in a file, and let it be as large as the file. Raises ``OSError``."""
    descriptor = _attach(image)
    try:
        syscalls.mount(os.readlink(f"/proc/self/fd/{descriptor}"), target, "ext4", 0, OPTIONS)
        fcntl.ioctl(descriptor, LOOP_SET_CAPACITY)
    finally:
        os.close(descriptor)
    _resize(target, os.stat(image).st_size)


def grow_image(image: str, target: str, size: int) -> None:
    """Make a file and the ext4 in it larger, to so many bytes, while it is used if it is mounted on ``target``.

    That takes CAP_SYS_RESOURCE. If the filesystem can't be made larger, the file has its old size. Raises ``OSError``.
    """
    before = os.stat(image).st_size
    os.truncate(image, size)
    if device(image) is None:
        return  # The next mount sees to it.
    try:
        if image_mount(image, target) is None:  # unmounted by hand, and an overlay still has it
            mount_image(image, target)
        _tell_size(image)
        _resize(target, size)
    except OSError:
        os.truncate(image, before)
        _tell_size(image)
        raise


def _tell_size(image: str) -> None:
    """Let the loop device see how large its file is."""
    descriptor = os.open(device(image) or image, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, LOOP_SET_CAPACITY)
    finally:
        os.close(descriptor)


def mounted_size(target: str) -> int:
    """How large the filesystem of an image is that is mounted, in bytes."""
    there = os.statvfs(target)
    return there.f_blocks * there.f_frsize


def _resize(target: str, size: int) -> None:
    if mounted_size(target) >= size // BLOCK * BLOCK:
        return
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(root, EXT4_IOC_RESIZE_FS, struct.pack("=Q", size // BLOCK))
    finally:
        os.close(root)


def image_mount(image: str, target: str) -> Mount | None:
    """The mount of a file's filesystem on ``target``, if that is what is mounted there."""
    mount = mounted(target)
    return mount if mount is not None and mount.fstype == "ext4" and mount.source == device(image) else None
