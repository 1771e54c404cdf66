# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is not as it should be under one root: networks, containers, what killed runs have left, the store of images.

Other roots share the kernel with this one, and name what is theirs by ids too. So traces are looked for in this root's
folders only; what else an id there has left is found by it.
"""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..core.plan import Plan, Step, apply, converge
from ..errors import Failure, explain
from ..image.check import check
from ..lean.dataclasses import dataclass
from . import container_bare, container_logs, container_observed, container_state, leases, restart_policy, supervise
from .container import CONTAINER
from .container_leftover import RemoveLeftover
from .container_model import Container
from .container_steps import end_steps, purge_steps
from .network import NETWORK
from .network_model import Network
from .network_model import names as network_names

BY_HAND = "declare it again, or remove it"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be. ``mend`` is the step that puts it right; without one ``fix`` says what.

    What is ``harmless`` only takes room, or lacks something that one can do without.
    """

    subject: str
    reason: str
    mend: Step | None = None
    fix: str = ""
    harmless: bool = False

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}" + (f"; {self.fix}" if self.fix else "")


@dataclass(frozen=True)
class Declared:
    """The step that brings a thing to what is declared of it."""

    layout: Layout
    resource: Any
    want: Any

    def describe(self) -> str:
        """The thing."""
        return f"bring {self.want.name} to what is declared"

    def do(self) -> None:
        """Converge, under the thing's own lock."""
        converge(self.resource, self.layout, self.want, check=False)

    def undo(self) -> None:
        """Nothing: a plan that fails undoes what it did."""


@dataclass(frozen=True)
class StartAgain:
    """The step that starts a container which should run and does not."""

    layout: Layout
    identity: str
    name: str

    def describe(self) -> str:
        """Which container."""
        return f"start container {self.name}"

    def do(self) -> None:
        """As the boot service does it."""
        supervise.boot_one(self.layout, self.identity)

    def undo(self) -> None:
        """Nothing: a start that fails leaves nothing."""


@dataclass(frozen=True)
class RemoveTraces:
    """The step that removes what there is of a container that has no folder any more. It can't be undone."""

    layout: Layout
    identity: str

    def describe(self) -> str:
        """Whose traces."""
        return f"remove traces of container {self.identity[:12]}"

    def do(self) -> None:
        """End what runs of it, and take away what its id names; not if it has come back."""
        with container_state.lock(self.layout, self.identity):
            if os.path.isdir(self.layout.container(self.identity)):
                return
            bare = container_observed.observed(self.layout, container_bare.load(self.layout, self.identity))
            apply(Plan((*end_steps(self.layout, bare), *purge_steps(self.layout, bare))))

    def undo(self) -> None:
        """It was nobody's: nothing to bring back."""


def examine(layout: Layout) -> list[Finding]:
    """All that is wrong, networks first, as containers stand on them. Reads only."""
    found = [*_networks(layout), *_containers(layout), *_unfinished(layout), *_traces(layout)]
    # A record that can't be read has been told of by its container.
    store_of_images = [each for each in check(layout) if each.path != layout.containers]
    return [*found, *(Finding(each.path, each.reason, None, each.fix, each.harmless) for each in store_of_images)]


def _networks(layout: Layout) -> Iterator[Finding]:
    for name in network_names(layout):
        yield from _drift(layout, f"network {name}", NETWORK, Network(name=name))


def _drift(layout: Layout, subject: str, resource: Any, want: Any) -> Iterator[Finding]:
    """What a run would change of a thing that is declared."""
    try:
        outcome = converge(resource, layout, want, check=True)
    except (OSError, Failure) as error:
        yield Finding(subject, explain(error), fix="" if getattr(error, "fix", "") else BY_HAND)
        return
    if outcome.changed:
        names = ", ".join(each.path for each in outcome.changes) or "; ".join(outcome.actions)
        yield Finding(subject, f"not as declared: {names}", Declared(layout, resource, want))


def _containers(layout: Layout) -> Iterator[Finding]:
    """The containers that have a name: their records, whether they run as they should, and what the kernel shows."""
    for name in container_state.names(layout):
        subject, identity = f"container {name}", container_state.identity_of(layout, name) or ""
        try:
            container = container_state.load(layout, identity)
            status = container_state.status_or_failure(layout, identity)
        except (OSError, Failure) as error:
            yield Finding(subject, explain(error))
            continue
        if container is None:
            yield Finding(subject, "it has a name, and nothing else", Declared(layout, CONTAINER, _absent(name)))
            continue
        now = container_observed.observed(layout, container)
        if now.state != "started" and restart_policy.boots(now, status):
            yield Finding(subject, "it should run and does not", StartAgain(layout, identity, name))
            continue
        if container_logs.lacks_stamps(now):
            yield Finding(subject, container_logs.NO_STAMPS, None, "install it, then restart the container", True)
        yield from _drift(layout, subject, CONTAINER, Container(name=name, state="present"))


def _absent(name: str) -> Container:
    return Container(name=name, state="absent")


def _unfinished(layout: Layout) -> Iterator[Finding]:
    """Containers that no name stands for. One that is being made has its name's lock, and is waited for."""
    for identity in container_state.identities(layout):
        if identity in _named(layout):
            continue
        name = identity
        with suppress(Failure):
            name = str((store.read_json(container_state.record_path(layout, identity)) or {}).get("name") or identity)
        with container_state.lock(layout, name):
            there = os.path.isdir(layout.container(identity)) and identity not in _named(layout)
        if there:
            reason = f"it was not made to its end, or not removed, under the name {name}"
            yield Finding(f"container {identity[:12]}", reason, RemoveLeftover(layout, identity, name))


def _named(layout: Layout) -> set[str | None]:
    return {container_state.identity_of(layout, each) for each in container_state.names(layout)}


def _traces(layout: Layout) -> Iterator[Finding]:
    """What ids have left that are no container's any more."""
    found: dict[str, list[str]] = {}
    for what, folder in (("network namespace", f"{layout.run}/netns"), ("process", f"{layout.run}/containers")):
        for identity in _listed(folder):
            found.setdefault(identity, []).append(what)
    for network in network_names(layout):
        with suppress(Failure):
            for address, identity in leases.read(layout, network).items():
                found.setdefault(identity, []).append(f"address {address} on network {network}")
    for identity, left in sorted(found.items()):
        if not os.path.isdir(layout.container(identity)):
            reason = f"it is gone, and has left {', '.join(left)}"
            yield Finding(f"container {identity[:12]}", reason, RemoveTraces(layout, identity))


def _listed(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
