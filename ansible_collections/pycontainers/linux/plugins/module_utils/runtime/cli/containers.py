# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs that list containers and change whether they run: ps, start, stop, restart, rm."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, InvalidValue, NotFound
from ..lean.dataclasses import replace
from ..oci import lifecycle
from ..resources import (
    container_bare,
    container_health,
    container_memory,
    container_observed,
    container_state,
    container_words,
    journal,
    supervise,
)
from ..resources.container_facts import inspect
from ..resources.container_model import Container
from ..resources.service import install_steps
from . import attach, table
from .complaint import to_each


def add(verbs: Any, listing: str = "ps") -> None:
    """Declare the verbs; below ``container`` the first of them is called ``ls``."""
    ps = verbs.add_parser(listing, help="list containers")
    ps.add_argument("-a", "--all", action="store_true", help="also those that do not run")
    ps.add_argument("-q", "--quiet", action="store_true", help="ids only")
    words = "only those whose health is starting, healthy, unhealthy, or none"
    ps.add_argument("-f", "--filter", action="append", default=[], metavar="health=HEALTH", help=words)
    ps.add_argument("--no-trunc", action="store_true", help="whole ids")
    ps.add_argument("--json", action="store_true", help="for programs")
    ps.set_defaults(verb=list_containers)
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


def list_containers(layout: Layout, chosen: argparse.Namespace) -> int:
    """List containers, the newest first."""
    healths = [_filtered(each) for each in chosen.filter]
    named, failures = supervise.named(layout)
    found = [each for each in named if chosen.all or each.state == "started"]
    if healths:
        found = [each for each in found if (each.health or container_health.NONE) in healths]
    found.sort(key=lambda each: each.created or "", reverse=True)
    if chosen.json:
        table.show_json([inspect(layout, each) for each in found])
    elif chosen.quiet:
        for each in found:
            print(each.id if chosen.no_trunc else (each.id or "")[:12])
    else:
        header = ("CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES")
        table.show(header, [_line(layout, each, chosen.no_trunc) for each in found])
    for line in failures:
        print(f"pycontainers: {line}", file=sys.stderr)
    return 1 if failures else 0


def _filtered(said: str) -> str:
    """The health that a filter asks for. Raises :class:`InvalidValue`."""
    key, _, health = said.partition("=")
    if key != "health" or health not in (*_HEALTHS, container_health.NONE):
        raise InvalidValue("--filter", said, f"it is not health= and one of {', '.join(_HEALTHS)} and none")
    return health


def _line(layout: Layout, container: Container, whole: bool) -> list[str]:
    shown = inspect(layout, container)
    command = " ".join([shown["Path"], *shown["Args"]])
    running = container_words.ports(container) if container.state == "started" else []
    ports = [f"{each.place}->{each.container_port}/{each.protocol}" for each in running]
    if container.state == "started":
        ports += [each for each, places in shown["NetworkSettings"]["Ports"].items() if places is None]
    return [
        container.id or "" if whole else (container.id or "")[:12],
        str(container.image),
        f'"{command if whole or len(command) <= 20 else command[:19] + "…"}"',
        f"{table.since(_moment(container.created or ''))} ago",
        _status(layout, container),
        ", ".join(ports),
        container.name,
    ]


def _moment(created: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp() if created else 0.0


_HEALTHS = {"starting": " (health: starting)", "healthy": " (healthy)", "unhealthy": " (unhealthy)"}


def _status(layout: Layout, container: Container) -> str:
    status = container_state.status(layout, container.id or "")
    init = lifecycle.running(layout, container.id or "")
    if init:
        if container_state.paused(container):
            return f"Up {table.since(init.started_at)} (Paused)"
        return f"Up {table.since(init.started_at)}{_HEALTHS.get(container.health or '', '')}"
    ended = f"({status.exit_code}) {table.since(status.finished_at)} ago"
    ended += " (out of memory)" if container_memory.ended_by_it(status) else ""
    if container.state == "started":
        return f"Restarting {ended}"
    return f"Exited {ended}" if status.finished_at else "Created"
