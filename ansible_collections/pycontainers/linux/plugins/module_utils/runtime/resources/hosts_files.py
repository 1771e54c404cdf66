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
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any, NoReturn

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..oci import lifecycle
from . import leases
from .addresses import number
from .network_model import names

HOSTS = "/etc/hosts"
LOCAL_LINES = b"127.0.0.1 localhost\n::1 localhost\n"

CURRENT, STALE = "current", "stale"

BEGIN, END = b"# Containers on its networks:\n", b"# End of containers.\n"

LARGEST = 1 << 24
"""Bytes of a file that are kept: lists of hosts to be blocked have some millions."""

PATIENCE, MOST_STUCK = 1.0, 3
"""Seconds for one file to be written, and how many that takes longer for are put up with at a time."""

_SAFELY = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC

LOCAL = "localhost"
"""The one name that no container takes from others by being called so."""


_BOOTED: list[tuple[dict[str, Mapping[str, Any]], set[str]]] = []
"""Records by id, and who has been seen to run, within :func:`booting`."""


@contextmanager
def booting() -> Iterator[None]:
    """Within the block take records for what they are now, and who has been seen to run for one who goes on.

    Else each of many containers that are started would have all the others looked at.
    """
    _BOOTED.append(({}, set()))
    try:
        yield
    finally:
        _BOOTED.pop()


class Neighbours:
    """Who is on which network and runs, each looked up once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._records, self._running = _BOOTED[-1] if _BOOTED else ({}, set())
        self._leases = {network: leases.read(layout, network) for network in names(layout)}
        self._runs = cache(self._is_running)
        self._lines = {network: list(self._lines_of(network, held)) for network, held in self._leases.items()}

    def _is_running(self, identity: str) -> bool:
        """Whether a container runs, or its waiter is about to start it again."""
        if identity not in self._running:
            # Of most that is known at once while the host boots: nothing is written down of them yet.
            if not any(os.path.exists(self._layout.running(identity, each)) for each in lifecycle.RECORDS):
                return False
            if not (lifecycle.running(self._layout, identity) or lifecycle.waiter(self._layout, identity)):
                return False
            self._running.add(identity)
        return True

    def _record(self, identity: str) -> Mapping[str, Any]:
        if identity not in self._records:
            self._records[identity] = {}
            with suppress(Failure):
                path = self._layout.container(identity, "container.json")
                self._records[identity] = store.read_json(path) or {}
        return self._records[identity]

    def on(self, network: str) -> list[str]:
        """The ids of those that run on a network."""
        return [each for each in dict.fromkeys(self._leases.get(network, {}).values()) if self._runs(each)]

    def names(self, identity: str) -> bytes:
        """The lines that a container's file is to have, with those around them: its own, then those of others."""
        own = [network for network, held in self._leases.items() if identity in held.values()]
        record = self._record(identity)
        words = dict.fromkeys((record.get("hostname") or identity[:12], record.get("name") or identity, identity[:12]))
        addresses = (address for network in own for address in self._of(network, identity))
        lines = [f"{address} {' '.join(words)}\n" for address in addresses]
        lines += [line for network in own for each, line in self._lines[network] if each != identity]
        return BEGIN + "".join(lines).encode() + END

    def _of(self, network: str, identity: str) -> list[str]:
        """A container's addresses on a network, that of IPv4 first."""
        return sorted((each for each, holder in self._leases[network].items() if holder == identity), key=number)

    def _lines_of(self, network: str, held: dict[str, str]) -> Iterator[tuple[str, str]]:
        """The line of each address of one that runs on a network, in their order."""
        for address in sorted((each for each, identity in held.items() if self._runs(identity)), key=number):
            identity = held[address]
            told = [*self._told(network, identity), identity[:12]]
            words = dict.fromkeys(each for each in told if each.lower() != LOCAL)
            yield identity, " ".join((address, *words)) + "\n"

    def _told(self, network: str, identity: str) -> list[str]:
        """The names of a container on a network: its own, and its aliases there."""
        record = self._record(identity)
        asked = (each for each in record.get("networks") or () if each.get("name") == network)
        return [str(record.get("name") or identity), *(alias for each in asked for alias in each.get("aliases") or ())]


def prepare(layout: Layout, identity: str, extra: Iterable[tuple[str, str]], of_host: bool) -> None:
    """Write the file for a start, anew as whatever was bound before was the container's.

    ``extra`` are addresses with a name each. It begins with what is in the host's, where the network is ``of_host``.
    """
    content = (store.read(HOSTS) or b"") if of_host else LOCAL_LINES
    content += "".join(f"{address} {name}\n" for address, name in extra).encode()
    path = layout.container(identity, "hosts")
    names = Neighbours(layout).names(identity) if leases.held(layout, identity) else b""
    store.write(path, content + names, 0o644, durable=False)


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
