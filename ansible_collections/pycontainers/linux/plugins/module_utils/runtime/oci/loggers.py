# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where what a container's program says goes: files of a bounded size, the host's syslog or journal, or nowhere.

With most drivers the program writes to a pipe that a *logger* reads, a program of the distribution and the waiter's
child. That of files is ``s6-log``, which gives each line a time stamp and begins a new file when one is full. Where
that is missing, and at a terminal, whose bytes have to be kept as they come, it is a shell that has dd(1) copy pieces
(:data:`KEEPER`) to files without time stamps. A terminal's master is sent to the logger once the terminal is made; who
attaches follows the files, and writes to the master, which is taken from the logger with pidfd_getfd(2).

The logger ends when nobody can say anything more: the program, all that it has forked, and the waiter, which keeps the
pipe open for as long as it waits. If it is killed, the program gets SIGPIPE, or its terminal is hung up.
"""
from __future__ import annotations

import os

from ..core import store
from ..errors import Failure
from ..kernel import programs, syscalls
from ..kernel.process import Process, process
from ..lean import signal
from ..lean.contextlib import suppress
from ..typed import NamedTuple, NoReturn
from .init import CONSOLE
from .streams import arrange

FILE, SYSLOG, JOURNALD, NONE = "file", "syslog", "journald", "none"

S6 = "/command"
"""Where the authors of s6 would have its programs, beside those that all are looked for in."""

SYSLOG_SOCKET, JOURNAL_SOCKET = "/dev/log", "/run/systemd/journal/stdout"

PRIORITY = "daemon.info"
"""As Docker has it."""

RECORD = "logger.json"

LONGEST_LINE = 65521
"""Bytes of a line that s6-log holds in memory; of a longer one it makes several, which a reader puts together again.

As much as a pipe holds. Not quite: a line of exactly this length looks like one that goes on, so it is a number that
nobody else cuts lines at.
"""

MARK = b"\4\1\4"
"""What the waiter writes, with a newline, when the program has ended: s6-log drops a last line that has none.

So a line that ends in it was the last of a run and had no newline, and one that has nothing else was none. It is of
control characters that nobody prints, but not NUL, which s6-log takes for a newline.
"""

MOST_COMPLAINTS = 65536
"""Bytes of complaints of waiters and loggers that are kept when a run begins."""

KILL_PATIENCE = 10.0

KEEPER = """\
log=$1 most=$2 older=$3 part=65536
[ "$most" -ge "$part" ] || part=$most
while :; do
  size=$(($(wc -c < "$log") + 0))
  if [ "$size" -ge "$most" ]; then
    number=$older
    while [ "$number" -gt 1 ]; do
      before=$((number - 1))
      [ ! -e "$log.$before" ] || mv -f "$log.$before" "$log.$number"
      number=$before
    done
    mv -f "$log" "$log.1"
    size=0
  fi
  # What does not fit any more is at most a part of a file.
  count=$(((most - size + part - 1) / part))
  [ "$count" -le 16 ] || count=16
  if said=$(dd bs="$part" count="$count" 2>&1 >> "$log"); then
    case $said in 0+0*) exit 0 ;; esac
  else
    # A terminal that is hung up can't be read. What can't be written, on a full disk, is lost.
    case $said in *'standard input'*) exit 0 ;; *) sleep 1 ;; esac
  fi
done
"""


class Log(NamedTuple):
    """Where a container's output goes: with files their size in bytes and number, else the tag of its lines.

    What is not ``stamped`` is kept as it is: with time stamps go bytes that are no text, NUL for one.
    """

    driver: str = FILE
    size: int = 10 << 20
    files: int = 3
    tag: str = ""
    stamped: bool = True


class Output(NamedTuple):
    """The waiter's descriptors of what the program writes to, and what is to be written there when it has ended.

    ``logger`` is the pid of the logger that has been started for it, 0 if there is none.
    """

    descriptors: dict[int, int]
    mark: str = ""
    logger: int = 0


def output(log: Log, folder: str, complaints: str, kept: str, *, terminal: bool) -> Output:
    """Where a new run of a program is to write to; its logger has been started, if it needs one.

    ``folder`` is where files are, ``complaints`` the file for what the logger itself has to say. The logger is written
    down in the folder ``kept``. It is a child of the calling process, which is to become the waiter and can wait for
    it. The caller has the default actions for signals. Raises :class:`Failure` where there is none to be started.
    """
    end(kept)
    _make_folder(folder)
    _shorten(complaints)
    if log.driver == NONE:
        return _both(os.open("/dev/null", os.O_WRONLY))
    if log.driver == JOURNALD:
        return _both(_journal(log.tag))
    words, environment, mark = _logger(log, folder, terminal)
    if terminal:
        import socket

        ours, theirs = socket.socketpair()
        source, descriptors = ours.detach(), _both(_appended(f"{folder}/output")).descriptors
        descriptors[CONSOLE] = theirs.detach()
    else:
        source, writing = os.pipe()
        descriptors = _both(writing).descriptors
    if terminal:
        logger_pid = os.fork()
        if not logger_pid:
            _become_logger(words, environment, source, complaints)
    else:
        logger_pid = _spawn_logger(words, environment, source, complaints)
    os.close(source)
    found = process(logger_pid)
    if found is None:
        raise Failure("start the logger of a container", "/proc is not mounted")
    store.write_json(f"{kept}/{RECORD}", {**found._asdict(), "mark": mark}, durable=False)
    return Output(descriptors, mark, logger_pid)


def _both(descriptor: int) -> Output:
    return Output({1: descriptor, 2: descriptor})


def _logger(log: Log, folder: str, terminal: bool) -> tuple[list[str], dict[str, str], str]:
    """What is executed, with which environment, and what tells of the end."""
    environment = {"PATH": programs.FOLDERS, "LC_ALL": "C"}
    if log.driver == SYSLOG:
        if not os.path.exists(SYSLOG_SOCKET):
            raise Failure("log to syslog", f"there is no {SYSLOG_SOCKET}", "start a syslog daemon")
        return [_program("logger"), "-t", log.tag, "-p", PRIORITY], environment, ""
    # One file of the whole size would lose all at once when it is full.
    older, size = (log.files - 1, log.size) if log.files > 1 else (1, log.size // 2)
    stamping = find("s6-log") if log.stamped and not terminal else None
    if stamping is None:
        _program("dd")
        os.close(_appended(f"{folder}/output"))
        return ["/bin/sh", "-c", KEEPER, "pycontainers-log", f"{folder}/output", str(size), str(older)], environment, ""
    words = [stamping, "-b", "-p", "-q", "-l", str(LONGEST_LINE), "--", f"n{older}", f"s{size}", "T", folder]
    return words, {"TZ": "UTC0"}, "".join(f"\\{byte:03o}" for byte in MARK + b"\n")


def find(program: str) -> str | None:
    """The path of a logger's program."""
    return programs.find(program, S6)


