# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a container's life. Each is one operation; what starts or ends a container is a list of them."""
from __future__ import annotations

import signal
import time
from contextlib import suppress

from ..core.layout import Layout
from ..core.plan import Step
from ..errors import Failure
from ..image import content
from ..kernel import freezer
from ..kernel.cgroups import cgroups
from ..kernel.process import signal_number
from ..lean.dataclasses import dataclass, replace
from ..oci import checker, lifecycle
from . import (
    container_bundle,
    container_health,
    container_logs,
    container_memory,
    container_network,
    container_pids,
    container_state,
    container_volumes,
    container_words,
    endpoint_plan,
    hosts_files,
    journal,
    restart_policy,
)
from .attachments import names_of
from .container_folder import RemoveFolder
from .container_kinds import DEFAULT_STOP_TIMEOUT
from .container_model import Container
from .container_pause import pause_steps
from .container_rootfs import MountRootfs, UnmountRootfs
from .container_state import Status, cgroup
from .container_volume_steps import MountVolumes, UnmountVolumes
from .container_wishes import device_access
from .container_words import short
from .limit_steps import MakeCgroup, RemoveCgroup, limit_steps


@dataclass(frozen=True)
class WriteBundle:
    """The step that writes what a container's program is started from. The root filesystem is mounted."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container's."""
        return f"write bundle of container {short(self.container)}"

    def do(self) -> None:
        """Write the files; refuse a user or a program that the root filesystem does not have."""
        container_bundle.prepare(self.layout, self.container)

    def undo(self) -> None:
        """Nothing: the files are the container's own, and are written anew at each start."""


@dataclass(frozen=True)
class StartProcess:
    """The step that starts a container's program, and tells those on its networks. The rest of it is there.

    ``again`` says that it has been stopped for that.
    """

    layout: Layout
    container: Container
    telling: bool = True
    again: bool = False

    def describe(self) -> str:
        """Which container."""
        return f"start container {short(self.container)}"

    def do(self) -> None:
        """Keep that it is wanted to run, and start the process. If it can't be started, keep what was before."""
        identity = self.container.id or ""
        program = container_bundle.prepared(self.layout, identity)
        before = container_state.status(self.layout, identity)
        # Kept first: whoever kills us on the way leaves one that its policy and the next boot see to.
        begun = Status(wanted="running", started_at=time.time(), started_clock=restart_policy.clock())
        begun = container_memory.carried_over(self.container, before, begun)
        container_state.set_status(self.layout, identity, begun)
        image = container_volumes.image_config(self.layout, self.container)
        first_check = container_health.note(self.layout, self.container, image)
        try:
            beside = container_pids.beside(self.layout, self.container)
            stdin, log = container_words.stdin(self.container), container_logs.of(self.container)
            lifecycle.start(self.layout, identity, program, stdin, log, beside)
        except BaseException as error:
            container_state.set_status(self.layout, identity, before)
            hosts_files.tell(self.layout, names_of(self.container.networks))
            killed = container_memory.killed_at_start(self.container, begun) if isinstance(error, Failure) else ""
            if killed:
                raise Failure(f"start container {short(self.container)}", killed, "give it more memory") from error
            raise
        journal.note(self.layout, self.container, "start")
        try:
            if first_check is not None:
                checker.begin(self.layout, identity, first_check)
            if self.telling:
                hosts_files.tell(self.layout, names_of(self.container.networks))
        except BaseException:
            self.undo()
            raise
        if self.again:
            journal.note(self.layout, self.container, "restart")

    def undo(self) -> None:
        """Stop it again, at once: nobody has been told that it runs."""
        stop(self.layout, self.container, 0)


@dataclass(frozen=True)
class KeepWanted:
    """The step that keeps of a container that runs that it is meant to: whoever wanted to stop it was killed."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container."""
        return f"keep that container {short(self.container)} is to run"

    def do(self) -> None:
        """Write its status."""
        self._write("running")

    def undo(self) -> None:
        """Write what was there."""
        self._write(self.container.wanted or "stopped")

    def _write(self, wanted: str) -> None:
        identity = self.container.id or ""
        known = container_state.status(self.layout, identity)
        container_state.set_status(self.layout, identity, replace(known, wanted=wanted))


@dataclass(frozen=True)
class StopProcess:
    """The step that ends a container's process, or its waiting for a restart."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Which container."""
        return f"stop container {short(self.container)}"

    def do(self) -> None:
        """Keep that it is not wanted to run, then end it."""
        timeout = self.container.stop_timeout
        stop(self.layout, self.container, DEFAULT_STOP_TIMEOUT if timeout is None else timeout)

    def undo(self) -> None:
        """Start it again; held still, if it was."""
        StartProcess(self.layout, self.container).do()
        for step in pause_steps(self.layout, self.container, self.container, False):
            step.do()


