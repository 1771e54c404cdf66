# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container_stats``: what containers use now, told to a task."""
from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..core.kinds import TEXTS
from ..core.layout import Layout
from ..core.model import Kind, option
from ..core.question import Question
from ..errors import NotFound
from ..lean.dataclasses import dataclass
from . import container_state
from .container_usage import Watch

LONGEST = 60.0
"""Seconds that a task may measure: a connection waits for it."""


def measured(value: Any) -> float:
    """For how many seconds something is measured."""
    if isinstance(value, bool):
        raise ValueError("it is not a number of seconds")
    try:
        seconds = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError("it is not a number of seconds") from error
    if math.isnan(seconds) or not 0 <= seconds <= LONGEST:
        raise ValueError(f"it is not between 0 and {LONGEST:g} seconds")
    return seconds


MEASURED = Kind("measured", {"type": "float"}, measured)


@dataclass(frozen=True, kw_only=True)
class ContainerStatsInfo:
    """The rows of a question. ``name`` are containers; left out, all that run are meant."""

    name: tuple[str, ...] | None = option(TEXTS, request=True)
    interval: float = option(MEASURED, default=0, request=True)
    state: str = "present"


class ContainerStatsResource(Question[ContainerStatsInfo]):
    """The containers of one host."""

    model = ContainerStatsInfo

    def facts(self, layout: Layout, have: ContainerStatsInfo | None) -> Mapping[str, Any]:
        """What each of those asked for uses that there are, and which of the others can't be read."""
        if have is None:
            return {}
        watch = Watch(layout, None if have.name is None else _identities(layout, have.name))
        found = watch.look()
        if have.interval and found:
            time.sleep(have.interval)
            found = watch.look()
        return {"containers": found, "unreadable": list(watch.unreadable.values())}


def _identities(layout: Layout, names: tuple[str, ...]) -> list[str]:
    """The ids of containers by name or id; without those that there are not."""
    found = []
    for each in names:
        with suppress(NotFound):
            found.append(container_state.find(layout, each).id or "")
    return list(dict.fromkeys(found))


CONTAINER_STATS = ContainerStatsResource()
