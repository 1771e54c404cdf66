# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``init``: a small program as the container's process 1, which passes signals on and reaps what is left to it.

It is the host's own, of a package of the distribution, bound into the container. As it has to run with whatever C
library the image has, or none, only one that is statically linked will do.
"""
from __future__ import annotations

import os

from ..errors import InvalidValue
from ..kernel import programs

NAMES = ("docker-init", "tini-static", "tini", "catatonit", "dumb-init")
"""Programs that take ``-- COMMAND``, the better known first."""

FOLDERS = ("/usr/libexec/docker", "/usr/libexec/podman")
"""Where others have them, beside the folders that all programs are looked for in."""

PLACE = "/sbin/docker-init"
"""Where it is in the container, as Docker has it."""


def prefix() -> list[str]:
    """What goes before the container's command."""
    return [PLACE, "--"]


def find() -> str:
    """The path of the host's init. Raises :class:`InvalidValue`."""
    linked = ""
    for name in NAMES:
        for path in programs.paths(name, *FOLDERS):
            if programs.is_static(path):
                return os.path.realpath(path)
            linked = linked or path
    reason = f"of {', '.join(NAMES)} this host has none that is statically linked"
    reason += f", which {linked} is not" if linked else ""
    raise InvalidValue("init", True, reason, "install the package tini (Debian), tini-static (Alpine) or catatonit")
