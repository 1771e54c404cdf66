# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which devices a container may use."""
from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from ..errors import InvalidValue
from ..lean.dataclasses import dataclass

if TYPE_CHECKING:
    from ..kernel.devices import DeviceRule


@dataclass(frozen=True)
class DeviceAccess:
    """What a container may do with devices beyond the default ones: with some of the host's, or with every one.

    ``rows`` are rules such as ``c 1:3 rwm`` beside those.
    """

    some: tuple[tuple[str, str], ...] = ()
    every: bool = False
    rows: tuple[str, ...] = ()

    def rules(self) -> tuple[DeviceRule, ...]:
        """The rules of its cgroup. Raises :class:`InvalidValue` for a device that is not there."""
        from ..kernel.devices import LETTERS, DeviceRule
        from ..oci.devices import DEFAULT_RULES

        if self.every:
            return (DeviceRule(True),)
        found = []
        for path, letters in self.some:
            there = _device(path)
            numbers = os.major(there.st_rdev), os.minor(there.st_rdev)
            access = sum(LETTERS[each] for each in letters)
            found.append(DeviceRule(True, "b" if stat.S_ISBLK(there.st_mode) else "c", *numbers, access))
        return (*DEFAULT_RULES, *found, *map(_rule, self.rows))


def _rule(said: str) -> DeviceRule:
    from ..kernel.devices import LETTERS, DeviceRule

    kind, numbers, letters = said.split()
    major, minor = (None if each == "*" else int(each) for each in numbers.split(":"))
    return DeviceRule(True, kind, major, minor, sum(LETTERS[each] for each in letters))


DEFAULT_DEVICES = DeviceAccess()
"""Nothing but what every container may use."""


def _device(path: str) -> os.stat_result:
    try:
        found = os.stat(path)
    except OSError as error:
        raise InvalidValue("devices", path, f"there is no such device on the host ({error.strerror})") from error
    if not stat.S_ISCHR(found.st_mode) and not stat.S_ISBLK(found.st_mode):
        raise InvalidValue("devices", path, "it is not a device")
    return found
