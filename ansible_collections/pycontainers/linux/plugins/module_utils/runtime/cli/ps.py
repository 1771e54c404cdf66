# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb ps: which containers there are."""
from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from ..core.layout import Layout
from ..oci import lifecycle
from ..resources import container_memory, container_state, container_words, supervise
from ..resources.container_model import Container
from . import table, template
from .container_filters import KNOWN, Look, test_of

TITLES = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
    "CreatedAt": "CREATED AT",
    "Label": "LABEL",
    "Labels": "LABELS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Mounts": "MOUNTS",
    "Networks": "NETWORKS",
    "State": "STATE",
}
"""The fields of a line, and what is above them; the first ones are shown unasked."""

SHOWN = tuple(TITLES)[:7]


def add(verbs: Any, listing: str = "ps") -> None:
    """Declare the verb; below ``container`` it is called ``ls``."""
    ps = verbs.add_parser(listing, help="list containers")
    ps.add_argument("-a", "--all", action="store_true", help="also those that do not run")
    ps.add_argument("-q", "--quiet", action="store_true", help="ids only")
    words = f"only those of which this is so; KEY is one of {', '.join(KNOWN)}"
    ps.add_argument("-f", "--filter", action="append", default=[], metavar="KEY=VALUE", help=words)
    ps.add_argument("-n", "--last", type=int, default=-1, metavar="COUNT", help="the newest ones, running or not")
    ps.add_argument("-l", "--latest", action="store_const", const=1, dest="last", help="the newest one")
    words = f"json, or a template such as 'table {{{{.ID}}}}\\t{{{{.Names}}}}', of the fields {', '.join(TITLES)}"
    ps.add_argument("--format", default="", metavar="TEMPLATE", help=words)
    ps.add_argument("--no-trunc", action="store_true", help="whole ids and commands")
    ps.add_argument("--json", action="store_true", help="for programs")
    ps.set_defaults(verb=list_containers)


def list_containers(layout: Layout, chosen: argparse.Namespace) -> int:
    """List containers, the newest first."""
    is_wanted, stopped_too = test_of(layout, chosen.filter)
    text = _template(chosen.format)
    named, failures = supervise.named(layout)
    named.sort(key=lambda each: each.created or "", reverse=True)
    every = chosen.all or stopped_too or chosen.last >= 0
    looks = (Look(layout, each) for each in named if every or each.state == "started")
    found = [each for each in looks if is_wanted(each)]
    if chosen.last >= 0:
        found = found[: chosen.last]
    if chosen.json:
        table.show_json([each.document for each in found])
    elif chosen.quiet:
        for each in found:
            print(_id(each.container, chosen.no_trunc))
    else:
        lines = [_fields(each, chosen.no_trunc) for each in found]
        if text is None:
            table.show([TITLES[each] for each in SHOWN], [[line[each] for each in SHOWN] for line in lines])
        elif chosen.format.startswith(template.TABLE):
            titles = template.header(chosen.format, TITLES)
            first, *rest = [text(line).split("\t") for line in (titles, *lines)]
            table.show(first, rest)
        else:
            for line in lines:
                print(text(line))
    for failure in failures:
        print(f"pycontainers: {failure}", file=sys.stderr)
    return 1 if failures else 0


def _template(said: str) -> template.Text | None:
    """What makes the text of a line; None for the columns that are shown unasked. Raises :class:`InvalidValue`."""
    return template.parsed(said.removeprefix(template.TABLE), TITLES) if said else None


def _id(container: Container, whole: bool) -> str:
    return container.id or "" if whole else (container.id or "")[:12]


def _fields(look: Look, whole: bool) -> dict[str, Any]:
    container, shown = look.container, look.document
    command = " ".join([shown["Path"], *shown["Args"]])
    created = _moment(container.created or "")
    mounts = [each.get("Name") or each["Source"] for each in shown["Mounts"]]
    labels = shown["Config"]["Labels"]
    return {
        "ID": _id(container, whole),
        "Image": str(container.image),
        "Command": f'"{command if whole or len(command) <= 20 else command[:19] + "…"}"',
        "RunningFor": f"{table.since(created)} ago",
        "Status": _status(look.layout, container),
        "Ports": ", ".join(_ports(look)),
        "Names": container.name,
        "CreatedAt": time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC", time.gmtime(created)),
        "Label": labels,
        "Labels": ",".join(f"{name}={value}" for name, value in labels.items()),
        "LocalVolumes": str(sum(each["Type"] == "volume" for each in shown["Mounts"])),
        "Mounts": ",".join(mounts),
        "Networks": ",".join(each.name for each in container.networks or ()),
        "State": shown["State"]["Status"],
    }


def _ports(look: Look) -> list[str]:
    if look.container.state != "started":
        return []
    led = [f"{each.place}->{each.container_port}/{each.protocol}" for each in container_words.ports(look.container)]
    exposed = look.document["NetworkSettings"]["Ports"].items()
    return led + [each for each, places in exposed if places is None]


def _moment(created: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(created.replace("Z", "+00:00")).timestamp() if created else 0.0


_WORDS = {"starting": " (health: starting)", "healthy": " (healthy)", "unhealthy": " (unhealthy)"}


def _status(layout: Layout, container: Container) -> str:
    status = container_state.status(layout, container.id or "")
    init = lifecycle.running(layout, container.id or "")
    if init:
        if container_state.paused(container):
            return f"Up {table.since(init.started_at)} (Paused)"
        return f"Up {table.since(init.started_at)}{_WORDS.get(container.health or '', '')}"
    ended = f"({status.exit_code}) {table.since(status.finished_at)} ago"
    ended += " (out of memory)" if container_memory.ended_by_it(status) else ""
    if container.state == "started":
        return f"Restarting {ended}"
    return f"Exited {ended}" if status.finished_at else "Created"
