# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has become of containers: a line of JSON for each event, which whoever acts appends to one bounded file.

The files are named as those of a log without time stamps (:mod:`..oci.log_files`), so that they are read and followed
as that is: ``output`` is the newer one, ``output.1`` the one before. A line is one write at the file's end, so lines of
several writers stand one after another; what a power cut has left of one is ended by whoever writes next.
"""
from __future__ import annotations

import fcntl
import os
import time
from contextlib import suppress
from typing import Any

from ..core.layout import Layout
from .container_model import Container

LIMIT = 1 << 20
"""Bytes after which a file is put aside, and the one before it removed."""

LONGEST = 1 << 14
"""Bytes of a line, beyond which it goes without the container's labels."""


TRIES = 100
"""How often somebody else may have been quicker to make the folder, or to put a full file aside."""


def note(layout: Layout, container: Container, action: str, **more: Any) -> None:
    """Keep that something has happened to a container. Nothing of it fails what has been done."""
    told = {"time": time.time_ns(), "action": action, "id": container.id or "", "name": container.name}
    told |= {"image": str(container.image or ""), **more}
    with suppress(OSError, ValueError):
        line = _line({**told, "labels": dict(container.labels or ())})
        _append(layout.events, line if len(line) <= LONGEST else _line(told))


def _line(told: dict[str, Any]) -> bytes:
    from json import dumps

    return dumps(told).encode() + b"\n"


def _append(folder: str, line: bytes) -> None:
    path = f"{folder}/output"
    for _ in range(TRIES):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.mkdir(folder, 0o700)
            continue
        try:
            size = os.fstat(descriptor).st_size
            if size < LIMIT:
                whole = not size or os.pread(descriptor, 1, size - 1) == b"\n"
                os.write(descriptor, line if whole else b"\n" + line)
                return
            _put_aside(path, descriptor)
        finally:
            os.close(descriptor)


def _put_aside(path: str, descriptor: int) -> None:
    """Begin a new file, unless somebody has while we waited for the lock of the full one."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with suppress(FileNotFoundError):
        if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            os.rename(path, f"{path}.1")
