# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action of the module ``container_copy_into``: a file or folder on the controller gets to the host."""

from __future__ import annotations

from ..plugin_utils.controller_files import FilesFromController


class ActionModule(FilesFromController):
    """Run the module with a file of the host, or of the controller."""
