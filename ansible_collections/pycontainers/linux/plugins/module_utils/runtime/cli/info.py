# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb info: what the host has for containers."""
from __future__ import annotations

import argparse
from typing import Any

from ..core.layout import Layout
from ..resources import host_info
from . import table

WORDS = {True: "yes", False: "no", None: "unknown"}


def add(verbs: Any) -> None:
    """Declare the verb."""
    verb = verbs.add_parser("info", help="show what the host has for containers")
    verb.add_argument("-s", "--size", action="store_true", help="also what the store takes on the disk")
    verb.add_argument("--json", action="store_true", help="for programs")
    verb.set_defaults(verb=show)


def show(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print a line for each thing that there is to tell."""
    told = host_info.described(layout, chosen.size)
    if chosen.json:
        table.show_json(told)
        return 0
    for name, value in told.items():
        if isinstance(value, dict):
            print(f"{name}:")
            for inner, each in value.items():
                print(f" {inner}: {_shown(each)}")
        else:
            print(f"{name}: {_shown(value)}")
    return 0


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return WORDS[value]
    return table.plain(" ".join(value) if isinstance(value, list) else str(value))
