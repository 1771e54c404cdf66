# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys by which who is attached leaves a container running: their grammar is Docker's."""
from __future__ import annotations

from ..errors import InvalidValue

DEFAULT = "ctrl-p,ctrl-q"
_CONTROLS = "@abcdefghijklmnopqrstuvwxyz[\\]^_"
"""What makes the bytes from 0 on together with Ctrl."""


def parse(said: str) -> bytes:
    """The bytes of keys, with commas between: each a character, or ``ctrl-`` and one of those that Ctrl goes with.

    Raises :class:`InvalidValue`.
    """
    return bytes(_key(each) for each in (said or DEFAULT).split(","))


def _key(said: str) -> int:
    control = said.lower().removeprefix("ctrl-")
    if said.lower().startswith("ctrl-") and len(control) == 1 and control in _CONTROLS:
        return _CONTROLS.index(control)
    if len(said) == 1 and said.isascii():
        return ord(said)
    reason = "it is neither one character nor ctrl- with a letter, @, [, \\, ], ^ or _"
    raise InvalidValue("--detach-keys", said, reason, f"such as {DEFAULT}")


class Keys:
    """Looks for a sequence of bytes in what is typed; ``pressed`` once it has come."""

    def __init__(self, sequence: bytes) -> None:
        self.sequence, self.pressed = sequence, False
        self._held = b""

    def passing(self, typed: bytes) -> bytes:
        """What is meant for the program: not the sequence, and not yet what may become it."""
        passed = b""
        for number in typed:
            self._held += bytes((number,))
            while not self.sequence.startswith(self._held):
                passed, self._held = passed + self._held[:1], self._held[1:]
            if self._held == self.sequence:
                self.pressed = True
                break
        return passed
