# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that remove what is of no use any more: prune, and image prune. They show first what goes."""
from __future__ import annotations

import argparse
import sys
from typing import Any

from ..core.layout import Layout
from ..core.model import parse
from ..core.plan import converge
from ..errors import InvalidValue
from ..resources.prune import PRUNE, Prune
from . import table


def add(verbs: Any) -> None:
    """Declare ``prune``, which is what Docker calls ``system prune``."""
    verb = verbs.add_parser("prune", help="remove stopped containers, unused networks and image content")
    verb.add_argument("--volumes", action="store_true", help="also volumes without a name that no container uses")
    _options(verb, "containers", "images", "networks")


def add_container(verbs: Any) -> None:
    """Declare ``container prune``."""
    verb = verbs.add_parser("prune", help="remove stopped containers")
    _options(verb, "containers")


def add_image(verbs: Any) -> None:
    """Declare ``image prune``."""
    verb = verbs.add_parser("prune", help="remove image content that nothing uses")
    _options(verb, "images")


def add_network(verbs: Any) -> None:
    """Declare ``network prune``."""
    verb = verbs.add_parser("prune", help="remove networks that no container is on")
    _options(verb, "networks")


def add_volume(verbs: Any) -> None:
    """Declare ``volume prune``."""
    verb = verbs.add_parser("prune", help="remove volumes without a name that no container uses")
    _options(verb, "volumes")


def _options(verb: Any, *kinds: str) -> None:
    verb.add_argument("-f", "--force", action="store_true", help="do not ask")
    if "images" in kinds:
        verb.add_argument("-a", "--all", action="store_true", help="also the names of images that no container uses")
        verb.add_argument("--filter", action="append", default=[], metavar="KEY=VALUE", help="until, label, label!")
    elif kinds == ("volumes",):
        verb.add_argument("-a", "--all", action="store_true", help="also those that have a name")
        verb.add_argument("--filter", action="append", default=[], metavar="KEY=VALUE", help="all, label, label!")
    else:
        verb.add_argument("--filter", action="append", default=[], metavar="KEY=VALUE", help="label, label!")
        verb.set_defaults(all=False)
    verb.add_argument("--dry-run", action="store_true", help="show what would go, and what that frees")
    verb.add_argument("--json", action="store_true", help="for programs")
    verb.set_defaults(verb=prune, kinds=kinds)


def prune(layout: Layout, chosen: argparse.Namespace) -> int:
    """Show what would go, ask, remove it."""
    filters: dict[str, list[str]] = {}
    for each in chosen.filter:
        name, equals, value = each.partition("=")
        if not equals:
            raise InvalidValue("filter", each, "it is not of the form KEY=VALUE")
        # Docker writes label!=x for what its interface calls "label!".
        filters.setdefault(name, []).append(value)
    # Networks keep no time of their making, so none goes where it is asked for.
    kinds = [kind for kind in chosen.kinds if kind != "networks" or "until" not in filters]
    kinds += ["volumes"] if getattr(chosen, "volumes", False) else []
    values: dict[str, Any] = dict.fromkeys(kinds, True)
    values |= {f"{kind}_filters": filters for kind in kinds if kind != "images" or chosen.all}
    if chosen.kinds == ("volumes",):
        values["volumes_filters"] = filters | ({"all": ["true"]} if chosen.all else {})
    elif chosen.all:
        values["images_filters"] = {**filters, "dangling": False}
    elif filters and chosen.kinds == ("images",):
        values["images_filters"] = filters
    want = parse(Prune, values)
    found = converge(PRUNE, layout, want, check=True)
    if not chosen.json:
        _show(found.facts, found.actions)
    if found.actions and not chosen.dry_run:
        if not chosen.force and not _agreed():
            return 1
        found = converge(PRUNE, layout, want, check=False)
    if chosen.json:
        table.show_json(dict(found.facts))
    return 0


def _show(facts: Any, actions: tuple[str, ...]) -> None:
    for line in actions:
        print(line)
    for name in facts["images"]:
        print(f"  {name}")
    freed = sum(facts[f"{kind}_space_reclaimed"] for kind in ("containers", "images", "volumes"))
    print(f"Total reclaimed space: {table.bytes_of(freed)}")


def _agreed() -> bool:
    print("Remove all this? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
