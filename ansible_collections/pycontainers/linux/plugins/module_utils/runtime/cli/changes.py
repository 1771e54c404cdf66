# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs about what a container has written: diff, commit."""
from __future__ import annotations

import argparse
from contextlib import nullcontext
from typing import Any

from ..core.layout import Layout
from ..core.model import parse
from ..core.plan import converge
from ..errors import Failure
from ..image import content
from ..resources import container_state
from ..resources.container_commit import CONTAINER_COMMIT, ContainerCommit
from . import table


def add(verbs: Any) -> None:
    """Declare the verbs."""
    diff = verbs.add_parser("diff", help="show what a container has added (A), changed (C) and deleted (D)")
    diff.add_argument("--json", action="store_true", help="for programs")
    diff.add_argument("container", metavar="CONTAINER")
    diff.set_defaults(verb=show_differences)
    commit = verbs.add_parser("commit", help="make an image of what a container has written")
    commit.add_argument("-a", "--author", default="", help="who made it")
    commit.add_argument("-c", "--change", action="append", default=[], metavar="INSTRUCTION", help="of a Dockerfile")
    commit.add_argument("-m", "--message", default="", help="what the image's history says")
    commit.add_argument("-p", "--pause", action=argparse.BooleanOptionalAction, default=True, help="hold it still")
    commit.add_argument("container", metavar="CONTAINER")
    commit.add_argument("image", metavar="IMAGE")
    commit.set_defaults(verb=commit_container)


def show_differences(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print a line for each file that differs from the image."""
    from ..image.differences import differences
    from ..resources import storage_opts
    from ..resources.container_rootfs import written

    container = container_state.find(layout, chosen.container)
    image = content.find_id(layout, container.image_id or "") if container.image_id else None
    if image is None:
        reason = f"its image {container.image_id} is not in the store"
        raise Failure(f"compare container {container.name}", reason, "pull or load the image again")
    # Where that has to be mounted for the look, nobody else may do so, or start the container, meanwhile.
    alone = storage_opts.has_image(layout, container.id or "")
    with container_state.lock(layout, container.name) if alone else nullcontext(), written(layout, container) as upper:
        found = list(differences(upper, image.layers))
    if chosen.json:
        table.show_json([{"Kind": kind, "Path": path} for kind, path in found])
        return 0
    for kind, path in found:
        print(kind, table.plain(path))
    return 0


def commit_container(layout: Layout, chosen: argparse.Namespace) -> int:
    """Make the image, and print its id."""
    container = container_state.find(layout, chosen.container)
    values = {
        "container": container.name,
        "image": chosen.image,
        "changes": chosen.change,
        "author": chosen.author,
        "comment": chosen.message,
        "pause": chosen.pause,
    }
    facts = converge(CONTAINER_COMMIT, layout, parse(ContainerCommit, values), check=False).facts
    print(facts["image"]["Id"])
    return 0
