# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from the container there is to the one that is wanted."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core.layout import Layout
from ..core.plan import Plan, Step
from ..image.pull import Prune
from ..lean.dataclasses import replace
from . import container_state, rates, user_network, user_network_steps
from .attachments import Attachment, names_of
from .container_folder import GiveName, MakeContainer
from .container_health_steps import SeeRoom, WatchHealth, see_steps
from .container_leftover import RemoveLeftover
from .container_model import Container
from .container_network import rates_of
from .container_pause import pause_steps
from .container_rootfs import size_steps
from .container_state import cgroup
from .container_steps import (
    KeepWanted,
    WriteBundle,
    beside_steps,
    clean_steps,
    dismantle_steps,
    end_steps,
    halt_steps,
    join_steps,
    prepare_steps,
    purge_steps,
    run_steps,
)
from .container_target import Target, recreates, restarts
from .container_volume_steps import RemoveAnonymous
from .container_watch import StandIn
from .container_wishes import device_access
from .endpoint_plan import change_steps, publish_steps, release_steps, tell_steps, unpublish_steps
from .endpoint_steps import Disconnect
from .image import IMAGE
from .limit_steps import SetDeviceRules, limit_steps
from .process_steps import process_steps
from .rate_steps import SetRates, rate_steps
from .volume_steps import MakeVolume


def plan(layout: Layout, want: Target, have: Container | None) -> Plan:
    """Create, replace, change live, start, stop or remove: whatever the differences cost at most."""
    before = tuple(RemoveLeftover(layout, identity, want.name, want.keep_volumes) for identity in want.leftovers)
    if have is not None:
        # How to stop is declared by whoever asks for it.
        asked = {name: value for name in ("stop_timeout", "stop_signal") if (value := getattr(want, name)) is not None}
        have = replace(have, **asked | _killed(want))
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


def _killed(want: Container) -> dict[str, Any]:
    """How a container is stopped whose end is forced: by the signal that is asked for, or else at once."""
    if not want.force_kill:
        return {}
    if want.kill_signal in (None, "", "SIGKILL"):
        return {"stop_signal": "SIGKILL", "stop_timeout": 0}
    return {"stop_signal": want.kill_signal}


def _fetch(layout: Layout, want: Target) -> Plan:
    return IMAGE.plan(layout, *want.fetch) if want.fetch else Plan()


def _creation(layout: Layout, want: Target) -> Plan:
    fetch = _fetch(layout, want)
    start = [*prepare_steps(layout, want), *run_steps(layout, want)] if want.state == "started" else []
    steps = (
        *fetch.steps,
        *want.install,
        MakeContainer(layout, want),
        *_made(layout, want),
        *start,
        GiveName(layout, want.name, want.id, None),
        *(see_steps(layout, want, replaces=False) if start else ()),
    )
    return Plan(steps, fetch.purge)


def _replacement(layout: Layout, want: Target, have: Container) -> Plan:
    """Make all that can be made beside the old container before that stops, unless that has to give up an address."""
    fetch = _fetch(layout, want)
    starts, stops = want.state == "started", have.state == "started"
    prepared = prepare_steps(layout, want) if starts else []
    halted: list[Step] = [SeeRoom(layout, have), *halt_steps(layout, have)] if stops else []
    if starts and _takes_over(want, have):
        # The bundle is written before, too: what can't be started is to be known while the old one runs.
        prepared = [*beside_steps(layout, want), WriteBundle(layout, want)]
        halted += [*_give_up(layout, have, stops), *join_steps(layout, want)]
    steps = (
        *clean_steps(layout, have),
        *fetch.steps,
        *want.install,
        MakeContainer(layout, want),
        *_made(layout, want),
        *prepared,
        *halted,
        *((*run_steps(layout, want), *see_steps(layout, want, replaces=True)) if starts else ()),
        GiveName(layout, want.name, want.id, have.id),
    )
    dismantled = dismantle_steps(layout, have) if stops else ()
    gone = (*dismantled, *_abandoned(layout, want, have), *purge_steps(layout, have))
    return Plan(steps, (*gone, *(fetch.purge or _pruned(layout, want))))


def _takes_over(want: Container, have: Container) -> bool:
    """Whether the new container asks for an address that the old one has, so that both can't be connected at once."""
    held = {address for _, addresses in have.held for address in addresses}
    macs = {each.mac_address for each in have.networks or () if each.mac_address}
    return any(held & set(each.addresses) or each.mac_address in macs for each in want.networks or ())


def _give_up(layout: Layout, have: Container, connected: bool) -> list[Step]:
    """Let a container that is halted go of its addresses, while all else of it stays in place."""
    identity, networks = have.id or "", have.networks or ()
    freed = rate_steps(layout, identity, networks, rates_of(have), rates.FREE) if connected else ()
    gone = [Disconnect(layout, each, identity, names_of(networks)) for each in networks if connected]
    return [*freed, *gone, *release_steps(layout, identity, dict(have.held))]


