# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``mounts`` of an OCI configuration (runtime-spec config.md), with option words turned into what the kernel takes."""
from __future__ import annotations

import os
import posixpath

from ..kernel.mount_options import ATTRIBUTES, FLAGS, PROPAGATION, combined
from ..kernel.mounts import PAGE
from ..kernel.syscalls import MS_BIND, MS_REC, MS_REMOUNT
from ..typed import NamedTuple
from .fields import LARGEST_ID, Field

MOST_EXTENTS = 340
"""Lines of a uid or gid map (UID_GID_MAP_MAX_EXTENTS in linux/user_namespace.h)."""

RECURSIVE = {f"r{word}": effect for word, effect in ATTRIBUTES.items()}
"""Attribute words that count for all mounts below too: ``rro``, ``rnosuid`` …"""

OWN_WORDS = ("tmpcopyup", "idmap", "ridmap")
"""Words that neither the kernel nor mount(8) knows: these are the runtime's to carry out."""

OPTION_WORDS = tuple(sorted({*FLAGS, *PROPAGATION, *RECURSIVE, *OWN_WORDS}))
"""Every word that is no filesystem's own."""

WITHIN_PROC = frozenset(
    "/proc/cpuinfo /proc/diskstats /proc/loadavg /proc/meminfo /proc/net/dev /proc/slabinfo /proc/stat /proc/swaps "
    "/proc/sys/crypto/fips_enabled /proc/sys/kernel/ns_last_pid /proc/uptime".split()
)
"""What may be mounted on below /proc. Anything else there could make the runtime itself write to a wrong file when it
believes to set a label or a limit (CVE-2019-16884, CVE-2019-19921)."""


class Extent(NamedTuple):
    """A range of ids: the first one inside, the first one outside, how many."""

    inside: int
    outside: int
    size: int


class IdMapping(NamedTuple):
    """How ids on an id-mapped mount are shifted; without extents as in the container's user namespace."""

    uids: tuple[Extent, ...]
    gids: tuple[Extent, ...]
    recursive: bool


class Mount(NamedTuple):
    """One mount.

    ``destination`` is absolute and plain (no ``..``, no doubled slashes), ``source`` of a bind mount is absolute.
    ``flags`` are those of mount(2) without propagation; ``cleared`` are flags that words such as ``rw`` take away.
    ``attributes`` is what the words mean to mount_setattr(2), as (set, clear), for this mount, and ``recursive`` for it
    and all below. ``propagation`` is applied in order. ``options`` is what is left for the filesystem.
    """

    destination: str
    type: str
    source: str
    flags: int
    cleared: int
    attributes: tuple[int, int]
    recursive: tuple[int, int]
    propagation: tuple[int, ...]
    options: str
    copy_up: bool
    id_mapping: IdMapping | None

    @property
    def bind(self) -> bool:
        """Whether what is mounted is a file or folder that exists already."""
        return bool(self.flags & MS_BIND)


def mounts(field: Field, bundle: str) -> tuple[Mount, ...]:
    """The mounts in order. ``bundle`` is the absolute path that relative sources of bind mounts start at.

    Raises :class:`InvalidValue` with the field's path.
    """
    return tuple(_mount(each, bundle) for each in field.each())


def _mount(field: Field, bundle: str) -> Mount:
    field.required()
    words = _Words(field.member("options"))
    kind, source = field.member("type").word(), field.member("source").path_text("", absolute=False)
    bind = kind == "bind" or bool(words.flags & MS_BIND)
    if bind:
        words.flags |= MS_BIND
        source = _bind_source(field.member("source"), source, bundle, remount=bool(words.flags & MS_REMOUNT))
    elif not kind and not words.flags & MS_REMOUNT:
        raise field.member("type").refusal("a mount that is no bind mount needs a filesystem type")
    if words.copy_up and kind != "tmpfs":
        raise field.member("options").refusal("tmpcopyup is for mounts of the type tmpfs only")
    return Mount(
        _destination(field.member("destination"), kind, bind),
        "" if bind else kind,
        source,
        words.flags,
        words.cleared,
        words.attributes,
        words.recursive,
        tuple(words.propagation),
        ",".join(words.rest),
        words.copy_up,
        _id_mapping(field, words.id_mapped, bind),
    )


