# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Times by which lines of a log are chosen."""
from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.log_times import (
    SECOND,
    moment,
    shown,
    stamp,
)

NOW = 1_800_000_000 * SECOND + 5


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Be somewhere where it is two hours later than in UTC."""
    monkeypatch.setenv("TZ", "XYZ-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("10m", NOW - 600 * SECOND),
        ("1h30m", NOW - 5400 * SECOND),
        ("1.5h", NOW - 5400 * SECOND),
        ("2s5ns", NOW - 2 * SECOND - 5),
        ("0s", NOW),
        ("999999h", 0),
        ("1136073845", 1136073845 * SECOND),
        ("1136073845.000000001", 1136073845 * SECOND + 1),
        ("1136073845.5", 1136073845 * SECOND + SECOND // 2),
        ("2026-01-31T12:00:00Z", 1769860800 * SECOND),
        ("2026-01-31T12:00:00.123456789Z", 1769860800 * SECOND + 123456789),
        ("2026-01-31T12:00:00.5+01:00", 1769857200 * SECOND + SECOND // 2),
        ("2026-01-31T12:00:00", 1769853600 * SECOND),
        ("2026-01-31T12:00", 1769853600 * SECOND),
        ("2026-01-31", 1769810400 * SECOND),
    ],
)
def test_times_are_read(said: str, meant: int) -> None:
    """Docker's spellings are read to the nanosecond; a time without a zone is the caller's."""
    assert moment(said, NOW) == meant


@pytest.mark.parametrize("said", ["yesterday", "10", "-5m", "10x", "2026-13-01", "1m ", "२m", "12:00"])
def test_what_is_no_time_is_refused(said: str) -> None:
    """Everything else is told what there is; but a small number is one of seconds, long ago."""
    if said == "10":
        assert moment(said, NOW) == 10 * SECOND
        return
    with pytest.raises(ValueError, match="it is not a duration such as 10m"):
        moment(said, NOW)


def test_moments_are_written_as_the_logger_does() -> None:
    """So they compare as texts do, and are shown as Docker shows them."""
    assert stamp(1769860800 * SECOND + 42) == b"2026-01-31 12:00:00.000000042"
    assert stamp(0) == b"1970-01-01 00:00:00.000000000"
    assert stamp(moment("99999999999", NOW)) > stamp(NOW)
    assert shown(stamp(1769860800 * SECOND + 42)) == b"2026-01-31T12:00:00.000000042Z "
