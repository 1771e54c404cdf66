# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb cp: files between the host and a container."""
from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack
from typing import Any

from ..core.layout import Layout
from ..errors import Failure
from ..resources.container_copy import Copy, Place
from ..resources.container_root import root_of


def add(verbs: Any) -> None:
    """Declare the verb."""
    copy = verbs.add_parser("cp", help="copy files between the host and a container")
    copy.add_argument("-a", "--archive", action="store_true", help="keep owners and set-user-ID bits")
    copy.add_argument("-L", "--follow-link", action="store_true", help="what the source's link leads to, not the link")
    copy.add_argument("source", metavar="[CONTAINER:]SOURCE")
    copy.add_argument("target", metavar="[CONTAINER:]TARGET")
    copy.set_defaults(verb=copy_files)


def copy_files(layout: Layout, chosen: argparse.Namespace) -> int:
    """Copy; what can't be is told on stderr."""
    said = [_split(each) for each in (chosen.source, chosen.target)]
    if len([name for name, _ in said if name]) != 1:
        reason = "one of them is in a container, and only one"
        raise Failure(f"copy {chosen.source} to {chosen.target}", reason, "write CONTAINER:PATH for that")
    with ExitStack() as stack:
        places = []
        for name, path in said:
            if name:
                container, root = stack.enter_context(root_of(layout, name))
                places.append(Place(path, root, container.name))
            else:
                places.append(Place(path))
        copy = Copy(places[0], places[1], archive=chosen.archive, follow=chosen.follow_link)
        copy.run()
    for path in copy.skipped:
        print(f"pycontainers: left out {path}: it is a device, a socket, a pipe or the kernel's", file=sys.stderr)
    return 0


def _split(said: str) -> tuple[str, str]:
    """The container and the path; as with Docker a path of the host with a colon starts with a slash or a dot."""
    name, colon, path = said.partition(":")
    if not colon or said.startswith(("/", ".")):
        return "", said
    return name, path if path.startswith("/") else f"/{path}"
