# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the documentation that follow from what is there."""

from __future__ import annotations

import os
from pathlib import Path

DOCS = Path(__file__).parents[4] / "docs"


def check(page: str, name: str, table: str) -> None:
    """Hold a page to a table, which it has between two marks of a name; with PYCONTAINERS_WRITE_DOCS it is written."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    text = (DOCS / page).read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    wanted = f"{before}{begin}{table}{end}{after}"
    if "PYCONTAINERS_WRITE_DOCS" in os.environ:
        (DOCS / page).write_text(wanted, encoding="utf-8")
    else:
        assert text == wanted, "set PYCONTAINERS_WRITE_DOCS to have the table written"
