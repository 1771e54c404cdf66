# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list ``linux.resources.devices`` of a configuration (runtime-spec config-linux.md) as device rules."""
from __future__ import annotations

from ..errors import InvalidValue
from ..kernel.devices import LETTERS, MKNOD, DeviceRule
from ..typed import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NULL, _ZERO, _FULL, _RANDOM, _URANDOM = ((1, minor) for minor in (3, 5, 7, 8, 9))
_TTY, _PTMX, _PTS = (5, 0), (5, 2), (136, None)

DEFAULT_RULES = (
    DeviceRule(True, "c", access=MKNOD),
    DeviceRule(True, "b", access=MKNOD),
    *(DeviceRule(True, "c", *numbers) for numbers in (_NULL, _ZERO, _FULL, _RANDOM, _URANDOM, _TTY, _PTMX, _PTS)),
)
"""What every container may use, since it finds it in its /dev, and that it may make any node, but not open it.

The host's console (5:1) is not there: a container's /dev/console is one of its own pseudo-terminals.
"""

LINKS = (
    ("pts/ptmx", "/dev/ptmx"),
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
)
"""Symbolic links that every container finds in its /dev."""

MOST_NUMBER = 2**32 - 1


def device_rules(entries: Any) -> tuple[DeviceRule, ...]:
    """The rules of a configuration, in its order, and after them the default ones. Raises :class:`InvalidValue`.

    Clients leave the default devices to the runtime: podman sends nothing but the denial of all.
    """
    if entries is not None and not isinstance(entries, list):
        raise InvalidValue("linux.resources.devices", entries, "it is not a list")
    found = tuple(_rule(f"linux.resources.devices[{n}]", each) for n, each in enumerate(entries or ()))
    return found if _allows_all(found) else found + DEFAULT_RULES


def _allows_all(rules: Sequence[DeviceRule]) -> bool:
    """Whether the last word on every device is yes, as for privileged containers: there is nothing to add then."""
    return bool(rules) and rules[-1].whole and rules[-1].allow


def _rule(where: str, entry: Any) -> DeviceRule:
    if not isinstance(entry, dict):
        raise InvalidValue(where, entry, "it is not an object")
    allow, kind, access = entry.get("allow"), entry.get("type") or "a", entry.get("access") or "rwm"
    if not isinstance(allow, bool):
        raise InvalidValue(f"{where}.allow", allow, "it is neither true nor false")
    if kind not in ("a", "b", "c", "u"):
        raise InvalidValue(f"{where}.type", kind, "it is none of a, b, c")
    if not isinstance(access, str) or not set(access) <= set(LETTERS):
        raise InvalidValue(f"{where}.access", access, "it is not made of r, w and m")
    major, minor = (_number(f"{where}.{name}", entry.get(name)) for name in ("major", "minor"))
    bits = 0
    for letter in access:
        bits |= LETTERS[letter]
    # mknod(2) knows u as another word for c.
    return DeviceRule(allow, "c" if kind == "u" else kind, major, minor, bits)


def _number(where: str, value: Any) -> int | None:
    """A device number; none, or -1, stands for all."""
    if value is None or (value == -1 and not isinstance(value, bool)):
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_NUMBER:
        raise InvalidValue(where, value, f"it is not a number from 0 to {MOST_NUMBER}, or -1 for all")
    return value
