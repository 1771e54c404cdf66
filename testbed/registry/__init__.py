# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real registry with foreign images, for the demo (`python3 -m testbed.registry up`) and for tests (`registry`)."""

from __future__ import annotations

from .errors import RegistryFailure
from .images import Images, images
from .liar import Liar
from .private import registry
from .server import Server

__all__ = ["Images", "Liar", "RegistryFailure", "Server", "images", "registry"]
