# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of an image, several at once, each unpacked while it comes.

A thread per layer receives its blob into a file, hashing it, and tells a process how far it is, which unpacks what
is there; so memory stays small however fast the registry is. The disk gets what is complete while the rest comes. When
all digests and diff ids are right, all is brought to it, and then blobs and layers get their names. What a kill leaves
aside of a blob is gone on with.
"""
from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from . import content
from .content import ASIDE
from .download import Download
from .layer import compare, sync_all
from .manifest import Descriptor
from .registry import Lie, Registry
from .sources import Sources
from .unpacker import WHOLE, Unpacker

AT_ONCE = min(3, max(2, os.cpu_count() or 1))
"""Layers on their way at once: three as with podman and Docker, two where more would only wait for processors."""


class Arrival(NamedTuple):
    """How far a layer is: what is received of its bytes, and whether it is done. Layers are counted from 1."""

    number: int
    layers: int
    digest: str
    size: int
    received: int
    done: bool = False


Tell = Callable[[Arrival], None]


class Layers:
    """All layers of one image on their way into the store, whose lock the caller holds."""

    def __init__(
        self, layout: Layout, sources: Sources, parts: Sequence[Descriptor], diff_ids: Sequence[str], tell: Tell
    ) -> None:
        self._layout, self._sources, self._tell = layout, sources, tell
        self._parts, self._diff_ids = tuple(parts), tuple(diff_ids)
        self._done = [threading.Event() for _ in self._parts]
        self._ahead = iter(range(len(self._parts)))
        self._mutex = threading.Lock()
        self._unpackers: list[Unpacker] = []
        self._errors: list[BaseException] = []
        self._sync: threading.Thread | None = None

    def bring(self) -> None:
        """Fetch and unpack what is not there. Raises what went wrong first, when nothing goes on any more."""
        there = {each for each in self._diff_ids if os.path.isdir(self._layout.layer(each))}
        missing = len(set(self._diff_ids) - there)
        unpackers = self._unpackers
        threads: list[threading.Thread] = []
        try:
            # All forks come before the first thread: a forked process has none of them, and of their locks only the
            # state.
            for _ in range(min(AT_ONCE, missing)):
                unpackers.append(Unpacker(self._layout, self._diff_ids, unpackers))
            each_own: Sequence[Unpacker | None] = unpackers or [None] * AT_ONCE
            for unpacker in each_own:
                threads.append(threading.Thread(target=self._work, args=(unpacker,)))
                threads[-1].start()
            for thread in threads:
                thread.join()
        except BaseException:
            self._sources.stop.set()
            raise
        finally:
            for each in unpackers:
                each.end()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            if self._sync is not None:
                self._sync.join()  # the process could not end before it either
        if self._errors:
            raise self._errors[0]  # the others follow from it
        self._compare(there)
        self._name()

    def _compare(self, there: set[str]) -> None:
        """See that layers which were in the store for other images lie on layers here that make the same of them."""
        folders = [self._layout.layer(each) for each in self._diff_ids]
        folders = [each if os.path.isdir(each) else each + WHOLE for each in folders]
        for number, diff_id in enumerate(self._diff_ids):
            if diff_id in there and diff_id not in self._diff_ids[:number]:
                compare(folders[number], diff_id, folders[:number][::-1])

    def _name(self) -> None:
        """Give all that is new its name, once it is on the disk."""
        new = {layer + WHOLE: layer for layer in map(self._layout.layer, self._diff_ids)}
        new |= {path + ASIDE: path for path in (content.blob(self._layout, part.digest) for part in self._parts)}
        folders = [self._layout.layer(""), f"{self._layout.images}/blobs/sha256"]
        for folder in folders if os.stat(folders[0]).st_dev != os.stat(folders[1]).st_dev else folders[:1]:
            sync_all(folder)
        for aside, path in new.items():
            if os.path.lexists(aside):
                os.rename(aside, path)
        for folder in folders:
            store.sync(folder)

    def _work(self, unpacker: Unpacker | None) -> None:
        while (number := self._next()) is not None and not self._sources.stop.is_set():
            try:
                self._bring(number, unpacker)
                self._sync_ahead()
            except BaseException as error:
                self._errors.append(error)
                self._sources.stop.set()
                # Others may wait for a layer below that will never come.
                for each in self._unpackers:
                    each.kill()
            self._done[number].set()

    def _sync_ahead(self) -> None:
        """Let the disk begin with what is complete, unless it is still busy with what was before: less is left then."""
        with self._mutex:
            if self._sync is None or not self._sync.is_alive():
                thread = threading.Thread(target=self._sync_layers)
                with suppress(RuntimeError):  # there may be no room for one more, and none is needed
                    thread.start()
                    self._sync = thread

    def _sync_layers(self) -> None:
        try:
            sync_all(self._layout.layer(""))
        except OSError as error:
            # The kernel says it once: the sync at the end would succeed.
            self._errors.append(error)
            self._sources.stop.set()

    def _next(self) -> int | None:
        with self._mutex:
            return next(self._ahead, None)

    def _bring(self, number: int, unpacker: Unpacker | None) -> None:
        part, diff_id = self._parts[number], self._diff_ids[number]
        for same in range(number):
            # Layers may be listed twice: an empty one is in many images.
            if part.digest == self._parts[same].digest or diff_id == self._diff_ids[same]:
                self._done[same].wait()
        if self._sources.stop.is_set():
            return
        self._say(number, 0)
        path = self._whole_blob(number)
        try:
            if path is None:
                self._sources.first(lambda registry: self._fetch(registry, number, unpacker))
            elif unpacker is not None:
                unpacker.begin(number, part.size, path)
                unpacker.whole()
        except ValueError as error:
            fix = "nothing was kept; it was not built by an ordinary tool, or it is an attack"
            reason = f"its layer {part.digest} can't be unpacked: {error}"
            raise Failure(self._sources.operation, reason, fix) from error
        self._say(number, part.size, done=True)

    def _whole_blob(self, number: int) -> str | None:
        """Where a layer's blob is, if it is there already; from this pull if the layer is listed twice."""
        part = self._parts[number]
        path = content.blob(self._layout, part.digest)
        if has(path, part.size):
            return path
        earlier = any(part.digest == each.digest for each in self._parts[:number])
        return path + ASIDE if earlier else None

    def _fetch(self, registry: Registry, number: int, unpacker: Unpacker | None) -> None:
        """Fetch from one registry. If what an earlier pull has left of the blob is damaged, all of it is fetched."""
        part = self._parts[number]
        aside = content.blob(self._layout, part.digest) + ASIDE
        while True:
            resumed = 0
            try:
                with Download(aside, part.digest, part.size) as download:
                    resumed = download.received
                    if unpacker is None:
                        registry.blob(download, lambda received: self._say(number, received))
                    else:
                        self._unpack(registry, number, download, unpacker)
                    return
            except Lie:
                store.remove(aside)
                if not resumed:
                    raise

    def _unpack(self, registry: Registry, number: int, download: Download, unpacker: Unpacker) -> None:
        def say(received: int) -> None:
            unpacker.received(received)
            self._say(number, received)

        unpacker.begin(number, download.size, download.path)
        try:
            say(download.received)
            registry.blob(download, say)
        except BaseException:
            unpacker.drop()
            raise
        unpacker.whole()

    def _say(self, number: int, received: int, done: bool = False) -> None:
        part = self._parts[number]
        with self._mutex:
            self._tell(Arrival(number + 1, len(self._parts), part.digest, part.size, received, done))


def has(path: str, size: int) -> bool:
    """Whether a file is there and has a size."""
    try:
        return os.stat(path, follow_symlinks=False).st_size == size
    except FileNotFoundError:
        return False
