# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another name for a container, which stays what it is: its id, its addresses and what runs of it are not touched.

At no time is there a record without a name that stands for it, since that would be what a killed run has left. First
both names stand for the container, then its record has the new one, then the old one goes; a rename that was cut short
is finished by the same words.
"""
from __future__ import annotations

from contextlib import ExitStack, suppress

from ..core.kinds import name as container_name
from ..core.layout import Layout
from ..core.plan import Plan, Step, apply
from ..errors import Failure, InvalidValue
from ..lean.dataclasses import dataclass, replace
from . import container_state, hosts_files, journal
from .attachments import names_of
from .container_folder import GiveName
from .container_kinds import OTHER
from .container_model import Container


@dataclass(frozen=True)
class TellNeighbours:
    """The step that writes who is who in the hosts files of those on a container's networks."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Whose."""
        return f"tell the name of container {self.container.name} to those on its networks"

    def do(self) -> None:
        """Write the files."""
        hosts_files.tell(self.layout, names_of(self.container.networks))

    def undo(self) -> None:
        """Write them by what is so now."""
        self.do()


def rename(layout: Layout, wanted: str, new: str) -> None:
    """Give a container another name. Raises :class:`Failure` for one that is in use, or no name."""
    try:
        container_name(new)
    except ValueError as error:
        raise InvalidValue("NAME", new, str(error)) from error
    found = container_state.find(layout, wanted)
    # The name that it was asked for by is the old one, if a rename to the new one was cut short.
    old = wanted if container_state.identity_of(layout, wanted) == found.id and found.name == new else found.name
    with ExitStack() as stack:
        for each in sorted({old, found.name, new}):  # always in this order, or two renames could wait for each other
            stack.enter_context(container_state.lock(layout, each))
        container = container_state.load(layout, found.id or "")
        if container is None or container.name != found.name:
            raise Failure(f"rename container {wanted}", "it was removed or renamed meanwhile", "look again")
        apply(Plan(tuple(_steps(layout, container, old, new))))
        journal.note(layout, replace(container, name=new), "rename", oldName=old)


def _steps(layout: Layout, container: Container, old: str, new: str) -> list[Step]:
    operation, there = f"rename container {old} to {new}", container_state.identity_of(layout, new)
    if old == new:
        raise Failure(operation, "that is its name", "give another one")
    if there not in (None, container.id):
        raise Failure(operation, f"the name stands for container {(there or '')[:12]}", "rename or remove that first")
    others = _others(layout, container)
    users = [each.name for each in others if f"{OTHER}{old}" in (each.network_mode, each.pid_mode)]
    if users:
        reason = f"container {users[0]} joins it by this name"
        raise Failure(operation, reason, "remove that first, or let it join by the id")
    waiting = [each.name for each in others if old in (one.name for one in each.depends_on or ())]
    if waiting:
        reason = f"container {waiting[0]} depends on it by this name"
        raise Failure(operation, reason, "take it out of that one's depends_on first")
    named = replace(container, name=new)
    return [
        *([GiveName(layout, new, container.id, None)] if there is None else []),
        container_state.record_step(layout, named, container),
        GiveName(layout, old, None, container.id),
        TellNeighbours(layout, named),
    ]


def _others(layout: Layout, container: Container) -> list[Container]:
    found = []
    for identity in container_state.identities(layout):
        with suppress(Failure):
            each = container_state.load(layout, identity)
            if each is not None and identity != container.id:
                found.append(each)
    return found
