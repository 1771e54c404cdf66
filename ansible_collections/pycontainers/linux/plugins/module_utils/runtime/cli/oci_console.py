# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Descriptors that a program is to keep."""
from __future__ import annotations

import os

from ..errors import Failure
from .options import Chosen


def preserved(chosen: Chosen) -> int:
    """How many descriptors from 3 on the program is to keep. Raises :class:`Failure` if one of them is not open."""
    count = chosen.whole("preserve-fds") or 0
    if not 0 <= count <= 1024:
        raise Failure(chosen.operation, f"--preserve-fds is a number from 0 to 1024, not {count}")
    for descriptor in range(3, 3 + count):
        try:
            os.fstat(descriptor)
        except OSError:
            raise Failure(chosen.operation, f"--preserve-fds={count}: descriptor {descriptor} is not open") from None
    return count
