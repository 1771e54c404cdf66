# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what a container has said, from the files that its loggers have written and go on writing.

================  ==========================================================================================
log.earlier       the one file of earlier versions (or ``log``, while the container runs that wrote it): bytes
log/output.N …    bytes from a terminal, or where s6-log is missing; a lower number is newer, none the newest
log/@…            lines with a time stamp, in UTC; full files that s6-log has put aside, by the time of that
log/current       lines with a time stamp, the newest
================  ==========================================================================================

A file is known by its inode, so whoever follows keeps its place while files are renamed, and has open what is removed.
"""
from __future__ import annotations

import os
import re
import stat
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from .loggers import LONGEST_LINE, MARK

STAMP = 29
"""Bytes of a time stamp, ``YYYY-MM-DD HH:MM:SS.nnnnnnnnn``, behind which come two blanks."""

CHUNK = 1 << 18
PIECE = 8192
MOST_HELD = 1 << 20
"""Bytes in which a line must end, else it is none of a logger's."""

MOST_LOOKS = 100
"""How often a folder is listed anew whose files are renamed at that moment."""

_Key = tuple[int, int]
_Listed = tuple[str, bool, _Key]
"""A file's path, whether its lines have time stamps, its device and inode."""

_STAMPED = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}  ")
_OLDER_BYTES = re.compile(r"output\.([0-9]{1,4})")


class Line(NamedTuple):
    """A line or a part of one: its time stamp, if it has one, its text with the newline, if that has come."""

    stamp: bytes
    text: bytes
    goes_on: bool = False
    """Whether it is the rest of the line before."""


class _File:
    """A file of the log that is open, and what of it has been read."""

    def __init__(self, descriptor: int, stamped: bool) -> None:
        self.descriptor, self.stamped = descriptor, stamped
        there = os.fstat(descriptor)
        self.key = (there.st_dev, there.st_ino)
        self.rest = b""
        self.goes_on = False
        self.missed = 0

    @property
    def left(self) -> int:
        """How many bytes are yet to be read."""
        return max(0, os.fstat(self.descriptor).st_size - os.lseek(self.descriptor, 0, os.SEEK_CUR))


class LogFiles:
    """A reader of a container's log, at its beginning; what is written meanwhile is read too."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.files: list[_File] = []
        self.held = b""
        self.joining = False
        self.lost = False
        """Whether files have come and gone before they were seen."""

    def close(self) -> None:
        """Let go of the files."""
        for each in self.files:
            os.close(each.descriptor)
        self.files = []

    def stamped(self) -> bool:
        """Whether what is newest in it has time stamps, or there is nothing."""
        self._look()
        return not self.files or self.files[-1].stamped

    def mixed(self) -> bool:
        """Whether some of it has time stamps, and some has not."""
        return len({each.stamped for each in self.files}) > 1

    def to_end(self) -> None:
        """Pass over all that there is."""
        self._look()
        for each in self.files:
            size = os.lseek(each.descriptor, 0, os.SEEK_END)
            if each.stamped and size and os.pread(each.descriptor, 1, size - 1) != b"\n":
                # The line that is being written there will be read whole.
                os.lseek(each.descriptor, _back(each.descriptor, 1)[0], os.SEEK_SET)

    def place(self) -> dict[_Key, int]:
        """How far each file has been read, for :meth:`go_to` of another reader."""
        return {each.key: os.lseek(each.descriptor, 0, os.SEEK_CUR) for each in self.files}

    def go_to(self, place: Mapping[_Key, int]) -> None:
        """Go to where another reader was; files that have come since are read from their beginning."""
        self._look()
        for each in self.files:
            os.lseek(each.descriptor, place.get(each.key, 0), os.SEEK_SET)

    def to_last(self, count: int) -> bool:
        """Go to so many lines before the end, or a few more; whether that is the beginning."""
        self._look()
        self.held, self.joining = b"", False
        for each in reversed(self.files):
            each.rest, each.goes_on = b"", False
            position, found = _back(each.descriptor, count)
            os.lseek(each.descriptor, position, os.SEEK_SET)
            count -= found
        return count > 0

    def read(self) -> Iterator[Line]:
        """What there is by now, but for a last line with a time stamp that is not whole.

        It comes to an end also where more is written meanwhile than can be read.
        """
        self._look()
        left = sum(each.left for each in self.files)
        while left >= 0:
            self._look()
            for each in self.files:
                chunk = os.read(each.descriptor, CHUNK)
                left -= len(chunk)
                if chunk:
                    yield from self._lines(each, chunk) if each.stamped else _raw(each, chunk)
                    break
                if each is not self.files[-1] and each.rest:
                    # Its logger was killed.
                    yield from self._line(each.rest)
                    each.rest = b""
            else:
                return

    def flush(self) -> Iterator[Line]:
        """What is left when nobody writes any more."""
        for each in self.files:
            rest, each.rest = each.rest, b""
            for line in self._line(rest) if rest else ():
                yield line._replace(text=line.text.removesuffix(b"\n"))
        if self.held:
            yield Line(b"", self.held, goes_on=True)
            self.held = b""

    def _lines(self, file: _File, chunk: bytes) -> Iterator[Line]:
        lines = (file.rest + chunk).split(b"\n")
        file.rest = lines.pop()
        for each in lines:
            yield from self._line(each)
        if len(file.rest) > MOST_HELD:
            yield Line(b"", file.rest, goes_on=True)
            file.rest = b""

    def _line(self, line: bytes) -> Iterator[Line]:
        stamp, text = _parted(line)
        goes_on, self.joining = self.joining, bool(stamp) and len(text) == LONGEST_LINE
        if goes_on:
            text, self.held = self.held + text, b""
        if self.joining:
            # It may be the mark that was cut.
            self.held = text[-len(MARK) :]
            yield Line(stamp, text[: -len(MARK)], goes_on)
        elif not text.endswith(MARK):
            yield Line(stamp, text + b"\n", goes_on)
        elif len(text) > len(MARK):
            yield Line(stamp, text[: -len(MARK)], goes_on)

    def _look(self) -> None:
        """Open files that have come, and close those that have gone and are read."""
        now: set[tuple[int, int]] = set()
        for _ in range(MOST_LOOKS):
            listed = self._listed()
            now = {key for _, _, key in listed}
            if self._opened(listed):
                break
        for each in self.files[:-1]:
            each.missed = 0 if each.key in now else each.missed + 1
            if each.missed > 1 and not each.left and not each.rest:
                os.close(each.descriptor)
                self.files.remove(each)

    def _opened(self, listed: list[_Listed]) -> bool:
        """Open what has come; False if a file has been renamed since it was listed, as others come before it then."""
        held = {each.key for each in self.files}
        for path, stamped, key in listed:
            if key in held:
                continue
            try:
                file = _File(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), stamped)
            except FileNotFoundError:
                return False
            except OSError:
                continue
            if file.key != key:
                os.close(file.descriptor)
                return False
            self.lost = self.lost or (not (held & {key for _, _, key in listed}) and bool(held))
            self.files.append(file)
        return True

    def _listed(self) -> list[_Listed]:
        """The files that there are, older ones first."""
        before: object = None
        while True:
            found = _sources(self.folder)
            if found == before:  # Nothing has been renamed while it was listed.
                return found
            before = found


def _sources(folder: str) -> list[_Listed]:
    single = [(path, False, _key(path)) for path in (f"{folder}.earlier", folder)]
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        names = []
    older = [(int(match[1]), name) for name in names if (match := _OLDER_BYTES.fullmatch(name))]
    raw = [name for _, name in sorted(older, reverse=True)] + [name for name in ("output",) if name in names]
    lines = sorted(each for each in names if each.startswith("@"))
    lines += [name for name in ("previous", "current") if name in names]
    kinds = [[(f"{folder}/{name}", stamped) for name in kind] for kind, stamped in ((raw, False), (lines, True))]
    # s6 may have come or gone between two runs: what was written last is last.
    kinds.sort(key=lambda kind: max((_changed(path) for path, _ in kind), default=0))
    within = [(path, stamped, _key(path)) for kind in kinds for path, stamped in kind]
    return [(path, stamped, key) for path, stamped, key in (*single, *within) if key is not None]


def _key(path: str) -> _Key | None:
    """Device and inode of a file; None of what is none."""
    try:
        there = os.lstat(path)
    except OSError:
        return None
    return (there.st_dev, there.st_ino) if stat.S_ISREG(there.st_mode) else None


def _changed(path: str) -> int:
    try:
        return os.lstat(path).st_mtime_ns
    except OSError:
        return 0


def _parted(line: bytes) -> tuple[bytes, bytes]:
    """A line's time stamp and text."""
    if _STAMPED.match(line):
        return line[:STAMP], line[STAMP + 2 :]
    return b"", line


