# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs for images in files: load, save."""
from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from typing import Any

from ..core.layout import Layout
from ..core.model import parse
from ..core.plan import converge
from ..errors import Failure
from ..image import content
from ..resources.image_export import FORMATS, IMAGE_EXPORT, ImageExport, chosen, named
from ..resources.image_load import IMAGE_LOAD, ImageLoad
from . import table
from .names import reference

STDIN = "/dev/stdin"


def add(verbs: Any) -> None:
    """Declare the verbs."""
    load = verbs.add_parser("load", help="bring the images of an archive into the store")
    load.add_argument("-i", "--input", default=STDIN, metavar="PATH", help="an OCI layout or docker archive, not stdin")
    load.add_argument("--name", metavar="IMAGE", help="the image's name, where the archive has none or another")
    load.add_argument("-q", "--quiet", action="store_true", help="print nothing")
    load.add_argument("--json", action="store_true", help="for programs")
    load.set_defaults(verb=load_images)
    save = verbs.add_parser("save", help="write images to an archive")
    save.add_argument("-o", "--output", metavar="PATH", help="where to, not stdout")
    save.add_argument("--format", choices=FORMATS, default="oci-archive", help="the archive's form")
    save.add_argument("images", nargs="+", metavar="IMAGE")
    save.set_defaults(verb=save_images)


def load_images(layout: Layout, chosen: argparse.Namespace) -> int:
    """Load the images that are not there yet, and name all."""
    with tempfile.NamedTemporaryFile() as spooled:
        path = os.path.abspath(chosen.input)
        if chosen.input == STDIN:
            if os.isatty(0):
                raise Failure("load images from stdin", "it is a terminal", "use -i, or lead a file to it")
            shutil.copyfileobj(sys.stdin.buffer, spooled)
            spooled.flush()
            path = spooled.name
        want = parse(ImageLoad, {"path": path, "name": chosen.name})
        facts = converge(IMAGE_LOAD, layout, want, check=False).facts
    if chosen.json:
        table.show_json(dict(facts))
    elif not chosen.quiet:
        for name in facts["image_names"]:
            print(f"Loaded image: {name}")
    return 0


def save_images(layout: Layout, given: argparse.Namespace) -> int:
    """Write the images to a file, or as tar to stdout."""
    if given.output:
        values = {"path": os.path.abspath(given.output), "names": given.images, "format": given.format, "force": True}
        converge(IMAGE_EXPORT, layout, parse(ImageExport, values), check=False)
        return 0
    from ..image import export

    if given.format == "oci-dir" or os.isatty(1):
        reason = "it is a terminal" if os.isatty(1) else "a directory has no stream"
        raise Failure("save images to stdout", reason, "use -o, or lead it to a file")
    references = [reference(each) for each in given.images]
    with content.lock(layout):
        stored = tuple((each, named(layout, each)) for each in references)
        export.pack(layout, chosen(stored), given.format, sys.stdout.buffer)
    return 0
