# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of ``ps``, which mean what they mean to Docker."""
from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from ..core.layout import Layout
from ..errors import Failure, InvalidValue
from ..image import content
from ..resources import container_health, container_state
from ..resources.attachments import names_of
from ..resources.container_facts import inspect
from ..resources.container_kinds import PRIVATE
from ..resources.container_model import Container
from ..resources.ports import EXPOSED
from . import filters, names

HEALTHS = ("starting", "healthy", "unhealthy", container_health.NONE)
STATES = ("created", "dead", "exited", "paused", "removing", "restarting", "running")


class Look:
    """A container as observed, and as inspect shows it, which is looked up if somebody asks."""

    def __init__(self, layout: Layout, container: Container) -> None:
        self.layout, self.container = layout, container

    @cached_property
    def document(self) -> dict[str, Any]:
        """What inspect shows."""
        return inspect(self.layout, self.container)


Test = Callable[[Look], bool]


def _id(layout: Layout, said: str) -> Test:
    return lambda look: (look.container.id or "").startswith(said)


def _name(layout: Layout, said: str) -> Test:
    """A regular expression, which has to be in the name, with or without Docker's slash before that."""
    try:
        pattern = re.compile(said)
    except re.error as error:
        raise ValueError(f"it is no regular expression ({error})") from error
    return lambda look: any(map(pattern.search, (look.container.name, f"/{look.container.name}")))


def _status(layout: Layout, said: str) -> Test:
    if said not in STATES:
        raise ValueError(f"it is not one of {', '.join(STATES)}")
    return lambda look: look.document["State"]["Status"] == said


def _health(layout: Layout, said: str) -> Test:
    if said not in HEALTHS:
        raise ValueError(f"it is not one of {', '.join(HEALTHS)}")
    return lambda look: (look.container.health or container_health.NONE) == said


def _exited(layout: Layout, said: str) -> Test:
    if not re.fullmatch("[0-9]{1,3}", said):
        raise ValueError("it is no exit status")
    status = int(said)
    return lambda look: look.document["State"]["Status"] == "exited" and look.document["State"]["ExitCode"] == status


def _label(layout: Layout, said: str) -> Test:
    return lambda look: filters.labelled(look.document["Config"]["Labels"], [said])


def _ancestor(layout: Layout, said: str) -> Test:
    """By name or id: the image of the container, or one that its image is built on."""
    try:
        image = names.image(layout, said)
    except Failure as error:
        reason = error.reason
        if isinstance(error, InvalidValue):
            raise ValueError(reason) from error
        # It may have been removed while containers of it stay.
        return lambda look: said in (str(look.container.image), str(look.container.image).rpartition(":")[0])
    below = image.diff_ids

    def test(look: Look) -> bool:
        own = content.find_id(layout, look.container.image_id or "")
        return look.container.image_id == image.id or (own is not None and own.diff_ids[: len(below)] == below != ())

    return test


def _network(layout: Layout, said: str) -> Test:
    """A network that it is on, or what is in place of networks."""

    def test(look: Look) -> bool:
        mode = look.container.network_mode or PRIVATE
        others = [] if mode == PRIVATE else [mode.partition(":")[0]]
        return said in (*names_of(look.container.networks), *others)

    return test


def _volume(layout: Layout, said: str) -> Test:
    """The name of a volume, or a path on either side."""
    path = said.rstrip("/") or said
    return lambda look: any(
        said == each.get("Name") or path in (each["Source"], each["Destination"]) for each in look.document["Mounts"]
    )


def _publish(layout: Layout, said: str) -> Test:
    """Ports of the host."""
    wanted = {(str(each.port), each.protocol) for each in EXPOSED.parse([said])}

    def test(look: Look) -> bool:
        ports = look.document["NetworkSettings"]["Ports"].items()
        found = {(each["HostPort"], inside.partition("/")[2]) for inside, places in ports for each in places or ()}
        return bool(found & wanted)

    return test


def _expose(layout: Layout, said: str) -> Test:
    """Ports of the container."""
    wanted = set(map(str, EXPOSED.parse([said])))
    return lambda look: bool(set(look.document["NetworkSettings"]["Ports"]) & wanted)


def _before(layout: Layout, said: str) -> Test:
    created = container_state.find(layout, said).created or ""
    return lambda look: (look.container.created or "") < created


def _since(layout: Layout, said: str) -> Test:
    created = container_state.find(layout, said).created or ""
    return lambda look: (look.container.created or "") > created


KNOWN: dict[str, Callable[[Layout, str], Test]] = {
    "ancestor": _ancestor,
    "before": _before,
    "exited": _exited,
    "expose": _expose,
    "health": _health,
    "id": _id,
    "label": _label,
    "name": _name,
    "network": _network,
    "publish": _publish,
    "since": _since,
    "status": _status,
    "volume": _volume,
}


def test_of(layout: Layout, said: Sequence[str]) -> tuple[Test, bool]:
    """Whether a container is one that is asked for; and whether that is about those that do not run, too.

    Of several of one filter one has to fit, of labels all. Raises :class:`InvalidValue`.
    """
    tests: dict[str, list[Test]] = {}
    for key, values in filters.parsed(said, KNOWN).items():
        for each in values:
            try:
                tests.setdefault(key, []).append(KNOWN[key](layout, each))
            except ValueError as error:
                raise InvalidValue("--filter", f"{key}={each}", str(error)) from error

    def wanted(look: Look) -> bool:
        return all((all if key == "label" else any)(test(look) for test in each) for key, each in tests.items())

    return wanted, bool({"status", "exited"} & set(tests))
