# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's process: started, found again, stopped.

The handshake of a start, where the caller is any process of ours:

==========================  ==============================  =============================
caller                      waiter                          init
==========================  ==============================  =============================
fork
read the report             prepare, unshare, exec sh
…                           fork init                       read the program
…                           write init's stat line          carry out the operations
…                           close its end of the report     report READY, exec: success
report ends                 wait                            …or report a line: failure
==========================  ==============================  =============================
"""
from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from ..core import store
from ..core.layout import Layout
from ..errors import Failure, explain
from ..kernel.process import Process, parse_stat, process
from . import loggers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .program import Operation

LAST_LINES = 20
"""Lines from the end of a log in which the last one that says something is looked for."""

BEGIN_PATIENCE = 10.0
"""Seconds within which a first process must have become the program, for whoever wants to join it."""

LONGEST_WORDS = 1 << 16
"""Bytes of a command line that are looked at: the script of a waiter, and more."""

KILL_PATIENCE = 10.0
"""Seconds within which the kernel must have ended a process after SIGKILL, else something holds it (NFS, a bug)."""

INIT, WAITER = RECORDS = "init", "waiter.json"
"""What the first process and the waiter are written down in."""

CHECKER = "checker.json"
"""What a health checker has written itself down in."""

LOG_PATIENCE = 30.0
"""Seconds within which a logger must have written the rest of what a program has said; then nobody waits for it."""


MARK_PATIENCE = 1.0
"""Seconds within which a waiter must have told the logger that a program has ended; then it is given up."""


def start(
    layout: Layout,
    identity: str,
    program: tuple[Operation, ...],
    stdin: str,
    log: loggers.Log,
    beside: Process | None = None,
) -> Process:
    """Start a container's process and return it once the program is executed. The files in its run folder are made.

    ``stdin`` is what the program reads, see :mod:`.streams`, ``log`` where it writes to, see :mod:`.loggers`. It is
    born into the pid namespace of the process ``beside``, or else into a new one.
    The program may have ended again by then. Raises ``OSError`` or :class:`Failure` with the line that init
    reported; nothing runs then.
    """
    from .init import READY

    os.makedirs(layout.running(identity), mode=0o700, exist_ok=True)
    forget(layout, identity)
    store.remove(complaints(layout, identity))
    read_end, write_end = os.pipe()
    waiter = os.fork()
    if not waiter:
        _run_waiter(layout, identity, (*program[:-1], ("ready",), program[-1]), stdin, log, write_end, beside)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        report = file.read()
    init = _written(layout, identity)
    if report != READY or not init:
        _end(init)
        _end_waiter(waiter)
        await_log(layout, identity)
        said = _said(report.removeprefix(READY), program[-1][1][0]) or _last_words(layout, identity)
        forget(layout, identity)
        raise Failure(f"start container {identity[:12]}", said)
    return init


def _run_waiter(
    layout: Layout,
    identity: str,
    program: Any,
    stdin: str,
    log: loggers.Log,
    report: int,
    beside: Process | None,
) -> None:
    """In the child: never return into the caller's code, whatever happens."""
    try:
        os.setsid()
        resume(layout, identity, program, stdin, log, report, beside)
    except Exception as error:  # the caller hears of it, and raises it
        os.write(report, explain(error).encode())
    finally:
        os._exit(1)


def _said(report: bytes, name: str) -> str:
    """What init has reported, or the trampoline by which the program of that name was to be executed."""
    from ..kernel.trampoline import FAILED

    if report.startswith(FAILED):
        return f'exec: "{name}": {os.strerror(report[-1]).lower()}'
    return report.decode(errors="replace").strip()


def _last_words(layout: Layout, identity: str) -> str:
    """The log's last line: what the interpreter said when it could not even begin."""
    from .log_files import tail

    lines = tail(log_folder(layout, identity), LAST_LINES).decode(errors="replace").split("\n")
    words = next((line for line in reversed(lines) if line.strip()), "nothing")
    return f"its first process ended before the program was executed, and said: {words}"


def stand_in(layout: Layout, identity: str) -> None:
    """Have a waiter again for a container that runs, whose own was killed. Raises :class:`Failure` if it has ended."""
    init = running(layout, identity)
    if init is None:
        raise Failure(f"wait for container {identity[:12]}", "container not running", "start it")

    def become() -> NoReturn:
        from .waiter import become_stand_in

        _note_waiter(layout, identity)
        kept = _kept(layout, identity)
        del kept["folder"]
        become_stand_in(identity, init, **kept)

    have_child(become, f"wait for container {identity[:12]}")


