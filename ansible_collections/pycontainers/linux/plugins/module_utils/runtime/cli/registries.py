# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs about registries: push."""
from __future__ import annotations

import argparse
import sys
from typing import Any

from ..core.layout import Layout
from ..core.model import parse
from ..core.plan import converge
from ..resources.image_push import ImagePush, ImagePushResource
from . import table


def add(verbs: Any) -> None:
    """Declare the verbs."""
    push = verbs.add_parser("push", help="bring an image of the store to a registry")
    push.add_argument("image", metavar="IMAGE")
    push.add_argument("destination", nargs="?", metavar="DESTINATION", help="its name there, if that is another one")
    push.add_argument("--json", action="store_true", help="for programs")
    push.set_defaults(verb=push_image)


def push_image(layout: Layout, chosen: argparse.Namespace) -> int:
    """Push an image; what goes on is told on stderr, name and digest at the end on stdout."""
    want = parse(ImagePush, {"name": chosen.image, "destination": chosen.destination})
    resource = ImagePushResource(lambda line: print(line, file=sys.stderr))
    outcome = converge(resource, layout, want, check=False)
    pushed = outcome.facts["image_push"]
    if chosen.json:
        table.show_json({**pushed, "changed": outcome.changed})
    else:
        print(f"{pushed['destination']} {pushed['digest']}")
    return 0
