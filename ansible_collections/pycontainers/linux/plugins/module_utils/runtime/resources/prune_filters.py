# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters of what is pruned, in Docker's grammar: ``until``, ``label``, ``label!``, ``dangling``."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from ..core.kinds import mapping
from ..core.model import Kind

Filters = tuple[tuple[str, tuple[str, ...]], ...]

_UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|ms|s|m|h))+", re.ASCII)
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|m|h)", re.ASCII)
_EPOCH = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
SWITCHES = ("all", "dangling")
_TRUTHS = {"true": "true", "1": "true", "false": "false", "0": "false"}


def until(value: str, now: float) -> float:
    """The moment, in seconds since the epoch, before which something was made. Raises ``ValueError``.

    A duration counts back from ``now`` (``24h``, ``1h30m``); else it is seconds since the epoch or RFC 3339's time.
    """
    if _DURATION.fullmatch(value):
        return now - sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    if _EPOCH.fullmatch(value):
        return float(value)
    found = moment(value)
    if found is None:
        raise ValueError(f"until is a duration such as 24h, or a time such as 2026-01-31T12:00:00Z, not {value!r}")
    return found


def moment(text: str) -> float | None:
    """RFC 3339's time in seconds since the epoch, or None for what is none; without a zone it is UTC."""
    from datetime import datetime

    try:
        # Images have nanoseconds, which Python does not read.
        found = datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _kind(*known: str) -> Kind:
    def parse(value: Any) -> Filters:
        if isinstance(value, tuple):
            value = dict(value)
        value = mapping(value)
        found = []
        for name, given in sorted(value.items()):
            if name not in known:
                raise ValueError(f"the filter {name!r} is unknown; filters are {', '.join(known)}")
            said = given if isinstance(given, list | tuple) else [given]
            found.append((name, tuple(_checked(name, each) for each in said)))
        return tuple(found)

    return Kind("filters", {"type": "dict"}, parse, lambda value: {name: list(said) for name, said in value})


def _checked(name: str, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if name == "until":
        until(text, 0)
    elif name in SWITCHES:
        if text.lower() not in _TRUTHS:
            raise ValueError(f"{name} is true or false, not {text!r}")
        return _TRUTHS[text.lower()]
    elif not text.partition("=")[0]:
        raise ValueError(f"the {name} {text!r} has no name")
    return text


FILTERS = _kind("until", "label", "label!")
VOLUME_FILTERS = _kind("all", "until", "label", "label!")
IMAGE_FILTERS = _kind("dangling", "until", "label", "label!")


def dangling(filters: Filters) -> bool:
    """Whether only what no name leads to is meant, as it is unless said otherwise."""
    return dict(filters).get("dangling", ("true",))[-1] == "true"


def named_too(filters: Filters) -> bool:
    """Whether volumes that somebody has given a name are meant too, as they are not unless it is said."""
    return dict(filters).get("all", ("false",))[-1] == "true"


def chooser(filters: Filters, now: float) -> Callable[[float | None, Mapping[str, str]], bool]:
    """Tells of something's time of making and its labels whether it passes all filters."""
    said = dict(filters)
    limits = [until(each, now) for each in said.get("until", ())]

    def chosen(made: float | None, labels: Mapping[str, str]) -> bool:
        if limits and (made is None or made >= min(limits)):
            return False
        has = [_has(labels, each) for each in said.get("label", ())]
        lacks = [not _has(labels, each) for each in said.get("label!", ())]
        return all(has) and all(lacks)

    return chosen


def _has(labels: Mapping[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in labels and (not equals or labels[name] == value)
