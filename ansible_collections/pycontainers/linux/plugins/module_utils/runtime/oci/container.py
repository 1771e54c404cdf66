# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a container of the OCI command line: a folder named by its id, with a record and a lock.

==============  =====================================================================================
file            what
==============  =====================================================================================
state.json      the record, replaced by renaming
config.json     the configuration as it was when the container was created
start           the socket at which the first process waits to be started; gone from then on
==============  =====================================================================================

The folder itself is what is locked, so that nothing is left of a container that is deleted.
"""
from __future__ import annotations

import fcntl
import os

from ..core import store
from ..errors import Failure, InvalidValue, NotFound, failing
from ..kernel import freezer
from ..kernel.process import Process
from ..lean import json
from ..lean.contextlib import contextmanager, suppress
from ..typed import Any, NamedTuple
from . import config as configuration
from .config import Config
from .limits import groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CREATING, CREATED, RUNNING, PAUSED, STOPPED = "creating", "created", "running", "paused", "stopped"
"""The states of the specification (runtime.md, "State"), and the one that freezing adds."""

_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-")
_LONGEST = 255

DAMAGED = "damaged"
"""What is told of a container whose record can't be read."""


class Damaged(Failure):
    """A container whose record can't be read."""


class Record(NamedTuple):
    """A container. ``cgroup`` is "" for none; ``cgroup_made`` says that the runtime made it, and so may empty it.

    ``process`` is the first process, None until there is one; ``ready`` is whether it waits for the start. ``hooks``
    are the kinds of hooks that its configuration has. ``own_pids`` is whether it has a pid namespace to itself.
    """

    id: str
    bundle: str
    rootfs: str
    version: str
    created: str
    systemd: bool
    own_pids: bool
    cgroup: str
    cgroup_made: bool
    annotations: dict[str, str]
    hooks: list[str]
    process: Process | None = None
    ready: bool = False

    @property
    def init(self) -> Process:
        """The first process, alive or not. Raises :class:`Failure` if there is none yet."""
        if self.process is None:
            raise Failure(f"reach container {self.id}", "container not running")
        return self.process


def valid(identity: str) -> str:
    """The id, if it can be one: it becomes a folder's name. Raises :class:`InvalidValue`."""
    if not _possible(identity):
        raise InvalidValue("container id", identity[:60], "it has 1 to 255 of the characters A-Z a-z 0-9 _ + - .")
    return identity


def _possible(identity: str) -> bool:
    return 0 < len(identity) <= _LONGEST and _LETTERS.issuperset(identity) and identity not in (".", "..")


_KINDS = {"own_pids": bool, "cgroup_made": bool, "ready": bool, "systemd": bool, "annotations": dict, "hooks": list}
"""What a record's values are, where they are no text."""


def bare(identity: str, cgroup: str) -> Record:
    """A container of which nothing is known but its id and, where it is the runtime's own, its cgroup."""
    return Record(identity, "", "", "", "", False, True, cgroup, bool(cgroup), {}, [])


class Containers(NamedTuple):
    """All containers below one root folder."""

    root: str

    def folder(self, identity: str, *parts: str) -> str:
        """A container's folder, or something in it."""
        return os.path.join(self.root, valid(identity), *parts)

    @property
    def filters(self) -> str:
        """The folder of compiled seccomp profiles; no container has a name with this character."""
        return f"{self.root}/seccomp~"

    def ids(self) -> list[str]:
        """The ids of all containers."""
        with suppress(FileNotFoundError):
            return sorted(filter(_possible, os.listdir(self.root)))
        return []

    def load(self, identity: str) -> Record:
        """The record. Raises :class:`NotFound`, and :class:`Damaged` for what is no record of this version."""
        with failing(f"find container {identity}"):
            content = store.read(self.folder(identity, "state.json"))
        if content is None:
            raise missing(identity)
        try:
            kept = json.loads(content)
            process = kept.pop("process")
            for name, value in kept.items():
                if not isinstance(value, _KINDS.get(name, str)):
                    raise TypeError(f"{name} is {value!r}")
            if kept["id"] != identity:
                raise KeyError(f"it is of {kept['id']}")
            return Record(**kept, process=Process(int(process["pid"]), int(process["start"])) if process else None)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            reason = f"its record was not written by this version, or is damaged ({error})"
            raise Damaged(f"find container {identity}", reason, "remove the container by delete --force") from error

    def save(self, record: Record) -> None:
        """Write the record. Raises ``OSError``."""
        process = record.process._asdict() if record.process else None
        content = json.dumps(record._asdict() | {"process": process}).encode()
        store.write(self.folder(record.id, "state.json"), content, durable=False)

    def config(self, record: Record) -> Config:
        """The configuration that the container was created with."""
        document = store.read_json(self.folder(record.id, "config.json"))
        return configuration.parse(document or {}, record.bundle, systemd=record.systemd)

    def make(self, identity: str) -> None:
        """Make the folder of a new container. Raises :class:`Failure` if the id is taken."""
        with failing(f"create container {identity}"):
            os.makedirs(self.root, mode=0o711, exist_ok=True)
            try:
                os.mkdir(self.folder(identity), 0o700)
            except FileExistsError:
                reason = "container with given ID already exists"
                raise Failure(f"create container {identity}", reason, "delete it, or give another id") from None

    @contextmanager
    def locked(self, identity: str) -> Iterator[int]:
        """Hold the container's lock, and yield its folder's descriptor. Raises :class:`NotFound`."""
        descriptor = self._lock(identity, fcntl.LOCK_EX)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _lock(self, identity: str, how: int) -> int:
        path = self.folder(identity)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise missing(identity) from None
        try:
            fcntl.flock(descriptor, how)
            # Whoever held it may have deleted the container meanwhile.
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        except FileNotFoundError:
            pass
        except BlockingIOError:
            os.close(descriptor)
            raise
        os.close(descriptor)
        raise missing(identity)

    def status(self, record: Record) -> str:
        """In which state the container is now, as the kernel says."""
        if record.process is None:
            return CREATING if self._busy(record.id) else STOPPED
        if not record.process.alive:
            return STOPPED
        if os.path.exists(self.folder(record.id, "start")):
            return CREATED if record.ready else CREATING
        return PAUSED if record.cgroup and freezer.frozen(groups(), record.cgroup) else RUNNING

    def _busy(self, identity: str) -> bool:
        try:
            os.close(self._lock(identity, fcntl.LOCK_SH | fcntl.LOCK_NB))
        except BlockingIOError:
            return True
        except NotFound:
            return False
        return False

    def forget(self, identity: str) -> None:
        """Remove the folder, record last, so that a killed removal can be taken up again."""
        folder = self.folder(identity)
        for name in sorted(os.listdir(folder), key=lambda name: name == "state.json"):
            store.remove(f"{folder}/{name}")
        os.rmdir(folder)


def state(record: Record, status: str) -> dict[str, Any]:
    """The state document (runtime.md, "State"). Its status comes first."""
    alive = status != STOPPED and record.process
    return {
        "status": status,
        "ociVersion": "1.2.0",
        "id": record.id,
        "pid": record.process.pid if record.process and alive else 0,
        "bundle": record.bundle,
        "rootfs": record.rootfs,
        "created": record.created,
        "annotations": record.annotations,
        "owner": "",
    }


def encoded(record: Record, status: str) -> bytes:
    """The state document as hooks get it."""
    return json.dumps(state(record, status)).encode()


def missing(identity: str) -> NotFound:
    """The error for a container that is not there, in the words that clients look for."""
    return NotFound(f"find container {identity}", "container does not exist")
