# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``cgroup_limit`` puts limits on: a container, all containers with some labels, or a cgroup by its path."""
from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, InvalidValue, NotFound
from ..kernel import cgroups
from ..lean.dataclasses import dataclass
from . import container_state
from .container_model import Container
from .limits import Limits, limits_of, observe_limits

Labels = tuple[tuple[str, str], ...]

DOORS = ("sshd", "dropbear")
"""How the programs begin that let people in: who limits them may shut himself out."""


@dataclass(frozen=True)
class Limited:
    """A cgroup with its limits as they are. ``want`` are those that it is to have.

    Of a container ``container`` is what was found of it, and ``kept`` its record. ``name`` is the container's, or the
    path of another cgroup.
    """

    name: str
    path: str
    runs: bool
    have: Limits
    container: Container | None = None
    kept: Container | None = None
    want: Limits | None = None


def _check_choice(name: str | None, labels: Labels | None, path: str | None) -> None:
    given = {"name": name, "labels": labels, "path": path}
    said = [option for option, value in given.items() if value is not None]
    if len(said) != 1:
        option = said[1] if said else "name"
        reason = "several of name, labels and path are given" if said else "none of name, labels and path is given"
        raise InvalidValue(option, given[option], reason, "give exactly one of them")
    if labels == ():
        raise InvalidValue("labels", {}, "they would choose every container", "give one label at least")


def names(layout: Layout, name: str | None, labels: Labels | None, path: str | None) -> list[str]:
    """The names of the containers that are chosen."""
    _check_choice(name, labels, path)
    if name is not None:
        return [_find(layout, name).name]
    return [each.name for each in _labelled(layout, labels)] if labels is not None else []


def _find(layout: Layout, name: str) -> Container:
    try:
        return container_state.find(layout, name)
    except NotFound as error:
        reason = "there is no container of this name or id"
        raise NotFound(f"limit container {name}", reason, "see pycontainers ps -a for those there are") from error


def _labelled(layout: Layout, labels: Labels) -> list[Container]:
    """The containers that have all of these labels, of their own or of their image. One that can't be read has none."""
    found = []
    for identity in container_state.identities(layout):
        with suppress(Failure):
            container = container_state.load(layout, identity)
            if container is None or container_state.identity_of(layout, container.name) != identity:
                continue
            if set(labels) <= set(container.labels or ()) or set(labels) <= _all_labels(layout, container):
                found.append(container)
    return sorted(found, key=lambda each: each.name)


def _all_labels(layout: Layout, container: Container) -> set[tuple[str, str]]:
    """A container's labels and those of its image."""
    from ..image import content
    from . import container_words

    image = content.find_id(layout, container.image_id) if container.image_id else None
    return set(container_words.labels(container, image.config if image else {}).items())


def observe(
    layout: Layout, name: str | None, labels: Labels | None, path: str | None, said: Limits
) -> tuple[Limited, ...]:
    """What is chosen, with the limits that it has. Raises :class:`NotFound` for a name or a path that is not there."""
    _check_choice(name, labels, path)
    if path is not None:
        return (_cgroup(path, said),)
    chosen = [_find(layout, name)] if name is not None else _labelled(layout, labels or ())
    with cgroups.looked_once():
        return tuple(_container(layout, each) for each in chosen)


def _container(layout: Layout, kept: Container) -> Limited:
    have = container_state.limited(layout, kept)
    return Limited(have.name, container_state.cgroup(have), have.state == "started", limits_of(have), have, kept)


def _cgroup(path: str, said: Limits) -> Limited:
    """A cgroup by its path; what was rounded by the kernel is read as the task says it."""
    groups, place = cgroups.cgroups(), path.strip("/")
    if not place:
        raise InvalidValue("path", path, "it is the root of the hierarchy, where no limit can be set")
    if not any(map(os.path.isdir, groups.directories(place))):
        raise NotFound(f"limit cgroup {path}", "there is none of this path", "see /proc/PID/cgroup of what runs in it")
    return Limited(path, place, True, Limits(**observe_limits(groups, place, said)))


def check(each: Limited, force: bool) -> None:
    """Refuse limits on a cgroup that the host lives by, or that only containers have. Raises :class:`InvalidValue`."""
    if each.container is not None:
        return
    if each.want is not None and each.want.device_cgroup_rules is not None:
        shown = list(each.want.device_cgroup_rules)
        raise InvalidValue("device_cgroup_rules", shown, "they are beside a container's own, and this is none")
    lives = "" if force else _lives_by(each.path)
    if lives:
        raise InvalidValue("path", each.name, f"{lives} is in it", "use force if that is meant to be limited")


def _lives_by(path: str) -> str:
    """Who is in a cgroup, or in one below it, that should not be slowed down, stopped or killed by chance."""
    own = os.getpid()
    for pid in cgroups.members(cgroups.cgroups(), path):
        if pid in (1, own):
            return "process 1 of the host" if pid == 1 else "this task itself"
        with suppress(OSError), open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            program = file.read().strip()
            if program.startswith(DOORS):
                return f"{program} (process {pid})"
    return ""


def usage(each: Limited) -> dict[str, Any]:
    """What a cgroup uses and has used: bytes, processes, nanoseconds, how often memory ran out. Empty if it is gone."""
    from ..oci.statistics import brief

    # Of a group that is gone there was no limit to read.
    return brief(cgroups.cgroups(), each.path) if each.runs and each.have != Limits() else {}
