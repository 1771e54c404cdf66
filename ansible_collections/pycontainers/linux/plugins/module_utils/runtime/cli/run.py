# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs run and create: a new container of an image."""
from __future__ import annotations

import argparse
from contextlib import suppress

from ..core.layout import Layout
from ..core.plan import apply
from ..errors import Failure, InvalidValue, NotFound
from ..lean.dataclasses import replace
from ..oci import enter
from ..resources import container_logs, container_observed, container_state, supervise
from ..resources.container import CONTAINER
from ..resources.container_model import Container
from ..typed import Any
from . import attach, run_options


def add(verbs: Any) -> None:
    """Declare the verbs."""
    verb = run_options.parser(verbs, "run", "make a container, start it and be attached to it")
    verb.add_argument("-d", "--detach", action="store_true", help="do not be attached; print its id")
    verb.add_argument("--rm", action="store_true", help="remove it when it ends")
    attach.options(verb)
    run_options.add_words(verb)
    verb.set_defaults(verb=run, failed=enter.FAILED)
    verb = run_options.parser(verbs, "create", "make a container")
    run_options.add_words(verb)
    verb.set_defaults(verb=create)


def create(layout: Layout, chosen: argparse.Namespace) -> int:
    """Make a container, and print its id."""
    want = replace(run_options.wanted(chosen), state="stopped")
    with CONTAINER.lock(layout, want):
        print(_made(layout, want, chosen).id)
    return 0


def run(layout: Layout, chosen: argparse.Namespace) -> int:
    """Make a container and start it. Print its id, or be attached to it and return its exit status."""
    want = run_options.wanted(chosen)
    if chosen.rm and want.restart_policy not in (None, "no"):
        raise InvalidValue("--restart", chosen.restart, "with --rm there is nothing left to restart")
    if chosen.detach:
        with CONTAINER.lock(layout, want):
            print(_made(layout, replace(want, auto_remove=chosen.rm or None), chosen).id)
        return 0
    attach.check_terminal(want, True)
    container_logs.check_kept(want, "be attached to")
    with CONTAINER.lock(layout, want):
        container = _made(layout, replace(want, console_size=attach.window(want), watched=chosen.rm), chosen)
        begun = attach.begun(layout, container, attach.log_begin(layout, container))
    try:
        return attach.follow(layout, begun, chosen, stdin=True, once=bool(want.interactive and not want.tty))
    finally:
        if chosen.rm:
            _remove(layout, container)


def _made(layout: Layout, want: Container, chosen: argparse.Namespace) -> Container:
    """Make what is wanted, which must be new. Its lock is held."""
    have = container_state.identity_of(layout, want.name)
    if have:
        reason = f"container {have[:12]} has this name"
        raise Failure(f"make container {want.name}", reason, "remove that, or give another name")
    target = CONTAINER.resolve(layout, want, None)
    try:
        apply(CONTAINER.plan(layout, target, None))
    except Failure as error:
        chosen.failed = _exit_status(error.reason)
        raise
    return target


def _exit_status(reason: str) -> int:
    """What the failure of a start means by custom: 127 for a program that is not there, 126 for one that is none."""
    if not reason.startswith("exec: "):
        return enter.FAILED
    return 127 if reason.endswith(("not found in $PATH", "no such file or directory")) else 126


def _remove(layout: Layout, container: Container) -> None:
    """Remove a container that has ended; one that goes on is removed when it ends."""
    with suppress(NotFound), CONTAINER.lock(layout, container):
        kept = container_state.find(layout, container.id or "")
        now = container_observed.observed(layout, kept)
        if now.state == "started":
            container_state.record_step(layout, replace(kept, auto_remove=True), kept).do()
        else:
            supervise.remove(layout, replace(now, keep_volumes=False))
