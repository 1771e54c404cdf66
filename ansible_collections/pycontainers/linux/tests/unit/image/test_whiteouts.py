# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.names import (
    hidden_by,
    is_of_aufs,
    parts_of,
)


@pytest.mark.parametrize("name", ["a/b", "/a/b", "./a/b", "a//b/", "/./a/./b"])
def test_a_members_path_starts_at_the_layers_root(name: str) -> None:
    """Absolute names, dots and doubled slashes all mean the same place."""
    assert parts_of(name) == ("a", "b")


@pytest.mark.parametrize("name", ["", ".", "/", "./", "//"])
def test_the_root_has_no_parts(name: str) -> None:
    """The layer's own root may be a member."""
    assert parts_of(name) == ()


@pytest.mark.parametrize("name", ["..", "../x", "a/../b", "a/..", "/../x"])
def test_going_up_is_refused(name: str) -> None:
    """A path with .. is refused even where it would stay inside."""
    with pytest.raises(ValueError, match=r"leads out of a folder"):
        parts_of(name)


def test_an_endless_path_is_refused() -> None:
    """Each folder of a path takes a descriptor."""
    assert len(parts_of("a/" * 255)) == 255
    with pytest.raises(ValueError, match="more than 255"):
        parts_of("a/" * 256)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("a/b", None),
        ("a/.whx", None),
        ("a/.wh.b", "b"),
        (".wh.b", "b"),
        ("a/.wh..b", ".b"),
        ("a/.wh.b.wh.c", "b.wh.c"),
        ("a/.wh..wh..opq", ""),
        (".wh..wh..opq", ""),
    ],
)
def test_whiteouts_say_what_they_hide(name: str, hidden: str | None) -> None:
    """A whiteout hides one name, the opaque mark a folder's whole content (layer.md, "Whiteouts")."""
    assert hidden_by(parts_of(name)) == hidden


@pytest.mark.parametrize("name", [".wh.", "a/.wh..", "a/.wh...", ".wh.a/b", "a/.wh.b/c/d"])
def test_whiteouts_that_hide_nothing_are_refused(name: str) -> None:
    """A whiteout of . or .. or nothing, and something within a whiteout."""
    with pytest.raises(ValueError, match="whiteout"):
        hidden_by(tuple(name.split("/")))


@pytest.mark.parametrize(
    ("name", "of_aufs"),
    [(".wh..wh.plnk/7.1", True), ("a/.wh..wh.aufs", True), (".wh..wh..opq", False), (".wh.a", False), ("a", False)],
)
def test_the_names_of_aufs_are_known(name: str, of_aufs: bool) -> None:
    """Names that start with .wh..wh. are aufs's, but for the opaque mark."""
    assert is_of_aufs(parts_of(name)) is of_aufs
