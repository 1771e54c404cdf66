# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options ``log_driver`` and ``log_options``: where what a container says goes, and how much of it is kept."""
from __future__ import annotations

import re
from typing import Any

from ..core.kinds import mapping, size, text, whole
from ..core.model import Kind
from ..oci.loggers import FILE, JOURNALD, NONE, SYSLOG, Log

DRIVERS = (FILE, SYSLOG, JOURNALD, NONE)
SIZE, FILES, TAG = "max-size", "max-file", "tag"
OF_DRIVERS = {FILE: (SIZE, FILES), SYSLOG: (TAG,), JOURNALD: (TAG,), NONE: ()}
"""The options that mean something to a driver."""

SMALLEST, LARGEST = 4096, 268435455
"""Bytes of a file, as s6-log takes them."""

MOST_FILES = 100
"""A reader has all of them open, and may have 1024."""

LONGEST_TAG = 128
DEFAULTS: dict[str, Any] = {SIZE: Log().size, FILES: Log().files, TAG: "{{.Name}}"}
_PLACE = re.compile(r"\{\{\s*\.(\w+)\s*\}\}", re.ASCII)
_PLACES = ("FullID", "ID", "Name")

Options = tuple[tuple[str, Any], ...]


def log_options(value: Any) -> Options:
    """Options by name, sorted; one that says what is so without it is left out."""
    found: dict[str, Any] = {}
    for name, said in mapping(value).items():
        if name not in _PARSED:
            raise ValueError(f"{name!r} is not known; {SIZE}, {FILES} and {TAG} are")
        found[name] = _PARSED[name](said)
    if found.get(FILES) == 1 and found.get(SIZE, DEFAULTS[SIZE]) < 2 * SMALLEST:
        raise ValueError(f"with {FILES} 1 the {SIZE} is halved, and must be {2 * SMALLEST} at least")
    return tuple(sorted((name, said) for name, said in found.items() if said != DEFAULTS[name]))


def _size(value: Any) -> int:
    number = size(value)
    if not SMALLEST <= number <= LARGEST:
        raise ValueError(f"{SIZE} is {value}, and can be from {SMALLEST} to {LARGEST} bytes")
    return number


def _files(value: Any) -> int:
    number = whole(value)
    if not 1 <= number <= MOST_FILES:
        raise ValueError(f"{FILES} is {value}, and can be from 1 to {MOST_FILES}")
    return number


def _tag(value: Any) -> str:
    said = text(value)
    if not said.isprintable() or not 0 < len(said.encode()) <= LONGEST_TAG:
        raise ValueError(f"the {TAG} is not a line of 1 to {LONGEST_TAG} bytes")
    odd = [each for each in _PLACE.findall(said) if each not in _PLACES]
    if odd or "{{" in _PLACE.sub("", said):
        raise ValueError(f"in a {TAG} only {{{{.Name}}}}, {{{{.ID}}}} and {{{{.FullID}}}} stand for something")
    return said


_PARSED = {SIZE: _size, FILES: _files, TAG: _tag}
LOG_OPTIONS = Kind("log_options", {"type": "dict"}, log_options, dict)


def log(driver: str | None, options: Options | None, name: str, identity: str) -> Log:
    """Where what a container of this name and id says goes."""
    said = {**DEFAULTS, **dict(options or ())}
    places = dict(zip(_PLACES, (identity, identity[:12], name), strict=True))
    tag = _PLACE.sub(lambda match: places[match[1]], said[TAG])
    return Log(driver or FILE, said[SIZE], said[FILES], tag)
