# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that unpacks layers while their blobs come.

Thousands of files are thousands of system calls, and Python's threads would hand the interpreter to each other at
every one. So the pulling process forks some of these before it has threads, and tells them how far blobs are:

```
pulling process                           unpacking process
unpack NUMBER SIZE PATH   ------------>   opens the blob's file
received BYTES            ------------>   reads and unpacks so far
                          <------------   errno … or wrong …, at any time; else
whole                     ------------>   the blob is right; if the diff id is, too, the layer is called WHOLE
                          <------------   done
drop                      ------------>   instead of whole: gives the layer up
                          <------------   dropped
```

The kernel ends it with the pulling process, whose lock on the store it shares.
"""
from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NoReturn

from ..core.layout import Layout
from ..errors import Failure
from ..kernel import syscalls
from .content import ASIDE
from .layer import fill

WHOLE = f".whole{ASIDE}"
"""The ending of a layer that is complete, but not on the disk yet."""

LOOK_AGAIN = 0.02
"""Seconds between looks for the folder of a layer below, in the rare case that it matters and is not there yet."""


class Dropped(Exception):
    """The rest of a blob will not come."""


class Unpacker:
    """The pulling process's end. ``others`` are those that it has already: a new process closes their ends."""

    def __init__(self, layout: Layout, diff_ids: Sequence[str], others: Sequence[Unpacker]) -> None:
        self._socket, theirs = socket.socketpair()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            _run(layout, diff_ids, theirs, [each._socket for each in (self, *others)], parent)
        theirs.close()
        self._said = self._socket.makefile("rb")
        self._answer: dict[str, object] | None = None

    def begin(self, number: int, size: int, path: str) -> None:
        """Let it unpack a layer, counted from 0, from the file of a blob of which nothing counts as received yet."""
        self._answer = None
        self._tell("unpack", number, size, path)

    def received(self, count: int) -> None:
        """Tell it how many bytes of the blob are there. Raises ``OSError`` if it failed to write files."""
        self._tell("received", count)
        if self._answer is None and select.select([self._socket], [], [], 0)[0]:
            self._listen()
        if self._answer and "errno" in self._answer:
            self._raise(self._answer)

    def whole(self) -> None:
        """Let it finish, and wait for it. Raises ``ValueError`` or ``OSError`` as :func:`.layer.unpack` does."""
        self._tell("whole")
        self._raise(self._listen() if self._answer is None else self._answer)

    def drop(self) -> None:
        """Let it give the layer up, and wait until it has."""
        self._tell("drop")
        if self._answer is None:
            self._listen()

    def _tell(self, *words: object) -> None:
        # It may have been killed; then there is no answer either, which is where that is said.
        with suppress(ConnectionError):
            self._socket.sendall(json.dumps(words).encode() + b"\n")

    def _listen(self) -> dict[str, object]:
        line = self._said.readline()
        self._answer = json.loads(line) if line else {}
        return self._answer

    def _raise(self, answer: dict[str, object]) -> None:
        if "errno" in answer:
            raise OSError(answer["errno"], answer["strerror"], answer["filename"])
        if "wrong" in answer:
            raise ValueError(answer["wrong"])
        if "done" not in answer:
            fix = "look into the kernel's log: it may have had too little memory"
            raise Failure("unpack a layer", "the process that did has ended", fix)

    def kill(self) -> None:
        """Kill it, whatever it does. Who waits for its answer gets none."""
        # Where a caller has SIGCHLD ignored, the kernel waits for children itself.
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it, and wait until it is gone."""
        self.kill()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        self._said.close()
        self._socket.close()


def _run(
    layout: Layout, diff_ids: Sequence[str], server: socket.socket, others: Sequence[socket.socket], parent: int
) -> NoReturn:
    """The unpacking process. It must not come back into the code that forked it."""
    try:
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            for each in others:
                os.close(each.fileno())
            _serve(layout, diff_ids, server)
    finally:
        os._exit(1)


def _serve(layout: Layout, diff_ids: Sequence[str], server: socket.socket) -> None:
    orders = map(json.loads, server.makefile("rb"))
    for order in orders:
        if order[0] == "unpack":
            number, size, path = order[1:]
            answer = _unpack(layout, diff_ids, number, _Coming(path, size, orders))
            server.sendall(json.dumps(answer).encode() + b"\n")


def _unpack(layout: Layout, diff_ids: Sequence[str], number: int, coming: _Coming) -> dict[str, object]:
    try:
        layer, below = layout.layer(diff_ids[number]), _Below([layout.layer(each) for each in diff_ids[:number]])
        if not any(map(os.path.isdir, (layer, layer + WHOLE))):
            fill(layer + ASIDE, coming, coming.size, diff_ids[number], below)
            coming.wait_until_whole()
            os.rename(layer + ASIDE, layer + WHOLE)
        coming.wait_until_whole()
    except Dropped:
        return {"dropped": True}
    except OSError as error:
        return {"errno": error.errno, "strerror": error.strerror, "filename": error.filename}
    except ValueError as error:
        return {"wrong": str(error)}
    finally:
        coming.close()
    return {"done": True}


class _Coming:
    """The file of a blob that is still received: a read waits for what is not there yet."""

    def __init__(self, path: str, size: int, orders: Iterator[list[object]]) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        self.size, self._orders = size, orders
        self._position = self._received = 0
        self._whole = False

    def read(self, length: int) -> bytes:
        """The next bytes, fewer than asked for at the end only."""
        self._wait(lambda: self._received >= min(self._position + length, self.size))
        piece = os.pread(self._file, length, self._position)
        self._position += len(piece)
        return piece

    def seek(self, position: int) -> None:
        """Go back to a place."""
        self._position = position

    def wait_until_whole(self) -> None:
        """Return when the blob has been verified."""
        self._wait(lambda: self._whole)

    def _wait(self, enough: Callable[[], bool]) -> None:
        while not enough():
            match next(self._orders, None):
                case ["received", int(count)]:
                    self._received = count
                case ["whole"]:
                    self._received, self._whole = self.size, True
                case _:
                    raise Dropped

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


class _Below(Sequence[str]):
    """The folders of the layers under one, the uppermost first. Who looks into one waits until it is whole.

    The pulling process gives lower layers to others earlier, and ends this one if they fail.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def __len__(self) -> int:
        return len(self._folders)

    def __getitem__(self, index: int) -> str:  # type: ignore[override]  # nobody asks for slices
        folder = self._folders[len(self._folders) - 1 - index] if index < len(self._folders) else None
        if folder is None:
            raise IndexError(index)
        while True:
            for each in (folder, folder + WHOLE):
                if os.path.isdir(each):
                    return each
            time.sleep(LOOK_AGAIN)
