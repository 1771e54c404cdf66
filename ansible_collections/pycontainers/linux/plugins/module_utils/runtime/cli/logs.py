# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb logs: what a container has said."""
from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, NamedTuple

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..kernel import descriptors
from ..oci import lifecycle
from ..oci.attach import CHUNK, LOST
from ..oci.log_files import Line, LogFiles, last
from ..resources import container_logs, container_observed, container_state, log_times

INTERVAL = 0.2
"""Seconds between two looks whether a container whose log is followed has ended."""


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
        chooser = Chooser(choice)
        if chosen.follow:
            with _watched(log.folder) as changes:
                chooser.show(_first(log, chooser, chosen.tail, ended=False))
                for _ in _changing(layout, identity, changes):
                    chooser.show(chooser.chosen(log.read()))
                    if chooser.over:
                        return 0
        else:
            chooser.show(_first(log, chooser, chosen.tail, ended=True))
        chooser.show(chooser.chosen(log.flush()))
        if log.lost:
            sys.stderr.write(LOST)
    for line in (store.read(lifecycle.complaints(layout, identity)) or b"").decode(errors="replace").splitlines():
        print(f"pycontainers: at the end of a run: {line}", file=sys.stderr)
    return 0


@contextmanager
def _watched(folder: str) -> Iterator[int]:
    """A descriptor that can be read when the log has changed; of one that is not there yet, never."""
    changes = descriptors.watch(folder if os.path.exists(folder) else "/dev/null")
    try:
        yield changes
    finally:
        os.close(changes)


def _changing(layout: Layout, identity: str, changes: int) -> Iterator[None]:
    """Go on each time that there may be more in a log, and once more when the container has ended."""
    asked = 0.0
    while True:
        if time.monotonic() - asked > INTERVAL:
            # Asked before the look that follows: what is written between the two is shown still.
            if not _started(layout, identity):
                # Its logger may have more to write, and ends then.
                logger = lifecycle.logger(layout, identity)
                if logger:
                    logger.wait(lifecycle.LOG_PATIENCE)
                yield
                return
            asked = time.monotonic()
        select.select([changes], [], [], INTERVAL)
        with suppress(BlockingIOError):
            os.read(changes, CHUNK)
        yield


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


class Chooser:
    """Chooses lines and prints them; what has no time stamp is like what comes before it."""

    def __init__(self, choice: Choice) -> None:
        self.choice = choice
        self.shown = not choice.needs_stamps

    def chosen(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Those of lines that are asked for."""
        since, until = self.choice.since, self.choice.until
        if not self.choice.needs_stamps:
            yield from lines
            return
        for each in lines:
            if each.stamp and not each.goes_on:
                self.shown = each.stamp >= since and (not until or each.stamp < until)
            if self.shown:
                yield each

    def show(self, lines: Iterable[Line]) -> None:
        """Print lines."""
        out = sys.stdout.buffer
        for each in lines:
            if self.choice.timestamps and each.stamp and not each.goes_on:
                out.write(log_times.shown(each.stamp))
            out.write(each.text)
        out.flush()

    @property
    def over(self) -> bool:
        """Whether no line that is yet to be written can be chosen."""
        return bool(self.choice.until) and log_times.stamp(time.time_ns()) >= self.choice.until


def _first(log: LogFiles, chooser: Chooser, tail: str, *, ended: bool) -> Iterable[Line]:
    """What there is by now of the lines that are asked for."""
    if tail == "all":
        return chooser.chosen(log.read())
    if not (chooser.choice.since or chooser.choice.until):
        return chooser.chosen(last(log, int(tail), ended=ended))
    kept: deque[list[Line]] = deque(maxlen=int(tail))
    for each in chooser.chosen(log.read()):
        if each.goes_on and kept:
            kept[-1].append(each)
        else:
            kept.append([each])
    return [part for line in kept for part in line]


def _started(layout: Layout, identity: str) -> bool:
    container = container_state.load(layout, identity)
    return container is not None and container_observed.observed(layout, container).state == "started"
