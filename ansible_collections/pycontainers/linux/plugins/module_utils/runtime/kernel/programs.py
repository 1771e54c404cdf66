# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the host has programs, whoever calls: a service's PATH is shorter than a person's. And which shell stays."""
from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for, besides PATH."""

SMALL_SHELL = "/bin/busybox"
PT_INTERP = 3
"""The kind of the program header that names the dynamic linker (elf(5))."""


def paths(name: str, *more: str) -> Iterator[str]:
    """The paths of all programs of a name, also in ``more`` folders; the first is the one that a shell would take."""
    places = dict.fromkeys((*os.environ.get("PATH", "").split(":"), *FOLDERS.split(":"), *more))
    for path in (f"{folder}/{name}" for folder in places if folder):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            yield path


def find(name: str, *more: str) -> str | None:
    """The path of a program."""
    return next(paths(name, *more), None)


def shell() -> str:
    """The path of the shell that stays with a container, to be executed as ``sh``.

    It is busybox where that is linked statically: most of the memory that another shell has to itself is what the
    dynamic linker and the C library write to.
    """
    return SMALL_SHELL if is_static(SMALL_SHELL) else "/bin/sh"


def is_static(path: str) -> bool:
    """Whether a file is a program of 64 bits, of this machine's byte order, that needs no dynamic linker (elf(5))."""
    try:
        with open(path, "rb", buffering=0) as file:
            head = file.read(4096) or b""
    except OSError:
        return False
    if len(head) < 64 or not head.startswith(b"\x7fELF\x02"):
        return False
    (start,), (size, count) = struct.unpack_from("=Q", head, 32), struct.unpack_from("=HH", head, 54)
    if not count or size < 4 or start + size * count > len(head):
        return False
    return all(struct.unpack_from("=I", head, start + size * i) != (PT_INTERP,) for i in range(count))
