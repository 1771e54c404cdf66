# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs that look at images: history, image inspect, mount, unmount."""
from __future__ import annotations

import argparse
import os
from typing import Any

from ..core.layout import Layout
from ..errors import Failure
from ..image import content
from ..image.room import size_of
from ..resources import image_mount
from ..resources.image_info import described
from ..resources.prune_filters import moment
from . import names, table

WIDEST = 45
"""Characters of a command that a line shows."""


def add(verbs: Any) -> None:
    """Declare the verbs."""
    history = verbs.add_parser("history", help="show how an image was built")
    history.add_argument("--no-trunc", action="store_true", help="whole commands and ids")
    history.add_argument("-q", "--quiet", action="store_true", help="ids only")
    history.add_argument("--json", action="store_true", help="for programs")
    history.add_argument("image", metavar="IMAGE")
    history.set_defaults(verb=show_history)
    mount = verbs.add_parser("mount", help="mount an image read-only at a directory, or list what is mounted")
    mount.add_argument("--json", action="store_true", help="for programs")
    mount.add_argument("image", metavar="IMAGE", nargs="?")
    mount.add_argument("path", metavar="DIR", nargs="?")
    mount.set_defaults(verb=mount_image)
    unmount = verbs.add_parser("unmount", aliases=["umount"], help="unmount images from directories")
    unmount.add_argument("paths", metavar="DIR", nargs="+")
    unmount.set_defaults(verb=unmount_images)


def add_inspect(verbs: Any) -> None:
    """Declare ``image inspect``."""
    look = verbs.add_parser("inspect", help="show images as JSON")
    look.add_argument("images", nargs="+", metavar="IMAGE")
    look.set_defaults(verb=show)


def show(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print Docker's document of each image, with what only the store knows."""
    table.show_json([described(layout, names.image(layout, each)) for each in chosen.images])
    return 0


def show_history(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print the steps of an image, the last first. A step that made no layer has no size."""
    image = names.image(layout, chosen.image)
    sizes = [size_of([layout.layer(each)]) for each in image.diff_ids]
    lines = []
    for step in reversed(described(layout, image)["History"]):
        lines.append(_step(step, sizes.pop() if sizes and not step.get("empty_layer") else 0))
    # An image says of its layers what it likes: those that it does not tell of are shown too.
    lines += [_step({}, size) for size in reversed(sizes)]
    if lines:
        lines[0]["Id"] = image.id
    if chosen.json:
        table.show_json(lines)
        return 0
    if chosen.quiet:
        print("\n".join(_short(each["Id"], chosen.no_trunc) for each in lines))
        return 0
    cells = [
        [
            _short(each["Id"], chosen.no_trunc),
            f"{table.since(made)} ago" if (made := moment(each["Created"])) else "N/A",
            _cut(each["CreatedBy"], chosen.no_trunc),
            table.bytes_of(each["Size"]),
            each["Comment"],
        ]
        for each in lines
    ]
    table.show(("IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"), cells)
    return 0


def _step(said: dict[str, Any], size: int) -> dict[str, Any]:
    return {
        "Id": "<missing>",
        "Created": str(said.get("created") or ""),
        "CreatedBy": str(said.get("created_by") or ""),
        "Size": size,
        "Comment": str(said.get("comment") or ""),
    }


def _short(identity: str, whole: bool) -> str:
    return identity if whole else identity.removeprefix("sha256:")[:12]


def _cut(text: str, whole: bool) -> str:
    line = " ".join(text.split())
    return line if whole or len(line) <= WIDEST else line[: WIDEST - 1] + "…"


def mount_image(layout: Layout, chosen: argparse.Namespace) -> int:
    """Mount an image, or without arguments list those that are mounted."""
    if chosen.image and chosen.path:
        image_mount.mount(layout, names.image(layout, chosen.image), os.path.abspath(chosen.path))
        print(chosen.path)
        return 0
    if chosen.image:
        raise Failure(f"mount image {chosen.image}", "there is no directory given", "name one that is there")
    known = {tuple(reversed(each.diff_ids)): each for each in content.images(layout)}
    found = [(path, known.get(layers)) for path, layers in image_mount.image_mounts(layout)]
    if chosen.json:
        table.show_json([{"Path": path, "Image": image.id if image else None} for path, image in found])
        return 0
    cells = [[image.references[0] if image else "<none>", path] for path, image in found]
    table.show(("IMAGE", "DIRECTORY"), cells)
    return 0


def unmount_images(layout: Layout, chosen: argparse.Namespace) -> int:
    """Unmount images."""
    for path in chosen.paths:
        image_mount.unmount(layout, path)
        print(path)
    return 0
