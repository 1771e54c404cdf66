# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of variables, in the format of ``docker run --env-file``."""
from __future__ import annotations

from collections.abc import Mapping

from ..core import store
from ..errors import InvalidValue


def read(path: str, callers: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a file: ``NAME=value`` a line, values as they are; of two of one name the last counts.

    Empty lines and those that begin with ``#`` say nothing. A name alone has the value that ``callers`` has for it, and
    is refused if there is no caller. Raises :class:`InvalidValue`, which repeats nothing of the file: it may be secret.
    """
    try:
        content = store.read(path)
    except OSError as error:
        raise InvalidValue("env_file", path, error.strerror or str(error), "name a file of the host") from error
    if content is None:
        raise InvalidValue("env_file", path, "there is no such file on the host", "put it there")
    try:
        return _variables(content.decode("utf-8-sig"), callers)
    except ValueError as error:
        reason = "it is not text in UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise InvalidValue("env_file", path, reason, "mend the file") from error


def _variables(said: str, callers: Mapping[str, str] | None) -> dict[str, str]:
    found = {}
    for number, line in enumerate(said.replace("\r\n", "\n").split("\n"), 1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not name or name.split() != [name]:
            raise ValueError(f"line {number} does not begin with a variable's name")
        if "\0" in line:
            raise ValueError(f"line {number} contains a NUL byte")
        if not equals and callers is None:
            raise ValueError(f"line {number} gives its variable no value")
        if equals or name in (callers or ()):
            found[name] = value if equals else (callers or {})[name]
    return found
