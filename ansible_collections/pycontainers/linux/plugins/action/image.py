# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of the module ``image``: an archive on the controller gets to the host."""

from __future__ import annotations

from ..plugin_utils.controller_archive import FromController


class ActionModule(FromController):
    """Run the module with an archive of the host, or of the controller."""
