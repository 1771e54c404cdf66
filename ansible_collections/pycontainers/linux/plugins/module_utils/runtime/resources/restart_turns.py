# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the waiter is between two runs: a shell that sleeps through the back-off, and then waits for its turn.

To begin a run is work. Where hundreds of containers crash as soon as they are started, all of them would be at it at
once, and nobody else would get much of the host. So there are as many turns as processors, each the lock of a file; a
container's id tells which one is its own. The kernel gives it to those who wait one after the other (flock(2)).

The shell hands the lock on to what it executes, with the descriptor, and that lets go of it when it has got as far as
the next run's waiter. Whoever is held up on the way lets go of it before, and so holds up nobody else. Where the
program ``flock`` is missing nobody waits; hosts have that of util-linux, or of Alpine's busybox.
"""
from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress

from ..core import store
from ..core.layout import Layout
from ..kernel import programs
from ..typed import NoReturn

TURN = 9
"""The descriptor of the turn's file, in the shell and in what it executes: one that a shell can name, of one digit."""

NAME = "restart-"
"""How the names of the files begin, which end in the number of the turn."""

LONGEST = 5.0
"""Seconds after which whoever has a turn is taken to be held up, most likely by who has the container's lock."""

SCRIPT = """\
sleep "$1"
flock "$6" 2>/dev/null
exec "$2" --root "$3" --run "$4" resume "$5"
"""


def sleep(layout: Layout, identity: str, seconds: float) -> NoReturn:
    """Turn the calling process, which is the waiter, into a shell: it costs a tenth of what this process does.

    After so many seconds, and as soon as it is its turn, it executes the verb ``resume``.
    """
    over()
    shell = programs.shell()
    turn = int(identity[:8], 16) % (os.cpu_count() or 1)
    # From here on nothing is opened that might be given that number.
    os.dup2(store.lock_file(layout.lock(f"{NAME}{turn}")), TURN)
    os.set_inheritable(TURN, True)
    command = f"{layout.runtimes}/current/pycontainers"
    words = ["pycontainers", f"{seconds:g}", command, layout.root, layout.run, identity, str(TURN)]
    programs.become_shell(shell, SCRIPT, words, dict(os.environ))


def begin() -> None:
    """In what the shell executes: let go of the turn if this takes too long."""
    if _has_turn():
        signal.signal(signal.SIGALRM, lambda number, frame: _let_go())
        signal.setitimer(signal.ITIMER_REAL, LONGEST)


def over() -> None:
    """Let go of the turn, and forget that time: an exec would not, and end what is executed (setitimer(2))."""
    if signal.getitimer(signal.ITIMER_REAL)[0]:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _let_go()


def _has_turn() -> bool:
    """Whether the descriptor is that of a turn: a shell of an earlier version has none."""
    with suppress(OSError):
        return os.path.basename(os.readlink(f"/proc/self/fd/{TURN}")).startswith(NAME)
    return False


def _let_go() -> None:
    fcntl.flock(TURN, fcntl.LOCK_UN)
