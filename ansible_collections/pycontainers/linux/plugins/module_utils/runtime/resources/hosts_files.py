# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of containers for each other: hosts(5) files, so that nothing of ours has to answer questions.

A container's file is bound over its /etc/hosts. Whenever one starts or ends, the names are written anew in the files
of those that run on its networks: in place, since what is bound is the file and not its path, and between two lines
of ours, since programs add lines of their own.

A container can do with its file what it likes: hold a lease on it (fcntl(2), F_SETLEASE), which would have a plain
open wait, or write to it without end, which has every other write wait for the inode's lock where no signal ends it.
So a child process writes, for which nobody waits long. What could not be written is seen as drift of that container.
"""
from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import NoReturn

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..oci import lifecycle
from . import leases
from .addresses import number
from .network_model import names

CURRENT, STALE = "current", "stale"

BEGIN, END = b"# Containers on its networks:\n", b"# End of containers.\n"

LARGEST = 1 << 24
"""Bytes of a file that are kept: lists of hosts to be blocked have some millions."""

PATIENCE, MOST_STUCK = 1.0, 3
"""Seconds for one file to be written, and how many that takes longer for are put up with at a time."""

_SAFELY = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC

LOCAL = "localhost"
"""The one name that no container takes from others by being called so."""


class Neighbours:
    """Who is on which network and runs, each looked up once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._leases = {network: leases.read(layout, network) for network in names(layout)}
        self._name = cache(self._running_name)
        self._lines = {network: list(self._lines_of(held)) for network, held in self._leases.items()}

    def _running_name(self, identity: str) -> str | None:
        """The name of a container that runs, or that its waiter is about to start again."""
        if not lifecycle.running(self._layout, identity) and not lifecycle.waiter(self._layout, identity):
            return None
        with suppress(Failure):
            record = store.read_json(self._layout.container(identity, "container.json")) or {}
            return str(record.get("name") or identity)
        return None

    def on(self, network: str) -> list[str]:
        """The ids of those that run on a network."""
        return [each for each in self._leases.get(network, {}).values() if self._name(each)]

    def names(self, identity: str) -> bytes:
        """The lines that a container's file is to have, with those around them."""
        common = [self._lines[network] for network, held in self._leases.items() if identity in held.values()]
        lines = [line for found in common for each, line in found if each != identity]
        return BEGIN + "".join(lines).encode() + END

    def _lines_of(self, held: dict[str, str]) -> Iterator[tuple[str, str]]:
        """The line of each that runs on a network, in the order of their addresses."""
        for address in sorted(held, key=number):
            identity = held[address]
            if name := self._name(identity):
                names = [] if name.lower() == LOCAL else [name]
                yield identity, " ".join((address, *names, identity[:12])) + "\n"


def prepare(layout: Layout, identity: str, own: Iterable[str], extra: Iterable[tuple[str, str]]) -> str:
    """Write the file for a start, anew as whatever was bound before was the container's; gives its path.

    ``own`` are the container's names, ``extra`` addresses with a name each.
    """
    words, held = " ".join(dict.fromkeys((*own, identity[:12]))), leases.held(layout, identity)
    lines = ["127.0.0.1 localhost", "::1 localhost", *(f"{address} {words}" for address in held.values())]
    lines += [f"{address} {name}" for address, name in extra]
    content = "".join(f"{line}\n" for line in lines).encode()
    path = layout.container(identity, "hosts")
    store.write(path, content + (Neighbours(layout).names(identity) if held else b""), 0o644, durable=False)
    return path


def observe(layout: Layout, identity: str) -> str:
    """Whether a running container's file says who is on its networks now."""
    try:
        file = os.open(layout.container(identity, "hosts"), os.O_RDONLY | _SAFELY)
    except OSError:
        return STALE
    try:
        content = os.pread(file, LARGEST, 0)
    finally:
        os.close(file)
    return CURRENT if content == _spliced(content, Neighbours(layout).names(identity)) else STALE


def _spliced(content: bytes, names: bytes) -> bytes:
    """A file with these names in the place of those that it has."""
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        rest = content.replace(BEGIN, b"").replace(END, b"").rstrip(b"\n")
        before, after = rest + b"\n" if rest else b"", b""
    return before + names + after


def tell(layout: Layout, networks: tuple[str, ...]) -> None:
    """Write the files of all that run on these networks. What can't be is left, see above."""
    if not networks:
        return
    with suppress(OSError, Failure, ValueError), store.lock(layout.lock("hosts")):
        neighbours = Neighbours(layout)
        there = dict.fromkeys(each for network in networks for each in neighbours.on(network))
        files = [(layout.container(each, "hosts"), neighbours.names(each)) for each in there]
        for _ in range(MOST_STUCK):
            files = files[_written(files) + 1 :] if files else []


def _written(files: list[tuple[str, bytes]]) -> int:
    """Have a child write files in order; how many it got through before one took too long."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _write_all(files, writer)
    os.close(writer)
    done = 0
    while done < len(files) and select.select([reader], [], [], PATIENCE)[0] and os.read(reader, 1):
        done += 1
    os.close(reader)
    # One that hangs in the kernel ends when it comes out of there, and is nobody's to wait for.
    with suppress(OSError):
        os.kill(child, signal.SIGKILL)
    with suppress(OSError):
        os.waitpid(child, 0 if done == len(files) else os.WNOHANG)
    return done


def _write_all(files: list[tuple[str, bytes]], writer: int) -> NoReturn:
    try:
        # The locks of whoever waits are not to last as long as this may.
        for each in map(int, os.listdir("/proc/self/fd")):
            if each != writer:
                with suppress(OSError):
                    os.close(each)
        for path, names in files:
            with suppress(OSError):
                _write(path, names)
            os.write(writer, b".")
    finally:
        os._exit(0)


def _write(path: str, names: bytes) -> None:
    file = os.open(path, os.O_RDWR | _SAFELY)
    try:
        content = os.pread(file, LARGEST, 0)
        wanted = _spliced(content if len(content) < LARGEST else b"", names)
        # Not emptied first: a program that looks meanwhile is to find the names before. What is too much is made
        # empty lines, so that nothing is left of it if this is the last that happens.
        padded = wanted.ljust(len(content), b"\n")
        if wanted != content and os.pwrite(file, padded, 0) == len(padded):
            os.ftruncate(file, len(wanted))
    finally:
        os.close(file)
