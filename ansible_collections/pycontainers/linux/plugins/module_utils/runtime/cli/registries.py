# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs about registries: push, search, tags."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from ..core.layout import Layout
from ..core.model import parse
from ..core.plan import converge
from ..errors import Failure
from ..image import content
from ..image.reference import Reference, parse_reference
from ..resources.image_push import ImagePush, ImagePushResource
from ..resources.image_search import IMAGE_SEARCH, ImageSearch
from . import names, table

WIDTH = 45
"""Characters of a description in a listing, as Docker cuts them."""


def add(verbs: Any) -> None:
    """Declare the verbs."""
    push = verbs.add_parser("push", help="bring an image of the store to a registry")
    push.add_argument("image", metavar="IMAGE")
    push.add_argument("destination", nargs="?", metavar="DESTINATION", help="its name there, if that is another one")
    push.set_defaults(verb=push_image)
    search = verbs.add_parser("search", help="find repositories of a registry")
    search.add_argument("query", metavar="TERM")
    search.add_argument("--registry", metavar="HOST", help="where to look (default docker.io)")
    search.add_argument("--no-trunc", action="store_true", help="whole descriptions")
    search.set_defaults(verb=list_repositories)
    tags = verbs.add_parser("tags", help="list the tags of a repository")
    tags.add_argument("repository", metavar="REPOSITORY")
    tags.set_defaults(verb=list_tags)
    for listing in (search, tags):
        listing.add_argument("--limit", metavar="COUNT", help="how many at most (default 25)")
    for verb in (push, search, tags):
        verb.add_argument("--json", action="store_true", help="for programs")


def push_image(layout: Layout, chosen: argparse.Namespace) -> int:
    """Push an image; what goes on is told on stderr, name and digest at the end on stdout."""
    name = _named(layout, chosen.image, chosen.destination)
    want = parse(ImagePush, {"name": name, "destination": chosen.destination})
    resource = ImagePushResource(lambda line: print(line, file=sys.stderr))
    outcome = converge(resource, layout, want, check=False)
    pushed = outcome.facts["image_push"]
    if chosen.json:
        table.show_json({**pushed, "changed": outcome.changed})
    else:
        print(f"{pushed['destination']} {pushed['digest']}")
    return 0


def _named(layout: Layout, said: str, destination: str | None) -> Reference:
    """A reference of the store, or a name of the image that an id begins with; that needs a name to be pushed to."""
    try:
        name = parse_reference(said)
    except ValueError:
        name = None
    if name and any(content.entry_name(each) == str(name) for each in content.entries(layout)):
        return name
    image = names.image(layout, said)
    if destination is None:
        raise Failure(f"push image {said}", "an id is no name at a registry", "give the name there as DESTINATION")
    return names.reference(image.references[0])


def list_repositories(layout: Layout, chosen: argparse.Namespace) -> int:
    """List repositories that a word leads to, a line each."""
    found = _answer(layout, {"query": chosen.query, "registry": chosen.registry, "limit": chosen.limit})
    if chosen.json:
        table.show_json(found["repositories"])
        return 0
    lines = [
        [
            each["name"],
            each["description"] if chosen.no_trunc else _cut(each["description"]),
            str(each["star_count"]),
            "[OK]" if each["is_official"] else "",
        ]
        for each in found["repositories"]
    ]
    table.show(("NAME", "DESCRIPTION", "STARS", "OFFICIAL"), lines)
    return 0


def list_tags(layout: Layout, chosen: argparse.Namespace) -> int:
    """List the tags of a repository, a line each."""
    found = _answer(layout, {"repository": chosen.repository, "limit": chosen.limit})
    if chosen.json:
        table.show_json(found["tags"])
    else:
        for each in found["tags"]:
            print(each)
    return 0


def _answer(layout: Layout, question: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a registry says; that it is not all is told on stderr."""
    found = converge(IMAGE_SEARCH, layout, parse(ImageSearch, question), check=False).facts
    if found["truncated"]:
        print("pycontainers: there are more; give a higher --limit for them", file=sys.stderr)
    return found


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
