# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing several files of a cgroup, all or nothing."""
from __future__ import annotations

import os

from ..errors import Failure
from ..lean.contextlib import suppress
from .cgroups import Cgroups, read_file, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Text = tuple[str, str]
"""A file of the cgroup (version 1 with its controller before) and what is written to it."""

_KEYED = ("io.", "blkio.", "rdma.max", "net_prio.ifpriomap", "misc.max", "dmem.")
"""The files, or how their names begin, in which what is written is a line of its own by its first word."""

_GONE = {"io.max": "rbps=max wbps=max riops=max wiops=max", "io.latency": "target=0"}
_GONE |= {"rdma.max": "hca_handle=max hca_object=max"} | dict.fromkeys(("misc.max", "dmem.max"), "max")
_GONE |= dict.fromkeys(("io.weight", "io.bfq.weight"), "default")
"""What takes a device's line away again; in version 1 it is 0."""


class Refused(Exception):
    """A text that the kernel does not take, or the file of which is not there. What was written before is put back."""

    def __init__(self, name: str, text: str, error: OSError | Failure) -> None:
        super().__init__(name, text, error)
        self.name, self.text, self.error = name, text, error


def write_all(groups: Cgroups, path: str, texts: Iterable[Text]) -> tuple[Text, ...]:
    """Write texts to a cgroup's files, in this order; returns what :func:`put_back` takes.

    Raises :class:`Refused` for the first that can't be written; those before are put back.
    """
    written: list[Text] = []
    for name, text in texts:
        try:
            file = groups.file(path, name)
            before = _before(file)
            write_file(file, text)
        except (OSError, Failure) as error:
            put_back(written)
            raise Refused(name, text, error) from error
        old = _former(name, text, before)
        written += [(file, old)] if old else []
    return tuple(written)


def put_back(written: Sequence[Text]) -> None:
    """Write the texts that were there before, newest first."""
    for file, old in reversed(written):
        with suppress(OSError):
            write_file(file, old)


def _before(file: str) -> str:
    """What a file says. Some, such as memory.reclaim, can only be written.

    A cpuset that says nothing has what those above have. With processes in it, it can't be made to say nothing again.
    """
    try:
        return read_file(file) or _read(f"{file}.effective").strip()
    except OSError:
        if not os.path.exists(file):
            raise
        return ""


def _read(file: str) -> str:
    with suppress(OSError):
        return read_file(file)
    return ""


def _former(name: str, text: str, before: str) -> str:
    """What makes a file say again what it said, after ``text`` was written to it; nothing where that is not known."""
    file, key = name.rpartition("/")[2], text.partition(" ")[0]
    if " " in text and file.startswith(_KEYED):
        lines = [line for line in before.splitlines() if line.partition(" ")[0] == key]
        if lines or ":" not in key:
            return lines[0] if lines else ""
        return f"{key} {_GONE.get(file, '0')}"
    # Where there are more lines the first is the one that is written: "default 100" or "oom_kill_disable 0".
    return before.partition("\n")[0].removeprefix("oom_kill_disable ") or "\n"
