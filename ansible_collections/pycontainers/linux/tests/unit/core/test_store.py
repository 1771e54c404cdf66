# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import random
import resource
import select
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import store
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure

PATIENCE = 10.0
"""Seconds after which a process that should have done something has failed to."""


@contextmanager
def child(act: Callable[[], object]) -> Iterator[int]:
    """A process that acts, and ends with status 0 if it could; at the end of the block it is ended and reaped."""
    pid = os.fork()
    if not pid:
        try:
            act()
            os._exit(0)
        finally:
            os._exit(1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def ended_well(pid: int) -> bool:
    """Wait for a process, and say whether it could do what it was for. It stays to be reaped."""
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return found is not None and found.si_status == 0


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The file that a test writes, in a folder that is not there yet."""
    return tmp_path / "some" / "folder" / "record.json"


def beside(place: Path) -> list[str]:
    """What is in the folder of a file, apart from the file itself."""
    return sorted(name for name in os.listdir(place.parent) if name != place.name)


def test_a_file_is_written_with_the_folders_above_it(place: Path) -> None:
    """Content is there afterwards, and nothing else; a second time it is replaced, by shorter content too."""
    store.write(str(place), b"first content")
    assert (place.read_bytes(), beside(place)) == (b"first content", [])
    store.write(str(place), b"second")
    assert (place.read_bytes(), beside(place)) == (b"second", [])
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("umask", [0o000, 0o077])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
def test_a_file_has_just_the_mode_asked_for(place: Path, umask: int, mode: int) -> None:
    """Neither the mask of the process nor the mode of an older file has a say in the mode."""
    before = os.umask(umask)
    try:
        store.write(str(place), b"old", 0o666)
        store.write(str(place), b"new", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(place.stat().st_mode) == mode
    store.write(str(place), b"by default")
    assert stat.S_IMODE(place.stat().st_mode) == 0o600


@pytest.mark.parametrize(("durable", "calls"), [(True, ["fsync", "rename", "fsync"]), (False, ["rename"])])
def test_what_must_survive_a_power_cut_is_synced(place: Path, durable: bool, calls: list[str]) -> None:
    """A file and its folder are synced before anyone is told that they are written, unless nobody needs that."""
    seen: list[str] = []
    place.parent.mkdir(parents=True)
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, function: seen.append(function.__name__) if event == "c_call" else None)
    try:
        store.write_json(str(place), {"a": 1}, durable=durable)
    finally:
        sys.setprofile(before)
    assert [each for each in seen if each in ("fsync", "rename")] == calls
    assert store.read_json(str(place)) == {"a": 1}


@pytest.mark.parametrize("durable", [True, False])
def test_a_killed_writer_leaves_the_old_content_or_the_new(place: Path, durable: bool) -> None:
    """However a writer is cut short: whole content is there, and the next writer leaves nothing aside."""
    contents = [letter * 300_000 for letter in (b"a", b"b")]
    store.write(str(place), contents[0])

    def write_on() -> None:
        while True:
            for content in contents:
                store.write(str(place), content, durable=durable)

    left = rounds = 0
    while rounds < 40 or (not left and rounds < 400):
        with child(write_on):
            time.sleep(random.uniform(0.0005, 0.02))
        assert place.read_bytes() in contents
        left += len(beside(place))
        rounds += 1
    assert left, "no writer was cut short: the test showed nothing"
    store.write(str(place), b"after")
    assert (place.read_bytes(), beside(place)) == (b"after", [])


def test_writers_do_not_mix(place: Path) -> None:
    """Of two processes that write one file at once, readers see the content of one or the other, whole."""
    contents = [letter * 100_000 for letter in (b"a", b"b")]
    store.write(str(place), contents[0])

    def writes(content: bytes) -> Callable[[], None]:
        def write_often() -> None:
            for _ in range(200):
                store.write(str(place), content)

        return write_often

    seen: set[bytes] = set()
    with child(writes(contents[0])) as first, child(writes(contents[1])) as second:
        while os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            seen.add(place.read_bytes())
        assert ended_well(first)
        assert ended_well(second)
    assert seen == set(contents)
    assert beside(place) == []


def test_a_write_that_fails_changes_nothing(place: Path) -> None:
    """Where the disk takes no more, the old content stays, nothing is left aside, and the error names the file."""
    store.write(str(place), b"old")
    reading, writing = os.pipe()

    def write_too_much() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            store.write(str(place), b"x" * 100_000)
        except OSError as error:
            os.write(writing, f"{error.filename}: {error.strerror}".encode())

    with child(write_too_much):
        os.close(writing)
        with os.fdopen(reading) as file:
            assert file.read() == f"{place}: File too large"
    assert (place.read_bytes(), beside(place)) == (b"old", [])


def test_a_folder_at_the_files_place_is_an_error(place: Path) -> None:
    """What can't be replaced by a file is left alone, and nothing is left aside."""
    place.mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        store.write(str(place), b"new")
    assert beside(place) == []


def test_a_link_at_the_place_aside_is_not_followed(place: Path, tmp_path: Path) -> None:
    """A symbolic link where the content is written aside is refused by its path, and what it leads to is untouched."""
    store.write(str(place), b"old")
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    aside = place.parent / f".{place.name}.new"
    aside.symlink_to(victim)
    with pytest.raises(OSError, match="Too many levels of symbolic links") as caught:
        store.write(str(place), b"new")
    assert caught.value.filename == str(aside)
    assert (victim.read_bytes(), place.read_bytes()) == (b"mine", b"old")


def test_a_link_at_the_files_place_is_replaced(place: Path, tmp_path: Path) -> None:
    """A symbolic link at the place itself gives way to the file; what it leads to is untouched."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    place.parent.mkdir(parents=True)
    place.symlink_to(victim)
    store.write(str(place), b"new")
    assert (victim.read_bytes(), place.read_bytes(), place.is_symlink()) == (b"mine", b"new", False)


def test_json_is_read_as_it_was_written(place: Path) -> None:
    """An object comes back as it was, and is written the same way however its keys are ordered."""
    value = {"b": [1, None, True], "a": {"text": "ü\ud800"}}
    store.write_json(str(place), value)
    assert store.read_json(str(place)) == value
    assert list(json.loads(place.read_bytes())) == ["a", "b"]


def test_what_is_not_there_is_none(place: Path) -> None:
    """A file that is not there is no error, for a reader or for who removes it."""
    assert store.read(str(place)) is None
    assert store.read_json(str(place)) is None
    store.remove(str(place))


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a": 1}{', b"\0" * 100, b"\xff\xfe", b"{'a': 1}", b'{"a":' * 100_000, b"[1]", b'"a"', b"null"],
    ids=lambda content: str(content[:10]),
)
def test_damaged_json_is_told_and_kept(place: Path, content: bytes) -> None:
    """A file that is no JSON object is an error that names it and what to do, and the file stays as it is."""
    store.write(str(place), content)
    with pytest.raises(Failure, match=r"it is not (JSON|a JSON object)") as caught:
        store.read_json(str(place))
    assert str(caught.value).startswith(f"cannot read {place}: ")
    assert str(caught.value).endswith("; restore it from a backup, or remove it")
    assert place.read_bytes() == content


def test_a_folder_is_no_json(tmp_path: Path) -> None:
    """What can't be read at all is an error that names it."""
    with pytest.raises(Failure, match=f"cannot read {tmp_path}: {tmp_path}: Is a directory"):
        store.read_json(str(tmp_path))


def test_a_lock_keeps_processes_apart(tmp_path: Path) -> None:
    """Whoever holds a lock can read, wait and write without another process coming between."""
    lock, count = str(tmp_path / "locks" / "a.lock"), tmp_path / "count"
    count.write_text("0")

    def count_up() -> None:
        for _ in range(30):
            with store.lock(lock):
                number = int(count.read_text())
                time.sleep(0.0005)
                count.write_text(str(number + 1))

    with child(count_up) as first, child(count_up) as second:
        assert ended_well(first)
        assert ended_well(second)
    assert count.read_text() == "60"


@contextmanager
def waiting(lock: str, shared: bool = False) -> Iterator[Callable[[float], bool]]:
    """Another process that takes the lock and holds it; the function waits, and says whether it has got it."""
    reading, writing = os.pipe()

    def hold() -> None:
        with store.lock(lock, shared):
            os.write(writing, b"!")
            time.sleep(PATIENCE)

    with child(hold):
        os.close(writing)
        yield lambda seconds: bool(select.select([reading], [], [], seconds)[0])
        os.close(reading)


def test_shared_locks_go_together(tmp_path: Path) -> None:
    """Any number share a lock, and keep out who wants it alone; with the last of them gone that one gets it."""
    lock = str(tmp_path / "a.lock")
    with store.lock(lock, shared=True):
        with waiting(lock, shared=True) as got:
            assert got(PATIENCE)
        with waiting(lock) as got:
            assert not got(0.1)
    with waiting(lock) as got:
        assert got(PATIENCE)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    """A process that is killed while it holds a lock keeps nobody out, and the lock's file stays."""
    lock = tmp_path / "a.lock"
    with waiting(str(lock)) as got:
        assert got(PATIENCE)
    with store.lock(str(lock)):
        assert lock.exists()
    assert lock.exists()


def test_a_lock_follows_no_link(tmp_path: Path) -> None:
    """A symbolic link in place of a lock's file is refused, and what it leads to is not made."""
    (tmp_path / "a.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(Failure, match=r"cannot lock .*a\.lock: Too many levels"), store.lock(str(tmp_path / "a.lock")):
        pass
    assert not (tmp_path / "victim").exists()


def test_errors_under_a_lock_are_their_own(tmp_path: Path) -> None:
    """An error in the block is no error of the lock, and lets go of it."""
    lock = str(tmp_path / "a.lock")
    with pytest.raises(FileNotFoundError), store.lock(lock):
        os.stat(tmp_path / "nothing")
    with waiting(lock) as got:
        assert got(PATIENCE)


@pytest.mark.parametrize("before", [None, b"old"])
def test_writing_can_be_undone(place: Path, before: bytes | None) -> None:
    """The step that writes a file puts back what was there: old content, or no file."""
    if before is not None:
        store.write(str(place), before)
    step = store.Write(str(place), b"new", before, "record")
    assert step.describe() == f"write record {place}"
    step.do()
    assert place.read_bytes() == b"new"
    step.undo()
    assert store.read(str(place)) == before


def test_removing_can_be_undone(place: Path) -> None:
    """The step that removes a file brings it back; where there was none, none comes."""
    store.write(str(place), b"old")
    step = store.Remove(str(place), b"old", "record")
    assert step.describe() == f"remove record {place}"
    step.do()
    assert store.read(str(place)) is None
    step.undo()
    assert place.read_bytes() == b"old"
    nothing = store.Remove(f"{place}.other", None, "record")
    nothing.do()
    nothing.undo()
    assert beside(place) == []


def test_a_record_is_written_and_undone_as_json(place: Path) -> None:
    """The step for a record writes its value, and puts the old value back."""
    store.write_record(str(place), {"a": 1}, None, "record").do()
    step = store.write_record(str(place), {"a": 2}, {"a": 1}, "record")
    step.do()
    assert store.read_json(str(place)) == {"a": 2}
    step.undo()
    assert store.read_json(str(place)) == {"a": 1}


def test_a_file_that_is_so_already_is_not_replaced(tmp_path: Path) -> None:
    """It stays the same file; with other content, another mode, or a link in its place it is made anew."""
    place, other = tmp_path / "file", tmp_path / "other"

    def replaced(content: bytes = b"one", mode: int = 0o600) -> bool:
        before = os.lstat(place).st_ino
        with place.open("rb"):  # so that its number is not given to the new one
            store.rewrite(str(place), content, mode)
        return os.lstat(place).st_ino != before

    store.rewrite(str(place), b"one")
    assert not replaced()
    assert [replaced(b"two"), replaced(b"two", 0o644), place.read_bytes()] == [True, True, b"two"]
    place.rename(other)
    place.symlink_to(other)
    assert replaced(b"two", 0o644)
    assert not place.is_symlink()
