# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pieces of a stream, made ready by a thread while those before are used.

zlib, zstd and hashlib let go of the interpreter for as long as they work on a piece. So a layer is uncompressed and
hashed on one processor while another makes its files.
"""
from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import SimpleQueue

PIECES = 4
"""How many are made ready at most: they are what this costs of memory."""


def ahead(pieces: Iterator[bytes]) -> Generator[bytes]:
    """The pieces, and whatever their making raises. Who does not take all of them has to close this."""
    ready: SimpleQueue[bytes | BaseException | None] = SimpleQueue()
    room = threading.Semaphore(PIECES)
    given_up = threading.Event()

    def make() -> None:
        try:
            for piece in pieces:
                room.acquire()
                if given_up.is_set():
                    return
                ready.put(piece)
            ready.put(None)
        except BaseException as error:
            ready.put(error)

    thread = threading.Thread(target=make)
    thread.start()
    try:
        while (found := ready.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            room.release()
            yield found
    finally:
        given_up.set()
        room.release()
        thread.join()
