# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The waiter: the shell that stays with a container, and does nothing but wait for it.

::

    pycontainers (prepare) --exec--> waiter (sh) --fork--> init (python -I -S) --exec--> the program
                                       | when it ends
                                       +--exec--> pycontainers exited ID

A shell (:func:`~..kernel.programs.shell` tells which) costs a tenth of what a Python process does. Python leaves the
pid namespace and executes the shell, whose first fork is then pid 1 of the new one. So the script has builtins only: a
second fork would be born into the container's pid namespace. Before the next start the waiter must come back to its
own namespace (:func:`come_back`), since in one whose pid 1 is dead fork fails with ENOMEM.

Its own output goes nowhere: a shell says "Killed" of a job, which would read as if the container had said it.
What is executed when the program has ended complains in a file of its own: there is nobody else to tell.

It keeps what the program writes to open, and tells the logger at the end that there is nothing more to come
(:mod:`.loggers`). That can wait for a logger which is slow, so the exit status is written down before, and a second
line after it.

When init has been forked, its line of /proc/PID/stat is kept in a file: pid and start time, by which everyone
finds the process again. It is written before the waiter closes its end of the report, so whoever read the
report to its end finds the file; and before it opens the barrier, for which init waits before it leaves the
waiter's process group, so whoever kills that group either kills init too or finds the file. The exit status is
kept in another one: a stop reads it there and need not wait for Python.

Where the program reads a pipe, the waiter holds its other end, and lets go of it on SIGUSR1.

A waiter that somebody has killed is replaced by a *stand-in*. The program is not its child, so that it looks for the
process twice a second, and never learns the exit status.
"""
from __future__ import annotations

import marshal
import os
import sys

from ..errors import Failure
from ..kernel import cgroups, programs, syscalls
from ..kernel.process import Process
from ..typed import Any, NoReturn
from . import loggers
from .init import BARRIER, PROGRAM, REPORT
from .streams import TERMINAL, arrange, streams
from .surroundings import settle

SCRIPT = """\
"$1" -I -S "$2" <&9 6>&- &
init=$!
read -r line < "/proc/$init/stat"
echo "$line" > "$3/init"
python=$1 kept=$3 exited=$4 root=$5 run=$6 id=$7 complaints=$8 mark=$9
shift 9
for group; do
  echo 0 > "$group/cgroup.procs"
  [ "$logger" = 0 ] || echo "$logger" > "$group/cgroup.procs"
done 2>/dev/null
unset logger
trap 'kill -TERM "$init"' TERM
trap 'exec 8>&-' USR1
trap '' HUP INT QUIT PIPE
exec 3>&1 4>&- 5<&- 6>&- 7>&- 9<&- >/dev/null 2>&1
while :; do
  wait "$init"
  status=$?
  kill -0 "$init" 2>/dev/null || break
