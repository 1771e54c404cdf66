# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb that a health checker becomes for one check."""
from __future__ import annotations

import argparse
from typing import Any

from ..core.layout import Layout
from ..kernel import security


def add(verbs: Any) -> None:
    """Declare the verb."""
    health = verbs.add_parser("health")
    health.add_argument("identity", metavar="ID")
    health.set_defaults(verb=check)


def check(layout: Layout, chosen: argparse.Namespace) -> int:
    """Check a container's health once, and be its checker again."""
    security.shield_interpreter(come_back=True)
    # Loaded only now: where there is no shield yet, the program begins anew.
    from ..oci import checker
    from ..resources import container_health_run

    seconds = container_health_run.once(layout, chosen.identity)
    if seconds is not None:
        checker.sleep(layout, chosen.identity, seconds)
    return 0
