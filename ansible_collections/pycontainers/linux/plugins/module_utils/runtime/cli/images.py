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
from ..image.check import check
from ..image.pull import pull
from ..image.reference import parse_reference
from ..resources.image import IMAGE, Image
from ..resources.image_facts import inspect
from . import archives, prune, table
from .complaint import complain
from .names import reference as named


def add(verbs: Any) -> None:
    """Declare the verbs."""
    listing = verbs.add_parser("images", help="list images")
    listing.add_argument("-q", "--quiet", action="store_true", help="ids only")
    listing.add_argument("--json", action="store_true", help="for programs")
    listing.set_defaults(verb=list_images)
    fetch = verbs.add_parser("pull", help="fetch an image from its registry")
    fetch.add_argument("image", metavar="IMAGE")
    fetch.set_defaults(verb=fetch_image)
    remove = verbs.add_parser("rmi", help="remove images")
    remove.add_argument("images", nargs="+", metavar="IMAGE")
    remove.set_defaults(verb=remove_images)
    group = verbs.add_parser("image", help="look after images").add_subparsers(metavar="VERB", required=True)
    prune.add_image(group)
    checked = group.add_parser("check", help="see whether all images are whole, by their digests")
    checked.add_argument("--json", action="store_true", help="for programs")
    checked.set_defaults(verb=check_store)
    prune.add(verbs)
    archives.add(verbs)


def list_images(layout: Layout, chosen: argparse.Namespace) -> int:
    """List the images of the store, a line per reference."""
    found = content.images(layout)
    if chosen.json:
        table.show_json([inspect(each) for each in found])
    elif chosen.quiet:
        for each in found:
            print(each.id.partition(":")[2][:12])
    else:
        lines = [
            [reference.name, reference.tag or "<none>", each.id.partition(":")[2][:12], table.bytes_of(each.size)]
            for each in found
            for reference in map(parse_reference, each.references)
        ]
        table.show(("REPOSITORY", "TAG", "IMAGE ID", "SIZE"), lines)
    return 0


def fetch_image(layout: Layout, chosen: argparse.Namespace) -> int:
    """Pull an image; what goes on is told on stderr, the reference at the end on stdout."""
    reference = named(chosen.image)
    pull(layout, reference, lambda line: print(line, file=sys.stderr))
    print(reference)
    return 0


def remove_images(layout: Layout, chosen: argparse.Namespace) -> int:
    """Take references away, and what nothing else uses with them."""
    failed = 0
    for said in chosen.images:
        try:
            want = parse(Image, {"name": said, "state": "absent"})
            if not converge(IMAGE, layout, want, check=False).changed:
                raise NotFound(f"remove image {said}", "there is none of this name", "see pycontainers images")
            print(said)
        except (OSError, Failure) as error:
            complain(error)
            failed = 1
    return failed


def check_store(layout: Layout, chosen: argparse.Namespace) -> int:
    """Verify the store; status 1 if anything of it is damaged."""
    found = check(layout)
    if chosen.json:
        table.show_json([each._asdict() for each in found])
    else:
        for each in found:
            print(each)
        print(f"{len(found)} findings" if found else "all images are whole")
    return 1 if any(not each.harmless for each in found) else 0
