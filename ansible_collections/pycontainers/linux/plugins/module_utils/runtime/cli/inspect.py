# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb inspect: all there is to know of containers and images."""
from __future__ import annotations

import argparse
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, NotFound
from ..resources import container_observed, container_state
from ..resources.container_facts import inspect
from ..resources.image_info import described
from . import names, table, template


def add(verbs: Any) -> None:
    """Declare the verb."""
    look = verbs.add_parser("inspect", help="show containers or images as JSON")
    words = "a template such as '{{.State.Status}}' or '{{json .Mounts}}' in place of all of it, a line for each"
    look.add_argument("-f", "--format", default="", metavar="TEMPLATE", help=words)
    look.add_argument("containers", nargs="+", metavar="CONTAINER")
    look.set_defaults(verb=show)


def show(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print Docker's document of each container or image, or what a template picks of it."""
    text = template.parsed(chosen.format) if chosen.format else None
    found = [_document(layout, each) for each in chosen.containers]
    if text is None:
        table.show_json(found)
        return 0
    for each in found:
        print(text(each))
    return 0


def _document(layout: Layout, name: str) -> dict[str, Any]:
    """The document of a container, or else of an image."""
    try:
        container = container_state.find(layout, name)
    except NotFound:
        try:
            return described(layout, names.image(layout, name))
        except Failure:
            pass
        raise
    return inspect(layout, container_observed.observed(layout, container))
