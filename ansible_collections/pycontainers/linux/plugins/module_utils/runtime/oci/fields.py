# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a JSON document that anybody may have written: values know their paths, types are checked on reading.

As in the reference implementation of the OCI specifications, ``null`` is the same as a field left out, and fields that
nobody asks for are ignored.
"""
from __future__ import annotations

from ..errors import Failure, InvalidValue
from ..lean import json
from ..typed import Any, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Chosen = TypeVar("Chosen")

LARGEST_DOCUMENT = 16 << 20
"""Bytes of a document that are read at most."""

LONGEST_TEXT = 1 << 20
"""Bytes of one text (an annotation, say) unless its own kind is bounded closer."""

PATH_MAX = 4096
"""Bytes of a path with its closing NUL (linux/limits.h)."""

MOST = 4096
"""Entries of a list or object, unless the kernel's bound for its kind is another."""

LARGEST_ID = 2**32 - 2
"""The largest uid or gid: 2^32 - 1 means "leave as it is" to the kernel."""

_SHOWN = 60
"""Characters of a refused value that an error message repeats."""


class _Excerpt:
    """The beginning of a value too large for a message."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _excerpt(value: Any) -> object:
    if isinstance(value, str):
        return value if len(value) <= _SHOWN else _Excerpt(f"{value[:_SHOWN]!r}…")
    if isinstance(value, list | tuple | dict):
        kind = "an object" if isinstance(value, dict) else "a list"
        return _Excerpt(f"{kind} of {len(value)} entries")
    if isinstance(value, int) and value.bit_length() > 128:
        return _Excerpt("a number of more than 128 bits")
    return value


def decode(content: bytes) -> Any:
    """The JSON value that a file holds. Raises :class:`Failure` for what is no JSON, too large or nested too deeply."""
    operation = "read the configuration"
    if len(content) > LARGEST_DOCUMENT:
        raise Failure(operation, f"it has {len(content)} bytes, {LARGEST_DOCUMENT} at most are allowed")
    try:
        return json.loads(content)
    except RecursionError:
        raise Failure(operation, "its objects and lists are nested too deeply") from None
    except ValueError as error:
        raise Failure(operation, f"it is not JSON: {error}") from error


class Field:
    """A value of the document, its path from the top, and the list in which all of them leave warnings."""

    __slots__ = ("notes", "path", "value")

    def __init__(self, path: str, value: Any, notes: list[str]) -> None:
        self.path = path
        self.value = value
        self.notes = notes

    @property
    def given(self) -> bool:
        """Whether the document has this field."""
        return self.value is not None

    def refusal(self, reason: str, fix: str = "") -> InvalidValue:
        """The error for this value, to be raised."""
        return InvalidValue(self.path, _excerpt(self.value), reason, fix)

    def note(self, said: str) -> None:
        """Leave a warning about this field."""
        self.notes.append(f"{self.path}: {said}")

    def member(self, name: str) -> Field:
        """A field of this object, which may be missing, as the object itself may be."""
        if self.value is None:
            return Field(self._below(name), None, self.notes)
        if not isinstance(self.value, dict):
            raise self.refusal("it is not an object")
        return Field(self._below(name), self.value.get(name), self.notes)

    def members(self, *names: str) -> tuple[Field, ...]:
        """Several fields of this object."""
        return tuple(self.member(name) for name in names)

    def entries(self, most: int = MOST) -> list[tuple[str, Field]]:
        """The names and values of an object whose names are not known beforehand; none if it is missing."""
        if self.value is None:
            return []
        if not isinstance(self.value, dict):
            raise self.refusal("it is not an object")
        self._bound(len(self.value), most)
        found = []
        for key, value in self.value.items():
            place = f"{self.path}[{_excerpt(key)!r}]"
            found.append((Field(place, key, self.notes).text(), Field(place, value, self.notes)))
        return found

    def each(self, most: int = MOST) -> list[Field]:
        """The elements of a list; none if it is missing."""
        if self.value is None:
            return []
        if not isinstance(self.value, list):
            raise self.refusal("it is not a list")
        self._bound(len(self.value), most)
        return [Field(f"{self.path}[{index}]", value, self.notes) for index, value in enumerate(self.value)]

    def text(self, default: str | None = None, *, longest: int = LONGEST_TEXT) -> str:
        """Text that a kernel interface can carry: no NUL, valid Unicode, bounded (in bytes)."""
        if self.value is None and default is not None:
            return default
        self.required()
        if not isinstance(self.value, str):
            raise self.refusal("it is not text")
        if "\0" in self.value:
            raise self.refusal("it contains a NUL byte")
        try:
            size = len(self.value.encode())
        except UnicodeEncodeError:
            raise self.refusal("it is not valid Unicode") from None
        if size > longest:
            raise self.refusal(f"it has {size} bytes, {longest} at most are allowed")
        return self.value

    def word(self, *, longest: int = PATH_MAX - 1) -> str:
        """Text without control characters, empty if left out: what labels and options are made of."""
        said = self.text("", longest=longest)
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in said):
            raise self.refusal("it contains a control character")
        return said

    def path_text(self, default: str | None = None, *, absolute: bool = True) -> str:
        """A path as it was written; an empty one is the same as none."""
        said = self.text(default, longest=PATH_MAX - 1)
        if not said and default is None:
            raise self.refusal("it is empty")
        if said and absolute and not said.startswith("/"):
            raise self.refusal("it is not an absolute path")
        return said

    def texts(self, most: int = MOST) -> tuple[str, ...]:
        """A list of texts; empty if left out."""
        return tuple(each.text() for each in self.each(most))

    def whole(self, low: int, high: int, default: int | None = None) -> int:
        """A whole number in a range."""
        if self.value is None and default is not None:
            return default
        self.required()
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.refusal("it is not a whole number")
        if not low <= self.value <= high:
            raise self.refusal(f"it is not between {low} and {high}")
        return self.value

    def whole_if_given(self, low: int, high: int) -> int | None:
        """A whole number in a range, or None if left out."""
        return self.whole(low, high) if self.given else None

    def identity(self, default: int | None = None) -> int:
        """A uid or gid. Raises :class:`InvalidValue` for 2^32 - 1, which setresuid(2) takes for "leave as it is"."""
        return self.whole(0, LARGEST_ID, default)

    def truth(self, default: bool = False) -> bool:
        """True or false."""
        if self.value is None:
            return default
        if not isinstance(self.value, bool):
            raise self.refusal("it is neither true nor false")
        return self.value

    def choice(self, choices: Mapping[str, Chosen]) -> Chosen:
        """What the word stands for."""
        said = self.text()
        if said not in choices:
            raise self.refusal(f"it is not one of {', '.join(choices)}")
        return choices[said]

    def required(self) -> None:
        """Raise :class:`InvalidValue` if the document does not have this field."""
        if self.value is None:
            raise self.refusal("it is required")

    def _below(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def _bound(self, size: int, most: int) -> None:
        if size > most:
            raise self.refusal(f"it has {size} entries, {most} at most are allowed")


def first_repeated(values: Iterable[object]) -> int | None:
    """The index of the first value that was there before, or None."""
    seen = set()
    for index, value in enumerate(values):
        if value in seen:
            return index
        seen.add(value)
    return None
