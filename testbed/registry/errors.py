# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry testbed says when it cannot go on."""

from __future__ import annotations


class RegistryFailure(Exception):
    """One sentence for the person at the terminal: operation, object, reason and what to do."""
