# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups of an image, read from its own /etc/passwd and /etc/group (passwd(5), group(5))."""
from __future__ import annotations

import os
import stat

from ..errors import Failure
from ..kernel import syscalls
from ..typed import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_FILE = 1 << 20
"""Bytes that are read of such a file at most: an image may hold anything under that name."""

LARGEST_ID = 2**32 - 2
"""The largest uid or gid: 2^32 - 1 means "leave as it is" to the kernel."""


class User(NamedTuple):
    """Whom a container's program runs as."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def user(rootfs: str, wanted: str) -> User:
    """The user that ``user[:group]`` (OCI image-spec config.md, ``User``) means inside the root filesystem.

    A number is never looked up as a name. Raises :class:`Failure` for a name that the image does not have.
    """
    name, _, group = wanted.partition(":")
    name = name or "0"
    uid, gid, home, login = _number(name), 0, "/", name
    for entry in _entries(rootfs, "etc/passwd", 6):
        if entry[0] == name if uid is None else _is(entry[2], uid):
            uid, gid, home, login = _number(entry[2]), _number(entry[3]) or 0, entry[5] or "/", entry[0]
            break
    if uid is None:
        reason = "the image's /etc/passwd has no such user"
        raise Failure(f"run as user {name}", reason, "give a number or another name")
    members = [entry for entry in _entries(rootfs, "etc/group", 4) if login in entry[3].split(",")]
    if group:
        gid, members = _group(rootfs, group), []
    extra = tuple(sorted({number for entry in members if (number := _number(entry[2])) is not None} - {gid}))
    return User(uid, gid, extra, home)


def groups(rootfs: str, wanted: Sequence[str]) -> tuple[int, ...]:
    """The numbers of groups by name or number. Raises :class:`Failure` for a name that the image does not have."""
    return tuple(_group(rootfs, each) for each in wanted)


def home(rootfs: str, uid: int) -> str:
    """The home directory of a uid inside the root filesystem; ``/`` for one that is not listed."""
    return next((entry[5] or "/" for entry in _entries(rootfs, "etc/passwd", 6) if _is(entry[2], uid)), "/")


def _group(rootfs: str, group: str) -> int:
    number = _number(group)
    if number is not None:
        return number
    for entry in _entries(rootfs, "etc/group", 3):
        if entry[0] == group:
            return _number(entry[2]) or 0
    raise Failure(f"run as group {group}", "the image's /etc/group has no such group", "give a number or another name")


def _is(said: str, number: int) -> bool:
    """Whether a field is this number. What it is else, also one that is too large, matters to nobody here."""
    return said.isascii() and said.isdecimal() and said.lstrip("0") == str(number).lstrip("0")


def _number(said: str) -> int | None:
    if not said.isascii() or not said.isdecimal():
        return None
    if len(said) > len(str(LARGEST_ID)) or int(said) > LARGEST_ID:
        raise Failure(f"run as {said}", f"ids end at {LARGEST_ID}")
    return int(said)


def _entries(rootfs: str, path: str, fields: int) -> list[list[str]]:
    """The lines of a colon-separated file inside the root: regular files only, so a FIFO can't hold us up."""
    root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        descriptor = syscalls.openat2(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY, syscalls.RESOLVE_IN_ROOT)
    except OSError:
        return []
    finally:
        os.close(root)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return []
    with os.fdopen(descriptor, "rb") as file:
        lines = file.read(LARGEST_FILE).decode(errors="replace").splitlines()
    return [entry for line in lines if len(entry := line.split(":")) >= fields and not line.startswith("#")]
