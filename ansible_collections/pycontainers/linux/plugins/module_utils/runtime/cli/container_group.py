# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb container: all verbs about containers below one, as Docker has them."""
from __future__ import annotations

from typing import Any

from . import (
    attach,
    changes,
    containers,
    copying,
    execute,
    hold,
    inspect,
    logs,
    networks,
    prune,
    ps,
    run,
    stats,
    update,
)


def add(verbs: Any) -> None:
    """Declare it."""
    group = verbs.add_parser("container", help="all verbs about containers")
    group = group.add_subparsers(metavar="VERB", required=True)
    ps.add(group, "ls")
    for subject in (attach, changes, containers, copying, execute, hold, inspect, logs, run, stats, update):
        subject.add(group)
    networks.add_port(group)
    prune.add_container(group)