def _change(layout: Layout, want: Target, have: Container) -> Plan:
    """What is left when nothing needs a new container: limits, ports, policy, and whether it runs."""
    kept = want.kept
    same = kept is None or container_state.same(want, kept)
    record = [] if same else [container_state.record_step(layout, want, kept)]
    left = release_steps(layout, have.id or "", _left(want, have))
    if restarts(want, have):
        start = (*prepare_steps(layout, want), *run_steps(layout, want, again=True))
        seen = see_steps(layout, want, replaces=False)
        return Plan((*want.install, *end_steps(layout, have), *left, *record, *start, *seen))
    if want.state == have.state == "started":
        path = cgroup(have)
        live: list[Step] = [*limit_steps(path, want, container_state.limits(have)), *_device_steps(path, want, have)]
        # Late, since not all of it can be undone by everybody.
        last = [*process_steps(layout, want, have), *pause_steps(layout, have, want, have.paused)]
        kept_up: list[Step] = [KeepWanted(layout, have)] if want.wanted != have.wanted else []
        if want.waiter != have.waiter:
            kept_up.append(StandIn(layout, have))
        if want.healthcheck != have.healthcheck or want.checker != have.checker:
            kept_up.append(WatchHealth(layout, have, want))
        seen = see_steps(layout, want, replaces=False) if want.health != have.health else []
        # Last, since a filesystem that has grown does not shrink again.
        sized = size_steps(layout, want, have)
        network, told = _mended_network(layout, want, have)
        # Names are told of what is recorded, and by a step that nothing takes back.
        return Plan((*live, *network, *kept_up, *last, *record, *seen, *sized, *told))
    if want.state == "started":
        start = (*prepare_steps(layout, want), *run_steps(layout, want), *see_steps(layout, want, replaces=False))
        return Plan((*clean_steps(layout, have), *left, *want.install, *record, *start))
    return Plan((*end_steps(layout, have), *left, *record))


def _device_steps(path: str, want: Container, have: Container) -> list[SetDeviceRules]:
    before, after = device_access(have), device_access(want)
    return [SetDeviceRules(path, before, after)] if before != after else []


def _left(want: Container, have: Container) -> dict[str, tuple[str, ...]]:
    """The addresses that a container has on networks that it is not to be on any more, by network."""
    return {name: addresses for name, addresses in have.held if name not in names_of(want.networks)}


def _mended_network(layout: Layout, want: Target, have: Container) -> tuple[list[Step], tuple[Step, ...]]:
    """Bring a running container to the networks that are wanted, mend what the kernel has lost of them, lead ports.

    What others are to be told of it comes by itself. Ports lead to addresses: where those change, they are led anew.
    """
    program = user_network.of(want)
    if program:
        return [*user_network_steps.mend_steps(layout, want, have, program)], ()
    identity, held, well = have.id or "", dict(have.held), have.attached or ()
    networks, before = want.networks or (), have.networks or ()
    led, ports = have.published_ports or (), want.published_ports or ()
    steps, now = list[Step](), rates_of(have)
    changed = change_steps(layout, identity, networks, before, held, well)
    if networks != before or want.attached != have.attached:
        leaves = any(isinstance(each, Disconnect) for each in changed)
        moved = leaves or names_of(networks) != names_of(before)
        if moved:
            steps += unpublish_steps(layout, identity, before, led)
            led = ()
        if leaves:
            # An interface that comes back, as this is undone, comes without them.
            steps += rate_steps(layout, identity, before, now, rates.FREE)
            now = rates.FREE
        steps += changed
    told = want.hosts != have.hosts or bool(steps) or _told(networks) != _told(before)
    if changed and now == rates_of(want) != rates.FREE:
        # An interface that has just been made has none yet.
        steps.append(SetRates(layout, identity, networks, now, now))
    steps += rate_steps(layout, identity, networks, now, rates_of(want))
    steps += publish_steps(layout, identity, networks, ports, led)
    return steps, tell_steps(layout, (*names_of(networks), *names_of(before), *held)) if told else ()


def _told(networks: Sequence[Attachment]) -> list[tuple[str, tuple[str, ...] | None]]:
    """What others are told of a container by its networks, beside its addresses."""
    return [(each.name, each.aliases) for each in networks]


def _removal(layout: Layout, want: Target, have: Container) -> Plan:
    steps = (*end_steps(layout, have), GiveName(layout, have.name, None, have.id))
    return Plan(steps, (*_abandoned(layout, want, have), *purge_steps(layout, have), *_pruned(layout, want)))


def _made(layout: Layout, want: Target) -> list[Step]:
    """Make the volumes that are named and not there. The container's record is, so that they are in use at once."""
    return [MakeVolume(layout, each, gone=frozenset({want.id or ""})) for each in want.volumes_made]


def _abandoned(layout: Layout, want: Target, have: Container) -> list[Step]:
    """Remove anonymous volumes before the record goes that tells of them."""
    return [RemoveAnonymous(layout, have, want.abandoned)] if want.abandoned else []


def _pruned(layout: Layout, want: Target) -> tuple[Prune, ...]:
    return (Prune(layout),) if want.prune else ()
