# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a registry answers, whatever that is, is read without stumbling."""
from __future__ import annotations

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import registry, transport, upload


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("58", 58), ("", None), ("-1", None), ("+1", None), ("1_0", None), ("²", None), ("9" * 5000, None)],
)
def test_numbers_of_headers(text: str, value: int | None) -> None:
    """Only what can be a size is one; Python refuses some digits, and numbers of many."""
    assert transport.number(text) == value


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"errors": ' + b"[" * 100_000, b"9" * 5000, b"\xff", b"[]", b""])
def test_errors_that_are_none_say_nothing(content: bytes) -> None:
    """There is no code, and of the body its first words at most."""
    code, message = registry._error(content)
    assert code == ""
    assert len(message) <= 120


def test_a_range_of_too_many_digits_is_none() -> None:
    """A place in an upload fits a size."""
    assert upload._RANGE.fullmatch("0-15")
    assert not upload._RANGE.fullmatch("0-" + "9" * 5000)
