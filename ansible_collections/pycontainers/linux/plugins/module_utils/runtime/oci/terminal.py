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
from types import FrameType

CHUNK = 65536


def relay(master: int) -> None:
    """Copy keys to the terminal's master and what it says to stdout, until the program's side is closed."""
    keyboard = os.isatty(0)
    saved = termios.tcgetattr(0) if keyboard else None

    def resized(number: int, frame: FrameType | None) -> None:
        fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, struct.pack("8x")))

    try:
        if keyboard:
            tty.setraw(0)
            signal.signal(signal.SIGWINCH, resized)
            resized(signal.SIGWINCH, None)
        _copy(master)
    finally:
        if saved is not None:
            signal.signal(signal.SIGWINCH, signal.SIG_DFL)
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
        os.close(master)


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
