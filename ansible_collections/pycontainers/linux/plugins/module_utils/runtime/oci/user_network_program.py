# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of a network by :mod:`.user_network`: started, found again, told of ports, ended.

==========================  ==============================  =============================
caller                      child                           its child
==========================  ==============================  =============================
make the pipe ready
fork                        fork, exit
…                                                           write itself down
read the report                                             exec the program: report ends
wait for ready              …                               make the interface, say ready
==========================  ==============================  =============================

It is nobody's child then, and its pid and start time are in its folder before it is anything: whoever is killed leaves
either nothing, or what the next one finds.
"""
from __future__ import annotations

import os
import resource
import select
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from ..core import store
from ..errors import Failure, explain
from ..kernel import cgroups, programs, syscalls
from ..kernel.process import Process, process
from . import user_network
from .streams import arrange
from .surroundings import settle
from .user_network import EXIT_FD, PACKAGES, READY, READY_FD, SLIRP, SOCKET, Forward, UserNetwork

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD = "network.json"
NETWORK, USERS = "network.namespace", "network.users"
"""Where in its folder the program sees namespaces that it is lent."""

PATIENCE = 10.0
"""Seconds for a program to be ready, to answer, and to be gone after SIGKILL."""

LONGEST_ANSWER = 1 << 20
LAST_WORDS = 4096

LARGEST_LOG = 1 << 18
"""Bytes of what a program says, from its start on."""

_NOISE = "Failed to send "
"""What pasta says of each line where there is no syslog."""


class Running(NamedTuple):
    """A program that was started. ``forwards`` are those that it was told of last."""

    process: Process
    program: str
    forwards: tuple[Forward, ...]


class Loan(NamedTuple):
    """Descriptors: of a network namespace, of the user namespace that owns it, unless -1, and of a process.

    slirp4netns ends when that of the process hangs up.
    """

    network: int
    users: int
    watched: int


class _Order(NamedTuple):
    """What is to be started, as :func:`start` has it."""

    words: list[str]
    folder: str
    log: str
    kept: Running
    group: str
    loan: Loan | None


def start(
    network: UserNetwork,
    folder: str,
    log: str,
    namespaces: tuple[str, str],
    forwards: Sequence[Forward] = (),
    group: str = "",
    loan: Loan | None = None,
) -> Process:
    """Start a program for a network namespace and, unless "", its user namespace, and wait until it is ready.

    ``folder`` is where it is kept, ``log`` the file that what it says is in, anew each time, ``group`` the cgroup that
    it is in with nothing of the caller's, unless "". Where there is a ``loan``, the namespaces are not to be found at
    their paths but by that. Raises :class:`Failure` with what it said last; nothing runs then.
    """
    what = f"start {network.program} for the network namespace {namespaces[0]}"
    path = programs.find(network.program)
    if path is None:
        fix = f"install the package {PACKAGES[network.program]}"
        raise Failure(what, f"there is no program {network.program} in PATH", fix)
    words = user_network.command(network, path, namespaces, forwards, watched=loan is not None)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    end(folder)
    os.mkfifo(f"{folder}/{READY}", 0o600)
    ready = os.open(f"{folder}/{READY}", os.O_RDWR | os.O_CLOEXEC)
    try:
        kept = Running(Process(0, 0), network.program, tuple(forwards))
        said = _launched(_Order(words, folder, log, kept, group, loan))
        found = running(folder)
        if said or found is None or not _ready(found, ready):
            end(folder)
            raise Failure(what, said or _last_words(log))
        return found
    finally:
        os.close(ready)
        store.remove(f"{folder}/{READY}")


def _launched(order: _Order) -> str:
    """Start it as nobody's child; what went wrong before it was executed."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        _launch(order, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = file.read().decode(errors="replace")
    os.waitpid(child, 0)
    return said


def _launch(order: _Order, report: int) -> NoReturn:
    folder, loan = order.folder, order.loan
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        own = process(os.getpid())
        if own is None:
            raise Failure(f"start {order.kept.program}", "/proc is not mounted")
        # Before the locks go that are ours by the fork: until then nobody looks.
        _keep(folder, order.kept._replace(process=own))
        output = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        # For reading too, since else it waits for a reader, who may be killed, with the locks that are ours.
        ready = os.open(f"{folder}/{READY}", os.O_RDWR)
        os.chdir(folder)
        os.umask(0o077)
        syscalls.reset_signals()
        if order.group:
            _leave(order.group)
        # slirp4netns says something of each question: what is too much of it fails, and does not end it.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_LOG, LARGEST_LOG))
        nothing = os.open("/dev/null", os.O_RDONLY)
        watched = loan.watched if loan else nothing
        if loan:
            _show(loan, folder)
        places = {0: nothing, 1: output, 2: output, READY_FD: ready, EXIT_FD: watched}
        arrange(places | {EXIT_FD + 1: report})
        report = EXIT_FD + 1
        os.set_inheritable(report, False)
        os.execve(order.words[0], order.words, {"PATH": programs.FOLDERS})
    except Exception as error:  # the caller hears of it, and raises it
        os.write(report, explain(error).encode())
    finally:
        os._exit(1)


def _leave(group: str) -> None:
    """Let go of what comes of whoever has called: limits, priorities, cgroup."""
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"0")
    settle()
    groups = cgroups.cgroups()
    groups.create(group)
    cgroups.join(groups.directories(group))


