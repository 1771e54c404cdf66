# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import tar
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pack import Packing, header

names = some.binary(min_size=1, max_size=300).map(lambda said: said.replace(b"\0", b"n").replace(b"/", b"s"))


@given(
    names,
    names,
    some.integers(0, 0o7777),
    some.integers(0, 2**32 - 2),
    some.integers(0, 2**40),
    some.integers(-(2**40), 2**40),
    some.dictionaries(some.from_regex(r"user\.[a-z]{1,9}", fullmatch=True), some.binary(max_size=99), max_size=3),
)
def test_a_header_says_what_it_was_made_of(
    name: bytes, target: bytes, mode: int, owner: int, size: int, mtime: int, xattrs: dict[str, bytes]
) -> None:
    """Whatever name, owner, size, time and attributes a file has, a reader is told exactly these."""
    link = header(name, tar.SYMLINK, mode, owner, owner, 0, mtime, target, xattrs=xattrs)
    (member,) = tar.members(tar.Source(iter([link, bytes(1024)])))
    assert (os.fsencode(member.name), os.fsencode(member.target)) == (name, target)
    assert (member.mode, member.uid, member.gid, member.mtime) == (mode, owner, owner, mtime * 10**9)
    assert member.xattrs == xattrs
    file = next(tar.members(tar.Source(iter([header(name, tar.FILE, mode, size=size)]))))
    assert file.size == size


def packed(root: Path) -> bytes:
    """Pack a folder."""
    return b"".join(Packing(str(root)).pieces())


def test_the_same_files_are_the_same_archive(tmp_path: Path) -> None:
    """The order in which files were made, and where, makes no difference; a time does."""
    for root, order in (("one", ["a", "b/c", "b/d"]), ("two", ["b/d", "b/c", "a"])):
        for name in order:
            path = tmp_path / root / name
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(name)
        for path in (*tmp_path.joinpath(root).rglob("*"), tmp_path / root):
            os.utime(path, (7, 7))
    assert packed(tmp_path / "one") == packed(tmp_path / "two")
    os.utime(tmp_path / "two/a", (8, 8))
    assert packed(tmp_path / "one") != packed(tmp_path / "two")


def test_other_programs_read_the_archive(tmp_path: Path) -> None:
    """The library finds files, links and folders with their content; sockets are left out."""
    root = tmp_path / "root"
    (root / "folder").mkdir(parents=True)
    (root / "folder/file").write_bytes(b"x" * 1000)
    (root / ("long" * 50)).write_bytes(b"")
    (root / "linked").hardlink_to(root / "folder/file")
    (root / "symbolic").symlink_to("/nowhere")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        text = packed(root)
    with tarfile.open(fileobj=io.BytesIO(text)) as archive:
        found = {each.name: each for each in archive}
        assert set(found) == {".", "folder", "folder/file", "long" * 50, "linked", "symbolic", "fifo"}
        assert found["linked"].linkname == "folder/file"
        assert found["symbolic"].linkname == "/nowhere"
        file = archive.extractfile("linked")
        assert file is not None
        assert file.read() == b"x" * 1000


def test_what_would_be_taken_for_a_whiteout_is_refused(tmp_path: Path) -> None:
    """A file whose name means a deletion in a layer can't be packed."""
    (tmp_path / ".wh.file").write_text("")
    with pytest.raises(ValueError, match="taken for a whiteout"):
        packed(tmp_path)
