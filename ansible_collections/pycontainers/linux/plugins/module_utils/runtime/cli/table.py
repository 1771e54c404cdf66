# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listings: columns for people, JSON for programs."""
from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any


def show(header: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Print lines in columns as wide as their widest cell, as Docker lists things."""
    for line in columns(header, lines):
        print(line)


def columns(header: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """The lines that :func:`show` prints."""
    cells = [list(header), *(list(map(plain, line)) for line in lines)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(header))]
    return ["   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def plain(text: str) -> str:
    """A text of an image's or a container's that a terminal only shows: nothing in it is an order to one."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2))


def ago(seconds: float) -> str:
    """A duration in the one unit that tells it best."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} seconds"


def since(moment: float) -> str:
    """How long ago a moment (seconds since the epoch) was."""
    return ago(max(0.0, time.time() - moment))


def bytes_of(count: float) -> str:
    """A number of bytes, in powers of 1000 as Docker shows sizes."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.4g}{unit}"
        count /= 1000
    return f"{count:.4g}GB"


def memory_of(count: float) -> str:
    """A number of bytes, in powers of 1024 as Docker shows memory."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.4g}{unit}"
        count /= 1024
    return f"{count:.4g}TiB"
