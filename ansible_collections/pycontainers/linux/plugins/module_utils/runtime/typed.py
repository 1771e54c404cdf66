# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of :mod:`typing` the OCI command line needs, without its import.

That import costs some milliseconds, and its ``NamedTuple`` compiles each field's annotation when a class is made: a
command line that makes forty such classes would spend a third of its start on them.
"""
from __future__ import annotations

# Spelt so, and not imported, since the import is what is to be saved.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as Any
    from typing import NamedTuple as NamedTuple
    from typing import NoReturn as NoReturn
    from typing import Protocol as Protocol
    from typing import TypeVar as TypeVar
else:
    from _collections import _tuplegetter

    Any = NoReturn = Protocol = object
    TypeVar = str

    class _Named(type):
        """Makes a class of named tuples from a body of annotations, defaults and methods."""

        def __new__(cls, name, bases, body):
            """Make the class; the one without bases is what others name as theirs."""
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = tuple(body.get("__annotations__", ()))
            own = {key: value for key, value in body.items() if key not in fields}
            getters = {field: _tuplegetter(index, "") for index, field in enumerate(fields)}
            defaults = {field: body[field] for field in fields if field in body}
            described = {"_fields": fields, "_field_defaults": defaults, "__match_args__": fields, "__slots__": ()}
            return type(name, (_Tuple,), {**described, **getters, **own})

    class _Tuple(tuple):
        """What all named tuples have."""

        __slots__ = ()

        def __new__(cls, *values, **named):
            """Take values in the order of the fields, then by name, then the defaults."""
            fields = cls._fields
            if named or len(values) != len(fields):
                rest = {**cls._field_defaults, **named}
                if len(values) > len(fields) or not rest.keys() >= set(fields[len(values) :]):
                    raise TypeError(f"{cls.__name__} takes {', '.join(fields)}")
                if not named.keys() <= set(fields[len(values) :]):
                    raise TypeError(f"{cls.__name__} does not take {', '.join(sorted(named))} by name here")
                values = (*values, *(rest[field] for field in fields[len(values) :]))
            return tuple.__new__(cls, values)

        def _replace(self, **named):
            """Another one with some values replaced."""
            return type(self)(**{**self._asdict(), **named})

        def _asdict(self):
            """The values by their names."""
            return dict(zip(self._fields, self, strict=True))

        def __getnewargs__(self):
            """What copying and pickling make another one of."""
            return tuple(self)

        def __repr__(self):
            """The fields with their values."""
            return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._asdict().items())})"

    class NamedTuple(metaclass=_Named):
        """The base to be named by classes of named tuples, which then are subclasses of tuple only."""
