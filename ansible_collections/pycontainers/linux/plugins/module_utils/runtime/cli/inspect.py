# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs that look at a container: inspect, logs."""
from __future__ import annotations

import argparse
import shutil
import sys
import time
from typing import Any, BinaryIO

from ..core.layout import Layout
from ..errors import Failure, NotFound
from ..oci import lifecycle
from ..resources import container_observed, container_state
from ..resources.container_facts import inspect
from ..resources.container_logs import last_lines
from ..resources.image_info import described
from . import names, table

INTERVAL = 0.2
"""Seconds between two looks at a log that is followed."""


def add(verbs: Any) -> None:
    """Declare the verbs."""
    look = verbs.add_parser("inspect", help="show containers or images as JSON")
    look.add_argument("containers", nargs="+", metavar="CONTAINER")
    look.set_defaults(verb=show)
    logs = verbs.add_parser("logs", help="show what a container has written to stdout and stderr")
    logs.add_argument("-f", "--follow", action="store_true", help="go on as it writes, until it ends")
    logs.add_argument("-n", "--tail", default="all", metavar="LINES", help="only the last lines")
    logs.add_argument("container", metavar="CONTAINER")
    logs.set_defaults(verb=show_log)


def show(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print Docker's document of each container or image."""
    table.show_json([_document(layout, each) for each in chosen.containers])
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


def show_log(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print a container's log."""
    if chosen.tail != "all" and not chosen.tail.isdecimal():
        raise Failure(f"show the last {chosen.tail} lines", "it is neither a number nor all")
    identity = container_state.find(layout, chosen.container).id or ""
    try:
        file = open(lifecycle.log(layout, identity), "rb")  # noqa: SIM115 - closed by the with below
    except FileNotFoundError:
        return 0
    with file:
        if chosen.tail != "all":
            file.seek(last_lines(file, int(chosen.tail)))
        # Asked before the copy: what is written between the two is copied still.
        going_on = chosen.follow
        while going_on:
            going_on = _started(layout, identity)
            _copy(file)
            time.sleep(INTERVAL if going_on else 0)
        _copy(file)
    return 0


def _started(layout: Layout, identity: str) -> bool:
    container = container_state.load(layout, identity)
    return container is not None and container_observed.observed(layout, container).state == "started"


def _copy(file: BinaryIO) -> None:
    shutil.copyfileobj(file, sys.stdout.buffer)
    sys.stdout.buffer.flush()
