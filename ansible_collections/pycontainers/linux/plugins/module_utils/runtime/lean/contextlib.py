# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of :mod:`contextlib` is needed, without :mod:`collections` and :mod:`functools`."""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import contextmanager as contextmanager
    from contextlib import suppress as suppress
else:

    class suppress:  # noqa: N801 - its name is the library's
        """A block that ends without a word when one of these errors is raised in it."""

        def __init__(self, *kinds):
            """Take the kinds of errors."""
            self.kinds = kinds

        def __enter__(self):
            """Nothing."""

        def __exit__(self, kind, value, trace):
            """Whether the error is one of them."""
            return kind is not None and issubclass(kind, self.kinds)

    class _Block:
        """A generator's one turn: what is before its yield, the block, what is after."""

        def __init__(self, steps):
            """Take the generator."""
            self.steps = steps

        def __enter__(self):
            """What it yields."""
            return next(self.steps)

        def __exit__(self, kind, value, trace):
            """Go on after the yield, with the block's error if there was one; whether that is dealt with."""
            if value is None:
                return next(self.steps, False)
            try:
                self.steps.throw(value)
            except StopIteration as stopped:
                return stopped is not value
            except BaseException as error:
                # A generator lets no StopIteration out, but an error in its place (PEP 479).
                if error is not value and not (isinstance(value, StopIteration) and error.__cause__ is value):
                    raise
                value.__traceback__ = trace
                return False
            raise RuntimeError("the generator of a block has yielded twice")

    def contextmanager(function):
        """The function, which yields once, as what makes a block."""

        def block(*arguments, **named):
            return _Block(function(*arguments, **named))

        block.__doc__, block.__name__ = function.__doc__, function.__name__
        return block
