# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs of a container's life: create, start, run, kill, delete."""
from __future__ import annotations

import os

from ..errors import Failure
from ..kernel.process import Process
from ..lean import signal, socket
from ..lean.contextlib import suppress
from ..oci import create as creation
from ..oci.create import Created, Wish
from .oci_call import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..oci.lent_network import Wanted


def create(call: Call) -> int:
    """Create a container and leave its first process to whoever is the caller's reaper."""
    (identity,) = call.chosen.only(1, "a container id")
    _create(call, identity)
    return 0


def _create(call: Call, identity: str, screen: bool = False) -> Created:
    made = creation.create(call.containers, identity, _wish(call, screen))
    for each in made.warnings:
        call.warn(each)
    return made


def _wish(call: Call, screen: bool) -> Wish:
    chosen = call.chosen
    manager = call.globals.text("cgroup-manager")
    return Wish(
        bundle=os.path.abspath(chosen.text("bundle", ".")),
        config_file=chosen.text("config"),
        pid_file=chosen.text("pid-file"),
        console_socket=chosen.text("console-socket"),
        screen=screen,
        # Who is not root can't write to the host's interpreter, nor has the right to shield it.
        anew=not os.geteuid(),
        preserved=_preserved(call),
        pivot=not chosen.flag("no-pivot"),
        keyring=not chosen.flag("no-new-keyring"),
        systemd=call.globals.flag("systemd-cgroup") or manager == "systemd",
        cgroup_manager=manager,
        network=_network(call),
    )


def _network(call: Call) -> Wanted | None:
    if not call.chosen.text("network") and not call.chosen.texts("publish"):
        return None
    from .oci_network import wanted

    return wanted(call.chosen)


def _preserved(call: Call) -> int:
    if not call.chosen.text("preserve-fds"):
        return 0
    from .oci_console import preserved

    return preserved(call.chosen)


def start(call: Call) -> int:
    """Start a created container."""
    (identity,) = call.chosen.only(1, "a container id")
    for each in creation.start(call.containers, identity):
        call.warn(each)
    return 0


def run(call: Call) -> int:
    """Create and start; in the foreground wait for the end, pass signals on, and delete."""
    (identity,) = call.chosen.only(1, "a container id")
    chosen = call.chosen
    detach = chosen.flag("detach")
    record, _, master = _create(call, identity, screen=not detach and not chosen.text("console-socket"))
    try:
        if not detach:
            pass_on(record.init)
        for each in creation.start(call.containers, identity):
            call.warn(each)
        if detach:
            return 0
        # While the program runs, the time that this takes costs nothing.
        from ..oci import end

        status = wait(record.init, master)
    except BaseException:
        from ..oci import end

        end.delete(call.containers, identity, force=True)
        raise
    if chosen.flag("keep"):
        end.end_network(call.containers, identity)
    else:
        with suppress(Failure):
            for each in end.delete(call.containers, identity, force=True):
                call.warn(each)
    return status


_KEPT = (
    *(signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGPIPE),
    *(signal.SIGWINCH, signal.SIGURG, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU),
)
"""Signals that are not passed on: nobody can, they are the caller's own business, or its terminal's."""


def pass_on(process: Process) -> None:
    """Pass signals on. A program that has just been started may already be waiting for one."""
    for number in range(1, signal.NSIG):
        if number not in _KEPT:
            with suppress(OSError):  # The C library keeps two for itself.
                signal.signal(number, lambda received, _: process.signal(received) and None)


def wait(process: Process, master: socket.socket | None) -> int:
    """Wait for a child, relaying its terminal; returns its status, 128 + n for signal n."""
    if master is not None:
        from ..oci import terminal

        with master:
            _, descriptors, _, _ = socket.recv_fds(master, 64, 1)
        if descriptors:
            terminal.relay(descriptors[0])
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == process.pid:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def kill(call: Call) -> int:
    """Send a signal, by default SIGTERM."""
    words = call.chosen.words
    if len(words) not in (1, 2):
        raise Failure(call.chosen.operation, "it takes a container id and a signal")
    number = _signal(words[1] if len(words) == 2 else "TERM")
    from ..oci import end

    end.kill(call.containers, words[0], number, everyone=call.chosen.flag("all"))
    return 0


def _signal(said: str) -> int:
    """A signal by number or name, with or without SIG."""
    if said.isascii() and said.isdecimal() and len(said) < 4 and 0 < int(said) <= signal.SIGRTMAX:
        return int(said)
    name = f"SIG{said.upper().removeprefix('SIG')}"
    base, sign, offset = name.partition("+") if "+" in name else name.partition("-")
    number = signal.NAMES.get(base)
    if number is None or (offset and not offset.isdecimal()):
        raise Failure(f"send signal {said}", "unknown signal")
    return int(number) + (int(sign + offset) if offset else 0)


def delete(call: Call) -> int:
    """Delete containers, with --regex all whose ids match."""
    import re

    from ..oci import end

    words = call.chosen.words
    if not words:
        raise Failure(call.chosen.operation, "it takes a container id")
    if call.chosen.flag("regex"):
        words = [each for each in call.containers.ids() if any(re.search(word, each) for word in words)]
    for identity in words:
        for each in end.delete(call.containers, identity, force=call.chosen.flag("force")):
            call.warn(each)
    return 0
