# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammars that several resources share. Those of one resource stand beside its rows."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .model import Kind

UNLIMITED = -1
"""Normal form of "no limit" in every limit row; shown as ``max``, the kernel's own word."""

_UNLIMITED_WORDS = ("max", "unlimited", "-1")
_SIZE = re.compile(r"([0-9]+)(?:\.([0-9]+))?\s*([a-z]*)", re.ASCII)
_UNITS = {unit: 1024**power for power, units in enumerate((("", "b"), ("k", "kb", "kib"), ("m", "mb", "mib"),
          ("g", "gb", "gib"), ("t", "tb", "tib"), ("p", "pb", "pib"))) for unit in units}  # fmt: skip
_DIGITS = 64
"""How many digits before the point, or after it, can make a difference below 2^63."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", re.ASCII)


def text(value: Any) -> str:
    """Text without NUL bytes, which no kernel interface can carry."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("it is not text")
    if "\0" in str(value):
        raise ValueError("it contains a NUL byte")
    return str(value)


def name(value: Any) -> str:
    """A name that is safe as a file name and as a host name's start."""
    if not _NAME.fullmatch(text(value)):
        raise ValueError(
            "a name starts with a letter or digit and goes on with letters, digits, '_', '.', '-' (128 at most)"
        )
    return str(value)


def path(value: Any) -> str:
    """An absolute path without ``.``, ``..`` and doubled or trailing slashes."""
    said = text(value)
    if not said.startswith("/"):
        raise ValueError("it is not an absolute path")
    parts = [part for part in said.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("'..' is not allowed in it")
    return "/" + "/".join(parts)


def size(value: Any) -> int:
    """Bytes: a whole number, or a number with one of b, k, m, g, t, p (powers of 1024)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("it is not a size")
    said = str(value).strip().lower()
    match = _SIZE.fullmatch(said)
    if not match:
        raise ValueError("it is not a size; give bytes or a number with b, k, m, g, t or p, such as 512m")
    number, fraction, unit = match[1].lstrip("0") or "0", (match[2] or "")[:_DIGITS], match[3]
    if unit not in _UNITS:
        raise ValueError(f"the unit {unit!r} is unknown; units are b, k, m, g, t and p")
    # In whole numbers: a float has no room for all digits of a large size.
    total = int(number + fraction) * _UNITS[unit] // 10 ** len(fraction) if len(number) <= _DIGITS else 2**63
    if total >= 2**63:
        raise ValueError("it is larger than any size the kernel knows (2^63 bytes)")
    return total


def limit_size(value: Any) -> int:
    """A size, or :data:`UNLIMITED` for ``max``, ``unlimited``, ``-1`` and ``0``."""
    if str(value).strip().lower() in _UNLIMITED_WORDS:
        return UNLIMITED
    return size(value) or UNLIMITED


def limit_count(value: Any) -> int:
    """A whole number above zero, or :data:`UNLIMITED` for ``max``, ``unlimited``, ``-1`` and ``0``."""
    said = str(value).strip().lower()
    if said in _UNLIMITED_WORDS:
        return UNLIMITED
    if isinstance(value, bool) or not said.isdecimal() or not said.isascii():
        raise ValueError("it is not a whole number")
    return int(said) or UNLIMITED


def whole(value: Any) -> int:
    """A whole number."""
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]+", str(value), re.ASCII):
        raise ValueError("it is not a whole number")
    return int(value)


def truth(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError("it is neither true nor false")
    return value


def listed(parse: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    """A list of what ``parse`` takes, in order."""

    def parse_list(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError("it is not a list")
        return tuple(parse(each) for each in value)

    return parse_list


def mapping(value: Any) -> Mapping[Any, Any]:
    """A dictionary, of whatever."""
    if not isinstance(value, Mapping):
        raise ValueError("it is not a dictionary")
    return value


def show_limit(value: int) -> Any:
    """A limit's normal form as people and the kernel write it."""
    return "max" if value == UNLIMITED else value


TEXT = Kind("text", {"type": "str"}, text)
NAME = Kind("name", {"type": "str"}, name)
PATH = Kind("path", {"type": "str"}, path)
WHOLE = Kind("whole", {"type": "int"}, whole)
BOOL = Kind("bool", {"type": "bool"}, truth)
TEXTS = Kind("texts", {"type": "list", "elements": "str"}, listed(text), list)
PATHS = Kind("paths", {"type": "list", "elements": "str"}, listed(path), list)
