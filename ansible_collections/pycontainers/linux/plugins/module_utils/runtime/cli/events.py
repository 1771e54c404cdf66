# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb events: what happens to containers, and what has."""
from __future__ import annotations

import argparse
import json
import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

from ..core import ids
from ..core.layout import Layout
from ..errors import Failure, InvalidValue, failing
from ..kernel import descriptors
from ..oci.attach import CHUNK
from ..oci.log_files import LogFiles
from ..resources import log_times
from . import filters, table, template

Event = dict[str, Any]
FIXED = ("time", "action", "id", "labels")
"""What of an event is no attribute of it."""

FIELDS = ("Action", "Actor", "Type", "from", "id", "scope", "status", "time", "timeNano")
FILTERS: dict[str, Callable[[Event, str], bool]] = {
    "container": lambda event, said: said == event["name"] or ids.begins(event["id"], said),
    "event": lambda event, said: said in (event["action"], event["action"].partition(":")[0]),
    "image": lambda event, said: said in (event["image"], event["image"].rpartition(":")[0]),
    "label": lambda event, said: filters.labelled(event["labels"], [said]),
    "type": lambda event, said: said == "container",
}


def add(verbs: Any) -> None:
    """Declare the verb."""
    verb = verbs.add_parser("events", help="show what happens to containers, until it is interrupted")
    what = "a time (2026-01-31T12:00:00Z), seconds since 1970, or a duration up to now (10m, 1h30m)"
    verb.add_argument("--since", default="", metavar="TIME", help=f"also what has happened from then on: {what}")
    verb.add_argument("--until", default="", metavar="TIME", help="end with what has happened by then: as with --since")
    words = f"only those of which this is so; KEY is one of {', '.join(FILTERS)}"
    verb.add_argument("-f", "--filter", action="append", default=[], metavar="KEY=VALUE", help=words)
    words = "json, or a template such as '{{.Action}} {{.Actor.Attributes.name}}', of the fields of that JSON"
    verb.add_argument("--format", default="", metavar="TEMPLATE", help=words)
    verb.add_argument("--json", action="store_const", const="json", dest="format", help="the same")
    verb.set_defaults(verb=show)


def show(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print a line for each event, from now on or from an earlier time, and go on until another time, or for ever."""
    now = time.time_ns()
    since, until = (_moment(option, getattr(chosen, option), now) for option in ("since", "until"))
    wanted = filters.parsed(chosen.filter, FILTERS)
    if set(wanted.get("type", ())) - {"container"}:
        raise InvalidValue("--filter", f"type={wanted['type'][0]}", "only events of containers are told of")
    text = template.parsed(chosen.format, FIELDS) if chosen.format else None
    ends = until is not None and until <= now

    def tell(found: Iterator[Event]) -> None:
        for event in found:
            at = event["time"]
            if at >= (now if since is None else since) and (until is None or at < until) and _is_wanted(event, wanted):
                print(text(_document(event)) if text else _line(event), flush=True)

    if not ends:
        with failing(f"make the folder {layout.events}"):
            os.makedirs(layout.events, 0o700, exist_ok=True)
    with closing(LogFiles(layout.events)) as journal:
        if ends:
            tell(_events(journal))
            return 0
        changes = descriptors.watch(layout.events)
        try:
            if since is None:
                journal.to_end()
            found = _events(journal)
            while True:
                tell(found)
                found = _events(journal)
                if not _waited(changes, until):
                    tell(found)
                    return 0
        finally:
            os.close(changes)


def _moment(option: str, said: str, now: int) -> int | None:
    try:
        return log_times.moment(said, now) if said else None
    except ValueError as error:
        raise Failure(f"show events {option} {said!r}", str(error)) from error


def _waited(changes: int, until: int | None) -> bool:
    """Wait until there is more; False if the time is over."""
    left = None if until is None else (until - time.time_ns()) / log_times.SECOND
    if left is not None and left <= 0:
        return False
    select.select([changes], [], [], left)
    with suppress(BlockingIOError):
        os.read(changes, CHUNK)
    return True


def _events(journal: LogFiles) -> Iterator[Event]:
    """What there is of events; what is none, since somebody was cut short, is passed over."""
    text = b""
    for each in journal.read():
        text = text + each.text if each.goes_on else each.text
        if text.endswith(b"\n"):
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                yield _event(text)


def _event(line: bytes) -> Event:
    """The event of a line. Raises some error of what is none."""
    found = json.loads(line)
    strings = {name: str(found[name]) for name in ("action", "id", "name", "image")}
    labels = {str(name): str(value) for name, value in found.get("labels", {}).items()}
    return {**found, **strings, "time": int(found["time"]), "labels": labels}


def _is_wanted(event: Event, wanted: dict[str, list[str]]) -> bool:
    """Whether of each filter one value fits; of labels, all."""
    return all(
        (all if key == "label" else any)(FILTERS[key](event, each) for each in values)
        for key, values in wanted.items()
    )


def _attributes(event: Event) -> dict[str, str]:
    own = {name: str(value) for name, value in event.items() if name not in FIXED}
    return dict(sorted({**event["labels"], **own}.items()))


def _line(event: Event) -> str:
    told = ", ".join(f"{name}={value}" for name, value in _attributes(event).items())
    moment = log_times.shown(log_times.stamp(event["time"])).decode().strip()
    return table.plain(f"{moment} container {event['action']} {event['id']} ({told})")


def _document(event: Event) -> dict[str, Any]:
    """The event as Docker's interface has it."""
    return {
        "status": event["action"],
        "id": event["id"],
        "from": event["image"],
        "Type": "container",
        "Action": event["action"],
        "Actor": {"ID": event["id"], "Attributes": _attributes(event)},
        "scope": "local",
        "time": event["time"] // log_times.SECOND,
        "timeNano": event["time"],
    }
