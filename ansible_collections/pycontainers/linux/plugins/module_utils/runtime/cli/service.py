# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verbs for the host itself: boot and shutdown for the service, exited and resume for waiters."""
from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from ..core.layout import Layout
from ..resources import supervise


def add(verbs: Any) -> None:
    """Declare the verbs."""
    boot = verbs.add_parser("boot", help="start all containers that should run; the boot service does this")
    boot.set_defaults(verb=_telling(supervise.boot))
    shutdown = verbs.add_parser("shutdown", help="stop all containers, to be started again at boot")
    shutdown.set_defaults(verb=_telling(supervise.shutdown))
    for name, act in (("exited", supervise.exited), ("resume", supervise.resume)):
        waiter = verbs.add_parser(name)
        waiter.add_argument("identity", metavar="ID")
        waiter.set_defaults(verb=_acting(act))


def _telling(act: Callable[[Layout], list[str]]) -> Callable[[Layout, argparse.Namespace], int]:
    def verb(layout: Layout, chosen: argparse.Namespace) -> int:
        failures = act(layout)
        for line in failures:
            print(f"pycontainers: {line}", file=sys.stderr)
        return 1 if failures else 0

    return verb


def _acting(act: Callable[[Layout, str], None]) -> Callable[[Layout, argparse.Namespace], int]:
    def verb(layout: Layout, chosen: argparse.Namespace) -> int:
        act(layout, chosen.identity)
        return 0

    return verb
