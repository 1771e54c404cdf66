# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb image: all verbs about images below one, as Docker has them, and image check."""
from __future__ import annotations

import argparse
from typing import Any

from ..core.layout import Layout
from ..image.check import check
from . import archives, image_look, image_make, images, prune, registries, table


def add(verbs: Any) -> None:
    """Declare it."""
    group = verbs.add_parser("image", help="all verbs about images").add_subparsers(metavar="VERB", required=True)
    images.add_store(group, "ls", "rm")
    for subject in (archives, image_look, image_make, registries):
        subject.add(group)
    prune.add_image(group)
    image_look.add_inspect(group)
    checked = group.add_parser("check", help="see whether all images are whole, by their digests")
    checked.add_argument("--layers", action="store_true", help="also unpack each layer once more and compare it")
    checked.add_argument("--json", action="store_true", help="for programs")
    checked.set_defaults(verb=check_store)


def check_store(layout: Layout, chosen: argparse.Namespace) -> int:
    """Verify the store; status 1 if anything of it is damaged."""
    found = check(layout)
    # Of images that are damaged there may be no layers to be found: those findings come first.
    if chosen.layers and all(each.harmless for each in found):
        from ..image.check_layers import check_layers

        found += check_layers(layout)
    if chosen.json:
        table.show_json([each._asdict() for each in found])
    else:
        for each in found:
            print(each)
        print(f"{len(found)} findings" if found else "all images are whole")
    return 1 if any(not each.harmless for each in found) else 0
