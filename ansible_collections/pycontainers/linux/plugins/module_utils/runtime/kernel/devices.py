# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devices the processes of a cgroup may use, in both cgroup versions.

Rules are read in order: of the rules that match a device, the last one that speaks of an access (read, write,
mknod) decides about it; what no rule speaks of is denied. Version 2 has no files for that but a program
(:mod:`.device_program`), which can do all of it. Version 1 keeps a default and its exceptions
(admin-guide/cgroup-v1/devices.rst), so there an exception from an exception is a :class:`Failure`.
"""
from __future__ import annotations

import os

from ..errors import Failure
from ..typed import NamedTuple
from .cgroups import Cgroups, read_file, write_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MKNOD, READ, WRITE = 1, 2, 4
"""The bits of an access, as linux/bpf.h has them (BPF_DEVCG_ACC_*)."""

LETTERS = {"r": READ, "w": WRITE, "m": MKNOD}
EVERY_ACCESS = MKNOD | READ | WRITE


class DeviceRule(NamedTuple):
    """Devices, by type (``a`` for both) and numbers (None for all), and an access that they are allowed or denied."""

    allow: bool
    type: str = "a"
    major: int | None = None
    minor: int | None = None
    access: int = EVERY_ACCESS

    @property
    def whole(self) -> bool:
        """Whether it speaks of every access to every device."""
        return (self.type, self.major, self.minor, self.access) == ("a", None, None, EVERY_ACCESS)


Key = tuple[str, int | None, int | None]


class Exceptions(NamedTuple):
    """Rules as version 1 keeps them: whether a device is allowed by default, and the accesses that are not as it is."""

    default: bool
    accesses: dict[Key, int]


def exceptions(rules: Sequence[DeviceRule]) -> Exceptions:
    """The rules as a default and exceptions. Raises :class:`Failure` for an exception from an exception."""
    default = False
    found: dict[Key, int] = {}
    for rule in rules:
        if rule.whole:
            default, found = rule.allow, {}
            continue
        for kind in "bc" if rule.type == "a" else (rule.type,):
            key = (kind, rule.major, rule.minor)
            if rule.allow == default:
                _take_back(found, key, rule)
            else:
                found[key] = found.get(key, 0) | rule.access
    return Exceptions(default, found)


def _take_back(found: dict[Key, int], key: Key, rule: DeviceRule) -> None:
    """Make what ``key`` stands for as by default again."""
    for other, access in list(found.items()):
        if other[0] != key[0] or not access & rule.access or not all(map(_meets, other[1:], key[1:])):
            continue
        if not all(mine in (None, its) for mine, its in zip(key[1:], other[1:], strict=True)):
            verb, opposite = ("allow", "denied") if rule.allow else ("deny", "allowed")
            raise Failure(
                f"{verb} the device {text(key, rule.access)}",
                f"it is part of {text(other, access)}, which is {opposite}, and cgroup version 1 can't tell them apart",
                "name single devices in both rules",
            )
        found[other] = access & ~rule.access
        if not found[other]:
            del found[other]


def _meets(one: int | None, other: int | None) -> bool:
    return one is None or other is None or one == other


def text(key: Key, access: int) -> str:
    """A device and its access as version 1 writes them: ``c 1:3 rwm``."""
    kind, major, minor = key
    letters = "".join(letter for letter, bit in LETTERS.items() if access & bit)
    return f"{kind} {'*' if major is None else major}:{'*' if minor is None else minor} {letters}"


def set_rules(groups: Cgroups, path: str, rules: Sequence[DeviceRule]) -> None:
    """Make these the rules of a cgroup, whatever its rules were before, also while processes run in it.

    Raises ``OSError``, and :class:`Failure` before it has changed anything.
    """
    if groups.version == 2:
        from .device_program import program, replace

        replace(groups.directories(path)[0], program(rules))
    else:
        _write(groups.file(path, "devices/devices.list"), exceptions(rules))


def listed(content: str) -> Exceptions:
    """What ``devices.list`` says. An allowing default hides its exceptions (security/device_cgroup.c)."""
    if content.startswith("a "):
        return Exceptions(True, {})
    accesses: dict[Key, int] = {}
    for line in content.splitlines():
        kind, numbers, letters = line.split()
        major, minor = (None if each == "*" else int(each) for each in numbers.split(":"))
        accesses[(kind, major, minor)] = sum(LETTERS[letter] for letter in letters)
    return Exceptions(False, accesses)


def _write(list_file: str, wanted: Exceptions) -> None:
    """Write what is to be allowed before what is to be denied, so that a device which stays is never missing.

    A changed default empties the kernel's list, and so does writing an allowing one again, whose exceptions can't
    be read; the kernel refuses that where the group has others below it.
    """
    folder = os.path.dirname(list_file)
    now = listed(read_file(list_file))
    if wanted.default or now.default:
        write_file(f"{folder}/devices.{'allow' if wanted.default else 'deny'}", "a")
        now = Exceptions(wanted.default, {})
    to_exception, to_default = ("deny", "allow") if wanted.default else ("allow", "deny")
    for key, access in wanted.accesses.items():
        if access & ~now.accesses.get(key, 0):
            write_file(f"{folder}/devices.{to_exception}", text(key, access))
    for key, access in now.accesses.items():
        surplus = access & ~wanted.accesses.get(key, 0)
        if surplus:
            write_file(f"{folder}/devices.{to_default}", text(key, surplus))
