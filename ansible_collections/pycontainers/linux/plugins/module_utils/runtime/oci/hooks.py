# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks (runtime-spec config.md, "POSIX-platform Hooks"): programs that are told of a container's state by stdin.

No import happens while they run: the container's first process runs some of them, after its root has changed.
"""
from __future__ import annotations

import os
import select
import time

from ..errors import Failure
from ..kernel import syscalls
from ..lean import signal
from ..typed import NoReturn
from .config_process import Hook

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_SAID = 4096
"""Bytes of a hook's own words that an error repeats."""


def run_hooks(kind: str, hooks: Sequence[Hook], state: bytes, environment: Mapping[str, str]) -> None:
    """Run the hooks one after another, each to its end. ``environment`` is for those that say nothing of theirs.

    Raises :class:`Failure` for the first that can't be run, does not end with status 0, or not in time.
    """
    for index, hook in enumerate(hooks):
        operation = f"run hook {kind}[{index}] {hook.path}"
        words = os.memfd_create("words")
        try:
            _run(operation, hook, state, environment, words)
        finally:
            os.close(words)


def warned(kind: str, hooks: Sequence[Hook], state: bytes, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Run hooks of a kind whose failure changes nothing; returns what is to be told of those that failed."""
    found = []
    for hook in hooks:
        try:
            run_hooks(kind, (hook,), state, environment)
        except (Failure, OSError) as error:
            found.append(str(error))
    return tuple(found)


def _run(operation: str, hook: Hook, state: bytes, environment: Mapping[str, str], words: int) -> None:
    stdin = os.memfd_create("state")
    os.write(stdin, state)
    os.lseek(stdin, 0, os.SEEK_SET)
    waiting = os.getpid()
    pid = os.fork()
    if not pid:
        _become(hook, environment, stdin, words, waiting)
    os.close(stdin)
    status = _await(pid, hook.timeout)
    if status is None:
        raise Failure(operation, f"it has not ended in {hook.timeout} s")
    if status:
        said = os.pread(words, LONGEST_SAID, 0).decode(errors="replace").strip()
        ended = f"it ended with status {status}" if status > 0 else f"signal {-status} ended it"
        raise Failure(operation, f"{ended}{': ' + said if said else ''}")


def _become(hook: Hook, environment: Mapping[str, str], stdin: int, words: int, waiting: int) -> NoReturn:
    try:
        # Nobody else would end it when its time is over, nor look for it when the container is deleted.
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != waiting:
            os._exit(127)
        variables: Mapping[str, str] = environment
        if hook.environment is not None:
            variables = dict(each.partition("=")[::2] for each in hook.environment)
        os.dup2(stdin, 0)
        os.dup2(words, 1)
        os.dup2(words, 2)
        syscalls.close_range(3)
        syscalls.reset_signals()
        os.execve(hook.path, list(hook.arguments), variables)
    except OSError as error:
        os.write(words, f"{hook.path}: {error.strerror}".encode(errors="replace"))
    finally:
        os._exit(127)


def _await(pid: int, timeout: int | None) -> int | None:
    """The exit status, negative for a signal; None where it was killed since its time was over."""
    if timeout is not None:
        descriptor = os.pidfd_open(pid)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        end = time.monotonic() + timeout
        ended = poll.poll(max(0, end - time.monotonic()) * 1000)
        os.close(descriptor)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
