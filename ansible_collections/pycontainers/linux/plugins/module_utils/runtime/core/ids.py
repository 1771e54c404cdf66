# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is meant by the beginning of an id, of a container or of an image."""
from __future__ import annotations

FEWEST = 4
"""Characters that an id is given by. By fewer, what names a container that is gone, db or c, would name another one."""


def begins(identity: str, said: str) -> bool:
    """Whether an id is meant by its beginning."""
    return len(said) >= FEWEST and identity.startswith(said)


def none_of(said: str) -> str:
    """The reason why nothing is found."""
    if said and len(said) < FEWEST and not said.strip("0123456789abcdef"):
        return f"there is none of this name, and an id is given by {FEWEST} characters or more"
    return "there is none of this name or id"
