# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs that make images and give them names: tag, import."""
from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from ..core.layout import Layout
from ..core.model import parse
from ..core.plan import converge
from ..errors import Failure, InvalidValue
from ..image import content, garbage
from ..image.instructions import applied
from ..image.reference import Reference
from ..resources.image import IMAGE, Image
from . import names


def add(verbs: Any) -> None:
    """Declare the verbs."""
    tag = verbs.add_parser("tag", help="give an image another name")
    tag.add_argument("source", metavar="SOURCE_IMAGE")
    tag.add_argument("target", metavar="TARGET_IMAGE")
    tag.set_defaults(verb=tag_image)
    made = verbs.add_parser("import", help="make an image of a root filesystem: a tar, a directory, or - for stdin")
    made.add_argument("-c", "--change", action="append", default=[], metavar="INSTRUCTION", help="of a Dockerfile")
    made.add_argument("-m", "--message", default="", help="what the image's history says")
    made.add_argument("source", metavar="FILE|DIR|-")
    made.add_argument("image", metavar="IMAGE")
    made.set_defaults(verb=import_image)


def tag_image(layout: Layout, chosen: argparse.Namespace) -> int:
    """Let a name stand for an image, whatever it stood for."""
    target = names.reference(chosen.target)
    with content.lock(layout):
        content.set_entry(layout, target, names.image(layout, chosen.source).entry)
        garbage.prune(layout)
    return 0


def configured(said: Sequence[str]) -> dict[str, Any]:
    """The configuration that instructions make. Raises :class:`InvalidValue`."""
    try:
        return applied({}, said)
    except ValueError as error:
        raise InvalidValue("change", list(said), str(error)) from error


def import_image(layout: Layout, chosen: argparse.Namespace) -> int:
    """Make an image, and print its id."""
    name = names.reference(chosen.image)
    config = configured(chosen.change)
    path = os.path.abspath(chosen.source)
    if os.path.isdir(path):
        values = {"name": str(name), "source": "tree", "path": path, "changes": chosen.change}
        print(converge(IMAGE, layout, parse(Image, values), check=False).facts["image"]["Id"])
        return 0
    if chosen.source != "-":
        print(_made(layout, path, config, name, chosen.message))
        return 0
    if os.isatty(0):
        raise Failure("import an image from stdin", "it is a terminal", "lead a file to it")
    with tempfile.NamedTemporaryFile() as spooled:
        shutil.copyfileobj(sys.stdin.buffer, spooled)
        spooled.flush()
        print(_made(layout, spooled.name, config, name, chosen.message))
    return 0


def _made(layout: Layout, path: str, config: dict[str, Any], name: Reference, message: str) -> str:
    from ..image.build import import_archive

    made = import_archive(layout, path, config, (name,), message).id
    with content.lock(layout):
        garbage.prune(layout)
    return made
