# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object ``linux.seccomp`` of a configuration (runtime-spec config-linux.md): its words checked, and compiled.

Compiling costs milliseconds and the same few profiles come again and again, so programs are kept by the hash
of all that they were made from.
"""
from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..core import store
from ..errors import InvalidValue, failing
from ..kernel import libseccomp, seccomp
from ..kernel.libseccomp import Comparison, Rule

ACTIONS = {
    "SCMP_ACT_KILL": libseccomp.KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": libseccomp.KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": libseccomp.KILL_PROCESS,
    "SCMP_ACT_TRAP": libseccomp.TRAP,
    "SCMP_ACT_ERRNO": libseccomp.ERRNO,
    "SCMP_ACT_TRACE": libseccomp.TRACE,
    "SCMP_ACT_ALLOW": libseccomp.ALLOW,
    "SCMP_ACT_LOG": libseccomp.LOG,
    "SCMP_ACT_NOTIFY": libseccomp.NOTIFY,
}
NUMBERED = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
"""The actions that an error number goes with."""

OPERATORS = {f"SCMP_CMP_{name}": n for n, name in enumerate("NE LT LE EQ GE GT MASKED_EQ".split(), 1)}

ARCHITECTURES = tuple(
    f"SCMP_ARCH_{name}"
    for name in "X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 "
    "S390X PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB".split()
)
FAMILIES = {"x86_64": ("X86_64", "X86", "X32"), "aarch64": ("AARCH64", "ARM"), "riscv64": ("RISCV64",)}
"""What a machine can execute. Clients name others too, which would make the program longer and match nothing."""

FLAGS = {
    # Init has one thread, and exec leaves none but its caller's: there is nothing to synchronize.
    "SECCOMP_FILTER_FLAG_TSYNC": 0,
    "SECCOMP_FILTER_FLAG_LOG": seccomp.SECCOMP_FILTER_FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": seccomp.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": seccomp.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
}

MOST_ERRNO = 4095
"""The highest error number that a system call can return (linux/err.h, MAX_ERRNO)."""

MOST_ARGUMENTS = 6
FORMAT = 1
"""Raised when the same profile makes another program than before: kept ones are not used then."""


class Filter(NamedTuple):
    """A profile that has been checked: what libseccomp is to be told, and the flags of seccomp(2)."""

    default: int
    architectures: tuple[str, ...]
    rules: tuple[Rule, ...]
    flags: int

    @property
    def notifies(self) -> bool:
        """Whether system calls are told to an agent, so that loading returns a listener."""
        return bool(self.flags & seccomp.SECCOMP_FILTER_FLAG_NEW_LISTENER)


def check(profile: dict[str, Any], machine: str = "") -> Filter:
    """The profile's meaning for a machine (uname -m), by default this one. Raises :class:`InvalidValue`."""
    if not isinstance(profile, dict):
        raise InvalidValue("linux.seccomp", profile, "it is not an object")
    if "defaultAction" not in profile:
        raise InvalidValue("linux.seccomp", "", "defaultAction is missing")
    default = _action("defaultAction", profile["defaultAction"], "defaultErrnoRet", profile.get("defaultErrnoRet"))
    if default == libseccomp.NOTIFY:
        reason = "init could not tell anyone of its listener"
        raise InvalidValue("linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY", reason)
    if profile.get("listenerMetadata") and not profile.get("listenerPath"):
        raise InvalidValue("linux.seccomp.listenerMetadata", profile["listenerMetadata"], "listenerPath is not set")
    entries = enumerate(_list("syscalls", profile.get("syscalls")))
    rules = tuple(rule for n, each in entries for rule in _rules(f"syscalls[{n}]", each))
    notifies = any(rule.action == libseccomp.NOTIFY for rule in rules)
    if notifies and not profile.get("listenerPath"):
        raise InvalidValue("linux.seccomp.listenerPath", "", "SCMP_ACT_NOTIFY needs somebody to tell")
    return Filter(default, _architectures(profile, machine), rules, _flags(profile, notifies))


def compile_filter(profile: dict[str, Any], cache: str, machine: str = "") -> bytes:
    """The program of a profile, for :func:`..kernel.seccomp.load`; see :func:`check` and :func:`compiled`."""
    return compiled(check(profile, machine), cache)