def _bind_source(field: Field, said: str, bundle: str, *, remount: bool) -> str:
    if said:
        return os.path.join(bundle, said)
    if not remount:
        raise field.refusal("a bind mount needs a source")
    return ""


def plain(path: str) -> str:
    """A path inside the root without ``.``, ``..`` and doubled slashes; ``..`` of the root is the root."""
    return "/" + posixpath.normpath(f"/{path}").lstrip("/")


def _destination(field: Field, kind: str, bind: bool) -> str:
    said = field.path_text(absolute=False)
    if not said.startswith("/"):
        field.note("relative destinations are deprecated; it is taken as relative to /")
    path = plain(said)
    if path == "/":
        raise field.refusal("the root filesystem itself is what root.path says, nothing can be mounted on it")
    if path == "/proc" and kind != "proc" and not bind:
        raise field.refusal("only a filesystem of the type proc can be mounted on /proc")
    if path.startswith("/proc/") and path not in WITHIN_PROC:
        raise field.refusal("mounting there would change what the runtime reads and writes in /proc")
    return path


class _Words:
    """What the option words of one mount come to. They are read in order: of two that contradict, the later counts."""

    def __init__(self, field: Field) -> None:
        self.flags = self.cleared = 0
        self.attributes = self.recursive = (0, 0)
        self.propagation: list[int] = []
        self.rest: list[str] = []
        self.copy_up = False
        self.id_mapped = ""
        for each in field.each():
            self._read(each)
        if sum(len(word.encode()) + 1 for word in self.rest) > PAGE:
            raise field.refusal(f"the filesystem's options have more than {PAGE - 1} bytes, the kernel's limit")

    def _read(self, field: Field) -> None:
        word = field.word()
        if word in FLAGS:
            self._flag(*FLAGS[word])
            self.attributes = combined(self.attributes, ATTRIBUTES.get(word, (0, 0)))
        elif word in PROPAGATION:
            self.propagation.append(PROPAGATION[word])
        elif word in RECURSIVE:
            self.recursive = combined(self.recursive, RECURSIVE[word])
        elif word == "tmpcopyup":
            self.copy_up = True
        elif word in OWN_WORDS:
            self.id_mapped = word
        elif word.partition("=")[0] in ("idmap", "ridmap"):
            raise field.refusal("mappings are not given here", "give uidMappings and gidMappings of the mount")
        elif word:
            self.rest.append(word)

    def _flag(self, flag: int, on: bool) -> None:
        if on:
            self.flags, self.cleared = self.flags | flag, self.cleared & ~flag
        else:
            self.flags, self.cleared = self.flags & ~flag, self.cleared | flag
        if flag == MS_BIND and on:
            self.flags &= ~MS_REC


def _id_mapping(field: Field, word: str, bind: bool) -> IdMapping | None:
    places = field.members("uidMappings", "gidMappings")
    uids, gids = (extents(each) for each in places)
    if not word and not uids and not gids:
        return None
    if not bind:
        place = field.member("options") if word else places[0 if uids else 1]
        raise place.refusal("only bind mounts can be id-mapped")
    if bool(uids) != bool(gids):
        raise places[1 if uids else 0].refusal("uidMappings and gidMappings are given together or not at all")
    return IdMapping(uids, gids, word == "ridmap")


def extents(field: Field) -> tuple[Extent, ...]:
    """An id map by the rules of user_namespaces(7): ranges are not empty, end below 2^32 - 1 and don't overlap."""
    found: list[Extent] = []
    for each in field.each(MOST_EXTENTS):
        each.required()
        inside, outside = (each.member(name).identity() for name in ("containerID", "hostID"))
        size = each.member("size").whole(1, LARGEST_ID + 1)
        if max(inside, outside) + size > LARGEST_ID + 1:
            raise each.member("size").refusal(f"the range goes beyond {LARGEST_ID}, the largest id")
        for other in found:
            if _overlap(inside, size, other.inside, other.size):
                raise each.member("containerID").refusal("the range overlaps with one before it")
            if _overlap(outside, size, other.outside, other.size):
                raise each.member("hostID").refusal("the range overlaps with one before it")
        found.append(Extent(inside, outside, size))
    return tuple(found)


def _overlap(first: int, size: int, other: int, other_size: int) -> bool:
    return first < other + other_size and other < first + size
