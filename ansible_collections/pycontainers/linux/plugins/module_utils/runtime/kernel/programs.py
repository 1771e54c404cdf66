# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the host has programs, whoever calls: a service's PATH is shorter than a person's."""
from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for, besides PATH."""


def paths(name: str, *more: str) -> Iterator[str]:
    """The paths of all programs of a name, also in ``more`` folders; the first is the one that a shell would take."""
    places = dict.fromkeys((*os.environ.get("PATH", "").split(":"), *FOLDERS.split(":"), *more))
    for path in (f"{folder}/{name}" for folder in places if folder):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            yield path


def find(name: str, *more: str) -> str | None:
    """The path of a program."""
    return next(paths(name, *more), None)
