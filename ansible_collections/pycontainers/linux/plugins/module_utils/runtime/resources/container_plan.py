# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from the container there is to the one that is wanted."""
from __future__ import annotations

from dataclasses import replace

from ..core.layout import Layout
from ..core.plan import Plan, Step
from ..image.pull import Prune
from . import container_state
from .container_model import Container
from .container_rootfs import size_steps
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
    prepare_steps,
    purge_steps,
    run_steps,
)
from .container_target import Target, recreates
from .endpoint_plan import attach_steps, publish_steps
from .endpoint_steps import TellNames
from .image import IMAGE
from .limit_steps import limit_steps


def plan(layout: Layout, want: Target, have: Container | None) -> Plan:
    """Create, replace, change live, start, stop or remove: whatever the differences cost at most."""
    before = tuple(RemoveLeftover(layout, identity, want.name) for identity in want.leftovers)
    if have is not None:
        # How to stop is declared by whoever asks for it.
        asked = {name: value for name in ("stop_timeout", "stop_signal") if (value := getattr(want, name)) is not None}
        have = replace(have, **asked)
    rest = _rest(layout, want, have)
    return Plan((*before, *rest.steps), rest.purge)


def _rest(layout: Layout, want: Target, have: Container | None) -> Plan:
    if want.settled:
        return Plan()
    if want.state == "absent":
        return _removal(layout, want, have) if have else Plan()
    if have is None:
        return _creation(layout, want)
    if recreates(want, have):
        return _replacement(layout, want, have)
    return _change(layout, want, have)


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
    same = kept is None or container_state.same(want, kept)
    record = [] if same else [container_state.record_step(layout, want, kept)]
    if want.state == have.state == "started":
        path = cgroup(have)
        live = limit_steps(path, want, container_state.limits(have))
        kept_up = [KeepWanted(layout, have)] if want.wanted != have.wanted else []
        # Last, since a filesystem that has grown does not shrink again.
        sized = size_steps(layout, want, have)
        return Plan((*live, *_mended_network(layout, want, have), *kept_up, *record, *sized))
    if want.state == "started":
        start = (*prepare_steps(layout, want), *run_steps(layout, want))
        return Plan((*clean_steps(layout, have), *want.install, *record, *start))
    return Plan((*end_steps(layout, have), *record))


def _mended_network(layout: Layout, want: Target, have: Container) -> list[Step]:
    """Attach again what the kernel has lost of a running container's network, and lead the ports to it as wanted."""
    identity, networks = have.id or "", want.networks or ()
    steps: list[Step] = []
    if want.attached != have.attached:
        steps += attach_steps(layout, identity, networks, dict(have.held), pinned=True)
    if want.hosts != have.hosts:
        steps.append(TellNames(layout, networks))
    ports = want.published_ports or (), have.published_ports or ()
    return [*steps, *publish_steps(layout, identity, networks, *ports)]


def _removal(layout: Layout, want: Target, have: Container) -> Plan:
    steps = (*end_steps(layout, have), GiveName(layout, have.name, None, have.id))
    return Plan(steps, (*purge_steps(layout, have), *_pruned(layout, want)))


def _pruned(layout: Layout, want: Target) -> tuple[Prune, ...]:
    return (Prune(layout),) if want.prune else ()
