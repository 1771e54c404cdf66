# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb attach: be screen and keyboard of a container that runs."""
from __future__ import annotations

import argparse
import os
import time
from contextlib import nullcontext
from typing import Any, NamedTuple

from ..core.layout import Layout
from ..errors import Failure
from ..kernel.process import Process
from ..oci import attach, detach_keys, lifecycle, terminal
from ..oci.log_files import LogFiles
from ..resources import container_logs, container_state
from ..resources.container_model import Container

PATIENCE = 30.0
"""Seconds within which it must have been written down how a program has ended."""

KILLED = 137
"""The exit status of a program that was removed while it ran."""


class Run(NamedTuple):
    """A run of a container's program: its process, the log where it begins, when another had ended before it."""

    container: Container
    init: Process
    log: LogFiles
    before: float


def add(verbs: Any) -> None:
    """Declare the verb."""
    verb = verbs.add_parser("attach", help="be screen and keyboard of a container that runs")
    verb.add_argument("--no-stdin", action="store_true", help="only look on")
    options(verb)
    verb.add_argument("container", metavar="CONTAINER")
    verb.set_defaults(verb=attach_to)


def options(verb: argparse.ArgumentParser) -> None:
    """Declare the options of whoever is attached."""
    verb.add_argument("--detach-keys", default="", metavar="KEYS", help=f"leave it running ({detach_keys.DEFAULT})")
    words = "without a terminal: pass signals on to the program (true)"
    verb.add_argument("--sig-proxy", default="true", choices=("true", "false"), help=words)


def attach_to(layout: Layout, chosen: argparse.Namespace) -> int:
    """Attach to a container, and return its exit status, or 0 for who has left it running."""
    container = container_state.find(layout, chosen.container)
    before = container_state.status(layout, container.id or "").finished_at
    init = lifecycle.running(layout, container.id or "")
    if init is None:
        operation = f"attach to container {container.name}"
        if lifecycle.waiter(layout, container.id or ""):
            raise Failure(operation, "its program has ended, and is about to be started again", "try again")
        raise Failure(operation, "container not running", "start it first")
    run = Run(container, init, log_end(layout, container), before)
    return follow(layout, run, chosen, stdin=not chosen.no_stdin, redraw=True)


def log_end(layout: Layout, container: Container) -> LogFiles:
    """A container's log, read from here on."""
    log = log_begin(layout, container)
    log.to_end()
    return log


def log_begin(layout: Layout, container: Container) -> LogFiles:
    """A container's log from its beginning. Raises :class:`Failure` where none is kept."""
    container_logs.check_kept(container, "be attached to")
    return LogFiles(lifecycle.log_folder(layout, container.id or ""))


def window(container: Container) -> tuple[int, ...]:
    """Lines and columns for the terminal that a container starts with: those of ours, if we have one."""
    return terminal.size() if container.tty and os.isatty(0) else ()


def check_terminal(container: Container, stdin: bool) -> None:
    """Refuse to be the keyboard of a terminal for who has none."""
    if stdin and container.tty and container.interactive and not os.isatty(0):
        fix = "call it in a terminal, or leave -t out"
        raise Failure(f"attach to container {container.name}", "the input device is not a TTY", fix)


def begun(layout: Layout, container: Container, log: LogFiles) -> Run:
    """The run of a container that has just begun. Its lock is held, so nobody has recorded an end of it yet."""
    identity = container.id or ""
    before = container_state.status(layout, identity).finished_at
    return Run(container, lifecycle.started(layout, identity), log, before)


def follow(
    layout: Layout, run: Run, chosen: argparse.Namespace, *, stdin: bool, once: bool = False, redraw: bool = False
) -> int:
    """Be attached to a run of a container until that ends or the keys to leave it are pressed.

    With ``once`` the end of our input is that of the program's.
    """
    container, init = run.container, run.init
    check_terminal(container, stdin)
    identity, reading = container.id or "", stdin and bool(container.interactive)
    keys = detach_keys.Keys(detach_keys.parse(chosen.detach_keys))
    session = attach.Session(layout, identity, init, run.log)
    screen: Any = nullcontext()
    try:
        if reading and container.tty:
            session.take_terminal()
            session.keys = keys
            attach.leave_on_signals()
            screen = terminal.raw(session.keyboard, redraw)
        elif reading:
            session.take_pipe()
        if not container.tty and chosen.sig_proxy == "true":
            attach.hand_on(init)
        with screen:
            ended = session.go_on(reading, once)
    finally:
        session.close()
    return exit_status(layout, identity, run.before) if ended else 0


def exit_status(layout: Layout, identity: str, before: float) -> int:
    """How a run has ended: by its waiter's note, else by the status, which was set at ``before`` for the last time."""
    end = time.monotonic() + PATIENCE
    while True:
        code, known = lifecycle.exit_status(layout, identity), container_state.status(layout, identity)
        if code is not None:
            return code
        if known.finished_at > before or time.monotonic() > end:
            return known.exit_code
        if not os.path.exists(container_state.record_path(layout, identity)):
            return KILLED
        time.sleep(0.01)
