# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the host is put at places in a container, in Docker's two spellings: ``volumes`` and ``mounts``."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, TypeVar

from ..core.kinds import BOOL, NAME, listed, mapping, path, size, text
from ..core.model import Kind
from ..lean.dataclasses import dataclass, field
from .container_kinds import LABELS, TMPFS, Tmpfs

READ_ONLY, READ_WRITE, NO_COPY = "ro", "rw", "nocopy"
PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
OWN = ("private", "rprivate")
"""Ways of propagation that are what a mount has anyway: nothing spreads either way."""

UNASKED = ("z", "Z", "consistent", "cached", "delegated")
"""Modes that change nothing: no container is confined by SELinux here, and files are the host's own."""

TYPES = ("bind", "tmpfs", "volume")


@dataclass(frozen=True, order=True)
class Volume:
    """What is at a place in the container: a path of the host, a named volume, or without a source an anonymous one.

    ``propagation`` is empty for none. ``labels`` are for a volume that is yet to be made, and tell no two apart.
    """

    target: str
    source: str = ""
    readonly: bool = False
    propagation: str = ""
    nocopy: bool = False
    labels: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def is_bind(self) -> bool:
        """Whether it is a path of the host."""
        return self.source.startswith("/")

    @property
    def name(self) -> str:
        """The name of a named volume, empty for all else."""
        return "" if self.is_bind else self.source


Mount = Volume | Tmpfs
Placed = TypeVar("Placed", Volume, Tmpfs, Volume | Tmpfs)


def volume(value: Any) -> Volume:
    """``[source:]target[:modes]``: a path of the host or a volume's name, a place, and words between commas."""
    first, *rest = text(value).split(":")
    modes = rest.pop() if rest and not rest[-1].startswith("/") and (len(rest) == 2 or first.startswith("/")) else None
    if len(rest) > 1:
        raise ValueError(f"{value!r} is not of the form [source:]target[:mode,…]")
    said, source = (rest[0], _source(first)) if rest else (first, "")
    readonly, propagation, nocopy = False, "", False
    for word in [] if modes is None else modes.split(","):
        if word in (READ_ONLY, READ_WRITE):
            readonly = word == READ_ONLY
        elif word in PROPAGATIONS:
            propagation = word
        elif word == NO_COPY:
            nocopy = True
        elif word not in UNASKED:
            known = ", ".join((READ_ONLY, READ_WRITE, NO_COPY, *PROPAGATIONS))
            raise ValueError(f"the mode {word!r} is unknown; modes are {known}")
    return _checked(Volume(_target(said), source, readonly, propagation, nocopy))


def _source(said: str) -> str:
    if said.startswith("/"):
        return path(said)
    if "/" in said or not said:
        raise ValueError(f"{said!r} is neither an absolute path nor the name of a volume")
    return str(NAME.parse(said))


def _target(said: str) -> str:
    target = path(said)
    if target == "/":
        raise ValueError("a volume can't take the place of the container's root")
    return target


def _checked(found: Volume) -> Volume:
    """Refuse what has no meaning; leave out what is so anyway."""
    if found.is_bind and found.nocopy:
        raise ValueError(f"nocopy is for volumes: nothing is copied to {found.source}")
    if found.propagation and not found.is_bind:
        raise ValueError(f"{found.propagation} is for paths of the host: nothing is mounted within a volume")
    propagation = "" if found.propagation in OWN else found.propagation
    return Volume(found.target, found.source, found.readonly, propagation, found.nocopy, found.labels)


def volumes(value: Any) -> tuple[Volume, ...]:
    """Volumes sorted by target, so that one below another is mounted after it."""
    return one_each(listed(volume)(value))


def volumes_from(value: Any) -> tuple[str, ...]:
    """Names or ids of containers, each once, with ``:ro`` or ``:rw`` after those whose volumes are put in so."""
    return tuple(dict.fromkeys(listed(_volumes_from)(value)))


def _volumes_from(value: Any) -> str:
    name, colon, mode = text(value).partition(":")
    if colon and mode not in (READ_ONLY, READ_WRITE):
        raise ValueError(f"the mode {mode!r} is unknown; modes are ro and rw")
    return f"{NAME.parse(name)}{colon}{mode}"


def one_each(found: Iterable[Placed], what: str = "volumes") -> tuple[Placed, ...]:
    """The same sorted by target. Raises ``ValueError`` where two have the same."""
    in_order = tuple(sorted(found, key=lambda each: each.target))
    for before, after in pairwise(in_order):
        if before.target == after.target:
            raise ValueError(f"two {what} have the target {after.target}")
    return in_order


def show_volumes(value: tuple[Volume, ...]) -> list[str]:
    """Volumes as ``source:target:modes``; an anonymous one as ``target``, with modes only where it has some."""
    return [_shown(each) for each in value]


