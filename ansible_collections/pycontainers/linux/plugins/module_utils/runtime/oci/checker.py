# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checker: the shell that stays with a container whose health is checked, and sleeps between two checks.

::

    pycontainers --fork, exec--> checker (sh) --exec--> pycontainers health ID --exec--> checker (sh) ...

It is one process all the time, by which everyone finds it. Python is there only while a check runs.

The shell sleeps by a builtin, since a program that sleeps costs as much as the shell does. What it reads from is a
socket that nobody writes to: some shells can stop reading after a time (busybox, bash), for others (dash) the socket
does (socket(7), SO_RCVTIMEO).
"""
from __future__ import annotations

import os
import signal
import socket
import struct
import sys
from contextlib import suppress

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..kernel import programs, syscalls
from ..kernel.process import process
from ..typed import NoReturn
from . import lifecycle
from .streams import arrange
from .surroundings import settle
from .waiter import be_there

PATIENCE = 10.0
"""Seconds within which the kernel must have ended a checker."""

SCRIPT = """\
trap '' HUP INT QUIT
read -r -t "$1" word
[ $? != 2 ] || read -r word
exec "$2" -I "$3" --root "$4" --run "$5" health "$6"
"""


def begin(layout: Layout, identity: str, seconds: float) -> None:
    """Have a checker for a container, whose first check is so many seconds ahead. Another one that is there ends.

    Raises :class:`Failure` if there can be none.
    """
    end(layout, identity)

    def become() -> NoReturn:
        own = process(os.getpid())
        if own is None:
            raise Failure("find the checker", "/proc is not mounted")
        store.write_json(layout.running(identity, lifecycle.CHECKER), own._asdict(), durable=False)
        be_there()
        settle()
        sleep(layout, identity, seconds)

    lifecycle.have_child(become, f"have the health of container {identity[:12]} checked")


def sleep(layout: Layout, identity: str, seconds: float) -> NoReturn:
    """Turn the calling process, which is the checker, into a shell until the next check."""
    quiet = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    # Zero would be for ever.
    microseconds = max(1000, round(seconds * 1_000_000))
    quiet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", *divmod(microseconds, 1_000_000)))
    nothing = os.open("/dev/null", os.O_RDWR)
    os.chdir("/")
    syscalls.reset_signals()
    arrange({0: quiet.fileno(), 1: nothing, 2: nothing})
    command = f"{layout.runtimes}/current/pycontainers"
    told = [f"{microseconds / 1_000_000:f}", sys.executable, command, layout.root, layout.run, identity]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    programs.become_shell(programs.shell(), SCRIPT, ["pycontainers", *told], environment)


def end(layout: Layout, identity: str) -> None:
    """End the container's checker, unless it is the calling process. That there is none is fine."""
    there = lifecycle.checker(layout, identity)
    if there and there.pid != os.getpid() and there.signal(signal.SIGKILL):
        there.wait(PATIENCE)
        # If we are its parent it has to be reaped, else its zombie would stay until we end.
        with suppress(ChildProcessError):
            os.waitpid(there.pid, 0)
    store.remove(layout.running(identity, lifecycle.CHECKER))
