# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli.progress import Lines
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.arrival import Arrival

DIGESTS = ["sha256:" + digit * 64 for digit in "ab"]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def told(stream: io.StringIO) -> str:
    """Tell of two layers, the second of which is done first."""
    lines = Lines(stream)
    for number, received, done in ((1, 0, False), (2, 0, False), (2, 10, True), (1, 5, False), (1, 10, True)):
        lines(Arrival(number, 2, DIGESTS[number - 1], 10_000_000, received * 1_000_000, done))
    return stream.getvalue()


def test_a_file_gets_a_line_per_layer() -> None:
    """What is no terminal gets one when each begins, and nothing that moves."""
    assert told(io.StringIO()) == "layer 1 of 2: aaaaaaaaaaaa, 10.0 MB\nlayer 2 of 2: bbbbbbbbbbbb, 10.0 MB\n"


def shown(text: str) -> list[str]:
    """Show what a terminal does of the text, which goes up by lines and replaces them."""
    screen: list[str] = []
    row = 0
    for line in text.splitlines():
        if line.startswith("\x1b["):
            up, _, line = line[2:].partition("A")
            row -= int(up)
        screen[row : row + 1] = [line.removesuffix("\x1b[K")]
        row += 1
    return screen


def test_a_terminal_has_one_line_per_layer_that_is_kept_up_to_date() -> None:
    """At the end both are done, and nothing else is there."""
    first, second = shown(told(Terminal()))
    assert first.split() == ["aaaaaaaaaaaa", f"[{'=' * 24}]", "10.0", "MB", "done"]
    assert second.split() == ["bbbbbbbbbbbb", f"[{'=' * 24}]", "10.0", "MB", "done"]
