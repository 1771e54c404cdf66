# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``--format`` of listings: what of Docker's templates picks values, and nothing that computes with them."""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..errors import InvalidValue
from . import table

JSON, TABLE = "json", "table "
NO_VALUE = "<no value>"
"""What Docker shows for what is not there."""

FORMS = '{{.Field}}, {{.Field.Below}}, {{.Field "key"}}, {{json .Field}} and {{json .}}'
_BRACES = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_WORDS = re.compile(r"""\s*(json\s+)?\.([\w.-]*)(?:\s+"([^"]*)")?\s*""", re.ASCII)
Text = Callable[[Mapping[str, Any]], str]
_ESCAPES = {"\\t": "\t", "\\n": "\n"}


def parsed(said: str, known: Collection[str] = ()) -> Text:
    """What makes the text for a value with fields that are ``known``. Raises :class:`InvalidValue`."""
    if said == JSON:
        return _text_of
    picked = [_picked(said, match[1], known) for match in _BRACES.finditer(said)]
    literal = [_literal(said, each) for each in _BRACES.split(said)[::2]]

    def text(value: Mapping[str, Any]) -> str:
        return literal[0] + "".join(pick(value) + rest for pick, rest in zip(picked, literal[1:], strict=True))

    return text


def header(said: str, titles: Mapping[str, str]) -> dict[str, Any]:
    """What a template is filled with for the first line of a table."""
    return {name: titles.get(name, name.upper()) for match in _BRACES.finditer(said) for name in [_first(match[1])]}


def _first(words: str) -> str:
    match = _WORDS.fullmatch(words)
    return match[2].partition(".")[0] if match else ""


def _literal(said: str, text: str) -> str:
    if "{{" in text or "}}" in text:
        raise InvalidValue("--format", said, "its braces do not close", f"write {FORMS}")
    for written, meant in _ESCAPES.items():
        text = text.replace(written, meant)
    return text


def _picked(said: str, words: str, known: Collection[str]) -> Callable[[Mapping[str, Any]], str]:
    match = _WORDS.fullmatch(words)
    if match is None or (not match[2] and not match[1]):
        raise InvalidValue("--format", said, f"{{{{{words}}}}} is more than a value", f"write {FORMS}")
    path = [each for each in match[2].split(".") if each]
    if path and known and path[0] not in known:
        raise InvalidValue("--format", said, f"there is no field {path[0]}", f"fields are {', '.join(sorted(known))}")
    path += [] if match[3] is None else [match[3]]
    show = _text_of if match[1] else _plain

    def pick(value: Any) -> str:
        for each in path:
            value = value.get(each, NO_VALUE) if isinstance(value, Mapping) else value
        return show(value)

    return pick


def _text_of(value: Any) -> str:
    return json.dumps(value)


def _plain(value: Any) -> str:
    return table.plain(value) if isinstance(value, str) else json.dumps(value)
