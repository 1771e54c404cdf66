# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of a container: its record, its status, and while it runs its limits in the kernel."""
from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from typing import Any

from ..core import ids, store
from ..core.layout import Layout
from ..core.model import parse, record, rows
from ..errors import Failure, InvalidValue, NotFound, failing
from ..kernel import freezer
from ..kernel.cgroups import cgroups
from ..lean.dataclasses import asdict, dataclass, fields, replace
from ..oci import lifecycle
from . import restart_policy
from .cgroup_parent import USUAL
from .container_model import Container
from .limits import LIMIT_ROWS, cleared, observe_limits

RECORD_FORMAT = 1

LISTS = ("env", "published_ports", "networks", "volumes")
"""Rows in which nothing and an empty list mean the same."""

DEFAULTS: dict[str, Any] = dict.fromkeys(LISTS, ())
DEFAULTS |= {row.name: row.facts["nothing"] for row in rows(Container) if "nothing" in row.facts}
"""The value of rows in which it means the same as nothing."""

WANTED, UNKNOWN = ("running", "stopped"), "unknown"
"""What can be wanted of a container; and what is where that can't be read."""

LATEST = 253402300800
"""Seconds since the epoch of the year 10000, which no time is written of (RFC 3339)."""

OBSERVED = ("state", "paused", "attached", "hosts", "wanted", "waiter", "checker", "health", "remains", "layer_image")
"""Rows that tell what is, and are no part of the record."""


@dataclass(frozen=True)
class Status:
    """What has become of a container's process; times in seconds since the epoch.

    ``started_clock`` is by CLOCK_BOOTTIME, which nobody sets: how long a run took is told by it. ``restarts`` are all
    since somebody started the container, ``in_a_row`` those since the last good run. ``unhealthy`` says that the run is
    ended since it was so, to be started again. For ``oom_…`` see
    :mod:`.container_memory`.
    """

    wanted: str = "stopped"
    started_at: float = 0.0
    started_clock: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    restarts: int = 0
    in_a_row: int = 0
    unhealthy: bool = False
    error: str = ""
    oom_kills: int = 0
    oom_last_run: int = 0
    oom_counted: int = 0
    oom_ended_at: float = 0.0


def lock(layout: Layout, name: str) -> AbstractContextManager[None]:
    """Keep other processes from changing the container of this name."""
    return store.lock(layout.lock(f"container-{name}"))


def identity_of(layout: Layout, name: str) -> str | None:
    """The id that a name stands for."""
    try:
        return os.path.basename(os.readlink(layout.name(name)))
    except FileNotFoundError:
        return None


def find(layout: Layout, wanted: str, read: Callable[[Layout, str], Container | None] | None = None) -> Container:
    """The container with a name, an id, or the beginning of an id, by ``read`` (:func:`load`). Raises NotFound."""
    found = identity_of(layout, wanted) if "/" not in wanted else None
    if found is None:
        matching = [each for each in identities(layout) if ids.begins(each, wanted)]
        if len(matching) > 1:
            reason = f"{len(matching)} ids begin so"
            raise Failure(f"find container {wanted}", reason, "give more of the id, or the name")
        found = matching[0] if matching else None
    container = (read or load)(layout, found) if found else None
    if container is None:
        raise NotFound(f"find container {wanted}", ids.none_of(wanted), "see pycontainers ps -a")
    return container


@contextmanager
def held(
    layout: Layout, identity: str, read: Callable[[Layout, str], Container | None] | None = None
) -> Iterator[Container | None]:
    """A container under the lock of its name, which may be another one once the lock is there; None if it is gone."""
    while True:
        container = (read or load)(layout, identity)
        if container is None:
            yield None
            return
        with lock(layout, container.name):
            again = (read or load)(layout, identity)
            if again is None or again.name == container.name:
                yield again
                return


def identities(layout: Layout) -> list[str]:
    """The ids of all containers, also of ones half made."""
    try:
        return sorted(os.listdir(layout.containers))
    except FileNotFoundError:
        return []


def record_path(layout: Layout, identity: str) -> str:
    """Where a container's record is."""
    return layout.container(identity, "container.json")


def load(layout: Layout, identity: str) -> Container | None:
    """The container as its record has it; its state is not in there. None where there is no record.

    What is not in the record has its value of :data:`DEFAULTS`, so that a playbook that says it makes no difference.
    """
    path = record_path(layout, identity)
    with failing(f"read {path}"):
        content = store.read(path)
    return None if content is None else _decoded(path, content)


@lru_cache(maxsize=1024)
def _decoded(path: str, content: bytes) -> Container:
    """What is in a record. A task reads those of many containers before it has their locks, and again under them."""
    kept = store.decoded(path, content)
    if kept.pop("format", None) != RECORD_FORMAT:
        reason = "another version of pycontainers wrote it"
        raise Failure(f"read {path}", reason, "use that version, or remove the container (state: absent)")
    try:
        container = parse(Container, {key: value for key, value in kept.items() if key not in OBSERVED})
        left_out = {name: value for name, value in DEFAULTS.items() if getattr(container, name) is None}
        return replace(container, **left_out)
    except InvalidValue as error:
        fix = "restore it from a backup, or remove the container (state: absent)"
        raise Failure(f"read {path}", error, fix) from error


