# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a container's health is checked: the grammar, and what of it is the image's (config.Healthcheck, Docker's)."""
from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..core.kinds import listed, mapping, text, whole
from ..core.model import Kind
from ..lean.dataclasses import dataclass, fields, replace

COMMAND, SHELL, NONE = "CMD", "CMD-SHELL", "NONE"
"""What a test begins with: a program with its arguments, a line for a shell, or no check at all."""

UNITS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
LONGEST = 2**63 - 1
_PART = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,9}))?(h|ms|us|µs|ns|m|s)", re.ASCII)


@dataclass(frozen=True)
class Healthcheck:
    """A check as it is asked for; times in nanoseconds. What is empty or zero is the image's, or else the default."""

    test: tuple[str, ...] = ()
    interval: int = 0
    timeout: int = 0
    retries: int = 0
    start_period: int = 0
    start_interval: int = 0


DEFAULTS = Healthcheck(interval=30 * 10**9, timeout=30 * 10**9, retries=3, start_interval=5 * 10**9)
"""Docker's."""

TIMES = ("interval", "timeout", "start_period", "start_interval")
_OF_IMAGE = {
    "test": "Test",
    "interval": "Interval",
    "timeout": "Timeout",
    "retries": "Retries",
    "start_period": "StartPeriod",
    "start_interval": "StartInterval",
}


def duration(value: Any) -> int:
    """Nanoseconds: numbers with a unit each, such as ``1m30s`` and ``500ms``; zero, or a millisecond at least."""
    said = text(value).strip()
    if said == "0":
        return 0
    parts = _PART.findall(said)
    if not parts or "".join(number + (f".{rest}" if rest else "") + unit for number, rest, unit in parts) != said:
        raise ValueError(f"{said!r} is no duration such as 1m30s or 500ms; units are h, m, s, ms, us and ns")
    total = 0
    for number, rest, unit in parts:
        total += int(number + rest) * UNITS[unit.replace("µ", "u")] // 10 ** len(rest)
    if total > LONGEST:
        raise ValueError(f"{said!r} is longer than 292 years")
    if 0 < total < UNITS["ms"]:
        raise ValueError(f"{said!r} is less than a millisecond")
    return total


def show_duration(nanoseconds: int) -> str:
    """A duration as :func:`duration` reads it."""
    said, rest = "", nanoseconds
    for unit, size in UNITS.items():
        count, rest = divmod(rest, size)
        said += f"{count}{unit}" if count else ""
    return said or "0s"


def words_of(value: Any) -> tuple[str, ...]:
    """A test: a list that begins with one of the three words, or text for a shell."""
    if isinstance(value, str):
        said = text(value)
        return () if not said else (NONE,) if said == NONE else (SHELL, said)
    words = listed(text)(value)
    if words in ((), (NONE,)):
        return words
    if words[0] not in (COMMAND, SHELL):
        raise ValueError(f"the test begins with {words[0]!r}, not with one of {COMMAND}, {SHELL} and {NONE}")
    if len(words) < 2 or not words[1]:
        raise ValueError(f"the test names nothing to run after {words[0]}")
    if words[0] == SHELL and len(words) > 2:
        raise ValueError(f"after {SHELL} comes one text, and not {len(words) - 1}")
    return words


def count(value: Any) -> int:
    """A number of failures, zero or more."""
    number = whole(value)
    if not 0 <= number <= LONGEST:
        raise ValueError("it is not a number from zero on")
    return int(number)


def healthcheck(value: Any) -> Healthcheck:
    """A check as a playbook has it."""
    said = {key: given for key, given in mapping(value).items() if given is not None}
    known = [each.name for each in fields(Healthcheck)]
    for key in said:
        if key not in known:
            raise ValueError(f"{key!r} is not known of a health check; {', '.join(known)} are")
    grammars = {"test": words_of, "retries": count, **dict.fromkeys(TIMES, duration)}
    found = Healthcheck(**{key: _named(key, grammars[key], given) for key, given in said.items()})
    return Healthcheck((NONE,)) if found.test == (NONE,) else found


def _named(key: str, grammar: Any, given: Any) -> Any:
    try:
        return grammar(given)
    except ValueError as error:
        raise ValueError(f"its {key} is wrong: {error}") from error


def show(value: Healthcheck) -> dict[str, Any]:
    """A check as a playbook writes it, without what is left to the image."""
    shown = {each: show_duration(getattr(value, each)) for each in TIMES if getattr(value, each)}
    told: dict[str, Any] = {"test": list(value.test)} if value.test else {}
    return told | shown | ({"retries": value.retries} if value.retries else {})


def of_image(config: Mapping[str, Any]) -> Healthcheck:
    """The check of an image's configuration. What of it is not as it should be is as if it were not there."""
    said = config.get("Healthcheck")
    found: dict[str, Any] = {}
    for name, key in _OF_IMAGE.items():
        given = said.get(key) if isinstance(said, dict) else None
        try:
            if name == "test":
                found[name] = words_of(given or [])
            elif type(given) is int:
                found[name] = count(given)
        except ValueError:
            continue
    return Healthcheck(**found)


def to_image(value: Healthcheck) -> dict[str, Any]:
    """A check as an image's configuration has it."""
    shown = {key: getattr(value, name) for name, key in _OF_IMAGE.items()}
    return {key: list(each) if isinstance(each, tuple) else each for key, each in shown.items() if each}


def merged(own: Healthcheck | None, image: Healthcheck) -> Healthcheck:
    """A container's own check over its image's, part by part, as with Docker."""
    return _over(own, image) if own else image


def in_force(own: Healthcheck | None, image: Healthcheck) -> Healthcheck | None:
    """The check that is to be done, with all its parts; None for no check."""
    found = merged(own, image)
    return _over(found, DEFAULTS) if found.test not in ((), (NONE,)) else None


def _over(one: Healthcheck, other: Healthcheck) -> Healthcheck:
    return replace(other, **{each.name: value for each in fields(one) if (value := getattr(one, each.name))})


_TEXT = {"type": "str"}
HEALTHCHECK = Kind(
    "healthcheck",
    {
        "type": "dict",
        "options": {"test": {"type": "raw"}, "retries": {"type": "int"}, **dict.fromkeys(TIMES, _TEXT)},
    },
    healthcheck,
    show,
)