def have_child(become: Callable[[], NoReturn], operation: str) -> None:
    """Have a child, with a session of its own, become another program. Raises :class:`Failure` if it does not."""
    read_end, write_end = os.pipe()
    if not os.fork():
        try:
            os.setsid()
            become()
        except Exception as error:  # the caller hears of it, and raises it
            os.write(write_end, explain(error).encode())
        finally:
            os._exit(1)
    os.close(write_end)
    # It is closed by exec.
    with os.fdopen(read_end, "rb") as file:
        said = file.read().decode()
    if said:
        raise Failure(operation, said)


def end_stand_in(layout: Layout, identity: str) -> None:
    """End it again."""
    shell = waiter(layout, identity)
    if shell:
        _end_waiter(shell.pid)
    store.remove(layout.running(identity, WAITER))


def _note_waiter(layout: Layout, identity: str) -> None:
    """Write down that the calling process is the container's waiter."""
    own = process(os.getpid())
    if own is None:
        raise Failure(f"start container {identity[:12]}", "/proc is not mounted")
    store.write_json(layout.running(identity, WAITER), {"pid": own.pid, "start": own.start}, durable=False)


def _kept(layout: Layout, identity: str) -> dict[str, Any]:
    """Where a waiter finds what it calls, and keeps what it writes down."""
    return {
        "runtime": f"{layout.runtimes}/current",
        "layout": (layout.root, layout.run),
        "kept": layout.running(identity),
        "folder": log_folder(layout, identity),
        "complaints": complaints(layout, identity),
    }


def resume(
    layout: Layout,
    identity: str,
    program: Any,
    stdin: str,
    log: loggers.Log,
    report: int = -1,
    beside: Process | None = None,
) -> None:
    """Become the waiter of a new run, as :func:`start` has it; the calling process leads its session."""
    from .waiter import become_waiter

    _note_waiter(layout, identity)
    become_waiter(identity, program, stdin=stdin, log=log, report=report, beside=beside, **_kept(layout, identity))


def log_folder(layout: Layout, identity: str) -> str:
    """The folder that keeps what the program writes to stdout and stderr, see :mod:`.log_files`."""
    return layout.container(identity, "log")


def complaints(layout: Layout, identity: str) -> str:
    """The file that keeps what waiters and loggers had to complain about: nobody waits for them."""
    return layout.container(identity, "complaints")


def running(layout: Layout, identity: str) -> Process | None:
    """The container's first process, if it runs."""
    found = _written(layout, identity)
    return found if found and found.alive else None


class NotBegun(Failure):
    """A container's first process is there, and has not become the program in time."""


def _init_program(layout: Layout) -> str:
    """What is executed as the first process."""
    return f"{layout.runtimes}/current/pycontainers-init"


def begun(layout: Layout, identity: str) -> Process | None:
    """The container's first process, once it is the container's program; None if none runs.

    Before that it is a program of ours, and its namespaces, its root and what it has open are still the host's, or half
    made: whoever joins it, or takes files from it, has to wait. Raises :class:`NotBegun` if that takes too long.
    """
    end = time.monotonic() + BEGIN_PATIENCE
    init = _init_program(layout).encode()
    while (found := running(layout, identity)) and not _is_program(found.pid, init):
        if time.monotonic() > end:
            raise NotBegun(f"reach container {identity[:12]}", "its program has not begun yet", "try again")
        time.sleep(0.002)
    return found


def _is_program(pid: int, init: bytes) -> bool:
    """Whether a container's first process has executed the program: is neither init, nor what forks or follows that."""
    from ..kernel.trampoline import TRAMPOLINE

    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(LONGEST_WORDS).split(b"\0")
        with suppress(PermissionError):
            if os.readlink(f"/proc/{pid}/exe").startswith(f"/memfd:{TRAMPOLINE}"):
                return False
    except (FileNotFoundError, ProcessLookupError):
        return False  # It has ended, which is seen at the next look.
    # The shell that forks it has the path as a word too; while the kernel executes a program there is none at all.
    return words != [b""] and init not in words


def started(layout: Layout, identity: str) -> Process:
    """The first process of the run that was started last, alive or not. Raises :class:`Failure` if there was none."""
    found = _written(layout, identity)
    if found is None:
        raise Failure(f"find the process of container {identity[:12]}", "it is not written down")
    return found


