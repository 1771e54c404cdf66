# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``prune``: remove what is of no use any more, and tell first what that is and what it frees.

Stopped containers go first, so what only they used goes with them. What is told is found once, by reading; each
step then looks again under the lock of what it removes, and leaves what has come into use meanwhile.
"""
from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ..core.kinds import BOOL, TEXTS
from ..core.layout import Layout
from ..core.model import Effect, option
from ..core.plan import Plan, Step, apply
from ..errors import Failure, InvalidValue
from ..image import content, garbage
from ..image.room import size_of
from ..lean.dataclasses import dataclass, replace
from . import container_observed, container_state, container_words, prune_volumes
from .attachments import names_of
from .container import CONTAINER
from .container_model import Container
from .container_target import Target
from .network import NETWORK
from .network_model import Network, declared_network, names
from .prune_filters import FILTERS, IMAGE_FILTERS, VOLUME_FILTERS, Filters, chooser, dangling, moment
from .prune_volumes import RemoveUnused

NOTHING = garbage.Unused()


@dataclass(frozen=True)
class Found:
    """What there is to remove, and what it takes on the disk, in bytes."""

    containers: tuple[Container, ...] = ()
    containers_size: int = 0
    references: tuple[str, ...] = ()
    unused: garbage.Unused = NOTHING
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    volumes_size: int = 0

    def __bool__(self) -> bool:
        named = self.containers or self.references or self.networks or self.volumes
        return bool(named or self.unused != NOTHING)


@dataclass(frozen=True, kw_only=True)
class Prune:
    """The rows of a pruning. The internal ones are what there is to remove, and after it nothing."""

    containers: bool = option(BOOL, default=False, request=True)
    containers_filters: Filters = option(FILTERS, default={}, request=True)
    images: bool = option(BOOL, default=False, request=True)
    images_filters: Filters = option(IMAGE_FILTERS, default={}, request=True)
    networks: bool = option(BOOL, default=False, request=True)
    networks_filters: Filters = option(FILTERS, default={}, request=True)
    volumes: bool = option(BOOL, default=False, request=True)
    volumes_filters: Filters = option(VOLUME_FILTERS, default={}, request=True)
    unused_containers: tuple[str, ...] | None = option(TEXTS, Effect.RECREATE, internal=True)
    unused_images: tuple[str, ...] | None = option(TEXTS, Effect.RECREATE, internal=True)
    unused_layers: tuple[str, ...] | None = option(TEXTS, Effect.RECREATE, internal=True)
    unused_networks: tuple[str, ...] | None = option(TEXTS, Effect.RECREATE, internal=True)
    unused_volumes: tuple[str, ...] | None = option(TEXTS, Effect.RECREATE, internal=True)
    state: str = "present"
    found: Found | None = None


def find(layout: Layout, want: Prune) -> Found:
    """What would be removed. Reads only. Raises :class:`Failure` if it can't be told what is in use."""
    now = time.time()
    containers = _containers(layout, want, now) if want.containers else ()
    gone = frozenset(each.id or "" for each in containers)
    references = _references(layout, want, gone, now) if want.images else ()
    volumes = prune_volumes.unused(layout, want.volumes_filters, gone, now) if want.volumes else ()
    unused = garbage.unused(layout, frozenset(references), gone, measure=True) if want.images else NOTHING
    return Found(
        containers,
        size_of(layout.container(each) for each in gone),
        references,
        unused,
        _networks(layout, want, gone) if want.networks else (),
        volumes,
        size_of(layout.volume(each) for each in volumes),
    )


def _containers(layout: Layout, want: Prune, now: float) -> tuple[Container, ...]:
    """The stopped containers that the filters choose, by name."""
    chosen = chooser(want.containers_filters, now)
    found = []
    for identity in container_state.identities(layout):
        container = container_state.load(layout, identity)
        if container is None or container_state.identity_of(layout, container.name) != identity:
            continue
        container = container_observed.observed(layout, container)
        image = content.find_id(layout, container.image_id) if container.image_id else None
        labels = container_words.labels(container, image.config if image else {})
        if container.state == "stopped" and chosen(moment(container.created or ""), labels):
            found.append(container)
    return tuple(sorted(found, key=lambda each: each.name))


def _references(layout: Layout, want: Prune, gone: frozenset[str], now: float) -> tuple[str, ...]:
    """The names of images that no container uses which stays, if the filters ask for names."""
    if dangling(want.images_filters):
        return ()
    chosen = chooser(want.images_filters, now)
    used = {image for container, image in content.images_of_records(layout) if container not in gone}
    return tuple(
        sorted(
            reference
            for each in content.images(layout)
            if each.id not in used and chosen(moment(each.created), each.config.get("Labels") or {})
            for reference in each.references
        )
    )


def _networks(layout: Layout, want: Prune, gone: frozenset[str]) -> tuple[str, ...]:
    """The networks that no container names which stays."""
    stay = [container_state.load(layout, each) for each in container_state.identities(layout) if each not in gone]
    used = {name for each in stay if each for name in names_of(each.networks)}
    chosen = chooser(want.networks_filters, 0)
    found = (declared_network(layout, each) for each in sorted(set(names(layout)) - used))
    return tuple(each.name for each in found if chosen(None, dict(each.labels or ())))


