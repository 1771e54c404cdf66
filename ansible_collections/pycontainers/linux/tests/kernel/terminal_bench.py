# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody at a terminal, for tests of what is interactive."""
from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

LEAVE = b"\x10\x11"
"""Ctrl-P and Ctrl-Q."""

PATIENCE = 30.0
"""Seconds within which a verb has done its part, also on a machine that is busy."""


class Person:
    """Somebody at a terminal of their own, in which a verb runs."""

    def __init__(self, host: Host, words: tuple[str, ...], size: tuple[int, int]) -> None:
        command = host.command(*words)
        self.pid, self.master = os.forkpty()
        if not self.pid:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            os.execv(command[0], command)
        self.seen = ""
        self.code: int | None = None

    def resize(self, lines: int, columns: int) -> None:
        """Make the window another size, which the kernel tells to what runs in it."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, keys: str | bytes) -> None:
        """Press keys."""
        os.write(self.master, keys.encode() if isinstance(keys, str) else keys)

    def sees(self, text: str, seconds: float = PATIENCE) -> str:
        """Wait for a text on the screen, and return what came up to it; what comes after is kept for the next look."""
        end = time.monotonic() + seconds
        while text not in self.seen:
            assert time.monotonic() < end, f"{text!r} has not come; there is {self.seen!r}"
            self._look(0.2)
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def _look(self, seconds: float) -> bool:
        if select.select([self.master], [], [], seconds)[0]:
            try:
                said = os.read(self.master, 65536)
            except OSError:  # EIO: nobody has the other side any more.
                return False
            self.seen = (self.seen + said.decode()).replace("\r\n", "\n")
        return True

    def leaves(self) -> int:
        """Wait until the verb has ended, and return its exit status."""
        end = time.monotonic() + PATIENCE
        while self.code is None:
            self._look(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
            assert time.monotonic() < end, f"it has not ended; there is {self.seen!r}"
        while select.select([self.master], [], [], 0)[0] and self._look(0):
            pass
        return self.code

    def close(self) -> None:
        """End the verb, if it has not ended, and let go of the terminal."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.master)


@contextmanager
def person(host: Host, *words: str, size: tuple[int, int] = (24, 80)) -> Iterator[Person]:
    """Somebody who runs a verb."""
    made = Person(host, words, size)
    try:
        yield made
    finally:
        made.close()


def attached(pid: int) -> bool:
    """Whether a verb has come so far that it follows a log: it looks for changes of a file."""
    with suppress(OSError):
        return any("inotify" in os.readlink(f"/proc/{pid}/fd/{each}") for each in os.listdir(f"/proc/{pid}/fd"))
    return False
