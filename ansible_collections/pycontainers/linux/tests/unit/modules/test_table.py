# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Listings for people, of texts that strangers have written."""
from __future__ import annotations

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli import table


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain ü", "plain ü"), ("\x1b]0;title\x07", r"\x1b]0;title\x07"), ("a\nb\tc", r"a\nb\tc"), ("\udc80", r"\udc80")],
)
def test_nothing_listed_is_an_order_to_the_terminal(
    capsys: pytest.CaptureFixture[str], text: str, shown: str
) -> None:
    """What can't be printed is written out, and columns are as wide as that."""
    table.show(("A", "B"), [(text, "next")])
    assert capsys.readouterr().out == f"{'A'.ljust(len(shown))}   B\n{shown}   next\n"
