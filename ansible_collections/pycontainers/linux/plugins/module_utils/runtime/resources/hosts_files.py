# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of containers for each other: hosts(5) files, so that nothing of ours has to answer questions.

A container's file is bound over its /etc/hosts. Whenever one starts or ends, the names are written anew in the files
of those that run on its networks: in place, since what is bound is the file and not its path, and between two lines
of ours, since programs add lines of their own.

A container can do with its file what it likes: grow it, or hold a lease on it (fcntl(2), F_SETLEASE), which would
have a plain open wait. That keeps nobody else from starting. What could not be written is seen as drift of that
container.
"""
from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..oci import lifecycle
from . import leases
from .addresses import number
from .network_model import names

CURRENT, STALE = "current", "stale"

BEGIN, END = b"# Containers on its networks:\n", b"# End of containers.\n"

LARGEST = 1 << 20
"""Bytes of a file that is looked at; hundreds of names have some ten thousand."""

LOCAL = "localhost"
"""The one name that no container takes from others by being called so."""


class Neighbours:
    """Who is on which network and runs, each looked up once."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._leases = {network: leases.read(layout, network) for network in names(layout)}
        self._name = cache(self._running_name)

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
        lines = [line for held in self._leases.values() for line in self._lines(identity, held)]
        return BEGIN + "".join(f"{line}\n" for line in lines).encode() + END

    def _lines(self, identity: str, held: dict[str, str]) -> list[str]:
        if identity not in held.values():
            return []
        others = sorted((number(address), address, each) for address, each in held.items() if each != identity)
        named = [(address, each, name) for _, address, each in others if (name := self._name(each))]
        return [" ".join((address, *({name} - {LOCAL}), each[:12])) for address, each, name in named]


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
    with suppress(OSError):
        file = _open(layout, identity, os.O_RDONLY)
        try:
            content = os.pread(file, LARGEST, 0)
        finally:
            os.close(file)
        return CURRENT if content == _spliced(content, Neighbours(layout).names(identity)) else STALE
    return STALE


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
    with suppress(OSError, Failure), store.lock(layout.lock("hosts")):
        neighbours = Neighbours(layout)
        for identity in dict.fromkeys(each for network in networks for each in neighbours.on(network)):
            with suppress(OSError):
                _write(layout, identity, neighbours.names(identity))


def _write(layout: Layout, identity: str, names: bytes) -> None:
    file = _open(layout, identity, os.O_RDWR)
    try:
        content = os.pread(file, LARGEST, 0)
        wanted = _spliced(content if len(content) < LARGEST else b"", names)
        if wanted != content:
            # Not emptied first: a program that looks meanwhile is to find the names before.
            os.ftruncate(file, os.pwrite(file, wanted, 0))
    finally:
        os.close(file)


def _open(layout: Layout, identity: str, flags: int) -> int:
    return os.open(layout.container(identity, "hosts"), flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
