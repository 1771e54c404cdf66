# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What containers have written."""
from __future__ import annotations

from ..core.layout import Layout
from ..oci import lifecycle, log_files
from .container_model import Container

MOST_TOLD = 1 << 20
"""Bytes that a task is told of a log: how long a line is, is up to the container."""


def check(container: Container) -> None:
    """Refuse to show a log that is not kept here. Raises :class:`Failure`."""


def tail(layout: Layout, identity: str, count: int) -> str:
    """The last lines of a container's log; of longer ones than a task can use, the end."""
    return log_files.tail(lifecycle.log_folder(layout, identity), count, MOST_TOLD).decode(errors="replace")
