# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``--mount`` takes: names with values between commas, as Docker spells what ``mounts`` says of one."""
from __future__ import annotations

from typing import Any

from ..errors import InvalidValue

NAMES = {
    "type": "type",
    "source": "source",
    "src": "source",
    "target": "target",
    "destination": "target",
    "dst": "target",
    "bind-propagation": "propagation",
    "tmpfs-size": "tmpfs_size",
    "tmpfs-mode": "tmpfs_mode",
}
SWITCHES = {"readonly": "read_only", "ro": "read_only", "volume-nocopy": "no_copy"}
LABEL, UNASKED = "volume-label", ("consistency",)
_TRUTHS = {"": True, "true": True, "1": True, "false": False, "0": False}


def mount(said: str) -> dict[str, Any]:
    """One mount as the option ``mounts`` has it. Raises :class:`InvalidValue`."""
    found: dict[str, Any] = {}
    for word in said.split(","):
        name, equals, value = word.partition("=")
        name = name.strip().lower()
        if name in NAMES and equals:
            found[NAMES[name]] = value
        elif name in SWITCHES and value.lower() in _TRUTHS:
            found[SWITCHES[name]] = _TRUTHS[value.lower()]
        elif name == LABEL and equals:
            label, _, text = value.partition("=")
            found.setdefault("labels", {})[label] = text
        elif name not in UNASKED:
            known = ", ".join((*NAMES, *SWITCHES, LABEL))
            raise InvalidValue("mount", said, f"{word!r} is not NAME=VALUE with one of {known}")
    return found
