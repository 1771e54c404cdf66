# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a volume can be asked to be: the rows of ``volume``, and its record."""
from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from ..core import store
from ..core.kinds import NAME, TEXT, mapping, path, text
from ..core.layout import Layout
from ..core.model import Effect, Kind, option, parse, record
from ..errors import Failure, InvalidValue
from ..lean.dataclasses import dataclass, replace
from .container_kinds import LABELS

LOCAL = "local"
RECORD_FORMAT = 1
PARTS = ("device", "o", "type")
BINDS = ("bind", "rbind")
TMPFS = "tmpfs"

COPYING, READY = "copying", "ready"
"""What becomes of a volume's content at its first use: copied from the image, and from then on the containers' own."""

DATA, GONE = "_data", ".gone"
"""The folder that containers see; and what it is called while it is removed, so that none sees it half empty."""

THERE, MISSING = "there", "missing"


def driver_options(value: Any) -> tuple[tuple[str, str], ...]:
    """What is mounted in a volume, as mount(8) is told it: ``type``, ``device`` and ``o``; nothing for a folder."""
    said = {str(name): text(each) for name, each in mapping(value).items() if each not in (None, "")}
    for name in said:
        if name not in PARTS:
            raise ValueError(f"{name!r} is no option of the driver local; options are {', '.join(PARTS)}")
    words = said.get("o", "").split(",")
    binds = any(each in words for each in BINDS)
    if not said:
        return ()
    if not binds and said.get("type", "none") == "none":
        raise ValueError("type is missing, and o has no bind")
    if said.get("type") == TMPFS and not binds:
        said.setdefault("device", TMPFS)
    if "device" not in said:
        raise ValueError("device is missing")
    if binds:
        said = said | {"device": path(said["device"]), "type": "none"}
    return tuple(sorted(said.items()))


DRIVER_OPTIONS = Kind("driver_options", {"type": "dict"}, driver_options, dict)


@dataclass(frozen=True, kw_only=True)
class Volume:
    """The rows of a volume.

    ``anonymous`` is the id of the container for which one without a name was made; ``content`` is what has become of it
    at its first use; ``folder`` is whether its folder is there.
    """

    name: str = option(NAME, required=True)
    state: str = option(TEXT, Effect.LIVE, default="present", choices=("absent", "present"))
    driver: str | None = option(TEXT, Effect.RESTART, choices=(LOCAL,))
    driver_options: tuple[tuple[str, str], ...] | None = option(DRIVER_OPTIONS, Effect.RESTART)
    labels: tuple[tuple[str, str], ...] | None = option(LABELS, Effect.LIVE)
    created: str | None = option(TEXT, internal=True)
    anonymous: str | None = option(TEXT, internal=True)
    content: str | None = option(TEXT, internal=True)
    folder: str | None = option(TEXT, Effect.LIVE, internal=True)


def lock(layout: Layout, name: str) -> AbstractContextManager[None]:
    """Keep other processes from changing the volume of this name."""
    return store.lock(layout.lock(f"volume-{name}"))


def record_path(layout: Layout, name: str) -> str:
    """Where a volume's record is: as long as it is there, so is the volume."""
    return layout.volume(name, "volume.json")


def load(layout: Layout, name: str) -> Volume | None:
    """The volume as its record has it; None where there is none."""
    file = record_path(layout, name)
    kept = store.read_json(file)
    if kept is None:
        return None
    fix = "restore it from a backup, or remove it and declare the volume again: what is in the volume stays"
    if kept.pop("format", None) != RECORD_FORMAT:
        raise Failure(f"read {file}", "another version of pycontainers wrote it", "use that version")
    try:
        found = parse(Volume, kept)
    except InvalidValue as error:
        raise Failure(f"read {file}", error, fix) from error
    if found.name != name:
        raise Failure(f"read {file}", f"it is the record of {found.name}", fix)
    return replace(found, driver=LOCAL, driver_options=found.driver_options or (), labels=found.labels or ())


def encoded(volume: Volume) -> dict[str, Any]:
    """The record's content: what is declared, not what is observed."""
    kept = {name: value for name, value in record(volume).items() if name not in ("state", "folder")}
    return {"format": RECORD_FORMAT} | kept


def save(layout: Layout, volume: Volume) -> None:
    """Replace a volume's record."""
    store.write_json(record_path(layout, volume.name), encoded(volume))


def names(layout: Layout) -> list[str]:
    """The names of all volumes."""
    try:
        found = os.listdir(layout.volumes)
    except FileNotFoundError:
        return []
    return sorted(each for each in found if os.path.lexists(record_path(layout, each)))


def holders(layout: Layout, name: str) -> list[str]:
    """The ids of the containers for which what is in a volume is mounted."""
    try:
        return sorted(os.listdir(layout.holds(name)))
    except FileNotFoundError:
        return []


def held(layout: Layout, identity: str) -> tuple[str, ...]:
    """The names of the volumes that are mounted for a container."""
    try:
        there: Iterable[str] = sorted(os.listdir(layout.holds()))
    except FileNotFoundError:
        return ()
    return tuple(each for each in there if os.path.lexists(layout.holds(each, identity)))
