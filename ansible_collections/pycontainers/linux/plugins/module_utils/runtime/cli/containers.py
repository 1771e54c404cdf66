# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs that change whether containers run: start, stop, restart, rm."""
from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, NotFound
from ..lean.dataclasses import replace
from ..resources import (
    container_bare,
    container_observed,
    container_state,
    journal,
    supervise,
)
from ..resources.container_model import Container
from ..resources.service import install_steps
from . import attach
from .complaint import to_each


def add(verbs: Any) -> None:
    """Declare the verbs."""
    verb = verbs.add_parser("start", help="start containers")
    verb.add_argument("-a", "--attach", action="store_true", help="be attached to it, which must be one")
    verb.add_argument("-i", "--interactive", action="store_true", help="be its keyboard too")
    attach.options(verb)
    verb.add_argument("containers", nargs="+", metavar="CONTAINER")
    verb.set_defaults(verb=start_some)
    for name, act, words in (("stop", _each(stop), "stop"), ("restart", _starting(restart), "stop and start")):
        verb = verbs.add_parser(name, help=f"{words} containers")
        verb.add_argument("-t", "--time", type=int, metavar="SECONDS", help="before SIGKILL")
        verb.add_argument("containers", nargs="+", metavar="CONTAINER")
        verb.set_defaults(verb=act)
    rm = verbs.add_parser("rm", help="remove containers")
    rm.add_argument("-f", "--force", action="store_true", help="also those that run")
    rm.add_argument("-v", "--volumes", action="store_true", help="with its volumes that have no name")
    rm.add_argument("containers", nargs="+", metavar="CONTAINER")
    rm.set_defaults(verb=_each(remove, container_bare.load))


def _starting(act: Callable[[Layout, Container, argparse.Namespace], None]) -> Callable[..., int]:
    """The same of a verb that starts containers, each after those that it needs."""
    return _each(act, before=supervise.start_needed)


def _each(
    act: Callable[[Layout, Container, argparse.Namespace], None],
    read: Callable[[Layout, str], Container | None] = container_state.load,
    before: Callable[[Layout, Container], None] = lambda layout, container: None,
) -> Callable[[Layout, argparse.Namespace], int]:
    """A verb that does the same to each container, names those it is done with, and goes on after a failure.

    What comes ``before`` is done without its lock.
    """

    def verb(layout: Layout, chosen: argparse.Namespace) -> int:
        def act_on(wanted: str) -> None:
            found = container_state.find(layout, wanted, read)
            before(layout, found)
            with container_state.held(layout, found.id or "", read) as held:
                if held is None:
                    raise NotFound(f"find container {wanted}", "it has been removed meanwhile")
                act(layout, container_observed.observed(layout, held), chosen)

        return to_each(chosen.containers, act_on)

    return verb


def start_some(layout: Layout, chosen: argparse.Namespace) -> int:
    """Start containers; or one, and be attached to it and return its exit status."""
    if not chosen.attach and not chosen.interactive:
        return _starting(start)(layout, chosen)
    if len(chosen.containers) > 1:
        raise Failure("be attached to several containers", "there is one terminal", "leave -a and -i out")
    found = container_state.find(layout, chosen.containers[0])
    attach.check_terminal(found, chosen.interactive)
    supervise.start_needed(layout, found)
    with container_state.lock(layout, found.name):
        container = container_observed.observed(layout, container_state.find(layout, found.id or ""))
        log = attach.log_end(layout, container)
        start(layout, replace(container, console_size=attach.window(container)), chosen)
        run = attach.begun(layout, container, log)
    return attach.follow(layout, run, chosen, stdin=chosen.interactive)


def start(layout: Layout, container: Container, chosen: argparse.Namespace) -> None:
    """Start a container; one that runs is left alone."""
    if container.state != "started":
        for step in install_steps(layout):
            step.do()
        supervise.start(layout, container)


def stop(layout: Layout, container: Container, chosen: argparse.Namespace) -> None:
    """Stop a container, and remove it if that is to be at its end; one that does not run is left alone."""
    _end(layout, container, chosen)
    if container.auto_remove:
        supervise.remove(layout, container_observed.observed(layout, container))


def _end(layout: Layout, container: Container, chosen: argparse.Namespace) -> None:
    if container.state == "started":
        timeout = container.stop_timeout if chosen.time is None else chosen.time
        supervise.halt(layout, replace(container, stop_timeout=timeout))


def restart(layout: Layout, container: Container, chosen: argparse.Namespace) -> None:
    """Stop a container if it runs, and start it."""
    _end(layout, container, chosen)
    # As it is recorded: what the kernel held of ports and limits may have been changed by hand.
    start(layout, container_observed.observed(layout, container_state.find(layout, container.id or "")), chosen)
    journal.note(layout, container, "restart")


def remove(layout: Layout, container: Container, chosen: argparse.Namespace) -> None:
    """Remove a container; one that runs only if forced, and then without patience."""
    if container.state == "started" and not chosen.force:
        raise Failure(f"remove container {container.name}", "it runs", "stop it first, or use rm -f")
    supervise.remove(layout, replace(container, stop_timeout=0, keep_volumes=not chosen.volumes))
