# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb logs: what a container has said."""
from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..oci import lifecycle
from ..oci.attach import LOST
from ..oci.log_files import Line, LogFiles, last
from ..resources import container_logs, container_observed, container_state, log_times

INTERVAL = 0.2
"""Seconds between two looks at a log that is followed."""


class Choice(NamedTuple):
    """Which lines are shown, by the time stamps that they must not be before and must be before, and how."""

    since: bytes = b""
    until: bytes = b""
    timestamps: bool = False

    @property
    def needs_stamps(self) -> bool:
        """Whether lines need time stamps for it."""
        return bool(self.since or self.until or self.timestamps)


def add(verbs: Any) -> None:
    """Declare the verb."""
    logs = verbs.add_parser("logs", help="show what a container has written to stdout and stderr")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it writes, until it ends")
    logs.add_argument("-n", "--tail", default="all", metavar="LINES", help="only the last lines")
    logs.add_argument("-t", "--timestamps", action="store_true", help="say of each line when it was written")
    what = "a time (2026-01-31T12:00:00Z), seconds since 1970, or a duration up to now (10m, 1h30m)"
    logs.add_argument("--since", default="", metavar="TIME", help=f"only lines from then on: {what}")
    logs.add_argument("--until", default="", metavar="TIME", help="only lines before: as with --since")
    logs.add_argument("container", metavar="CONTAINER")
    logs.set_defaults(verb=show)


def show(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print a container's log, and on stderr what its waiter has complained about since it was started."""
    if chosen.tail != "all" and not (chosen.tail.isascii() and chosen.tail.isdecimal()):
        raise Failure(f"show the last {chosen.tail} lines", "it is neither a number nor all")
    now = time.time_ns()
    choice = Choice(_stamp("since", chosen.since, now), _stamp("until", chosen.until, now), chosen.timestamps)
    container = container_state.find(layout, chosen.container)
    identity = container.id or ""
    container_logs.check_kept(container, "show the log of")
    with closing(LogFiles(lifecycle.log_folder(layout, identity))) as log:
        _check_stamps(container.name, log, choice)
        lines = _first(log, choice, chosen.tail, chosen.follow)
        while chosen.follow and _print(lines, choice):
            # Asked before the look: what is written between the two is shown still.
            going_on = _started(layout, identity)
            time.sleep(INTERVAL if going_on else 0)
            lines = _chosen(log.read(), choice)
            if not going_on:
                break
        _print(lines, choice)
        _print(_chosen(log.flush(), choice), choice)
        if log.lost:
            sys.stderr.write(LOST)
    for line in (store.read(lifecycle.complaints(layout, identity)) or b"").decode(errors="replace").splitlines():
        print(f"pycontainers: at the end of a run: {line}", file=sys.stderr)
    return 0


def _stamp(option: str, said: str, now: int) -> bytes:
    try:
        return log_times.stamp(log_times.moment(said, now)) if said else b""
    except ValueError as error:
        raise Failure(f"show lines {option} {said!r}", str(error)) from error


def _check_stamps(name: str, log: LogFiles, choice: Choice) -> None:
    """Refuse to tell times that nobody has written down."""
    if not choice.needs_stamps:
        return
    if not log.stamped():
        reason = "its lines have no time stamps, because it has a terminal, or was started on a host without s6-log"
        raise Failure(f"tell times of the log of container {name}", reason, "leave --since, --until and -t out")
    if log.mixed():
        said = f"pycontainers: the first lines of the log of container {name} have no time stamps, and are left out"
        print(said, file=sys.stderr)


def _first(log: LogFiles, choice: Choice, tail: str, follow: bool) -> Iterable[Line]:
    """What there is by now of the lines that are asked for."""
    if tail == "all":
        return _chosen(log.read(), choice)
    if not (choice.since or choice.until):
        return _chosen(last(log, int(tail), ended=not follow), choice)
    from collections import deque

    kept: deque[list[Line]] = deque(maxlen=int(tail))
    for each in _chosen(log.read(), choice):
        if each.goes_on and kept:
            kept[-1].append(each)
        else:
            kept.append([each])
    return [part for line in kept for part in line]


def _chosen(lines: Iterable[Line], choice: Choice) -> Iterator[Line]:
    """Those of lines that are asked for. What has no time stamp is like what comes before it."""
    shown = not choice.needs_stamps
    for each in lines:
        if each.stamp and not each.goes_on and choice.needs_stamps:
            shown = each.stamp >= choice.since and (not choice.until or each.stamp < choice.until)
        if shown:
            yield each


def _print(lines: Iterable[Line], choice: Choice) -> bool:
    """Print lines; whether there may be more of them."""
    out = sys.stdout.buffer
    for each in lines:
        if choice.timestamps and each.stamp and not each.goes_on:
            out.write(log_times.shown(each.stamp))
        out.write(each.text)
    out.flush()
    return not choice.until or log_times.stamp(time.time_ns()) < choice.until


def _started(layout: Layout, identity: str) -> bool:
    container = container_state.load(layout, identity)
    return container is not None and container_observed.observed(layout, container).state == "started"