def _program(name: str) -> str:
    found = find(name)
    if found is None:
        raise Failure("start the logger of a container", f"there is no program {name}", f"install what has {name}(1)")
    return found


def _make_folder(folder: str) -> None:
    """Make the folder of the files. What is there in its place is the one file that earlier versions wrote."""
    if os.path.isfile(folder):
        os.rename(folder, f"{folder}.earlier")
    os.makedirs(folder, mode=0o700, exist_ok=True)


def _appended(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def _shorten(complaints: str) -> None:
    descriptor = _appended(complaints)
    if os.fstat(descriptor).st_size > MOST_COMPLAINTS:
        os.ftruncate(descriptor, 0)
    os.close(descriptor)


def _journal(tag: str) -> int:
    """A stream to the journal, whose lines have a tag (systemd, sd_journal_stream_fd(3))."""
    import socket

    channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        channel.connect(JOURNAL_SOCKET)
    except OSError as error:
        channel.close()
        reason = f"{JOURNAL_SOCKET}: {error.strerror}"
        raise Failure("log to the journal", reason, "use it where systemd runs") from error
    channel.shutdown(socket.SHUT_RD)
    # Identifier, unit, priority (info), and whether lines tell their own, go to syslog, the kernel's log, the console.
    channel.sendall(f"{tag}\n\n6\n0\n0\n0\n0\n".encode())
    return channel.detach()


def _spawn_logger(words: list[str], environment: dict[str, str], source: int, complaints: str) -> int:
    """Have a child that is nothing but the reader of the pipe, and return its pid.

    Python's own memory is not copied for it, as a fork would (posix_spawn(3)): that costs more than the logger does.
    """
    files = {0: source, 1: os.open("/dev/null", os.O_WRONLY), 2: _appended(complaints)}
    actions = [(os.POSIX_SPAWN_DUP2, descriptor, place) for place, descriptor in files.items()]
    # What the calling process has been given stays its own, a turn among others.
    syscalls.close_range(3, on_exec=True)
    # Whoever ends the waiter's group, or all at a shutdown, must not end what the program says last.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    name = os.path.basename(words[0])
    logger_pid = os.posix_spawn(words[0], [name, *words[1:]], environment, file_actions=actions, setsid=True)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return logger_pid


def _become_logger(words: list[str], environment: dict[str, str], source: int, complaints: str) -> NoReturn:
    """In the child: be nothing but the reader of the terminal whose master is waited for."""
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        arrange({0: source, 1: os.open("/dev/null", os.O_WRONLY), 2: _appended(complaints)})
        _take_master()
        os.execve(words[0], [os.path.basename(words[0]), *words[1:]], environment)
    finally:
        os._exit(1)


def _take_master() -> None:
    """Put the terminal's master in place of the socket that it comes over; end where nothing comes."""
    from socket import recv_fds, socket  # loaded before the fork

    with socket(fileno=os.dup(0)) as receiver:
        masters = recv_fds(receiver, 1, 1)[1]
    if not masters:
        os._exit(0)
    os.dup2(masters[0], 0)
    os.close(masters[0])


def logger(kept: str) -> Process | None:
    """The logger that was written down in a folder, whether it is there or not; None where there is none."""
    found = store.read_json(f"{kept}/{RECORD}")
    return Process(found["pid"], found["start"]) if found else None


def reopened(kept: str) -> Output:
    """The output of a program that runs, for a waiter in another's place. Nothing is to be said to most loggers."""
    found, known = logger(kept), store.read_json(f"{kept}/{RECORD}") or {}
    if found and found.alive and known.get("mark"):
        return _both(os.open(f"/proc/{found.pid}/fd/0", os.O_WRONLY))._replace(mark=known["mark"])
    return _both(os.open("/dev/null", os.O_WRONLY))


def end(kept: str) -> None:
    """End the logger of an earlier run that is there still: nobody says anything more that it could keep."""
    found = logger(kept)
    if found and found.alive:
        # It leads its group, in which is what it has called, unless it has only just been forked.
        with suppress(ProcessLookupError):
            os.killpg(found.pid, signal.SIGKILL)
        found.signal(signal.SIGKILL)
        found.wait(KILL_PATIENCE)
