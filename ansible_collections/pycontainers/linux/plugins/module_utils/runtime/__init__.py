# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A daemonless OCI container runtime: the standard library, and pyroute2 where the network must change.

Inside a task this package comes out of Ansible's archive, where each file has to be compiled anew: that alone
would double what a task costs. A host that has the very same files installed has them compiled, so they are taken
from there. The same means byte for byte: every file in the archive against the digests kept at the installation.
"""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MANIFEST = "/var/lib/pycontainers/runtime/current/manifest.json"
"""The digests of the files of the runtime that this host has installed; it lies beside their folder."""


def _installed(loader: Any, package: str) -> str | None:
    """The folder of the installed package, if it holds all that the archive behind ``loader`` holds of it."""
    import json
    import os
    import zipfile
    from hashlib import sha256

    try:
        with open(MANIFEST, encoding="utf-8") as file:
            kept = json.load(file)
        with zipfile.ZipFile(loader.archive) as archive:
            for name in archive.namelist():
                if name.startswith(package) and kept[name[len(package) :]] != sha256(archive.read(name)).hexdigest():
                    return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return os.path.join(os.path.realpath(os.path.dirname(MANIFEST)), "runtime")


_loader = globals()["__loader__"]
if hasattr(_loader, "archive"):
    _folder = _installed(_loader, __name__.replace(".", "/") + "/")
    if _folder:
        __path__ = [_folder]
