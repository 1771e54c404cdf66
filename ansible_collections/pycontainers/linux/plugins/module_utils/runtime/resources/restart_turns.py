# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the waiter is between two runs: a shell that sleeps through the back-off, and then waits for its turn.

To begin a run is work. Where hundreds of containers crash as soon as they are started, all of them would be at it at
once, and nobody else would get much of the host. So there are as many turns as processors, each the lock of a file; a
container's id tells which one is its own. The kernel gives it to those who wait one after the other (flock(2)).

The shell hands the lock on to what it executes, with the descriptor. What stays of that with the next run has closed
it (:func:`~..oci.streams.arrange`). Whoever has a turn and is hindered lets go of it, so that no other one is. Where
the program ``flock`` is missing (util-linux and busybox have it) nobody waits.
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

LONGEST = 5.0
"""Seconds after which whoever has a turn is taken to be hindered, most likely by who has the container's lock."""

SCRIPT = """\
sleep "$1"
flock "$6" 2>/dev/null
exec "$2" --root "$3" --run "$4" resume "$5"
"""


def sleep(layout: Layout, identity: str, seconds: float) -> NoReturn:
    """Turn the calling process, which is the waiter, into a shell: it costs a tenth of what this process does.

    After so many seconds, and as soon as it is its turn, it executes the verb ``resume``.
    """
    end()
    shell = programs.shell()
    turn = int(identity[:8], 16) % (os.cpu_count() or 1)
    # From here on nothing is opened that might be given that number.
    os.dup2(store.lock_file(layout.lock(f"restart-{turn}")), TURN)
    os.set_inheritable(TURN, True)
    command = f"{layout.runtimes}/current/pycontainers"
    words = ["pycontainers", f"{seconds:g}", command, layout.root, layout.run, identity, str(TURN)]
    programs.become_shell(shell, SCRIPT, words, dict(os.environ))


def begin() -> None:
    """In what the shell executes: let go of the turn if this takes too long."""
    signal.signal(signal.SIGALRM, lambda number, frame: _let_go())
    signal.setitimer(signal.ITIMER_REAL, LONGEST)


def end() -> None:
    """Forget about that: an exec would not, and the signal would end what is executed (setitimer(2))."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _let_go() -> None:
    with suppress(OSError):  # somebody has called this who is no such shell
        fcntl.flock(TURN, fcntl.LOCK_UN)
