# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.prune_filters import (
    FILTERS,
    IMAGE_FILTERS,
    chooser,
    dangling,
    until,
)

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("24h", NOW - 86400),
        ("1h30m", NOW - 5400),
        ("0.5s", NOW - 0.5),
        ("1690000000", 1690000000),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("2023-11-14T22:13:20.123456789Z", NOW + 0.123456),
        ("2023-11-14", 1699920000),
    ],
)
def test_until_is_a_duration_or_a_time(said: str, moment: float) -> None:
    """A duration counts back from now; a time is taken in UTC unless it says another zone."""
    assert until(said, NOW) == moment


@pytest.mark.parametrize(
    "value",
    [
        {"until": "yesterday"},
        {"until": "24hours"},
        {"until": ""},
        {"label": "=x"},
        {"colour": "red"},
        {"dangling": "perhaps"},
        ["until"],
    ],
)
def test_bad_filters_are_refused(value: Any) -> None:
    """What is no filter is refused before anything is looked at."""
    with pytest.raises(ValueError, match=r"."):
        IMAGE_FILTERS.parse(value)


def test_filters_read_back_what_they_show() -> None:
    """What is shown of filters means the same."""
    for value in ({}, {"until": "1h", "label": ["a", "b=c"], "label!": "d", "dangling": False}):
        found = IMAGE_FILTERS.parse(value)
        assert IMAGE_FILTERS.parse(IMAGE_FILTERS.show(found)) == found
    with pytest.raises(ValueError, match="dangling"):
        FILTERS.parse({"dangling": True})


def test_only_what_has_no_name_unless_said() -> None:
    """Names of images go only if that is said."""
    assert dangling(IMAGE_FILTERS.parse({}))
    assert dangling(IMAGE_FILTERS.parse({"dangling": True}))
    assert not dangling(IMAGE_FILTERS.parse({"dangling": "0"}))


@pytest.mark.parametrize(
    ("filters", "made", "labels", "chosen"),
    [
        ({}, None, {}, True),
        ({"until": "1h"}, NOW - 3601, {}, True),
        ({"until": "1h"}, NOW - 3599, {}, False),
        ({"until": "1h"}, None, {}, False),
        ({"until": ["1h", "2h"]}, NOW - 3601, {}, False),
        ({"label": "a"}, NOW, {"a": ""}, True),
        ({"label": "a=1"}, NOW, {"a": "2"}, False),
        ({"label": ["a", "b"]}, NOW, {"a": "1"}, False),
        ({"label!": "a"}, NOW, {"a": "1"}, False),
        ({"label!": "a=2"}, NOW, {"a": "1"}, True),
        ({"label": "a", "label!": "b"}, NOW, {"a": "1", "b": "1"}, False),
    ],
)
def test_all_filters_must_hold(filters: Any, made: float | None, labels: dict[str, str], chosen: bool) -> None:
    """Of several filters, and of several values of one, each must hold; what has no time is not older than any."""
    assert chooser(FILTERS.parse(filters), NOW)(made, labels) == chosen