def _raw(file: _File, chunk: bytes) -> Iterator[Line]:
    lines = chunk.split(b"\n")
    last = lines.pop()
    for each in lines:
        yield Line(b"", each + b"\n", file.goes_on)
        file.goes_on = False
    if last:
        yield Line(b"", last, file.goes_on)
        file.goes_on = True


def _back(descriptor: int, count: int) -> tuple[int, int]:
    """Where the last ``count`` lines of a file begin, read from its end, and how many there are."""
    end = position = os.lseek(descriptor, 0, os.SEEK_END)
    if not end or count <= 0:
        return end, 0
    newlines = -1 if os.pread(descriptor, 1, end - 1) == b"\n" else 0  # One that ends the last line begins none.
    while position > 0:
        start = max(0, position - PIECE)
        piece = os.pread(descriptor, position - start, start)
        newlines += piece.count(b"\n")
        if newlines >= count:
            offset = -1
            for _ in range(newlines - count + 1):
                offset = piece.index(b"\n", offset + 1)
            return start + offset + 1, count
        position = start
    return 0, newlines + 1


def last(log: LogFiles, count: int, most: int | None = None, *, ended: bool = True) -> list[Line]:
    """The last lines of a log, which is read to its end; no more bytes than about ``most``, of longer ones their end.

    Unless the log has ``ended``, a last line that is not whole yet is left for later.
    """
    asked = count + 1
    while True:
        whole = log.to_last(asked if count else 0)
        lines: deque[deque[Line]] = deque()
        seen = size = 0
        for each in chain(log.read(), log.flush() if ended else ()):
            if not each.goes_on or not lines:
                lines.append(deque())
                seen += 1
            lines[-1].append(each)
            size += len(each.text)
            if len(lines) > count:
                size -= sum(len(part.text) for part in lines.popleft())
            while most is not None and lines and size - len(lines[0][0].text) >= most:
                size -= len(lines[0].popleft().text)
                if not lines[0]:
                    lines.popleft()
        # What is one line may have been several in the files.
        if whole or seen > count or not count or (most is not None and size >= most):
            return [part for line in lines for part in line]
        asked *= 4


def tail(folder: str, count: int, most: int | None = None) -> bytes:
    """The last lines of a log that has ended, as :func:`last` has them."""
    log = LogFiles(folder)
    try:
        said = b"".join(each.text for each in last(log, count, most))
        return said if most is None else said[-most:]
    finally:
        log.close()
