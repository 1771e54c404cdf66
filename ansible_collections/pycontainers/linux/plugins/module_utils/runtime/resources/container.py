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
from typing import Any

from ..core.layout import Layout
from ..core.model import Change, Effect, diff, rows
from ..core.plan import Ending, Plan, differences
from ..errors import InvalidValue
from ..image import content
from ..lean.dataclasses import fields, replace
from ..oci import loggers
from . import (
    container_bare,
    container_facts,
    container_health,
    container_logs,
    container_observed,
    container_spelling,
    container_state,
    container_volumes,
    container_watch,
    hosts_files,
    limit_rules,
    storage_opts,
    user_network,
)
from .attachments import names_of
from .comparisons import compared
from .container_kinds import PRIVATE
from .container_model import Container
from .container_target import Target, recreates, restarts
from .image import IMAGE, Image
from .ports import all_named
from .volume_model import Volume as NamedVolume
from .volume_model import load as load_volume


class ContainerResource:
    """Containers of one host."""

    model = Container

    def lock(self, layout: Layout, want: Container) -> AbstractContextManager[None]:
        """A lock per name."""
        return container_state.lock(layout, want.name)

    def observe(self, layout: Layout, want: Container) -> Container | None:
        """The record, with the kernel's readings over it. To be removed, a container needs no record."""
        if want.state == "absent":
            return container_bare.observe(layout, want.name)
        found = container_observed.observe(layout, want.name)
        if found is not None and found.networks and found.state == "started":
            # Here alone, as it takes a look at all who are on its networks.
            found = replace(found, hosts=hosts_files.observe(layout, found.id or ""))
        return found

    def resolve(self, layout: Layout, want: Container, have: Container | None) -> Container:
        """Fill in what was left out from the record, the image's id, a new id; refuse what can't work."""
        healthy = want.state == "healthy"
        leftovers = container_state.leftovers(layout, want.name, have.id if have else None)
        abandoned = () if want.keep_volumes or have is None else tuple(_anonymous(layout, have).values())
        if want.state == "absent":
            prune = have is not None and _unreferenced(layout, have)
            identity = have.id if have else None
            gone: dict[str, Any] = {"leftovers": leftovers, "abandoned": abandoned}
            return _target(want, id=identity, prune=prune, settled=have is None, **gone)
        kept = container_state.load(layout, have.id) if have and have.id else None
        limit_rules.check_said(want)
        want = container_spelling.spelt(layout, want)
        if want.comparisons:
            from .exposed_ports import asked

            want = compared(want, kept and replace(kept, published_ports=asked(kept)))
        full = limit_rules.settled(_filled(want, kept, have), want, kept, have)
        image, fetch = _image(layout, full, want.image is not None)
        if not full.detach and full.state == "started":
            from .container_end import check as check_end

            check_end(full)
        full = replace(full, image_id=image, **_running(layout, full, have))
        if full.state != "started":
            full = replace(full, paused=None)  # There is nothing to hold still, and it is not kept for later.
        if full.publish_all_ports or full.chosen_ports or full.free_ports or not all_named(full.published_ports):
            from .exposed_ports import chosen

            full = chosen(layout, full, want, kept, have)
        if healthy:
            full = replace(full, **_awaited(layout, full, have))
        if have is not None and kept is not None and _settled(full, have, kept):
            return _target(full, kept=kept, leftovers=leftovers, settled=True)
        from .container_check import check
        from .service import install_steps

        check(layout, full, have, leftovers)
        renewed = have is None or recreates(full, have)
        if renewed:
            created = container_state.timestamp(time.time())
            identity = _new_identity(layout, replace(full, anonymous=None), have)
            taken = tuple(sorted(_anonymous(layout, have).items())) if have else ()
            full = replace(full, id=identity, created=created, held=(), anonymous=taken or None)
            full = replace(full, attached=None, hosts=None, wanted=None, waiter=None, remains=None)
            full = replace(full, checker=None, health=container_health.HEALTHY if healthy else None)
        install = install_steps(layout) if full.state == "started" else ()
        prune = renewed and have is not None and _unreferenced(layout, have)
        found: dict[str, Any] = {"kept": kept, "fetch": fetch, "leftovers": leftovers, "install": install}
        found["awaited"] = healthy
        if renewed:
            found |= {"volumes_made": _missing(layout, full), "abandoned": abandoned}
        return _target(full, prune=prune, **found)

    def plan(self, layout: Layout, want: Container, have: Container | None) -> Plan:
        """The steps, if there is anything to do. Most runs have nothing, and are spared the import of the steps."""
        if not isinstance(want, Target):
            raise TypeError("plan takes what resolve returned")
        if want.settled and not want.leftovers:
            return Plan()
        from . import container_plan

        return container_plan.plan(layout, want, have)

    def differences(self, want: Container, have: Container | None) -> tuple[Change, ...]:
        """The changes, a restart that is asked for among them."""
        found = differences(want, have)
        if have is None or not restarts(want, have) or recreates(want, have):
            return found
        return (*found, Change("restart", False, True, Effect.RESTART))

    def ending(self, layout: Layout, want: Container, have: Container | None) -> Ending:
        """Wait for the end of the program where the task is to."""
        if want.detach or want.state != "started":
            return Ending()
        from . import container_end

        return container_end.ending(self, layout, want, have)

    def facts(self, layout: Layout, have: Container | None) -> Mapping[str, Any]:
        """The container as ``docker inspect`` shows it, or nothing."""
        lacks = have is not None and container_logs.lacks_stamps(have)
        warnings = {"warnings": [f"container {have.name}: {container_logs.NO_STAMPS}"]} if have and lacks else {}
        return {"container": container_facts.inspect(layout, have) if have else {}, **warnings}


