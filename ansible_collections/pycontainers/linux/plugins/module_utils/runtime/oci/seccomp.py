# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the filter that a configuration describes to what this machine loads, compiled.

Compiling costs milliseconds and the same few profiles come again and again, so programs are kept by the hash
of all that they were made from.
"""
from __future__ import annotations

import os

from ..core import store
from ..errors import InvalidValue, failing
from ..kernel import libseccomp, seccomp
from ..kernel.libseccomp import Rule
from ..lean import json
from ..typed import Any, NamedTuple
from . import config_seccomp
from .config_seccomp import Seccomp
from .fields import Field

FAMILIES = {"x86_64": ("X86_64", "X86", "X32"), "aarch64": ("AARCH64", "ARM"), "riscv64": ("RISCV64",)}
"""What a machine can execute. Clients name others too, which would make the program longer and match nothing."""

FORMAT = 1
"""Raised when the same profile makes another program than before: kept ones are not used then."""


class Filter(NamedTuple):
    """What libseccomp is to be told, and the flags of seccomp(2)."""

    default: int
    architectures: tuple[str, ...]
    rules: tuple[Rule, ...]
    flags: int

    @property
    def notifies(self) -> bool:
        """Whether system calls are told to an agent, so that loading returns a listener."""
        return bool(self.flags & seccomp.SECCOMP_FILTER_FLAG_NEW_LISTENER)


def read(document: Any) -> Seccomp:
    """A profile that stands alone, in the words of ``linux.seccomp``. Raises :class:`InvalidValue`."""
    found = config_seccomp.seccomp(Field("linux.seccomp", document, []))
    if found is None:
        raise InvalidValue("linux.seccomp", document, "it is not an object")
    return found


def filter_of(profile: Seccomp, machine: str = "") -> Filter:
    """The profile's meaning for a machine (uname -m), by default this one."""
    rules = [Rule(name, rule.action, each) for rule in profile.rules for name in rule.names for each in _sets(rule)]
    names = [name.removeprefix("SCMP_ARCH_") for name in profile.architectures]
    family = FAMILIES.get(machine or os.uname().machine, names)
    architectures = tuple(sorted({name.lower() for name in names if name in family}))
    return Filter(profile.default, architectures, tuple(rules), _flags(profile))


def _sets(rule: config_seccomp.Rule) -> tuple[tuple[libseccomp.Comparison, ...], ...]:
    """All must be met; but several on one argument are alternatives, as runc and crun read them."""
    once = len({each.argument for each in rule.comparisons}) == len(rule.comparisons)
    return (rule.comparisons,) if once else tuple((each,) for each in rule.comparisons)


def _flags(profile: Seccomp) -> int:
    # As runc has it: who says nothing of flags does not ask for slower branches either.
    flags = seccomp.SECCOMP_FILTER_FLAG_SPEC_ALLOW if profile.flags is None else profile.flags
    if profile.notifies:
        return flags | seccomp.SECCOMP_FILTER_FLAG_NEW_LISTENER
    # The kernel refuses it where there is no listener to wait for.
    return flags & ~seccomp.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV


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
