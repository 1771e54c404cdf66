# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``--filter KEY=VALUE`` of listings, in Docker's grammar."""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..errors import InvalidValue


def parsed(said: Sequence[str], known: Collection[str]) -> dict[str, list[str]]:
    """The values by key, in the order in which they are said. Raises :class:`InvalidValue` for an unknown key."""
    found: dict[str, list[str]] = {}
    for each in said:
        key, equals, value = each.partition("=")
        if not equals or key not in known:
            reason = "there is no such filter" if equals else "it is not KEY=VALUE"
            raise InvalidValue("--filter", each, reason, f"filters are {', '.join(sorted(known))}")
        if not value:
            raise InvalidValue("--filter", each, "it has no value", "write it behind the equals sign")
        found.setdefault(key, []).append(value)
    return found


def labelled(labels: Mapping[str, str], wanted: Sequence[str]) -> bool:
    """Whether there are all labels of these, each ``KEY`` or ``KEY=VALUE``."""
    pairs = (each.partition("=") for each in wanted)
    return all(key in labels and (not equals or labels[key] == value) for key, equals, value in pairs)
