# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``linux.seccomp`` of an OCI configuration (runtime-spec config-linux.md, "Seccomp")."""
from __future__ import annotations

import errno

from ..kernel.libseccomp import ERRNO, NOTIFY, TRACE, Comparison
from ..kernel.seccomp_names import ACTIONS, ARCHITECTURES, FLAGS, MAX_ERRNO, MOST_ARGUMENTS, OPERATORS
from ..typed import NamedTuple
from .fields import Field

LARGEST_UINT64 = 2**64 - 1
MOST_RULES = 1 << 14


class Rule(NamedTuple):
    """System calls by name, and what the filter returns for them (errno included) where all comparisons hold."""

    names: tuple[str, ...]
    action: int
    comparisons: tuple[Comparison, ...]


class Seccomp(NamedTuple):
    """A filter before it is compiled.

    ``architectures`` are as the profile names them, the native one is not added. ``flags`` is None where nothing is
    said, which is another thing than none.
    """

    default: int
    architectures: tuple[str, ...]
    flags: int | None
    rules: tuple[Rule, ...]
    listener_path: str
    listener_metadata: str

    @property
    def notifies(self) -> bool:
        """Whether a listener is asked about some system call."""
        return any(rule.action == NOTIFY for rule in self.rules)


def seccomp(field: Field) -> Seccomp | None:
    """The filter; None where there is to be none. Raises :class:`InvalidValue` with the field's path."""
    if not field.given:
        return None
    default_field, listener, metadata = field.members("defaultAction", "listenerPath", "listenerMetadata")
    default = _action(default_field, field.member("defaultErrnoRet"))
    if default == NOTIFY:
        raise default_field.refusal("a listener can't be asked about every system call, its own among them")
    known = dict.fromkeys(ARCHITECTURES, True)
    architectures = [each.text() for each in field.member("architectures").each() if each.choice(known)]
    rules = tuple(_rule(each) for each in field.member("syscalls").each(MOST_RULES))
    path = listener.path_text("")
    if metadata.text("") and not path:
        raise metadata.refusal("it is for a listener, and there is no listenerPath")
    flags = _flags(field.member("flags"))
    found = Seccomp(default, tuple(dict.fromkeys(architectures)), flags, rules, path, metadata.text(""))
    if found.notifies and not path:
        raise listener.refusal("a rule has the action SCMP_ACT_NOTIFY, which needs a listener")
    return found


def _flags(field: Field) -> int | None:
    flags = 0
    for each in field.each():
        flags |= each.choice(FLAGS)
    return flags if field.given else None


def _action(field: Field, number: Field) -> int:
    action = field.choice(ACTIONS)
    if action not in (ERRNO, TRACE):
        if number.given:
            raise number.refusal(f"the action {field.text()} returns no errno")
        return action
    return action | number.whole(0, MAX_ERRNO if action == ERRNO else 0xFFFF, errno.EPERM)


def _rule(field: Field) -> Rule:
    field.required()
    names_field = field.member("names")
    names = tuple(_name(each) for each in names_field.each())
    if not names:
        raise names_field.refusal("a rule is for one system call at least")
    action = _action(field.member("action"), field.member("errnoRet"))
    if action == NOTIFY and "write" in names:
        raise names_field.refusal("the listener could not be told of write, since telling it takes write")
    return Rule(names, action, tuple(_comparison(each) for each in field.member("args").each()))


def _name(field: Field) -> str:
    said = field.text(longest=128)
    if not said.isascii() or not said.isidentifier():
        raise field.refusal("it is not the name of a system call")
    return said


def _comparison(field: Field) -> Comparison:
    field.required()
    return Comparison(
        field.member("index").whole(0, MOST_ARGUMENTS - 1),
        field.member("op").choice(OPERATORS),
        field.member("value").whole(0, LARGEST_UINT64),
        field.member("valueTwo").whole(0, LARGEST_UINT64, 0),
    )
