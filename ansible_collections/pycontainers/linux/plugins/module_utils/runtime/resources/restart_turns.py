# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the waiter is between two runs: a shell that sleeps through the back-off, and then waits for its turn.

To begin a run is work. Where hundreds of containers crash as soon as they are started, all of them would be at it at
once, and nobody else would get much of the host. So there are as many turns as processors, each the lock of a file; a
container's id tells which one is its own. The shell hands the lock on to what it executes, with the descriptor; what
stays of that with the next run has closed it (:func:`~..oci.streams.arrange`).

Nobody waits for a turn for ever, since whoever has it may itself wait for a disk that is gone. Where the program
``flock`` is missing (util-linux and busybox have it) nobody waits at all.
"""
from __future__ import annotations

import os

from ..core import store
from ..core.layout import Layout
from ..kernel import programs
from ..typed import NoReturn

TURN = 9
"""The descriptor of the turn's file, in the shell and in what it executes: one that a shell can name, of one digit."""

PAUSES = "0.1 0.1 0.2 0.2 0.4 0.4 0.8 0.8 1.6 1.6 3 3 5 5 5 5 5 5 5 5 5 5"
"""Seconds between two attempts to have it: a minute in all, and few attempts where many wait."""

SCRIPT = """\
sleep "$1"
command=$2 root=$3 run=$4 id=$5 turn=$6
shift 6
for pause; do
  flock -n "$turn" 2>/dev/null
  [ $? = 1 ] || break
  sleep "$pause"
done
exec "$command" --root "$root" --run "$run" resume "$id"
"""


def sleep(layout: Layout, identity: str, seconds: float) -> NoReturn:
    """Turn the calling process, which is the waiter, into a shell: it costs a tenth of what this process does.

    After so many seconds, and as soon as it is its turn, it executes the verb ``resume``.
    """
    shell = programs.shell()
    turn = int(identity[:8], 16) % (os.cpu_count() or 1)
    # From here on nothing is opened that might be given that number.
    os.dup2(store.lock_file(layout.lock(f"restart-{turn}")), TURN)
    os.set_inheritable(TURN, True)
    command = f"{layout.runtimes}/current/pycontainers"
    words = ["pycontainers", f"{seconds:g}", command, layout.root, layout.run, identity, str(TURN), *PAUSES.split()]
    programs.become_shell(shell, SCRIPT, words, dict(os.environ))
