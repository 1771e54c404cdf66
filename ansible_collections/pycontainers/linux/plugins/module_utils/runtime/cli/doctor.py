# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb doctor: what is not as it should be on this host, and putting it right."""
from __future__ import annotations

import argparse
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, explain
from ..resources.doctor import Finding, examine
from . import table


def add(verbs: Any) -> None:
    """Declare the verb."""
    words = "look for what is not as it should be: networks, containers, leftovers, images"
    doctor = verbs.add_parser("doctor", help=words)
    doctor.add_argument("--mend", action="store_true", help="put right what can be, and say what can't")
    doctor.add_argument("--json", action="store_true", help="for programs")
    doctor.set_defaults(verb=show)


def show(layout: Layout, chosen: argparse.Namespace) -> int:
    """Print a line for each finding; status 1 if any is left that is not harmless."""
    found = examine(layout)
    results = [(each, _mended(each) if chosen.mend else "") for each in found]
    if chosen.json:
        table.show_json([_document(*each) for each in results])
    else:
        for finding, result in results:
            print(f"{finding}{f': {result}' if result else ''}")
        count = f"{len(found)} finding{'' if len(found) == 1 else 's'}"
        print(count if found else "all is as it should be")
    return 1 if any(result != MENDED and not finding.harmless for finding, result in results) else 0


MENDED = "mended"


def _mended(finding: Finding) -> str:
    """What came of mending it; empty where there is nothing to do but by hand."""
    if finding.mend is None:
        return ""
    try:
        finding.mend.do()
    except (OSError, Failure) as error:
        return f"not mended: {explain(error)}"
    return MENDED


def _document(finding: Finding, result: str) -> dict[str, Any]:
    return {
        "subject": finding.subject,
        "reason": finding.reason,
        "fix": finding.fix or (finding.mend.describe() if finding.mend else ""),
        "harmless": finding.harmless,
        "result": result,
    }