def _shown(each: Volume) -> str:
    words = [READ_ONLY if each.readonly else READ_WRITE, each.propagation, NO_COPY if each.nocopy else ""]
    modes = ",".join(filter(None, words))
    if each.source:
        return f"{each.source}:{each.target}:{modes}"
    return each.target if modes == READ_WRITE else f"{each.target}:{modes}"


_PARTS: dict[str, Callable[[Any], Any]] = {
    "type": text,
    "source": text,
    "target": text,
    "read_only": BOOL.parse,
    "propagation": text,
    "no_copy": BOOL.parse,
    "tmpfs_size": size,
    "tmpfs_mode": text,
    "labels": LABELS.parse,
}
_OF_TYPE = {"propagation": "bind"} | dict.fromkeys(("no_copy", "labels"), "volume")
_OF_TYPE |= dict.fromkeys(("tmpfs_size", "tmpfs_mode"), "tmpfs")
"""What is for one type only."""


def mounts(value: Any) -> tuple[Mount, ...]:
    """The same as dictionaries, filesystems in memory among them, sorted by target."""
    return one_each(listed(_mount)(value), "mounts")


def _mount(value: Any) -> Mount:
    given = {name: said for name, said in mapping(value).items() if said is not None}
    for name in given:
        if name not in _PARTS:
            raise ValueError(f"{name!r} is not known of a mount; {', '.join(_PARTS)} are")
    said = {name: _PARTS[name](each) for name, each in given.items()}
    kind, source = said.get("type", "volume"), said.get("source", "")
    if kind not in TYPES:
        raise ValueError(f"{kind!r} is no type of a mount; types are {', '.join(TYPES)}")
    if not said.get("target"):
        raise ValueError("a mount has no target")
    if ":" in source + said["target"]:
        raise ValueError("a colon can't be in source and target")
    for name in said:
        if _OF_TYPE.get(name, kind) != kind:
            raise ValueError(f"{name} is for the type {_OF_TYPE[name]}, and not for {kind}")
    if kind == "tmpfs":
        return _tmpfs(said)
    if (kind == "bind") != source.startswith("/"):
        what = "an absolute path" if kind == "bind" else "the name of a volume, or nothing"
        raise ValueError(f"{source!r} is no source of the type {kind}, which is {what}")
    propagation = said.get("propagation", "")
    if propagation and propagation not in PROPAGATIONS:
        raise ValueError(f"the propagation {propagation!r} is unknown; ways are {', '.join(PROPAGATIONS)}")
    readonly, nocopy = bool(said.get("read_only")), bool(said.get("no_copy"))
    origin = _source(source) if source else ""
    return _checked(Volume(_target(said["target"]), origin, readonly, propagation, nocopy, said.get("labels", ())))


def _tmpfs(said: dict[str, Any]) -> Tmpfs:
    if said.get("source"):
        raise ValueError("a mount of the type tmpfs has no source")
    size, mode = said.get("tmpfs_size"), said.get("tmpfs_mode")
    words = [f"size={size}" if size else "", f"mode={mode}" if mode else "", "ro" if said.get("read_only") else ""]
    found: Tmpfs = TMPFS.parse([f"{_target(said['target'])}:{','.join(filter(None, words))}"])[0]
    return found


def show_mounts(value: tuple[Mount, ...]) -> list[dict[str, Any]]:
    """Mounts as dictionaries, without what they do not say."""
    return [_shown_mount(each) for each in value]


def _shown_mount(each: Mount) -> dict[str, Any]:
    if isinstance(each, Tmpfs):
        own = {"mode": "tmpfs_mode", "size": "tmpfs_size"}
        words = [word.partition("=") for word in each.options]
        found: dict[str, Any] = {own[name]: said for name, _, said in words if name in own}
        return {"type": "tmpfs", "target": each.target} | found | ({"read_only": True} if "ro" in each.options else {})
    found = {"source": each.source, "read_only": each.readonly, "propagation": each.propagation}
    found |= {"no_copy": each.nocopy, "labels": dict(each.labels)}
    return {"type": "bind" if each.is_bind else "volume", "target": each.target} | {k: v for k, v in found.items() if v}


def _suboptions() -> dict[str, Any]:
    parts: dict[str, Any] = {name: {"type": "str"} for name in _PARTS}
    parts |= {"read_only": {"type": "bool"}, "no_copy": {"type": "bool"}, "labels": {"type": "dict"}}
    parts["type"] |= {"choices": list(TYPES), "default": "volume"}
    parts["propagation"] |= {"choices": list(PROPAGATIONS)}
    parts["target"] |= {"required": True}
    return parts


VOLUMES_FROM = Kind("volumes_from", {"type": "list", "elements": "str"}, volumes_from, list)
VOLUMES = Kind("volumes", {"type": "list", "elements": "str"}, volumes, show_volumes)
MOUNTS = Kind("mounts", {"type": "list", "elements": "dict", "options": _suboptions()}, mounts, show_mounts)
