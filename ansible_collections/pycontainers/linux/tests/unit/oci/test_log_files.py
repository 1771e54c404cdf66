# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs are read from their files in order, while these are renewed, whatever is in them."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import log_files
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.log_files import LogFiles, last, tail
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.loggers import LONGEST_LINE, MARK


def stamped(*lines: bytes) -> bytes:
    """Lines as s6-log writes them."""
    return b"".join(b"2026-11-30 08:00:00.%09d  %s\n" % (number, line) for number, line in enumerate(lines))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a log."""
    made = tmp_path / "log"
    made.mkdir()
    return made


@pytest.fixture
def log(folder: Path) -> Iterator[LogFiles]:
    """A reader of it."""
    with closing(LogFiles(str(folder))) as made:
        yield made


def text(log: LogFiles) -> bytes:
    """What there is to be read by now."""
    return b"".join(each.text for each in log.read())


def test_files_are_read_oldest_first(folder: Path, log: LogFiles) -> None:
    """The one of an earlier version, bytes, then lines with time stamps in the order of their files' names."""
    for name, content in (("@41.s", stamped(b"c")), ("@40.u", stamped(b"b")), ("current", stamped(b"d"))):
        (folder / name).write_bytes(content)
    (folder.parent / "log.earlier").write_bytes(b"0\n")
    for number in (10, 9, 1):
        (folder / f"output.{number}").write_bytes(b"a%d\n" % number)
    (folder / "output").write_bytes(b"a0\n")
    for each in folder.glob("output*"):
        os.utime(each, (1, 1))
    assert text(log) == b"0\na10\na9\na1\na0\nb\nc\nd\n"
    assert log.mixed()
    assert log.stamped()
    os.utime(folder / "output", (1 << 40, 1 << 40))
    with closing(LogFiles(str(folder))) as other:
        assert text(other) == b"0\nb\nc\nd\na10\na9\na1\na0\n"
        assert not other.stamped()


def test_a_follower_keeps_its_place(folder: Path, log: LogFiles) -> None:
    """What is added, renamed and removed while a log is read is read once, and what is half written is waited for."""
    current = folder / "current"
    current.write_bytes(stamped(b"1")[:-1])
    assert text(log) == b""
    with current.open("ab") as file:
        file.write(b"\n" + stamped(b"2"))
    assert text(log) == b"1\n2\n"
    with current.open("ab") as file:
        file.write(stamped(b"3"))
    current.rename(folder / "@4.s")
    current.write_bytes(stamped(b"4"))
    assert text(log) == b"3\n4\n"
    (folder / "@4.s").unlink()
    current.rename(folder / "@5.s")
    (folder / "@5.s").unlink()
    for _ in range(3):
        assert text(log) == b""
    assert not log.lost
    current.write_bytes(stamped(b"5"))
    assert text(log) == b"5\n"
    assert log.lost


def test_long_lines_and_last_ones(folder: Path, log: LogFiles) -> None:
    """Parts of a long line are one, the mark of an end is nobody's text, and may be cut itself."""
    whole = b"x" * (LONGEST_LINE - 1) + MARK
    parts = [b"y" * LONGEST_LINE, b"z", whole[:LONGEST_LINE], whole[LONGEST_LINE:], b"a" + MARK, MARK, b"b"]
    (folder / "current").write_bytes(stamped(*parts))
    lines = [*log.read()]
    said = b"".join(each.text for each in lines)
    assert said == b"y" * LONGEST_LINE + b"z\n" + b"x" * (LONGEST_LINE - 1) + b"ab\n"
    assert sum(not each.goes_on for each in lines) == 4


@settings(max_examples=50, deadline=None)
@given(files=some.lists(some.binary(max_size=200), max_size=4), count=some.integers(0, 12))
def test_whatever_is_in_them(tmp_path_factory: pytest.TempPathFactory, files: list[bytes], count: int) -> None:
    """No content is an obstacle, and the last lines of all are those of the whole."""
    folder = tmp_path_factory.mktemp("log")
    for number, content in enumerate(files):
        (folder / (f"@{number}.s" if number + 1 < len(files) else "current")).write_bytes(content)
    with closing(LogFiles(str(folder))) as log:
        lines: list[list[bytes]] = []
        for each in last(log, 1000):
            if each.goes_on and lines:
                lines[-1].append(each.text)
            else:
                lines.append([each.text])
    kept = lines[max(0, len(lines) - count) :]
    assert tail(str(folder), count) == b"".join(b"".join(each) for each in kept)


def test_the_end_of_a_long_log_is_found_from_behind(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few lines of many are read without reading all."""
    (folder / "@4.s").write_bytes(stamped(*(b"%d" % number for number in range(100000))))
    (folder / "current").write_bytes(stamped(b"a", b"b"))
    read: list[int] = []

    def counted(descriptor: int, length: int) -> bytes:
        read.append(0)
        return _READ(descriptor, length)

    monkeypatch.setattr(log_files, "CHUNK", 4096)
    monkeypatch.setattr(os, "read", counted)
    assert tail(str(folder), 4) == b"99998\n99999\na\nb\n"
    assert len(read) < 20
    assert tail(str(folder), 0) == b""
    assert tail(str(folder), 200000).count(b"\n") == 100002
    assert tail(str(folder), 1000, 10).endswith(b"a\nb\n")
    assert len(tail(str(folder), 1000, 10)) <= 10


_READ = os.read


def test_who_writes_on_and_on_keeps_no_reader(folder: Path, log: LogFiles) -> None:
    """What is written while a log is read is left for the next time, and not read for as long as it comes."""
    (folder / "current").write_bytes(stamped(b"1", b"2"))
    with (folder / "current").open("ab", buffering=0) as file:
        for count in (3, 2):
            read = 0
            for read, _ in enumerate(log.read(), 1):
                file.write(stamped(b"more"))
                assert read < 100
            assert read >= count
    assert text(log).count(b"more") > 0


def test_the_end_is_where_a_line_begins(folder: Path, log: LogFiles) -> None:
    """Who begins at the end sees no half of a line, but the whole one that is being written."""
    current = folder / "current"
    current.write_bytes(stamped(b"1", b"2") + b"2026-11-30 08:00")
    log.to_end()
    with current.open("ab") as file:
        file.write(b":00.000000000  3\n")
    assert text(log) == b"3\n"