def _target(container: Container, **found: Any) -> Target:
    return Target(**{each.name: getattr(container, each.name) for each in fields(Container)} | found)


def _anonymous(layout: Layout, have: Container) -> dict[str, str]:
    return container_volumes.anonymous(have, container_volumes.image_config(layout, have))


def _missing(layout: Layout, full: Container) -> tuple[NamedVolume, ...]:
    """The volumes that a container names and that are not there."""
    labels = {each.name: each.labels for each in full.volumes or ()}
    names = [each for each in container_volumes.named(full) if load_volume(layout, each) is None]
    return tuple(NamedVolume(name=each, labels=labels[each]) for each in names)


def _filled(want: Container, kept: Container | None, have: Container | None) -> Container:
    """``want`` with the record's value in every row that it leaves out, and ``present`` as the state it has."""
    state = (have.state if have else "stopped") if want.state == "present" else want.state
    state = "started" if state == "healthy" else state
    if want.network_mode not in (None, PRIVATE):
        # It is in place of what is kept of these, so that going over to it needs no other words.
        ports = want.published_ports if user_network.of(want) else want.published_ports or ()
        want = replace(want, networks=want.networks or (), published_ports=ports)
    if kept and want.log_driver not in (None, kept.log_driver or loggers.FILE) and want.log_options is None:
        want = replace(want, log_options=())  # What is kept of them is about another driver.
    networks = container_spelling.networks(want, kept.networks or () if kept else ())
    if kept is None:
        return replace(want, state=state, networks=None if want.networks is None else networks)
    left_out = {row.name: getattr(kept, row.name) for row in rows(Container) if getattr(want, row.name) is None}
    return replace(want, **left_out | {"state": state, "networks": networks})


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


def _running(layout: Layout, full: Container, have: Container | None) -> dict[str, Any]:
    """What there is to keep, and what the kernel should show, of the container that is there."""
    if have is None:
        return {}
    layer = storage_opts.takes_image(layout, have.id or "", full.storage_opts, bool(have.layer_image))
    kept: dict[str, Any] = {"held": have.held, "layer_image": layer}
    if full.state == "started":
        hosts = have.hosts and hosts_files.CURRENT
        program = user_network.of(full)
        attached = (program.program,) if program else names_of(full.networks) or None
        waiter = have.waiter and container_watch.THERE
        checker = have.checker and container_health.THERE
        wanted = have.wanted and "running"
        return kept | {"attached": attached, "hosts": hosts, "wanted": wanted, "waiter": waiter} | {
            "checker": checker,
            "health": have.health,
        }
    return kept | {"remains": () if have.state == "stopped" else None}


def _awaited(layout: Layout, full: Container, have: Container | None) -> dict[str, Any]:
    """What the kernel should show of a container that is to be healthy. Refuses one that nothing checks.

    What the check of an image that is yet to be pulled is, shows when its container is made.
    """
    image = content.find_id(layout, full.image_id) if full.image_id else None
    if image and container_health.in_force(full, image.config) is None:
        raise InvalidValue("state", "healthy", container_health.UNCHECKED, container_health.CHECK_IT)
    runs = have is not None and have.state == "started"
    return {"health": container_health.HEALTHY, "checker": container_health.THERE if runs else None}


def _settled(full: Container, have: Container, kept: Container) -> bool:
    """Whether there is nothing to do: what there is and what is kept of it are what is wanted."""
    if full.recreate or restarts(full, have) or full.state != have.state or diff(full, have):
        return False
    return container_state.same(full, kept)


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
    """Whether no name stands for a container's image any more; of one whose record is damaged it is not known."""
    found = content.find_id(layout, have.image_id) if have.image_id else None
    return found is not None and not found.references


CONTAINER = ContainerResource()
