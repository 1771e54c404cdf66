# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container``: composes image, root filesystem, network and limits into one declared thing.

A container is named by its id wherever it leaves a trace; its name is a link to the id. So a new one is built
beside the old, the old is stopped only then, and comes back if the new one does not start.
"""
from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from typing import Any

from ..core.kinds import UNLIMITED
from ..core.layout import Layout
from ..core.model import Effect, diff, rows
from ..core.plan import Plan, Step
from ..errors import InvalidValue
from ..image import content
from ..image.pull import Prune
from . import container_bundle, container_facts, container_state, endpoint
from .container_model import Container
from .container_state import cgroup
from .container_steps import (
    GiveName,
    KeepWanted,
    MakeContainer,
    RemoveLeftover,
    clean_steps,
    dismantle_steps,
    end_steps,
    halt_steps,
    network,
    prepare_steps,
    purge_steps,
    run_steps,
)
from .image import IMAGE, Image
from .limits import LIMIT_ROWS, limit_steps
from .service import InstallRuntime, install_steps


@dataclass(frozen=True, kw_only=True)
class Target(Container):
    """A container as it is to be, with what was read to get there.

    ``kept`` is the record of the one there is, ``fetch`` the image as wanted and as stored, ``leftovers`` the
    ids of others of this name that a killed run has left, ``install`` what the host's runtime lacks. ``prune`` says
    that nothing but the container there is uses its image.
    """

    kept: Container | None = None
    fetch: tuple[Image, Image | None] | None = None
    leftovers: tuple[str, ...] = ()
    install: tuple[InstallRuntime, ...] = ()
    prune: bool = False


class ContainerResource:
    """Containers of one host."""

    model = Container

    def lock(self, layout: Layout, want: Container) -> AbstractContextManager[None]:
        """A lock per name."""
        return container_state.lock(layout, want.name)

    def observe(self, layout: Layout, want: Container) -> Container | None:
        """The record, with the kernel's readings over it."""
        return container_state.observe(layout, want.name)

    def resolve(self, layout: Layout, want: Container, have: Container | None) -> Container:
        """Fill in what was left out from the record, the image's id, a new id; refuse what can't work."""
        leftovers = container_state.leftovers(layout, want.name, have.id if have else None)
        if want.state == "absent":
            prune = have is not None and _unreferenced(layout, have)
            return _target(want, id=have.id if have else None, leftovers=leftovers, prune=prune)
        kept = container_state.load(layout, have.id) if have and have.id else None
        full = _filled(want, kept, have)
        image, fetch = _image(layout, full, want.image is not None)
        full = replace(full, image_id=image, **_running(full, have))
        if have is not None and full.state == have.state and not want.recreate and not diff(full, have):
            return _target(full, kept=kept, leftovers=leftovers)
        _check(layout, full, have, leftovers)
        renewed = have is None or _recreates(full, have)
        if renewed:
            created = container_state.timestamp(time.time())
            identity = _new_identity(layout, full, have)
            full = replace(full, id=identity, created=created, attached=None, wanted=None, remains=None, held=())
        install = install_steps(layout) if full.state == "started" else ()
        prune = renewed and have is not None and _unreferenced(layout, have)
        return _target(full, kept=kept, fetch=fetch, leftovers=leftovers, install=install, prune=prune)

    def plan(self, layout: Layout, want: Container, have: Container | None) -> Plan:
        """Create, replace, change live, start, stop or remove: whatever the differences cost at most."""
        if not isinstance(want, Target):
            raise TypeError("plan takes what resolve returned")
        before = tuple(RemoveLeftover(layout, identity, want.name) for identity in want.leftovers)
        if have is not None and want.stop_timeout is not None:
            # How long a stop may take is declared by whoever asks for it.
            have = replace(have, stop_timeout=want.stop_timeout)
        rest = self._rest(layout, want, have)
        return Plan((*before, *rest.steps), rest.purge)

    def _rest(self, layout: Layout, want: Target, have: Container | None) -> Plan:
        if want.state == "absent":
            return _removal(layout, want, have) if have else Plan()
        if have is None:
            return _creation(layout, want)
        if _recreates(want, have):
            return _replacement(layout, want, have)
        return _change(layout, want, have)

    def facts(self, layout: Layout, have: Container | None) -> Mapping[str, Any]:
        """The container as ``docker inspect`` shows it, or nothing."""
        return {"container": container_facts.inspect(layout, have) if have else {}}


def _target(container: Container, **found: Any) -> Target:
    return Target(**{each.name: getattr(container, each.name) for each in fields(Container)} | found)


def _filled(want: Container, kept: Container | None, have: Container | None) -> Container:
    """``want`` with the record's value in every row that it leaves out, and ``present`` as the state it has."""
    state = (have.state if have else "stopped") if want.state == "present" else want.state
    if kept is None:
        return replace(want, state=state)
    left_out = {row.name: getattr(kept, row.name) for row in rows(Container) if getattr(want, row.name) is None}
    return replace(want, **left_out, state=state)


def _image(layout: Layout, full: Container, asked: bool) -> tuple[str | None, tuple[Image, Image | None] | None]:
    """The id of the image to run, and what has to be fetched for it."""
    if full.image is None:
        raise InvalidValue("image", None, "a new container needs an image")
    if not asked and full.image_id:
        return full.image_id, None
    want = Image(name=full.image, pull=full.pull or "missing")
    have = IMAGE.observe(layout, want)
    want = IMAGE.resolve(layout, want, have)
    return want.id, (want, have)


