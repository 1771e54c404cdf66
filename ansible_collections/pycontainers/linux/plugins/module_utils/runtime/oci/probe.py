# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program in a running container that has so long to end, all of it: what it says, and how it ends.

It runs in a cgroup below the container's, by which all that it has started is found when its time is over. That
cgroup has no controllers of its own, so the container's limits are its limits. With version 1 it is one of a single
hierarchy.
"""
from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from contextlib import suppress

from ..errors import Failure
from ..kernel import freezer, killing
from ..kernel.cgroups import Cgroups, read_file, write_file
from ..kernel.process import Process
from ..typed import NamedTuple
from . import enter
from .program import Operation

LEFT = 1 << 16
"""How much is read of what a program has said last, when it has ended and others may go on."""


class Answer(NamedTuple):
    """What came of it: the exit status, None if its time was over, and the beginning of what it said."""

    status: int | None
    output: bytes


class Room(NamedTuple):
    """The cgroup ``name`` below the container's at ``path``."""

    groups: Cgroups
    path: str
    name: str

    def directories(self) -> tuple[str, ...]:
        """The directories to join, where it is made: the container's, but for one."""
        own, instead = self.groups.directories(self.path), self._top()
        made = f"{instead}/{self.name}"
        with suppress(FileExistsError):
            os.mkdir(made, 0o755)
        return tuple(made if each == instead else each for each in own)

    def _top(self) -> str:
        own = self.groups.directories(self.path)
        with suppress(Failure):
            # Of those of version 1 the one that counts and limits nothing.
            freezer = os.path.dirname(self.groups.file(self.path, "freezer/cgroup.procs"))
            return freezer if freezer in own else own[0]
        return own[-1]

    def end(self) -> None:
        """Kill all that is in it. Raises :class:`Failure` if the kernel can't."""
        killing.end_all(self.groups, f"{self.path}/{self.name}")

    def leave(self) -> None:
        """Let what is still in it be the container's own from now on."""
        top = self._top()
        for pid in read_file(f"{top}/{self.name}/cgroup.procs").split():
            with suppress(ProcessLookupError):
                write_file(f"{top}/cgroup.procs", pid)


def ask(init: Process, program: Sequence[Operation], room: Room, seconds: float, most: int) -> Answer | None:
    """Run a program in the container of ``init``; ``most`` bytes of what it says are kept.

    None if its time was over while the container was held still: it is left in the room, since with version 1 nothing
    ends then. Raises :class:`Failure` if the container is gone, and ``OSError``.
    """
    reader, writer = os.pipe()
    try:
        door = enter.ask(init, program, room.directories(), writer)
    finally:
        os.close(writer)
    with os.fdopen(reader, "rb", buffering=0) as file:
        os.set_blocking(reader, False)
        try:
            output, ended = _listen(reader, door, time.monotonic() + seconds, most)
            if not ended and freezer.frozen(room.groups, room.path):
                return None
        except BaseException:
            os.kill(door, signal.SIGKILL)
            raise
        if not ended:
            os.kill(door, signal.SIGKILL)
            room.end()
        status = os.waitstatus_to_exitcode(os.waitpid(door, 0)[1])
        output += file.read(LEFT) or b""
    if ended:
        room.leave()
    return Answer(status if ended else None, output[:most])


def _listen(reader: int, door: int, end: float, most: int) -> tuple[bytes, bool]:
    """Read until the door has ended, or it is time; what was said, and whether it has."""
    output, poll = b"", select.poll()
    descriptor = os.pidfd_open(door)
    try:
        poll.register(reader, select.POLLIN)
        poll.register(descriptor, select.POLLIN)
        while (left := end - time.monotonic()) > 0:
            ready = dict(poll.poll(left * 1000))
            if reader in ready:
                # What is not kept is read all the same: nobody is to wait for us.
                said = os.read(reader, LEFT)
                output = (output + said)[: most + 1]
                if not said:
                    poll.unregister(reader)
            elif descriptor in ready:
                return output, True
        return output, False
    finally:
        os.close(descriptor)
