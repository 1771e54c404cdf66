# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of :mod:`dataclasses` is needed, with methods that all classes share.

The library writes and compiles four methods and more for each class, half a millisecond of every process that imports
it; a task that changes nothing imports sixty of them. Its own functions know these classes as their own.
"""
from __future__ import annotations

from dataclasses import MISSING, FrozenInstanceError, asdict, field, fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
else:
    from dataclasses import dataclass as _fields_only

    def dataclass(cls=None, /, *, frozen=False, order=False, kw_only=False, repr=True):  # noqa: A002 - the library's
        """The decorator. A method that the class has, or is heir to, stays."""

        def decorate(cls):
            asked = ((_PLAIN, True), (_SHOWN, repr), (_FROZEN, frozen), (_ORDERED, order))
            for name, method in (pair for methods, wanted in asked if wanted for pair in methods.items()):
                if getattr(cls, name) is getattr(object, name):
                    setattr(cls, name, method)
            if not frozen:
                cls.__hash__ = None
            return _fields_only(cls, init=False, repr=False, eq=False, kw_only=kw_only)

        return decorate if cls is None else decorate(cls)

    def replace(value, /, **changes):
        """The same with other values in some fields: a copy, without a way through the constructor."""
        own = vars(value)
        if not changes.keys() <= own.keys():
            raise TypeError(f"{type(value).__name__} has no field {', '.join(sorted(changes.keys() - own.keys()))}")
        new = object.__new__(type(value))
        vars(new).update(own, **changes)
        return new

    class _Plain:
        def __init__(self, /, *given, **named):
            cls = type(self)
            defaults, factories = cls.__dict__.get("_defaults") or _note_defaults(cls)
            values = dict(zip(cls.__match_args__, given, strict=False))
            if len(given) > len(values) or values.keys() & named.keys():
                raise TypeError(f"{cls.__name__} is given a field twice, or more than it has")
            values = {**defaults, **values, **named}
            for name, factory in factories:
                if values[name] is MISSING:
                    values[name] = factory()
            if len(values) > len(defaults) or any(value is MISSING for value in values.values()):
                odd = sorted(name for name, value in values.items() if name not in defaults or value is MISSING)
                raise TypeError(f"{cls.__name__} lacks, or has no field {', '.join(odd)}")
            vars(self).update(values)

        def __eq__(self, other):
            if other.__class__ is not self.__class__:
                return NotImplemented
            return _compared(self) == _compared(other)

    class _Shown:
        def __repr__(self):
            shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
            return f"{type(self).__qualname__}({', '.join(shown)})"

    class _Frozen:
        def __setattr__(self, name, value):
            raise FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name):
            raise FrozenInstanceError(f"cannot delete field {name!r}")

        def __hash__(self):
            return hash(_compared(self))

    class _Ordered:
        def __lt__(self, other):
            return _compared(self) < _compared(other) if other.__class__ is self.__class__ else NotImplemented

    def _methods(source):
        return {name: each for name, each in vars(source).items() if callable(each)}

    _PLAIN, _SHOWN, _FROZEN, _ORDERED = map(_methods, (_Plain, _Shown, _Frozen, _Ordered))

    def _note_defaults(cls):
        """The fields' defaults, looked up at the first instance of a class."""
        cls._defaults = (
            {each.name: each.default for each in fields(cls)},
            [(each.name, each.default_factory) for each in fields(cls) if each.default_factory is not MISSING],
        )
        return cls._defaults

    def _compared(value):
        """What stands for a value where it is compared."""
        cls = type(value)
        names = cls.__dict__.get("_names")
        if names is None:
            names = cls._names = tuple(each.name for each in fields(cls) if each.compare)
        own = vars(value)
        return tuple([own[name] for name in names])


__all__ = ["asdict", "dataclass", "field", "fields", "replace"]