done
echo "$status" > "$kept/exit"
printf "$mark" >&3
exec 3>&-
echo >> "$kept/exit"
exec "$python" -I "$exited" --root "$root" --run "$run" exited "$id" 2>> "$complaints"
"""

STAND_IN = """\
pid=$1 start=$2 python=$3 kept=$4 exited=$5 root=$6 run=$7 id=$8 complaints=$9 mark=${10}
trap 'kill -TERM "$pid"' TERM
trap '' HUP INT QUIT PIPE
exec >/dev/null 2>&1
while read -r line < "/proc/$pid/stat"; do
  # The name in it may have blanks. Behind that come the state, and 19 fields on the start.
  set -- ${line##*) }
  { [ "$1" != Z ] && [ "${20}" = "$start" ]; } || break
  sleep 0.5
done
echo UNKNOWN > "$kept/exit"
printf "$mark" >&3
exec 3>&-
echo >> "$kept/exit"
exec "$python" -I "$exited" --root "$root" --run "$run" exited "$id" 2>> "$complaints"
"""

UNKNOWN_STATUS = 255
"""What is written down as the exit status of a program that nobody has waited for."""

WAITERS = "pycontainers/waiters"
"""The cgroup that waiters are in: neither a container's nor that of whoever started it.

A waiter moves there, and its logger, while init's interpreter loads: for a move the kernel waits until no process of
the machine is about to fork or exit (kernel/cgroup, cgroup_threadgroup_rwsem), 8 ms for the first of several moves.
Init's own move comes after it, and is quick then: side by side the two hinder one another.
"""


def become_waiter(
    identity: str,
    program: Any,
    *,
    runtime: str,
    layout: tuple[str, str],
    kept: str,
    folder: str,
    complaints: str,
    stdin: str,
    log: loggers.Log,
    report: int,
    beside: Process | None,
) -> NoReturn:
    """Turn the calling process into the waiter of a new run of the container.

    ``runtime`` is the folder of the installed runtime, ``layout`` root and run, ``kept`` the folder for what the
    waiter writes down, ``folder`` that of the container's log, ``complaints`` the file for what goes wrong at the end.
    ``stdin`` is what the program reads (see :mod:`.streams`), ``log`` where it writes to (:mod:`.loggers`), ``report``
    the descriptor on which init reports (the log itself, if -1). Init is born into the pid namespace of ``beside``, a
    new one if that is None. The caller leads a session of its own and has no other threads.
    """
    memory = os.memfd_create("pycontainers-program")
    os.write(memory, marshal.dumps(program))
    os.lseek(memory, 0, os.SEEK_SET)
    barrier, shut = os.pipe()
    os.chdir("/")
    os.umask(0o022)
    with open("/proc/self/oom_score_adj", "wb", buffering=0) as file:
        file.write(b"0")
    settle()
    shell = programs.shell()  # which may try it by a fork: later that would be born into the new namespace
    groups = cgroups.cgroups()
    groups.create(WAITERS)
    moves = () if _is_there(groups) else groups.directories(WAITERS)
    syscalls.reset_signals()
    output = loggers.output(log, folder, complaints, kept, terminal=stdin == TERMINAL)
    reports = output.descriptors[2] if report < 0 else report
    own = {PROGRAM: memory, REPORT: reports, BARRIER: barrier, BARRIER + 1: shut}
    arrange(own | streams(stdin) | output.descriptors)
    if beside:
        _join(beside)
    else:
        syscalls.unshare(syscalls.CLONE_NEWPID)
    init, exited = f"{runtime}/pycontainers-init", f"{runtime}/pycontainers"
    words = ["pycontainers", sys.executable, init, kept, exited, *layout, identity, complaints, output.mark, *moves]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "logger": str(output.logger)}
    programs.become_shell(shell, SCRIPT, words, environment)


def be_there() -> None:
    """Have the calling process be in the waiters' cgroup, so that those which it has as children are born there."""
    groups = cgroups.cgroups()
    groups.create(WAITERS)
    if not _is_there(groups):
        cgroups.join(groups.directories(WAITERS))


def _is_there(groups: cgroups.Cgroups) -> bool:
    """Whether the calling process is there, as far as /proc tells: else it moves once more."""
    with open("/proc/self/cgroup", encoding="ascii", errors="replace") as file:
        places = [line.rstrip("\n").split(":", 2)[2] for line in file]
    return places.count(f"/{WAITERS}") >= len(groups.directories(WAITERS))


def become_stand_in(
    identity: str, process: Process, *, runtime: str, layout: tuple[str, str], kept: str, complaints: str
) -> NoReturn:
    """Turn the calling process into the waiter of a container that runs, whose own was killed.

    The arguments are those of :func:`become_waiter`; ``process`` is the container's first one. The caller leads a
    session of its own and has no other threads.
    """
    nothing = os.open("/dev/null", os.O_RDWR)
    os.chdir("/")
    settle()
    be_there()
    syscalls.reset_signals()
    output = loggers.reopened(kept)
    arrange({0: nothing, 1: nothing, 2: nothing, 3: output.descriptors[1]})
    script = STAND_IN.replace("UNKNOWN", str(UNKNOWN_STATUS))
    words = [str(process.pid), str(process.start), sys.executable, kept, f"{runtime}/pycontainers", *layout]
    words += [identity, complaints, output.mark]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    programs.become_shell(programs.shell(), script, ["pycontainers", *words], environment)


def _join(process: Process) -> None:
    """Let the next fork be born into another process's pid namespace. Raises :class:`Failure` if that is gone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        descriptor = -1
    if descriptor < 0 or not process.alive:
        raise Failure("join the processes of another container", "container not running", "start it first")
    syscalls.setns(descriptor, syscalls.CLONE_NEWPID)
    os.close(descriptor)


def come_back() -> None:
    """Let the next fork of this process be born into its own pid namespace again."""
    descriptor = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    syscalls.setns(descriptor, syscalls.CLONE_NEWPID)
    os.close(descriptor)