def compiled(checked: Filter, cache: str) -> bytes:
    """The program, taken from the folder ``cache`` or compiled and kept there.

    Raises :class:`..errors.Failure` without libseccomp, also where the program would be in the folder: what it is
    depends on the library's version.
    """
    import hashlib

    made_from = [FORMAT, libseccomp.version(), *checked[:3]]
    path = f"{cache}/{hashlib.sha256(json.dumps(made_from).encode()).hexdigest()}"
    with failing(f"read {path}"):
        kept = store.read(path)
    if kept and len(kept) % seccomp.INSTRUCTION == 0:
        return kept
    program = libseccomp.compile_rules(*checked[:3])
    with failing(f"keep the compiled seccomp profile {path}"):
        store.write(path, program)
    return program


def _list(where: str, value: Any) -> list[Any]:
    if value is not None and not isinstance(value, list):
        raise InvalidValue(f"linux.seccomp.{where}", value, "it is not a list")
    return value or []


def _number(where: str, value: Any, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise InvalidValue(f"linux.seccomp.{where}", value, f"it is not a number from 0 to {most}")
    return value


def _word(where: str, value: Any, words: dict[str, int]) -> int:
    if not isinstance(value, str) or value not in words:
        raise InvalidValue(f"linux.seccomp.{where}", value, f"it is none of {', '.join(words)}")
    return words[value]


def _action(where: str, name: Any, number_where: str, number: Any) -> int:
    action = _word(where, name, ACTIONS)
    if name in NUMBERED:
        return action | (errno.EPERM if number is None else _number(number_where, number, MOST_ERRNO))
    if number is not None:
        raise InvalidValue(f"linux.seccomp.{number_where}", number, f"{name} returns no error number")
    return action


def _architectures(profile: dict[str, Any], machine: str) -> tuple[str, ...]:
    wanted = _list("architectures", profile.get("architectures"))
    for each in wanted:
        if each not in ARCHITECTURES:
            raise InvalidValue("linux.seccomp.architectures", each, "libseccomp has no such architecture")
    names = [each.removeprefix("SCMP_ARCH_") for each in wanted]
    family = FAMILIES.get(machine or os.uname().machine, names)
    return tuple(sorted({name.lower() for name in names if name in family}))


def _flags(profile: dict[str, Any], notifies: bool) -> int:
    wanted = profile.get("flags")
    if wanted is None:
        # As runc has it: who says nothing of flags does not ask for slower branches either.
        flags = seccomp.SECCOMP_FILTER_FLAG_SPEC_ALLOW
    else:
        flags = 0
        for each in _list("flags", wanted):
            flags |= _word("flags", each, FLAGS)
    if notifies:
        return flags | seccomp.SECCOMP_FILTER_FLAG_NEW_LISTENER
    # The kernel refuses it where there is no listener to wait for.
    return flags & ~seccomp.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV


def _rules(where: str, entry: Any) -> Iterator[Rule]:
    if not isinstance(entry, dict):
        raise InvalidValue(f"linux.seccomp.{where}", entry, "it is not an object")
    names = _list(f"{where}.names", entry.get("names"))
    if not names:
        raise InvalidValue(f"linux.seccomp.{where}.names", names, "it names no system call")
    action = _action(f"{where}.action", entry.get("action"), f"{where}.errnoRet", entry.get("errnoRet"))
    arguments = _list(f"{where}.args", entry.get("args"))
    comparisons = tuple(_comparison(f"{where}.args[{n}]", each) for n, each in enumerate(arguments))
    # All must be met; but several on one argument are alternatives, as runc and crun read them.
    once = len({each.argument for each in comparisons}) == len(comparisons)
    alternatives = [comparisons] if once else [(each,) for each in comparisons]
    for name in names:
        if not isinstance(name, str) or not name.isascii() or not name.isidentifier():
            raise InvalidValue(f"linux.seccomp.{where}.names", name, "it is not the name of a system call")
        if action == libseccomp.NOTIFY and name == "write":
            raise InvalidValue(f"linux.seccomp.{where}.names", name, "init writes to tell of the listener itself")
        yield from (Rule(name, action, each) for each in alternatives)


def _comparison(where: str, entry: Any) -> Comparison:
    if not isinstance(entry, dict):
        raise InvalidValue(f"linux.seccomp.{where}", entry, "it is not an object")
    return Comparison(
        _number(f"{where}.index", entry.get("index"), MOST_ARGUMENTS - 1),
        _word(f"{where}.op", entry.get("op"), OPERATORS),
        _number(f"{where}.value", entry.get("value"), 2**64 - 1),
        _number(f"{where}.valueTwo", entry.get("valueTwo") or 0, 2**64 - 1),
    )
