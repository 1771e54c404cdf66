# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemonless OCI container runtime: the standard library, and pyroute2 where the network must change.

Inside a task this package comes out of Ansible's archive, where each file has to be compiled anew: that alone
would double what a task costs. A host that has the very same files installed has them compiled, so they are taken
from there. The same means all files of the archive, by the sizes and checksums (CRC-32) that are in its directory.
"""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MANIFEST = "/var/lib/pycontainers/runtime/current/manifest.json"
"""Sizes and checksums of the files of the runtime that this host has installed; it lies beside their folder."""


def _installed(loader: Any, package: str) -> str | None:
    """The folder of the installed package, if it holds all that the archive behind ``loader`` holds of it."""
    import json
    import os
    import zipimport

    try:
        with open(MANIFEST, encoding="utf-8") as file:
            kept = json.load(file)
        # What the interpreter has read to import from the archive: to open it once more takes as long as all else here.
        for name, entry in zipimport._zip_directory_cache[loader.archive].items():  # type: ignore[attr-defined]
            if not name.startswith(package) or name.endswith("/"):
                continue
            if kept[name[len(package) :]] != [entry[3], entry[7]]:
                return None
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return None
    return os.path.join(os.path.realpath(os.path.dirname(MANIFEST)), "runtime")


_loader = globals()["__loader__"]
if hasattr(_loader, "archive"):
    _folder = _installed(_loader, __name__.replace(".", "/") + "/")
    if _folder:
        __path__ = [_folder]
        from .lean.bundle import Bundle, tasks

        Bundle(tasks(_folder)).use()