def stop(
    layout: Layout, container: Container, seconds: float, wanted: str = "stopped", telling: bool = True
) -> None:
    """End a container's process: its stop signal, patience, SIGKILL. ``wanted`` is kept for the next boot.

    Those on its networks are told, if it is ``telling``.
    """
    identity = container.id or ""
    before = replace(container_state.status(layout, identity), unhealthy=False)
    # Kept first: a waiter that sees the end before we can record it must not start the container again.
    container_state.set_status(layout, identity, replace(before, wanted=wanted))
    checker.end(layout, identity)
    groups, path = cgroups(), cgroup(container)
    if freezer.frozen(groups, path):  # A process that is held still does not even take SIGKILL.
        freezer.thaw(groups, path)
    running, number = lifecycle.running(layout, identity) is not None, stop_signal(layout, container)
    if running:
        journal.note(layout, container, "kill", signal=number)
    code = lifecycle.stop(layout, identity, number, seconds)
    container_pids.end_rest(container)
    lifecycle.await_log(layout, identity)
    after = replace(before, wanted=wanted, exit_code=before.exit_code if code is None else code)
    ended = after if code is None else replace(after, finished_at=time.time())
    if code is not None:
        ended = container_memory.recorded(container, ended, stopped=running)
    container_state.set_status(layout, identity, ended, durable=False)
    lifecycle.forget(layout, identity)
    if running and code is not None:
        note_end(layout, container, before, ended)
    journal.note(layout, container, "stop")
    if telling:
        hosts_files.tell(layout, names_of(container.networks))


def note_end(layout: Layout, container: Container, before: Status, ended: Status) -> None:
    """Keep in the journal how a run has ended, by the statuses before and after."""
    if ended.oom_kills > before.oom_kills:
        journal.note(layout, container, "oom", killed=ended.oom_kills - before.oom_kills)
    journal.note(layout, container, "die", exitCode=ended.exit_code)


def stop_signal(layout: Layout, container: Container) -> int:
    """The container's stop signal, else its image's (image-spec config.md, StopSignal), else SIGTERM."""
    if container.stop_signal:
        return signal_number(container.stop_signal)
    with suppress(Failure):  # a damaged store keeps nobody from ending what runs
        image = content.find_id(layout, container.image_id or "") if container.image_id else None
        return signal_number(str(image.config.get("StopSignal") or "")) if image else signal.SIGTERM
    return signal.SIGTERM


@dataclass(frozen=True)
class EndChecker:
    """The step that ends the checker of a container that does not run, which a killed run has left."""

    layout: Layout
    container: Container

    def describe(self) -> str:
        """Whose."""
        return f"end the health checker of container {short(self.container)}"

    def do(self) -> None:
        """Kill it."""
        checker.end(self.layout, self.container.id or "")

    def undo(self) -> None:
        """Nothing: there is nothing that it could check."""


def end_steps(layout: Layout, container: Container) -> list[Step]:
    """Bring a container to have nothing of the kernel's, whatever it has now."""
    if container.state == "started":
        return [*halt_steps(layout, container), *dismantle_steps(layout, container)]
    return clean_steps(layout, container)


def prepare_steps(layout: Layout, container: Container) -> list[Step]:
    """All that a container needs before its program can start, and that does not disturb another of its name."""
    return [*beside_steps(layout, container), *join_steps(layout, container)]


def beside_steps(layout: Layout, container: Container) -> list[Step]:
    """What of this is a container's own, and needs no address."""
    path = cgroup(container)
    return [
        MakeCgroup(path, device_access(container)),
        *limit_steps(path, container, None),
        MountRootfs(layout, container),
        *([MountVolumes(layout, container)] if container_volumes.named(container) else ()),
    ]


def join_steps(layout: Layout, container: Container) -> list[Step]:
    """The rest of it: its place on its networks, and the bundle, which tells of its addresses."""
    return [
        *container_network.attach_steps(layout, container),
        WriteBundle(layout, container),
    ]


def run_steps(layout: Layout, container: Container, telling: bool = True, again: bool = False) -> list[Step]:
    """Start what is prepared, ``again`` if it has been stopped for that; tell those on its networks if ``telling``."""
    published = container_network.publish_steps(layout, container, container.published_ports or ())
    # What is frozen does not start.
    start = StartProcess(layout, container, telling, again)
    return [*published, start, *pause_steps(layout, container, container, False)]


def halt_steps(layout: Layout, container: Container) -> list[Step]:
    """Stop a container, and leave all it needs to start again in its place."""
    unpublished = container_network.publish_steps(layout, container, (), container.published_ports or ())
    return [StopProcess(layout, container), *unpublished]


def dismantle_steps(layout: Layout, container: Container) -> list[Step]:
    """Take away what :func:`prepare_steps` made. Addresses stay leased: the next start gets the same."""
    path = cgroup(container)
    return [
        *container_network.detach_steps(layout, container),
        *([UnmountVolumes(MountVolumes(layout, container))] if container_volumes.named(container) else ()),
        UnmountRootfs(MountRootfs(layout, container)),
        RemoveCgroup(path, limit_steps(path, container, None), device_access(container)),
    ]


def clean_steps(layout: Layout, container: Container) -> list[Step]:
    """Take away what is left of a stopped container's run by whoever was killed while stopping it."""
    remains = container.remains or ()
    if not remains:
        return []
    ports = container.published_ports or () if "published ports" in remains else ()
    unpublished = container_network.publish_steps(layout, container, (), ports)
    left: list[Step] = [container_pids.EndRest(container)] if container_pids.shared(container) else []
    if "health checker" in remains:
        left.append(EndChecker(layout, container))
    return [*left, *unpublished, *dismantle_steps(layout, container)]


def purge_steps(layout: Layout, container: Container) -> list[Step]:
    """What a removed container leaves to be forgotten."""
    released = endpoint_plan.release_steps(layout, container.id or "", dict(container.held))
    return [*released, RemoveFolder(layout, container)]
