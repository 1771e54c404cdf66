# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys that leave a container running."""
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.detach_keys import Keys, parse


@pytest.mark.parametrize(
    ("said", "keys"),
    [
        ("", b"\x10\x11"),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("CTRL-A,b,B", b"\x01bB"),
        ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x00\x1b\x1c\x1d\x1e\x1f"),
        ("q", b"q"),
    ],
)
def test_keys_are_named_as_docker_names_them(said: str, keys: bytes) -> None:
    """A key is a character, or one together with Ctrl."""
    assert parse(said) == keys


@pytest.mark.parametrize("said", ["ctrl-", "ctrl-ab", "ctrl-1", "ab", "a,,b", "ä", "ctrl-p;ctrl-q"])
def test_other_words_are_no_keys(said: str) -> None:
    """What is no key is refused."""
    with pytest.raises(InvalidValue):
        parse(said)


@given(st.text("ab", min_size=1, max_size=4), st.lists(st.text("abc", max_size=4)))
def test_the_sequence_is_found_wherever_it_is(said: str, pieces: list[str]) -> None:
    """However what is typed is cut up, all before the sequence passes, and nothing of it or after it."""
    sequence, typed = said.encode(), "".join(pieces).encode()
    keys, passed = Keys(sequence), b""
    for piece in pieces:
        if not keys.pressed:
            passed += keys.passing(piece.encode())
    before, found, _ = typed.partition(sequence)
    assert keys.pressed == bool(found)
    if found:
        assert passed == before
    else:
        assert typed.startswith(passed)
        assert sequence.startswith(typed[len(passed) :])