def _written(layout: Layout, identity: str) -> Process | None:
    """The process that the waiter has written down, alive or not."""
    found = parse_stat((store.read(layout.running(identity, INIT)) or b"").decode(errors="replace"))
    return found[0] if found else None


def waiter(layout: Layout, identity: str) -> Process | None:
    """The container's waiter, if it is there: waiting, or between two runs."""
    return _noted(layout.running(identity, WAITER))


def checker(layout: Layout, identity: str) -> Process | None:
    """The container's health checker, if it is there: checking, or between two checks."""
    return _noted(layout.running(identity, CHECKER))


def _noted(path: str) -> Process | None:
    """The process that has written itself down in a file, if it is there."""
    try:
        kept = store.read_json(path)
        found = Process(int(kept["pid"]), int(kept["start"])) if kept else None
    except (Failure, KeyError, TypeError, ValueError):
        return None  # It ends by itself when there is nothing more for it to do.
    return found if found and found.alive else None


def forget(layout: Layout, identity: str) -> None:
    """Drop what is known of an earlier run, of which nothing is there any more but perhaps its logger."""
    loggers.end(layout.running(identity))
    for name in (INIT, "exit", WAITER, loggers.RECORD):
        store.remove(layout.running(identity, name))


def exit_status(layout: Layout, identity: str) -> int | None:
    """The exit status of the last run, 128 + n for signal n, once the waiter has written it down."""
    said = (store.read(layout.running(identity, "exit")) or b"").strip()
    return int(said) if said.isdigit() else None


def ended_at(layout: Layout, identity: str) -> float:
    """When the waiter wrote down the end of the last run, in seconds since 1970; now if it has not."""
    try:
        return os.stat(layout.running(identity, "exit")).st_mtime
    except FileNotFoundError:
        return time.time()


def stop(layout: Layout, identity: str, number: int, seconds: float) -> int | None:
    """End the container's process: a signal, patience, SIGKILL. Returns its exit status, None if it did not run.

    Killing pid 1 ends all in its pid namespace. The waiter is ended too, whether it waits for this run to be
    recorded or for the next. Raises :class:`Failure` if the kernel does not let go of the process.
    """
    init, shell = _written(layout, identity), waiter(layout, identity)
    if init and init.signal(number) and not init.wait(seconds):
        _end(init)
    status = _await_status(layout, identity) if init and shell else exit_status(layout, identity)
    if shell and shell.alive:
        if status is not None:
            _await_mark(layout, identity, shell)
        _end_waiter(shell.pid)
        # It may just have begun the next run, and have written that down only now.
        _end(running(layout, identity))
    return status


def logger(layout: Layout, identity: str) -> Process | None:
    """The reader of what the container says, alive or not, if there is one."""
    return loggers.logger(layout.running(identity))


def await_log(layout: Layout, identity: str) -> None:
    """Wait until all that a container said is in the log.

    Nobody can say anything more, so its logger comes to an end; one that can't write is ended, and what it has is lost.
    """
    reader = logger(layout, identity)
    if reader:
        if not reader.wait(LOG_PATIENCE):
            loggers.end(layout.running(identity))
        with suppress(ChildProcessError):
            os.waitpid(reader.pid, os.WNOHANG)


def _end(init: Process | None) -> None:
    if init and init.signal(signal.SIGKILL) and not init.wait(KILL_PATIENCE):
        raise Failure(f"kill process {init.pid}", "it has not ended 10 s after SIGKILL", "see its stack in /proc")


def _await_status(layout: Layout, identity: str) -> int | None:
    for _ in range(500):
        status = exit_status(layout, identity)
        if status is not None:
            return status
        time.sleep(0.002)
    return None


def _await_mark(layout: Layout, identity: str, shell: Process) -> None:
    """Let a waiter tell the logger of the end: what the program said last may have no newline, and would be lost."""
    end = time.monotonic() + MARK_PATIENCE
    while shell.alive and time.monotonic() < end:
        if (store.read(layout.running(identity, "exit")) or b"\n\n").endswith(b"\n\n"):
            return
        time.sleep(0.002)


def _end_waiter(pid: int) -> None:
    """End a waiter whose container has ended: it may be waiting for the lock that we hold, to record that end.

    It leads a process group; with init gone, all that can be left in that is what it sleeps or waits for its turn by,
    or an init that it has not written down yet. If we are its parent it has to be reaped, else its zombie would stay
    until we end.
    """
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
