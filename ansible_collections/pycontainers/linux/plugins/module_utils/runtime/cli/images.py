# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs about images: images, pull, rmi."""
from __future__ import annotations

import argparse
import sys
from typing import Any

from ..core.layout import Layout
from ..core.model import parse
from ..core.plan import converge
from ..errors import Failure, NotFound
from ..image import content
from ..image.content import StoredImage
from ..image.pull import pull
from ..image.reference import Reference, parse_reference
from ..resources.image import IMAGE, Image
from ..resources.image_facts import inspect
from ..resources.prune_filters import moment
from . import table
from .complaint import to_each
from .names import image as image_of
from .names import reference as named


def add(verbs: Any) -> None:
    """Declare the verbs."""
    add_store(verbs, "images", "rmi")


def add_store(verbs: Any, listed: str, removed: str) -> None:
    """Declare them, with the names that listing and removing have there."""
    listing = verbs.add_parser(listed, help="list images")
    listing.add_argument("-a", "--all", action="store_true", help="as without: there are no images in between")
    listing.add_argument("-q", "--quiet", action="store_true", help="ids only")
    listing.add_argument("--no-trunc", action="store_true", help="whole ids")
    listing.add_argument("--digests", action="store_true", help="what registries call them, too")
    listing.add_argument("repository", nargs="?", metavar="REPOSITORY[:TAG]", help="only these")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(verb=list_images)
    fetch = verbs.add_parser("pull", help="fetch an image from its registry")
    fetch.add_argument("image", metavar="IMAGE")
    fetch.set_defaults(verb=fetch_image)
    remove = verbs.add_parser(removed, help="remove images")
    remove.add_argument("-f", "--force", action="store_true", help="all names of an image that is given by its id")
    remove.add_argument("images", nargs="+", metavar="IMAGE")
    remove.set_defaults(verb=remove_images)


def list_images(layout: Layout, chosen: argparse.Namespace) -> int:
    """List the images of the store, a line per reference."""
    found = content.images(layout)
    wanted = _wanted(chosen.repository) if chosen.repository else None
    lines = [
        (parse_reference(name), each)
        for each in found
        for name in each.references
        if wanted is None or wanted in (name, parse_reference(name).name)
    ]
    shown = list({each.id: each for _, each in lines}.values())
    if chosen.json:
        table.show_json([inspect(each) for each in shown])
    elif chosen.quiet:
        for each in shown:
            print(_identity(each, chosen.no_trunc))
    else:
        header = ["REPOSITORY", "TAG", *(["DIGEST"] if chosen.digests else []), "IMAGE ID", "CREATED", "SIZE"]
        table.show(header, [_line(reference, each, chosen) for reference, each in lines])
    return 0


def _wanted(said: str) -> str:
    """What is to be listed: one reference if a tag or digest is said, else all of a repository."""
    reference = named(said)
    return str(reference) if "@" in said or ":" in said.rpartition("/")[2] else reference.name


def _identity(image: StoredImage, whole: bool) -> str:
    return image.id if whole else image.id.partition(":")[2][:12]


def _line(reference: Reference, image: StoredImage, chosen: argparse.Namespace) -> list[str]:
    digest = [each.partition("@")[2] for each in image.digests if each.startswith(f"{reference.name}@")][:1]
    made = moment(image.created)
    return [
        reference.name,
        reference.tag or "<none>",
        *(digest or ["<none>"] if chosen.digests else []),
        _identity(image, chosen.no_trunc),
        "N/A" if made is None else f"{table.since(made)} ago",
        table.bytes_of(image.size),
    ]


def fetch_image(layout: Layout, chosen: argparse.Namespace) -> int:
    """Pull an image; what goes on is told on stderr, the reference at the end on stdout."""
    reference = named(chosen.image)
    from .progress import Lines

    pull(layout, reference, Lines(sys.stderr))
    print(reference)
    return 0


def remove_images(layout: Layout, chosen: argparse.Namespace) -> int:
    """Take references away, and what nothing else uses with them."""

    def remove(said: str) -> None:
        name = _one_name(layout, said, chosen.force)
        want = parse(Image, {"name": name, "state": "absent", "force": chosen.force})
        if not converge(IMAGE, layout, want, check=False).changed:
            raise NotFound(f"remove image {said}", "there is none of this name", "see pycontainers images")

    return to_each(chosen.images, remove)


def _one_name(layout: Layout, said: str, force: bool) -> str:
    """The name to remove: what is said, or the name of the image with that id; of several only if forced."""
    try:
        if content.find(layout, parse_reference(said)):
            return said
    except ValueError:
        pass  # an id, or nothing
    try:
        found = image_of(layout, said)
    except NotFound:
        return said
    if len(found.references) > 1 and not force:
        raise Failure(f"remove image {said}", "it has several names", "name one, or use rmi -f for all")
    return found.references[0]
