# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container_exec``: another program in a running container, and what it says.

A program of a container may get at the interpreter that it is entered by, and that must be a read-only one
(:func:`..kernel.security.shield_interpreter`), for which a process has to be executed anew. A task can't be: it comes
out of a pipe. So it calls the installed command line, whose verb enters the container.
"""
from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from ..core import store
from ..core.kinds import BOOL, NAME, PATH, TEXT, TEXTS
from ..core.layout import Layout
from ..core.model import Effect, option
from ..core.plan import Plan
from ..errors import Failure, InvalidValue
from ..lean.dataclasses import dataclass, field, replace
from ..oci import users
from . import container_state, service
from .container_copy import Place
from .container_guest import running
from .container_kinds import FOLDER, USER
from .container_model import COMMAND, ENVIRONMENT
from .container_root import root_of


@dataclass(frozen=True, kw_only=True)
class ContainerExec:
    """The rows of a call. ``runs`` are the words that are run, ``idle`` is why nothing is, ``answer`` what came of it.

    Nobody can see afterwards whether a program has run, so it always is to, but for ``creates`` and ``removes``.
    """

    container: str = option(NAME, required=True)
    command: tuple[str, ...] | None = option(COMMAND, request=True)
    argv: tuple[str, ...] | None = option(TEXTS, request=True)
    chdir: str | None = option(FOLDER, request=True)
    user: str | None = option(USER, request=True)
    env: tuple[tuple[str, str], ...] | None = option(ENVIRONMENT, request=True)
    stdin: str | None = option(TEXT, request=True)
    stdin_add_newline: bool = option(BOOL, default=True, request=True)
    strip_empty_ends: bool = option(BOOL, default=True, request=True)
    detach: bool = option(BOOL, default=False, request=True)
    tty: bool = option(BOOL, default=False, request=True)
    creates: str | None = option(PATH, request=True)
    removes: str | None = option(PATH, request=True)
    runs: tuple[str, ...] | None = option(TEXTS, Effect.LIVE, internal=True)
    state: str = "present"
    idle: str = ""
    answer: dict[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Execute:
    """The step that runs the program. It can't be undone."""

    layout: Layout
    want: ContainerExec

    def describe(self) -> str:
        """The container and the program, without its arguments: there may be secrets among them."""
        return f"run {(self.want.runs or ('',))[0]} in container {self.want.container}"

    def do(self) -> None:
        """Run it to its end, or until it is executed, and keep what came of it."""
        stdin = self.want.stdin
        given = None if stdin is None else (stdin + "\n" * self.want.stdin_add_newline).encode()
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
        # Not on the command line, which all users of the host can read.
        request = os.memfd_create("request")
        try:
            os.write(request, store.encode({"args": list(self.want.runs or ()), "env": dict(self.want.env or ())}))
            words = self._words(request)
            done = subprocess.run(words, capture_output=True, check=False, pass_fds=(request,), **streams)
        finally:
            os.close(request)
        if self.want.detach and done.returncode == 0:
            self.want.answer.update(exec_id=done.stdout.decode().strip())
        else:
            said = {"stdout": self._text(done.stdout), "stderr": self._text(done.stderr)}
            self.want.answer.update(**said, rc=done.returncode)

    def undo(self) -> None:
        """What a program did nobody can take back."""
        raise Failure(f"take back what {self.describe()} did", "it is not known")

    def _words(self, request: int) -> list[str]:
        want = self.want
        options = {"--request": f"/proc/self/fd/{request}", "--user": want.user, "--workdir": want.chdir}
        flags = {"--interactive": want.stdin is not None, "-tt": want.tty, "--detach": want.detach}
        return [
            f"{self.layout.runtimes}/current/pycontainers",
            *("--root", self.layout.root, "--run", self.layout.run, "exec"),
            *(word for name, value in options.items() if value for word in (name, value)),
            *(name for name, on in flags.items() if on),
            want.container,
        ]

    def _text(self, said: bytes) -> str:
        text = said.decode(errors="replace")
        return text.rstrip("\r\n") if self.want.strip_empty_ends else text


class ContainerExecResource:
    """Calls of programs in containers."""

    model = ContainerExec

    def lock(self, layout: Layout, want: ContainerExec) -> AbstractContextManager[object]:
        """None: a program may run as long as it likes, and may stop its container."""
        return nullcontext()

    def observe(self, layout: Layout, want: ContainerExec) -> ContainerExec | None:
        """What came of the call, or why there need be none."""
        if want.answer:
            return want
        idle = _idle(layout, want) if want.creates or want.removes else ""
        return replace(want, runs=_words(want), idle=idle) if idle else None

    def resolve(self, layout: Layout, want: ContainerExec, have: ContainerExec | None) -> ContainerExec:
        """The words to run. Raises :class:`Failure` for what can't be run."""
        words = _words(want)
        if want.detach and (want.stdin is not None or want.tty):
            name = "tty" if want.tty else "stdin"
            raise InvalidValue(name, getattr(want, name), "of a program that is detached nobody has the ends")
        container = container_state.find(layout, want.container)
        running(layout, container)
        if want.user:
            users.user(layout.container(container.id or "", "merged"), want.user)
        return replace(want, runs=words)

    def plan(self, layout: Layout, want: ContainerExec, have: ContainerExec | None) -> Plan:
        """Run it, by the runtime that is carried here."""
        return Plan() if have else Plan(service.install_steps(layout), (Execute(layout, want),))

    def facts(self, layout: Layout, have: ContainerExec | None) -> Mapping[str, Any]:
        """What came of it; in a check that it would have run."""
        if have is None:
            return {"msg": "the program would have been run, and was not as this is a check"}
        return have.answer or {"msg": have.idle, "stdout": "", "stderr": "", "rc": 0}


def _words(want: ContainerExec) -> tuple[str, ...]:
    if (want.command is None) == (want.argv is None):
        raise InvalidValue("command", want.command, "exactly one of command and argv says what to run")
    words = want.argv or want.command or ()
    if not words or not words[0]:
        raise InvalidValue("command" if want.argv is None else "argv", list(words), "it names no program")
    return words


def _idle(layout: Layout, want: ContainerExec) -> str:
    """Why nothing is to be run; empty if something is. Raises :class:`Failure` for a container that does not run."""
    running(layout, container_state.find(layout, want.container))
    with root_of(layout, want.container) as (container, root):
        place = f"in container {container.name}"
        if want.creates and _exists(Place(want.creates, root)):
            return f"nothing was run: {want.creates} is there {place}"
        if want.removes and not _exists(Place(want.removes, root)):
            return f"nothing was run: there is no {want.removes} {place}"
    return ""


def _exists(place: Place) -> bool:
    with suppress(FileNotFoundError, NotADirectoryError):
        os.close(place.open(place.path, os.O_PATH))
        return True
    return False


CONTAINER_EXEC = ContainerExecResource()
