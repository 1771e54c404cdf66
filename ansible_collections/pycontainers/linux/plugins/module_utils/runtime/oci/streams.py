# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the standard input of a container's program comes from: nowhere, a pipe that stays open, or a terminal.

The program's terminal is made inside the container, and its master goes to a logger: ``cat`` of the distribution,
which reads the terminal as its stdin and writes the container's log. So the program never waits for somebody to look,
and all of its output is in the log; who attaches follows the log, and writes to the master, which is taken from the
logger with pidfd_getfd(2). The logger ends with the program, whose terminal is then closed; if it is ended itself,
that hangs up the terminal.

The other end of a pipe is held by the waiter, so that the program's input does not end with whoever wrote to it.
"""
from __future__ import annotations

import os

from ..core import store
from ..errors import Failure
from ..kernel import cgroups, syscalls
from ..kernel.process import Process, process
from ..typed import NoReturn
from .init import CONSOLE

NOTHING, PIPE, TERMINAL = "nothing", "pipe", "terminal"
"""What the program reads."""

KEYBOARD, INPUT = 8, 9
"""The waiter's descriptors of the pipe's other end, and of what the program reads: a shell gives its jobs no 0."""

LOGGER = "/bin/cat"
RECORD = "logger.json"


def streams(kind: str, kept: str, log: int, groups: tuple[str, ...]) -> dict[int, int]:
    """The descriptors to be put in place in the waiter, for stdin of this kind.

    A terminal's logger is started, writes to ``log``, is written down in the folder ``kept``, and moves to the cgroup
    of ``groups``. It is a child of the calling process, which is to become the waiter, and can be waited for by that.
    Raises :class:`Failure` where there is none to be started.
    """
    nothing = os.open("/dev/null", os.O_RDONLY)
    if kind == PIPE:
        reading, writing = os.pipe()
        return {0: nothing, INPUT: reading, KEYBOARD: writing}
    if kind == NOTHING:
        return {0: nothing, INPUT: nothing}
    if not os.access(LOGGER, os.X_OK):
        raise Failure("start the logger of a terminal", f"there is no program {LOGGER}", "install coreutils or busybox")
    import socket

    ours, theirs = socket.socketpair()
    logger = os.fork()
    if not logger:
        _become_logger(ours.detach(), log, groups)
    found = process(logger)
    if found is None:
        raise Failure("start the logger of a terminal", "/proc is not mounted")
    store.write_json(f"{kept}/{RECORD}", found._asdict(), durable=False)
    return {0: nothing, INPUT: nothing, CONSOLE: theirs.detach()}


def logger(kept: str) -> Process | None:
    """The logger that was written down in a folder, whether it is there or not; None where there is none."""
    found = store.read_json(f"{kept}/{RECORD}")
    return Process(found["pid"], found["start"]) if found else None


def _become_logger(channel: int, log: int, groups: tuple[str, ...]) -> NoReturn:
    """In the child: wait for the terminal's master, then be nothing but its reader."""
    try:
        # Whoever ends the waiter's group must not end what the program said last.
        os.setsid()
        arrange({0: channel, 1: log, 2: os.open("/dev/null", os.O_WRONLY)})
        cgroups.join(groups)
        from socket import recv_fds, socket  # loaded before the fork

        with socket(fileno=os.dup(0)) as receiver:
            masters = recv_fds(receiver, 1, 1)[1]
        if masters:
            os.dup2(masters[0], 0)
            os.close(masters[0])
            os.execve(LOGGER, ["cat"], {})
    finally:
        os._exit(1)


def arrange(wanted: dict[int, int]) -> None:
    """Put descriptors in their places, and close all others."""
    # First out of the way of one another, then in place: a source may be another's place.
    high = {place: os.dup2(os.dup(descriptor), 64 + place) for place, descriptor in wanted.items()}
    for place, descriptor in high.items():
        os.dup2(descriptor, place, inheritable=True)
    for place in set(range(max(wanted))) - set(wanted):
        syscalls.close_range(place, place)
    syscalls.close_range(max(wanted) + 1)
