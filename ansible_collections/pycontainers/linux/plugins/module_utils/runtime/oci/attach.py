# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Being attached to a container: its log goes to stdout as it grows, and what is typed goes to its program.

What the program says is read from the log, so nobody who is attached takes it from another, or from the log. What is
typed goes to the terminal's master, which the logger holds, or to the pipe that the waiter holds (:mod:`.streams`).
"""
from __future__ import annotations

import os
import select
import signal
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

from ..core.layout import Layout
from ..errors import Failure
from ..kernel import descriptors
from ..kernel.process import Process
from . import lifecycle, streams
from .console import PTMX
from .detach_keys import Keys
from .log_files import Line, LogFiles

CHUNK = 65536
LINE, PAGE = 512, 4096
"""Bytes that a terminal, and a pipe, that has any room takes without waiting (pipe(7), PIPE_BUF)."""

MOST_AHEAD = 65536
"""Bytes that may be typed ahead of what the program reads. Keys to leave are still read up to there."""

PATIENCE = 30.0
"""Seconds within which a logger must have been given its terminal."""

LOST = "pycontainers: the container has said more than could be shown before it went out of its log\n"

HANDED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals to who is attached that are meant for the program, where that has no terminal to get them from."""


class Session:
    """One attachment to a run of a container's program.

    ``log`` is read from where it is, ``keyboard`` is the descriptor that the program's input is written to: its
    terminal's master or the end of a pipe, or -1.
    """

    def __init__(self, layout: Layout, identity: str, init: Process, log: LogFiles) -> None:
        self.layout, self.identity, self.init = layout, identity, init
        self.log = log
        self.keyboard = -1
        self.reader = lifecycle.logger(layout, identity)
        self.ahead, self.at_once = b"", LINE
        self.keys: Keys | None = None

    def close(self) -> None:
        """Let go of all that the session holds."""
        self.log.close()
        if self.keyboard >= 0:
            os.close(self.keyboard)

    def take_terminal(self) -> None:
        """Take the master of the program's terminal."""
        end = time.monotonic() + PATIENCE
        while self.init.alive and time.monotonic() < end:
            found = _take(self.reader, 0) if self.reader else -1
            if found >= 0 and os.fstat(found).st_rdev == PTMX:
                self.keyboard = found
                return
            if found >= 0:  # The logger has not been given it yet.
                os.close(found)
            time.sleep(0.005)
        if self.init.alive:
            raise Failure(f"attach to container {self.identity[:12]}", "its terminal has no logger", "restart it")

    def take_pipe(self) -> None:
        """Take the end of the pipe that the program's input comes from."""
        waiter = lifecycle.waiter(self.layout, self.identity)
        found = _take(waiter, streams.KEYBOARD) if waiter else -1
        # While the program runs its waiter is the shell, whose descriptor of this number is nothing else.
        if found >= 0 and self.init.alive and stat.S_ISFIFO(os.fstat(found).st_mode):
            self.keyboard, self.at_once = found, PAGE
        elif found >= 0:
            os.close(found)

    def end_input(self) -> None:
        """Close the program's input for good: this session's end of the pipe, and the waiter's."""
        waiter = lifecycle.waiter(self.layout, self.identity)
        if self.keyboard >= 0:
            os.close(self.keyboard)
            self.keyboard = -1
        if waiter and self.init.alive:
            waiter.signal(signal.SIGUSR1)

    def go_on(self, reading: bool, once: bool) -> bool:
        """Copy until the program ends; False if who is attached has left it before.

        With ``reading`` stdin is read; at its end the program's input ends too if it is to be read ``once``.
        """
        try:
            ending = os.pidfd_open(self.init.pid)
        except ProcessLookupError:
            ending = -1
        changes = descriptors.watch(self.log.folder)
        try:
            # Asked after the descriptor is there: a pid that another process has by now is not taken for ours.
            while ending >= 0 and self.init.alive:
                self.show()
                ready = self._wait([ending, changes, 0] if reading else [ending, changes])
                if changes in ready:
                    os.read(changes, CHUNK)
                if 0 in ready:
                    reading = self._type(os.read(0, CHUNK))
                    if self.keys and (self.keys.pressed or not reading):
                        return False
                if self.keyboard in ready:
                    self._pass_on()
                if once and not reading and not self.ahead:
                    self.end_input()
                    once = False
        finally:
            for descriptor in {ending, changes} - {-1}:
                os.close(descriptor)
        if self.reader:
            self.reader.wait(lifecycle.LOG_PATIENCE)
        self.show()
        _print(self.log.flush())
        if self.log.lost:
            sys.stderr.write(LOST)
        return True

    def show(self) -> None:
        """Write to stdout what the log has more by now."""
        _print(self.log.read())

    def _wait(self, sources: list[int]) -> set[int]:
        poll = select.poll()
        for source in sources:
            if source or len(self.ahead) < MOST_AHEAD:
                poll.register(source, select.POLLIN)
        if self.ahead:
            poll.register(self.keyboard, select.POLLOUT)
        return {descriptor for descriptor, _ in poll.poll()}

    def _type(self, typed: bytes) -> bool:
        """Take what has been typed; whether there may be more."""
        passed = self.keys.passing(typed) if self.keys else typed
        self.ahead += passed if self.keyboard >= 0 else b""
        return bool(typed)

    def _pass_on(self) -> None:
        try:
            self.ahead = self.ahead[os.write(self.keyboard, self.ahead[: self.at_once]) :]
        except OSError:  # EPIPE, EIO: the program has closed its input, or has ended.
            self.ahead = b""


def _print(lines: Iterator[Line]) -> None:
    for each in lines:
        sys.stdout.buffer.write(each.text)
    sys.stdout.buffer.flush()


def hand_on(init: Process) -> None:
    """Pass signals to the calling process on to the program."""
    for number in HANDED_ON:
        signal.signal(number, lambda received, _: init.signal(received) and None)


def leave_on_signals() -> None:
    """Let signals that end the calling process end it in order: a terminal that was made raw is put back."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _take(process: Process, descriptor: int) -> int:
    """A copy of a descriptor of exactly this process; -1 if it has none, or is gone."""
    with suppress(ProcessLookupError):
        behind = os.pidfd_open(process.pid)
        try:
            return descriptors.pidfd_getfd(behind, descriptor) if process.alive else -1
        except OSError as error:
            if isinstance(error, PermissionError):
                raise
        finally:
            os.close(behind)
    return -1
