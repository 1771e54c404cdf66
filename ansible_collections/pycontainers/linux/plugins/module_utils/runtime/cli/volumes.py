# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb volume: volumes as Docker's verbs have them."""
from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from typing import Any

from ..core.layout import Layout
from ..core.model import parse
from ..core.plan import converge
from ..errors import Failure, InvalidValue, NotFound
from ..resources import volume_model
from ..resources.volume import VOLUME
from ..resources.volume_info import documents
from ..resources.volume_model import LOCAL, Volume
from . import prune, table
from .complaint import to_each

TRUTHS = {"true": True, "1": True, "false": False, "0": False}
FILTERS: dict[str, Callable[[dict[str, Any], str], bool]] = {
    "name": lambda document, said: said in document["Name"],
    "driver": lambda document, said: said == document["Driver"],
    "dangling": lambda document, said: TRUTHS.get(said.lower()) is not bool(document["Containers"]),
    "label": lambda document, said: _labelled(document["Labels"], said),
}
"""What ``volume ls --filter`` chooses by."""


def add(verbs: Any) -> None:
    """Declare the verbs."""
    group = verbs.add_parser("volume", help="all verbs about volumes").add_subparsers(metavar="VERB", required=True)
    for name in ("ls", "list"):
        listing = group.add_parser(name, help="list volumes")
        listing.add_argument("-q", "--quiet", action="store_true", help="names only")
        words = ", ".join(FILTERS)
        listing.add_argument("-f", "--filter", action="append", default=[], metavar="KEY=VALUE", help=words)
        listing.add_argument("--json", action="store_true", help="for programs")
        listing.set_defaults(verb=list_volumes)
    look = group.add_parser("inspect", help="show volumes as JSON")
    look.add_argument("-s", "--size", action="store_true", help="and what they take on the disk")
    look.add_argument("volumes", nargs="+", metavar="VOLUME")
    look.set_defaults(verb=show_volumes)
    new = group.add_parser("create", help="make a volume")
    new.add_argument("-d", "--driver", default=LOCAL, help="there is only local")
    new.add_argument("--label", action="append", default=[], metavar="NAME=VALUE", help="a label")
    new.add_argument("-o", "--opt", action="append", default=[], metavar="KEY=VALUE", help="type, device or o")
    new.add_argument("volume", nargs="?", metavar="VOLUME")
    new.set_defaults(verb=create_volume)
    for name in ("rm", "remove"):
        gone = group.add_parser(name, help="remove volumes with all that is in them")
        gone.add_argument("-f", "--force", action="store_true", help="that there is none is fine")
        gone.add_argument("volumes", nargs="+", metavar="VOLUME")
        gone.set_defaults(verb=remove_volumes)
    prune.add_volume(group)


def _labelled(labels: dict[str, str], said: str) -> bool:
    name, equals, value = said.partition("=")
    return name in labels and (not equals or labels[name] == value)


def list_volumes(layout: Layout, chosen: argparse.Namespace) -> int:
    """List the volumes that pass all filters."""
    found = documents(layout, volume_model.names(layout))
    for each in chosen.filter:
        name, equals, said = each.partition("=")
        if not equals or name not in FILTERS or (name == "dangling" and said.lower() not in TRUTHS):
            raise InvalidValue("filter", each, f"it is not KEY=VALUE with one of {', '.join(FILTERS)}")
        found = [document for document in found if FILTERS[name](document, said)]
    if chosen.json:
        table.show_json(found)
    elif chosen.quiet:
        for each in found:
            print(each["Name"])
    else:
        table.show(["DRIVER", "VOLUME NAME"], [[each["Driver"], each["Name"]] for each in found])
    return 0


def show_volumes(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print Docker's document of each volume."""
    for each in chosen.volumes:
        if each not in volume_model.names(layout):
            raise NotFound(f"inspect volume {each}", "there is none of this name", "see pycontainers volume ls")
    table.show_json(documents(layout, chosen.volumes, chosen.size))
    return 0


def create_volume(layout: Layout, chosen: argparse.Namespace) -> int:
    """Make a volume and print its name. One that is there is fine if nothing else is asked of it."""
    options = dict(_pair(each) for each in chosen.opt)
    values = {"name": chosen.volume or secrets.token_hex(32), "driver": chosen.driver}
    labels = dict(each.partition("=")[::2] for each in chosen.label)
    want = parse(Volume, {**values, "driver_options": options or None, "labels": labels or None})
    if not chosen.volume:
        want = parse(Volume, {**values, "driver_options": options, "labels": labels, "anonymous": ""})
    with VOLUME.lock(layout, want):
        have = VOLUME.observe(layout, want)
    asked = [("driver_options", "--opt"), ("labels", "--label")]
    for row, said in asked if have else []:
        if getattr(want, row) not in (None, getattr(have, row)):
            reason = f"there is one of this name with another {said}"
            raise Failure(f"create volume {want.name}", reason, "remove it first, or name another")
    converge(VOLUME, layout, want, check=False)
    print(want.name)
    return 0


def _pair(said: str) -> tuple[str, str]:
    name, equals, value = said.partition("=")
    if not equals:
        raise InvalidValue("opt", said, "it is not of the form KEY=VALUE")
    return name, value


def remove_volumes(layout: Layout, chosen: argparse.Namespace) -> int:
    """Remove volumes that no container uses; names those it is done with, and goes on after a failure."""

    def remove(name: str) -> None:
        want = parse(Volume, {"name": name, "state": "absent"})
        if not converge(VOLUME, layout, want, check=False).changed and not chosen.force:
            raise NotFound(f"remove volume {name}", "there is none of this name", "see pycontainers volume ls")

    return to_each(chosen.volumes, remove)
