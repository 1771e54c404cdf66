# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The caller's terminal as screen and keyboard of a program inside: raw, resized along, put back at the end."""
from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType

CHUNK = 65536


def relay(master: int) -> None:
    """Copy keys to the terminal's master and what it says to stdout, until the program's side is closed."""
    try:
        with raw(master) if os.isatty(0) else nullcontext():
            _copy(master)
    finally:
        os.close(master)


@contextmanager
def raw(master: int, redraw: bool = False) -> Iterator[None]:
    """Have stdin, a terminal, pass every key on inside the block, and the program's terminal as large as it is.

    ``master`` is -1 for a program that has ended already. With ``redraw`` the program is made to draw anew what is on
    its terminal, by a size that changes once more.
    """
    saved = termios.tcgetattr(0)

    def resized(number: int, frame: FrameType | None) -> None:
        _resize(master, *size())

    try:
        tty.setraw(0)
        signal.signal(signal.SIGWINCH, resized)
        if redraw:
            _resize(master, *(length + 1 for length in size()))
        _resize(master, *size())
        yield
    finally:
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        termios.tcsetattr(0, termios.TCSADRAIN, saved)


def size() -> tuple[int, int]:
    """Lines and columns of the terminal that stdin is."""
    columns, lines = os.get_terminal_size(0)
    return lines, columns


def _resize(master: int, lines: int, columns: int) -> None:
    if master < 0:
        return
    with suppress(OSError):
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))


def _copy(master: int) -> None:
    sources = [0, master]
    while True:
        ready, _, _ = select.select(sources, [], [])
        if master in ready:
            try:
                said = os.read(master, CHUNK)
            except OSError:  # EIO: the last process on the other side is gone.
                return
            if not said:
                return
            _write(1, said)
        if 0 in ready:
            typed = os.read(0, CHUNK)
            if typed:
                _write(master, typed)
            else:
                sources.remove(0)
                _write(master, b"\x04")


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
