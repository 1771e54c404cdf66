# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another program in a running container: join its cgroup and namespaces, then become the program.

==========================  ==========================  ==========================
caller                      door                        guest
==========================  ==========================  ==========================
fork
…                           join cgroup, namespaces
receive the terminal        open and send it, if asked
…                           fork, into the pid ns       set up, exec
relay, wait                 wait, pass the status on    runs
==========================  ==========================  ==========================

One that is left (:func:`leave`) has a pipe for its reports, which exec closes. The door then ends, and the guest is
the host's first process's to reap.

The door is there because a pid namespace is joined only by what is forked after setns(2). Door and guest lead
sessions of their own, so nothing inside has the caller's terminal for its own; signals are handed on instead.
"""
from __future__ import annotations

import array
import fcntl
import os
import signal
import socket
import sys
import termios
from collections.abc import Sequence
from contextlib import suppress

from ..errors import Failure
from ..kernel import syscalls
from ..kernel.ioctls import TIOCGPTPEER, TIOCSPTLCK
from ..kernel.process import Process
from ..kernel.process import process as of_pid
from ..typed import NoReturn
from . import terminal
from .init import BARRIER, PROGRAM, REPORT, Init, run
from .program import Operation

NAMESPACES = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
)
FAILED = 125
"""The exit status when the program could not be tried, as Docker has it."""

HANDED_ON = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""Signals to the caller that are meant for the program."""


def enter(process: Process, program: Sequence[Operation], cgroup: Sequence[str], tty: bool = False) -> int:
    """Run a program in the container of ``process``; returns its exit status, 128 + n for signal n.

    ``program`` is what :func:`.program.guest_program` makes, ``cgroup`` the directories of the container's cgroup.
    With ``tty`` the program gets a terminal of the container, and the caller's is its screen and keyboard.
    The calling process hands signals on to the program, and ends with it. Raises :class:`Failure` if the container
    is gone.
    """
    target = _target(process)
    ours, theirs = socket.socketpair()
    door = os.fork()
    if not door:
        ours.close()
        _open_door(target, cgroup, program, theirs if tty else None)
    _hand_on(door)
    theirs.close()
    os.close(target)
    with ours:
        master = _receive(ours) if tty else -1
    if master >= 0:
        terminal.relay(master)
    return os.waitstatus_to_exitcode(os.waitpid(door, 0)[1])


def leave(process: Process, program: Sequence[Operation], cgroup: Sequence[str]) -> tuple[int, Process | None]:
    """Start a program in the container of ``process`` and leave it: status 0, and which process it is once executed.

    It reads nothing, and what it writes goes nowhere. Raises :class:`Failure` if the container is gone.
    """
    target = _target(process)
    ours, theirs = socket.socketpair()
    door = os.fork()
    if not door:
        ours.close()
        _open_door(target, cgroup, program, None, theirs)
    theirs.close()
    os.close(target)
    with ours:
        # While the door waits for us, its child's pid is not another's.
        said = ours.recv(32)
        started = of_pid(int(said)) if said else None
    return os.waitstatus_to_exitcode(os.waitpid(door, 0)[1]), started


def ask(process: Process, program: Sequence[Operation], cgroup: Sequence[str], output: int) -> int:
    """Start a program in the container of ``process`` that reads nothing and writes to ``output``; the door's pid.

    The door ends as :func:`enter` does. Raises :class:`Failure` if the container is gone.
    """
    target = _target(process)
    door = os.fork()
    if not door:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for place in (1, 2):
            os.dup2(output, place)
        _open_door(target, cgroup, program, None)
    os.close(target)
    return door


def _target(process: Process) -> int:
    """The descriptor of a container's first process. Raises :class:`Failure` if it is gone."""
    with suppress(ProcessLookupError):
        target = os.pidfd_open(process.pid)
        if process.alive:
            return target
        os.close(target)
    raise Failure(f"enter process {process.pid}", "container not running")


def _open_door(
    target: int,
    cgroup: Sequence[str],
    program: Sequence[Sequence[object]],
    channel: socket.socket | None,
    leaving: socket.socket | None = None,
) -> NoReturn:
    """In the first child: join, see to the guest, pass its status on."""
    code = FAILED
    try:
        # Nobody inside may open the host's interpreter through this process (CVE-2019-5736).
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        # An import from here on would run what the container has at that path.
        sys.meta_path.clear()
        os.setsid()
        Init().cgroups(cgroup)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC) if leaving else -1
        syscalls.setns(target, NAMESPACES)
        code = _left(program, null, leaving) if leaving else _attended(program, channel)
    except OSError as error:
        os.write(2, f"pycontainers: cannot enter the container: {error.strerror}\n".encode())
    finally:
        os._exit(code)


def _attended(program: Sequence[Sequence[object]], channel: socket.socket | None) -> int:
    """In the door: fork a guest and wait for it; its exit status."""
    screen = _open_terminal(channel) if channel else -1
    guest = os.fork()
    if not guest:
        _become(program, screen)
    _hand_on(guest)
    if screen >= 0:
        os.close(screen)
    status = os.waitstatus_to_exitcode(os.waitpid(guest, 0)[1])
    return status if status >= 0 else 128 - status


def _left(program: Sequence[Sequence[object]], null: int, channel: socket.socket) -> int:
    """In the door: fork a guest that is left to itself once it is the program; the status of one that can't be."""
    reader, writer = os.pipe()
    guest = os.fork()
    if not guest:
        for place in (0, 1, 2):
            os.dup2(null, place)
        _become(program, -1, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        report = file.read()
    if report:
        os.write(2, report)
        return os.waitstatus_to_exitcode(os.waitpid(guest, 0)[1])
    channel.send(str(guest).encode())
    channel.recv(1)
    return 0


def _hand_on(pid: int) -> None:
    """Pass signals on to a child, which stays a zombie, and so keeps its pid, until it is waited for."""
    for number in HANDED_ON:
        signal.signal(number, lambda received, _: os.kill(pid, received))


def _open_terminal(channel: socket.socket) -> int:
    """A new terminal of the container: its master goes to the caller, its other side is returned."""
    master = os.open("/dev/pts/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    fcntl.ioctl(master, TIOCSPTLCK, array.array("i", [0]))
    socket.send_fds(channel, [b"t"], [master])
    screen = fcntl.ioctl(master, TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY)
    os.close(master)
    return screen


def _receive(channel: socket.socket) -> int:
    _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    return descriptors[0] if descriptors else -1


def _become(program: Sequence[Sequence[object]], screen: int, report: int = 2) -> NoReturn:
    """In the guest: take the terminal, put the reports where init has them, and run the operations."""
    os.setsid()
    if screen >= 0:
        fcntl.ioctl(screen, termios.TIOCSCTTY, 0)
        for place in (0, 1, 2):
            os.dup2(screen, place)
    # The report of a failure is for whoever asked: it goes where the program's errors would.
    report = os.dup2(os.dup(report), BARRIER)
    os.dup2(report, REPORT)
    os.dup2(report, PROGRAM)
    run(program, Init())
