# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page on what to do about messages has messages that there are."""

from __future__ import annotations

import re

import pytest

from ansible_collections.pycontainers.linux.tests.pages import DOCS
from ansible_collections.pycontainers.linux.tests.unit.structure.test_floors import RUNTIME

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
SOURCES = "\n".join(path.read_text(encoding="utf-8") for path in sorted(RUNTIME.parents[1].rglob("*.py")))


def test_the_page_has_messages() -> None:
    """The table is found."""
    assert len(MESSAGES) > 20


@pytest.mark.parametrize("message", MESSAGES)
def test_the_message_is_one_of_ours(message: str) -> None:
    """Somebody who looks for it finds words that the collection says."""
    assert message in SOURCES