def _show(loan: Loan, folder: str) -> None:
    """Have the namespaces at paths, in a mount namespace of the program's own. Who is not root enters the users' one.

    Nobody can be asked to look behind another's descriptors in /proc, nor to leave open what it inherits.
    """
    if loan.users >= 0 and os.geteuid():
        syscalls.setns(loan.users, syscalls.CLONE_NEWUSER)
        loan = loan._replace(users=-1)
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_SLAVE)
    for descriptor, name in ((loan.network, NETWORK), (loan.users, USERS)):
        if descriptor >= 0:
            os.close(os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            syscalls.mount(f"/proc/self/fd/{descriptor}", f"{folder}/{name}", flags=syscalls.MS_BIND)


def _ready(found: Process, ready: int) -> bool:
    """Wait until a program says that it is ready, or ends."""
    try:
        descriptor = os.pidfd_open(found.pid)
    except ProcessLookupError:
        return False
    try:
        poll = select.poll()
        for each in (ready, descriptor):
            poll.register(each, select.POLLIN)
        return ready in dict(poll.poll(PATIENCE * 1000))
    finally:
        os.close(descriptor)


def _last_words(log: str) -> str:
    with open(log, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - LAST_WORDS))
        lines = file.read().decode(errors="replace").split("\n")
    words = [line for line in lines if line.strip() and not line.startswith(_NOISE)]
    return f"it ended, and said: {words[-1].strip() if words else 'nothing'}"


def _keep(folder: str, found: Running) -> None:
    value = {"pid": found.process.pid, "start": found.process.start, "program": found.program}
    store.write_json(f"{folder}/{RECORD}", value | {"forwards": found.forwards}, durable=False)


def known(folder: str) -> Running | None:
    """What was started last, alive or not."""
    try:
        kept = store.read_json(f"{folder}/{RECORD}")
        if kept is None:
            return None
        forwards = tuple(Forward(*each) for each in kept["forwards"])
        return Running(Process(int(kept["pid"]), int(kept["start"])), str(kept["program"]), forwards)
    except (Failure, KeyError, TypeError, ValueError):
        return None


def running(folder: str) -> Process | None:
    """The program that was started last, if it runs."""
    found = known(folder)
    return found.process if found and found.process.alive else None


def end(folder: str) -> None:
    """End the program, if it runs, and forget it. Raises :class:`Failure` if the kernel does not let go of it."""
    found = known(folder)
    if found and found.process.signal(signal.SIGKILL) and not found.process.wait(PATIENCE):
        reason = f"it has not ended {PATIENCE:g} s after SIGKILL"
        raise Failure(f"end {found.program}, process {found.process.pid}", reason, "see its stack in /proc")
    for name in (RECORD, SOCKET, READY, NETWORK, USERS):
        store.remove(f"{folder}/{name}")


def forwards(folder: str) -> tuple[Forward, ...] | None:
    """The ports that lead to the namespace now; None if nothing runs, or does not answer."""
    found = known(folder)
    if found is None or not found.process.alive:
        return None
    if found.program != SLIRP:
        return found.forwards
    with suppress(OSError, Failure):
        return tuple(_entries(folder))
    return None


def held(folder: str) -> tuple[Forward, ...]:
    """The ports that the program holds, also where it does not answer: those that it was told of last, then."""
    found = known(folder)
    return (forwards(folder) or found.forwards) if found and found.process.alive else ()


def lead(folder: str, wanted: Sequence[Forward]) -> None:
    """Have slirp4netns lead just these ports to its namespace. Raises :class:`Failure`, and leads what it led then."""
    before, found = _entries(folder), known(folder)
    try:
        if found:
            _keep(folder, found._replace(forwards=tuple({*before, *wanted})))
        _lead(folder, wanted)
    except (OSError, Failure):
        _lead(folder, list(before))
        raise


def _lead(folder: str, wanted: Sequence[Forward]) -> None:
    there = _entries(folder)
    for each, number in there.items():
        if each not in wanted:
            _ask(folder, "remove_hostfwd", {"id": number})
    for each in wanted:
        if each not in there:
            asked = {"proto": each.protocol, "host_addr": each.address or "0.0.0.0"}
            try:
                _ask(folder, "add_hostfwd", asked | {"host_port": each.host_port, "guest_port": each.port})
            except Failure as error:
                place = f"{each.protocol} {each.address or '0.0.0.0'}:{each.host_port}"
                raise Failure(f"lead {place} to a container", error.reason, "take another port of the host") from error


def _entries(folder: str) -> dict[Forward, int]:
    """What slirp4netns leads, each with its number. It knows no address that stands for both families."""
    found = {}
    for each in _ask(folder, "list_hostfwd", {})["entries"]:
        address = "" if each["host_addr"] == "0.0.0.0" else str(each["host_addr"])
        found[Forward(str(each["proto"]), address, int(each["host_port"]), int(each["guest_port"]))] = int(each["id"])
    return found


def _ask(folder: str, verb: str, arguments: dict[str, Any]) -> Any:
    """Ask slirp4netns over its socket (slirp4netns(1), API SOCKET). Raises ``OSError`` or :class:`Failure`."""
    import json
    import socket

    place = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as peer:
            peer.settimeout(PATIENCE)
            # By the descriptor, since a socket's path has 107 bytes at most.
            peer.connect(f"/proc/self/fd/{place}/{SOCKET}")
            peer.sendall(json.dumps({"execute": verb, "arguments": arguments}).encode())
            peer.shutdown(socket.SHUT_WR)
            said = b""
            while len(said) < LONGEST_ANSWER and (more := peer.recv(65536)):
                said += more
    finally:
        os.close(place)
    try:
        answer = json.loads(said)
        if "error" in answer:
            raise Failure(f"have {SLIRP} do {verb}", answer["error"]["desc"])
        return answer.get("return", answer)
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"have {SLIRP} do {verb}", f"it answered {said[:100]!r}") from error
