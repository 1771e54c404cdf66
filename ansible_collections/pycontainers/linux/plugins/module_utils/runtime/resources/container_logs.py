# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers have written."""
from __future__ import annotations

import os
from typing import BinaryIO

from ..core.layout import Layout
from ..oci import lifecycle

PIECE = 8192

MOST_TOLD = 1 << 20
"""Bytes that a task is told of a log: how long a line is, is up to the container."""


def tail(layout: Layout, identity: str, count: int) -> str:
    """The last lines of a container's log; of longer ones than a task can use, the end."""
    try:
        file = open(lifecycle.log(layout, identity), "rb")  # noqa: SIM115 - closed by the with below
    except FileNotFoundError:
        return ""
    with file:
        file.seek(last_lines(file, count, MOST_TOLD))
        return file.read(MOST_TOLD).decode(errors="replace")


def last_lines(file: BinaryIO, count: int, most: int | None = None) -> int:
    """Where the last ``count`` lines of a file begin, read from its end; no further back than ``most`` bytes."""
    end = position = file.seek(0, os.SEEK_END)
    if not count:
        return end
    first = 0 if most is None else max(0, end - most)
    newlines = -1  # The one that ends the last line begins none.
    while position > first:
        start = max(first, position - PIECE)
        file.seek(start)
        piece = file.read(position - start)
        if position == end and not piece.endswith(b"\n"):
            newlines += 1
        for offset in range(len(piece) - 1, -1, -1):
            newlines += piece[offset : offset + 1] == b"\n"
            if newlines == count:
                return start + offset + 1
        position = start
    return first
