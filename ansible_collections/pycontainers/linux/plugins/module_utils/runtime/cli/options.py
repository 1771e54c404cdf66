# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options as Go's programs take them, whose clients we have: ``-x``, ``--x``, ``--x=value``, ``--x value``.

The library's parser costs more than all the rest of a small verb.
"""
from __future__ import annotations

from ..errors import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FLAG, VALUE, LIST = "flag", "value", "list"
"""What an option takes: nothing (or true or false after an equals sign), a value, values of several uses."""

_TRUTHS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


class Chosen:
    """The options that were given, and the words after them."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.flags: set[str] = set()
        self.values: dict[str, list[str]] = {}
        self.words: list[str] = []

    def flag(self, name: str) -> bool:
        """Whether a flag is set."""
        return name in self.flags

    def text(self, name: str, default: str = "") -> str:
        """The last value that was given."""
        return self.values.get(name, [default])[-1]

    def texts(self, name: str) -> list[str]:
        """All values that were given."""
        return self.values.get(name, [])

    def whole(self, name: str) -> int | None:
        """A value that is a whole number. Raises :class:`Failure` for another."""
        said = self.text(name)
        if not said:
            return None
        try:
            return int(said)
        except ValueError:
            raise Failure(self.operation, f"--{name} takes a whole number, not {said!r}") from None

    def only(self, count: int, names: str) -> list[str]:
        """The words, of which there must be so many. Raises :class:`Failure`."""
        if len(self.words) != count:
            raise Failure(self.operation, f"it takes {names or 'no arguments'}, and {len(self.words)} were given")
        return self.words


def parse(operation: str, words: Sequence[str], options: Mapping[str, str], short: Mapping[str, str]) -> Chosen:
    """Options up to the first word that is none, or ``--``. Raises :class:`Failure` for an unknown one."""
    chosen = Chosen(operation)
    ahead = list(words)
    while ahead:
        word = ahead[0]
        if word == "--":
            ahead.pop(0)
            break
        if not word.startswith("-") or word == "-":
            break
        ahead.pop(0)
        name, equals, value = word.lstrip("-").partition("=")
        name = short.get(name, name)
        if name not in options:
            raise Failure(operation, f"flag provided but not defined: {word.partition('=')[0]}")
        if options[name] == FLAG:
            if value.lower() not in _TRUTHS and equals:
                raise Failure(operation, f"--{name} is true or false, not {value!r}")
            (chosen.flags.add if _TRUTHS.get(value.lower(), True) else chosen.flags.discard)(name)
            continue
        if not equals:
            if not ahead:
                raise Failure(operation, f"flag needs an argument: --{name}")
            value = ahead.pop(0)
        chosen.values.setdefault(name, []).append(value)
    chosen.words = ahead
    return chosen
