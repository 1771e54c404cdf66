# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammars that only images have."""
from __future__ import annotations

from typing import Any

from ..core.kinds import listed
from ..core.model import Kind
from ..image.reference import Reference, parse_reference


def _shown(value: tuple[Reference, ...]) -> list[str]:
    return [str(each) for each in value]


def _names(value: Any) -> tuple[Reference, ...]:
    """Names without order, none twice."""
    return tuple(sorted(set(listed(parse_reference)(value)), key=str))


def _instructions(value: Any) -> tuple[str, ...]:
    from ..image.instructions import instruction

    return listed(instruction)(value)


REFERENCES = Kind("references", {"type": "list", "elements": "str"}, listed(parse_reference), _shown)
NAMES = Kind("image_names", {"type": "list", "elements": "str"}, _names, _shown)
INSTRUCTIONS = Kind("instructions", {"type": "list", "elements": "str"}, _instructions, list)
