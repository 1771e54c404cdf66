# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong, said in one sentence.

Every error that reaches a user is a :class:`Failure`: the operation and its object, the reason, and where
there is one, what to do. Code below raises ``OSError`` with a path; whoever knows the operation wraps it.
"""
from __future__ import annotations

import os

from .lean.contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Failure(Exception):
    """An operation that could not be done.

    ``operation`` completes the words "cannot …" and names object and value ("mount overlay on /run/x");
    ``reason`` says why; ``fix``, where given, says what the user can do. ``facts`` are for programs.
    """

    def __init__(self, operation: str, reason: object, fix: str = "") -> None:
        self.operation = operation
        self.reason = explain(reason)
        self.fix = fix
        self.facts: dict[str, object] = {}
        super().__init__(f"cannot {operation}: {self.reason}" + (f"; {fix}" if fix else ""))


class InvalidValue(Failure):
    """A value that an option does not take. Nothing has been touched when it is raised."""

    def __init__(self, option: str, value: object, reason: str, fix: str = "") -> None:
        self.option = option
        self.value = value
        super().__init__(f"use {value!r} as {option}", reason, fix)


class NotFound(Failure):
    """Something that was asked for by name and does not exist."""


def explain(reason: object) -> str:
    """The reason as words: an ``OSError`` without the interpreter's ``[Errno 2]`` and with its path.

    Its own text goes before the number's: whoever raised it may have known what the number means there.
    """
    if not isinstance(reason, OSError) or reason.errno is None:
        return str(reason)
    words = reason.strerror or os.strerror(reason.errno)
    paths = " -> ".join(str(path) for path in (reason.filename, reason.filename2) if path is not None)
    return f"{paths}: {words}" if paths else words


@contextmanager
def failing(operation: str, fix: str = "") -> Iterator[None]:
    """Turn an ``OSError`` inside the block into a :class:`Failure` of ``operation``."""
    try:
        yield
    except OSError as error:
        raise Failure(operation, error, fix) from error
