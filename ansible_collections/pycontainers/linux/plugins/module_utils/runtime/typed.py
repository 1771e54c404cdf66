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
    from collections import namedtuple

    Any = NoReturn = Protocol = object
    TypeVar = str

    class _Named(type):
        """Makes a class of named tuples from a body of annotations, defaults and methods."""

        def __new__(cls, name, bases, body):
            """Make the class; the one without bases is what others name as theirs."""
            if not bases:
                return super().__new__(cls, name, bases, body)
            fields = body.get("__annotations__", {})
            defaults = [body[field] for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            for key, value in body.items():
                if key not in fields:
                    setattr(made, key, value)
            return made

    class NamedTuple(metaclass=_Named):
        """The base to be named by classes of named tuples, which then are subclasses of tuple only."""
