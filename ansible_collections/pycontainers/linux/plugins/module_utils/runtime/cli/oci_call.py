# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a verb of the OCI command line is called with."""
from __future__ import annotations

from ..oci.container import Containers
from ..typed import NamedTuple
from .options import Chosen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Call(NamedTuple):
    """What a verb is called with."""

    containers: Containers
    globals: Chosen
    chosen: Chosen
    warn: Callable[[str], None]