@dataclass(frozen=True)
class RemoveContainer:
    """The step that removes a stopped container. There is no way back."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container."""
        return f"remove container {self.container.name} ({(self.container.id or '')[:12]})"

    def do(self) -> None:
        """Remove it, unless it was started or replaced meanwhile."""
        with container_state.lock(self.layout, self.container.name):
            have = container_observed.observe(self.layout, self.container.name)
            if have is not None and have.id == self.container.id and have.state == "stopped":
                want = CONTAINER.resolve(self.layout, replace(have, state="absent"), have)
                if isinstance(want, Target):  # The image's content is another step's, if that was asked for.
                    want = replace(want, prune=False)
                apply(CONTAINER.plan(self.layout, want, have))

    def undo(self) -> None:
        """Raise: what it wrote is gone."""
        raise Failure(f"put container {self.container.name} back", "it is removed", "create it again")


@dataclass(frozen=True)
class RemoveImages:
    """The step that takes names away, and removes what then nothing uses. There is no way back."""

    layout: Layout
    references: tuple[str, ...]
    unused: garbage.Unused

    def describe(self) -> str:
        """How much."""
        names = f"{len(self.references)} image names, " if self.references else ""
        parts = f"{len(self.unused.layers)} layers and {len(self.unused.blobs)} blobs that nothing uses"
        return f"remove {names}{parts}"

    def do(self) -> None:
        """Remove them, but no name of an image that a container was made from meanwhile."""
        with content.lock(self.layout):
            used = {image for _, image in content.images_of_records(self.layout)}
            for each in content.images(self.layout):
                for name in set(each.references) & set(self.references) if each.id not in used else ():
                    content.forget(self.layout, name)
            garbage.prune(self.layout)

    def undo(self) -> None:
        """Raise: what is gone would have to be pulled."""
        raise Failure("put images back", "they are removed", "pull them again")


@dataclass(frozen=True)
class RemoveNetwork:
    """The step that removes a network. There is no way back."""

    layout: Layout
    name: str

    def describe(self) -> str:
        """Which network."""
        return f"remove network {self.name}"

    def do(self) -> None:
        """Remove it; refused if a container was connected meanwhile."""
        want = Network(name=self.name, state="absent")
        with NETWORK.lock(self.layout, want):
            have = NETWORK.observe(self.layout, want)
            apply(NETWORK.plan(self.layout, NETWORK.resolve(self.layout, want, have), have))

    def undo(self) -> None:
        """Raise: it would have to be declared."""
        raise Failure(f"put network {self.name} back", "it is removed", "declare it again")


class PruneResource:
    """What one host has of no use."""

    model = Prune

    def lock(self, layout: Layout, want: Prune) -> AbstractContextManager[object]:
        """None over all: each step takes the lock of what it removes, in the order that others take them."""
        return nullcontext()

    def observe(self, layout: Layout, want: Prune) -> Prune | None:
        """What there is to remove; once it was done, what that was."""
        if want.found is not None:
            return want
        found = find(layout, want)
        return replace(
            want,
            found=found,
            unused_containers=tuple(each.name for each in found.containers),
            unused_images=found.references,
            unused_layers=tuple(f"sha256:{each}" for each in found.unused.layers),
            unused_networks=found.networks,
            unused_volumes=found.volumes,
        )

    def resolve(self, layout: Layout, want: Prune, have: Prune | None) -> Prune:
        """Nothing of it is to be there."""
        if want.networks and "until" in dict(want.networks_filters):
            reason = "networks keep no time of their making"
            raise InvalidValue("networks_filters", dict(want.networks_filters), reason, "choose by labels")
        names = {name for name, _ in want.images_filters} - {"dangling"}
        if names and dangling(want.images_filters):
            reason = f"{', '.join(sorted(names))} choose among images that have a name"
            raise InvalidValue("images_filters", sorted(names), reason, "give dangling: false too")
        nothing: dict[str, Any] = dict.fromkeys(_UNUSED, ())
        return replace(want, found=have.found if have else None, **nothing)

    def plan(self, layout: Layout, want: Prune, have: Prune | None) -> Plan:
        """Containers, then images, then networks, then volumes."""
        if not want.found:
            return Plan()
        found = want.found
        steps: list[Step] = [RemoveContainer(layout, each) for each in found.containers]
        if found.references or found.unused != NOTHING:
            steps.append(RemoveImages(layout, found.references, found.unused))
        steps += [RemoveNetwork(layout, each) for each in found.networks]
        return Plan(purge=(*steps, *(RemoveUnused(layout, each) for each in found.volumes)))

    def facts(self, layout: Layout, have: Prune | None) -> Mapping[str, Any]:
        """What was, or would be, removed, and the room that it took."""
        found = (have.found if have else None) or Found()
        return {
            "containers": [each.id for each in found.containers],
            "containers_space_reclaimed": found.containers_size,
            "images": list(found.references),
            "layers": [f"sha256:{each}" for each in found.unused.layers],
            "images_space_reclaimed": found.unused.size,
            "networks": list(found.networks),
            "volumes": list(found.volumes),
            "volumes_space_reclaimed": found.volumes_size,
        }


_UNUSED = ("unused_containers", "unused_images", "unused_layers", "unused_networks", "unused_volumes")

PRUNE = PruneResource()
