# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the host has programs, whoever calls: a service's PATH is shorter than a person's. And which shell stays."""
from __future__ import annotations

import os
import struct
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import NoReturn

FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for, besides PATH."""

SMALL_SHELL = "/bin/busybox"
PT_INTERP = 3
"""The kind of the program header that names the dynamic linker (elf(5))."""

TRIAL = """\
PATH=/dev/null
[ 1 = 1 ] && kill -0 $$ && printf x >/dev/null || exit
PATH=$1
sleep 0.001 || exit
read -r -t 0.001 word
[ $? != 2 ] && echo fit
"""
"""What a shell that stays has to do: the first line without a fork, the others with fractions of seconds."""

_tried: dict[tuple[int, ...], bool] = {}


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

    It is busybox where that is linked statically and does what it has to: most of the memory that another shell has to
    itself is what the dynamic linker and the C library write to. It is tried once, by a fork.
    """
    try:
        found = os.stat(SMALL_SHELL)
    except OSError:
        return "/bin/sh"
    key = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
    if key not in _tried:
        _tried[key] = os.access(SMALL_SHELL, os.X_OK) and is_static(SMALL_SHELL) and _fits(SMALL_SHELL)
    return SMALL_SHELL if _tried[key] else "/bin/sh"


def become_shell(path: str, script: str, words: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Turn the calling process into a shell (:func:`shell`); ``words`` are the script's parameters, from ``$0`` on."""
    # Somebody may just be putting another file in its place.
    with suppress(OSError):
        os.execve(path, ["sh", "-c", script, *words], environment)
    os.execve("/bin/sh", ["sh", "-c", script, *words], environment)


def is_static(path: str) -> bool:
    """Whether a program runs without a dynamic linker: an ELF file that names none (elf(5), PT_INTERP)."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
            layout, place = ("Q14xHH", 32) if wide else ("I10xHH", 28)
            start, size, count = struct.unpack_from(f"{order}{layout}", head, place)
            file.seek(start)
            table = file.read(size * count)
        kinds = [struct.unpack_from(f"{order}I", table, size * index)[0] for index in range(count)]
    except (OSError, IndexError, OverflowError, struct.error):
        return False
    whole = head.startswith(b"\x7fELF") and bool(kinds) and len(table) == size * count
    return whole and PT_INTERP not in kinds


def _fits(path: str) -> bool:
    """Whether a shell does what the trial asks for."""
    reading, writing = os.pipe()
    with open(reading, "rb") as answer:
        try:
            with open(os.devnull, "r+b") as nothing:
                files = [(os.POSIX_SPAWN_DUP2, nothing.fileno(), 0), (os.POSIX_SPAWN_DUP2, writing, 1)]
                files.append((os.POSIX_SPAWN_DUP2, nothing.fileno(), 2))
                child = os.posix_spawn(path, ["sh", "-c", TRIAL, "sh", FOLDERS], {}, file_actions=files)
        except OSError:
            return False
        finally:
            os.close(writing)
        said = answer.read()
    with suppress(ChildProcessError):  # whose parent ignores the ends of its children
        os.waitpid(child, 0)
    return said == b"fit\n"