def _running(full: Container, have: Container | None) -> dict[str, Any]:
    """What there is to keep, and what the kernel should show, of the container that is there."""
    if have is None:
        return {}
    if full.state == "started":
        return {"attached": full.networks or None, "held": have.held, "wanted": have.wanted and "running"}
    return {"remains": () if have.state == "stopped" else None, "held": have.held}


def _recreates(want: Container, have: Container) -> bool:
    return bool(want.recreate) or any(change.effect == Effect.RECREATE for change in diff(want, have))


def _new_identity(layout: Layout, want: Container, have: Container | None) -> str:
    """The id of a container to be made: a digest of what it is to be and of what it replaces.

    So a check tells the very id that the run after it gives, and a run that was killed is taken up under its own.
    """
    from hashlib import sha256
    from json import dumps

    before = have.id if have else None
    told = [os.uname().nodename, layout.root, before, container_state.encoded(replace(want, id=None, created=None))]
    return sha256(dumps(told, sort_keys=True).encode()).hexdigest()


def _unreferenced(layout: Layout, have: Container) -> bool:
    """Whether no name stands for a container's image any more."""
    found = content.find_id(layout, have.image_id or "")
    return found is not None and not found.references


def _check(layout: Layout, full: Container, have: Container | None, leftovers: tuple[str, ...]) -> None:
    """Refuse, before anything is touched, what would fail halfway."""
    for each in full.volumes or ():
        if not os.path.exists(each.source):
            raise InvalidValue("volumes", each.source, "there is nothing at this path on the host", "make it first")
    stored = content.find_id(layout, full.image_id or "") if full.image_id else None
    if stored:
        container_bundle.arguments(full, stored.config)
    endpoint.check_networks(layout, full.networks or (), have.id if have else None)
    if full.published_ports and not full.networks:
        shown = [str(each) for each in full.published_ports]
        raise InvalidValue("published_ports", shown, "the container is on no network", "give it one in networks")
    if full.state == "started":
        # Ports that still lead to a leftover are free by the time that they are published.
        freed = [port for each in leftovers for port in endpoint.observe_ports(layout, each)]
        ports = [port for port in full.published_ports or () if not any(map(port.meets, freed))]
        endpoint.port_conflicts(layout, ports, have.id if have else None)


def _fetch(layout: Layout, want: Target) -> Plan:
    return IMAGE.plan(layout, *want.fetch) if want.fetch else Plan()


def _creation(layout: Layout, want: Target) -> Plan:
    fetch = _fetch(layout, want)
    start = [*prepare_steps(layout, want), *run_steps(layout, want)] if want.state == "started" else []
    steps = (
        *fetch.steps,
        *want.install,
        MakeContainer(layout, want),
        *start,
        GiveName(layout, want.name, want.id, None),
    )
    return Plan(steps, fetch.purge)


def _replacement(layout: Layout, want: Target, have: Container) -> Plan:
    """Everything that can be is made beside the old container before that stops."""
    fetch = _fetch(layout, want)
    starts, stops = want.state == "started", have.state == "started"
    steps = (
        *clean_steps(layout, have),
        *fetch.steps,
        *want.install,
        MakeContainer(layout, want),
        *(prepare_steps(layout, want) if starts else ()),
        *(halt_steps(layout, have) if stops else ()),
        *(run_steps(layout, want) if starts else ()),
        GiveName(layout, want.name, want.id, have.id),
    )
    gone = (*(dismantle_steps(layout, have) if stops else ()), *purge_steps(layout, have))
    return Plan(steps, (*gone, *(fetch.purge or _pruned(layout, want))))


def _change(layout: Layout, want: Target, have: Container) -> Plan:
    """What is left when nothing needs a new container: limits, ports, policy, and whether it runs."""
    kept = want.kept
    record = [] if kept is None or _same(want, kept) else [container_state.record_step(layout, want, kept)]
    if want.state == have.state == "started":
        path = cgroup(have)
        live = limit_steps(path, want, container_state.limits(have))
        kept_up = [KeepWanted(layout, have)] if want.wanted != have.wanted else []
        return Plan((*live, *_mended_network(layout, want, have), *kept_up, *record))
    if want.state == "started":
        start = (*prepare_steps(layout, want), *run_steps(layout, want))
        return Plan((*clean_steps(layout, have), *want.install, *record, *start))
    return Plan((*end_steps(layout, have), *record))


def _mended_network(layout: Layout, want: Target, have: Container) -> list[Step]:
    """Attach again what the kernel has lost of a running container's network, and lead the ports to it as wanted."""
    identity, networks = have.id or "", want.networks or ()
    steps: list[Step] = []
    if want.attached != have.attached:
        steps += endpoint.attach_steps(layout, identity, networks, dict(have.held), pinned=True)
    ports = want.published_ports or (), have.published_ports or ()
    return [*steps, *endpoint.publish_steps(layout, identity, network(want), *ports)]


def _same(want: Container, kept: Container) -> bool:
    """Whether the record says what is wanted. A limit that is not managed is the same as one that is cleared."""
    unlimited: dict[str, Any] = {row.name: None for row in LIMIT_ROWS if getattr(want, row.name) == UNLIMITED}
    unlimited = {name: None for name in unlimited if getattr(kept, name) in (None, UNLIMITED)}
    new, old = replace(want, **unlimited), replace(kept, **unlimited)
    return container_state.encoded(new) == container_state.encoded(old)


def _removal(layout: Layout, want: Target, have: Container) -> Plan:
    steps = (*end_steps(layout, have), GiveName(layout, have.name, None, have.id))
    return Plan(steps, (*purge_steps(layout, have), *_pruned(layout, want)))


def _pruned(layout: Layout, want: Target) -> tuple[Prune, ...]:
    return (Prune(layout),) if want.prune else ()


CONTAINER = ContainerResource()
