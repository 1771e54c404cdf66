# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON by the scanner and encoder in C alone: reading and writing as :mod:`json` does it, which imports :mod:`re`."""
from __future__ import annotations

import _json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SPACE = " \t\n\r"


class _Context:
    """How the scanner is to read; the names are those that it looks for."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_float, parse_int = float, int

    @staticmethod
    def parse_constant(word: str) -> Any:
        """Raises ``ValueError``: NaN and infinities are no JSON numbers (RFC 8259, 6)."""
        raise ValueError(f"{word} is no JSON number")


_context: Any = _Context
_scan: Any = _json.make_scanner(_context)


def loads(content: bytes) -> Any:
    """The value of a document in UTF-8. Raises ``ValueError`` for what is no JSON, and ``RecursionError``."""
    text = content.decode().strip(_SPACE)
    try:
        value, end = _scan(text, 0)
    except (StopIteration, ValueError, SystemError):
        # It stops where nothing begins. Other errors it takes from the library, or misses there (SystemError).
        end = -1
    return value if end == len(text) else _explained(content)


def _explained(content: bytes) -> Any:
    """Raise the library's own error, which says where it is."""
    import json

    return json.loads(content, parse_constant=_Context.parse_constant)


def _refused(value: object) -> Any:
    raise TypeError(f"there are no words in JSON for {value!r}")


_encode: Any = _json.make_encoder(
    None, _refused, _json.encode_basestring_ascii, None, ": ", ", ", False, False, False
)


def dumps(value: Any) -> str:
    """The value's text, on one line. Raises ``TypeError`` for what JSON has no words for, and ``ValueError``."""
    return "".join(_encode(value, 0))