def leftovers(layout: Layout, name: str, identity: str | None) -> tuple[str, ...]:
    """The ids of containers whose record has a name that stands for another one or none: what a killed run has left.

    So are folders without a record, under whatever name: a kill came before it was there, or after it was gone.
    Only records of containers without a name are read. One that can't be read is nobody's.
    """
    found = []
    named = {identity_of(layout, each) for each in names(layout)}
    for each in identities(layout):
        if each in named or each == identity:
            continue
        with suppress(Failure):
            kept = store.read_json(record_path(layout, each))
            if kept is None or kept.get("name") == name:
                found.append(each)
    return tuple(found)


def names(layout: Layout) -> list[str]:
    """The names of all containers."""
    try:
        return sorted(os.listdir(layout.names))
    except FileNotFoundError:
        return []


def encoded(container: Container) -> dict[str, Any]:
    """The record's content: what is declared, not what is observed."""
    left_out = [name for name, value in DEFAULTS.items() if getattr(container, name) == value]
    kept = {key: value for key, value in record(container).items() if key not in OBSERVED and key not in left_out}
    return {"format": RECORD_FORMAT} | kept


def same(want: Container, kept: Container) -> bool:
    """Whether the record says what is wanted. A limit that is not managed is the same as one that is cleared."""
    unlimited: dict[str, Any] = {
        row.name: None
        for row in LIMIT_ROWS
        if all(getattr(each, row.name) in (None, cleared(row)) for each in (want, kept))
    }
    new, old = replace(want, **unlimited), replace(kept, **unlimited)
    return encoded(new) == encoded(old)


def record_step(layout: Layout, new: Container, old: Container | None) -> store.Write:
    """The step that writes a container's record."""
    path = record_path(layout, new.id or "")
    return store.write_record(path, encoded(new), encoded(old) if old else None, f"record of container {new.name}")


def cgroup(container: Container) -> str:
    """The container's cgroup."""
    return f"{container.cgroup_parent or USUAL}/{container.id}"


def paused(container: Container) -> bool:
    """Whether the processes of a container that runs are held still."""
    return freezer.frozen(cgroups(), cgroup(container))


def limits(container: Container) -> dict[str, Any]:
    """The limits of an observed container, none where there is no reading."""
    return {row.name: cleared(row) if (v := getattr(container, row.name)) is None else v for row in LIMIT_ROWS}


def limited(layout: Layout, container: Container) -> Container:
    """A container with its state, and while it runs its limits as the kernel has them; nothing else is looked at."""
    if not lifecycle.running(layout, container.id or "") and not _restarting(layout, container):
        return replace(container, state="stopped")
    groups, path = cgroups(), cgroup(container)
    readings: dict[str, Any] = observe_limits(groups, path, container)
    there = any(value is not None for value in readings.values())
    return replace(container, state="started", **(readings if there else {}))


def _restarting(layout: Layout, container: Container) -> bool:
    """Whether the waiter of a container whose program does not run will start that again."""
    identity = container.id or ""
    if not lifecycle.waiter(layout, identity):
        return False
    code = lifecycle.exit_status(layout, identity)
    if code is None:
        return True
    known = status(layout, identity)
    return restart_policy.restarts(container, known.wanted, known.restarts, code, known.unhealthy)


def status(layout: Layout, identity: str) -> Status:
    """A container's status; that of one that never ran if there is none, that of one that can't be known if damaged."""
    try:
        return status_or_failure(layout, identity)
    except Failure as error:
        return Status(wanted=UNKNOWN, error=str(error))


def status_or_failure(layout: Layout, identity: str) -> Status:
    """The same for whoever decides by it. Raises :class:`Failure` for a damaged file."""
    path = layout.container(identity, "status.json")
    kept = store.read_json(path) or {}
    kinds = {each.name: type(each.default) for each in fields(Status)}
    known = {key: value for key, value in kept.items() if key in kinds}
    for key, value in known.items():
        fits = type(value) is kinds[key]
        if kinds[key] is float:
            fits = type(value) in (int, float) and 0 <= value < LATEST
        if not fits or (key == "wanted" and value not in WANTED):
            raise Failure(f"read {path}", f"{key} is {value!r} there", "start or stop the container")
    return Status(**known)


def set_status(layout: Layout, identity: str, new: Status, durable: bool = True) -> None:
    """Keep a container's status. What is wanted of it has to survive a power cut, how it ended need not."""
    store.write_json(layout.container(identity, "status.json"), asdict(new), durable=durable)


def timestamp(seconds: float) -> str:
    """A time as RFC 3339 has it, in UTC; Docker's zero time for none."""
    if not seconds:
        return "0001-01-01T00:00:00Z"
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1000):03d}Z"
