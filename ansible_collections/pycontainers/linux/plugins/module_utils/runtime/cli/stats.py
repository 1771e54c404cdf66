# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb stats: what containers use, again and again."""
from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

from ..core.layout import Layout
from ..resources import container_state
from ..resources.container_usage import Watch
from . import table

INTERVAL = 1.0
"""Seconds between two looks."""

FIRST = 0.5
"""Seconds between the first two looks: before the second nothing can be said of the processors."""

HEADER = ("CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS")

_HOME, _CLEAR, _REST_OF_LINE, _BELOW = "\x1b[H", "\x1b[H\x1b[2J", "\x1b[K", "\x1b[J"
"""What a terminal is told, as console_codes(4) has it."""


def add(verbs: Any) -> None:
    """Declare the verb."""
    stats = verbs.add_parser("stats", help="show what containers use, until Ctrl-C")
    stats.add_argument("-a", "--all", action="store_true", help="also those that do not run")
    stats.add_argument("--no-stream", action="store_true", help="once, over half a second")
    stats.add_argument("--no-trunc", action="store_true", help="whole ids")
    stats.add_argument("--json", action="store_true", help="for programs: a line for each container")
    stats.add_argument("containers", nargs="*", metavar="CONTAINER", help="all that run, if none is named")
    stats.set_defaults(verb=show)


def show(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print what each uses: once, or each second until Ctrl-C, or until those that are named have been removed."""
    asked = [container_state.find(layout, each).id or "" for each in chosen.containers]
    watch = Watch(layout, list(dict.fromkeys(asked)) or None, chosen.all)
    if watch.look():
        time.sleep(FIRST)
    for line in watch.unreadable.values():
        print(f"pycontainers: {line}", file=sys.stderr)
    if chosen.no_stream:
        _print(watch.look(), chosen)
        return 1 if watch.unreadable else 0
    screen = _Screen() if sys.stdout.isatty() and not chosen.json else None
    while True:
        begun = time.monotonic()
        found = watch.look()
        if asked and not found:
            return 0
        if screen:
            screen.draw(lines(found, chosen.no_trunc))
        else:
            _print(found, chosen)
        time.sleep(max(0.0, begun + INTERVAL - time.monotonic()))


def _print(found: Sequence[dict[str, Any]], chosen: argparse.Namespace) -> None:
    said = map(json.dumps, found) if chosen.json else lines(found, chosen.no_trunc)
    sys.stdout.write("".join(f"{line}\n" for line in said))
    sys.stdout.flush()


class _Screen:
    """A terminal that is drawn over, so that nothing flickers and nothing scrolls."""

    def __init__(self) -> None:
        self._begin = _CLEAR

    def draw(self, content: Sequence[str]) -> None:
        size = os.get_terminal_size(sys.stdout.fileno())
        sys.stdout.write(self._begin + frame(content, size.columns, size.lines))
        sys.stdout.flush()
        self._begin = _HOME


def frame(content: Sequence[str], width: int, height: int) -> str:
    """Lines as they are drawn on a terminal of this size, which has to have a line for the cursor."""
    room = max(1, height - 1)
    if len(content) > room:
        content = [*content[: room - 1], f"… and {len(content) - room + 1} more"]
    return "".join(f"{line[:width]}{_REST_OF_LINE}\n" for line in content) + _BELOW


def lines(found: Sequence[dict[str, Any]], whole: bool) -> list[str]:
    """The table of what containers use, in Docker's columns."""
    return table.columns(HEADER, [_cells(each, whole) for each in found])


def _cells(found: dict[str, Any], whole: bool) -> list[str]:
    named = [found["id"] if whole else found["id"][:12], found["name"]]
    if not found["running"]:
        return [*named, "--", "-- / --", "--", "--", "--", "--"]
    networks = found["networks"].values()
    return [
        *named,
        _percent(found["cpu_percent"]),
        f"{table.memory_of(found['memory_usage'])} / {table.memory_of(found['memory_limit'])}",
        _percent(found["memory_percent"]),
        _both(sum(each["rx_bytes"] for each in networks), sum(each["tx_bytes"] for each in networks)),
        _both(found["block_read_bytes"], found["block_write_bytes"]),
        str(found["pids_current"]),
    ]


def _percent(value: float | None) -> str:
    return "--" if value is None else f"{value:.2f}%"


def _both(inward: int, outward: int) -> str:
    return f"{table.bytes_of(inward)} / {table.bytes_of(outward)}"
