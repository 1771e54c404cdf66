# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One check of a container's health, as the checker does it, and what becomes of a container that is unhealthy."""
from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..core.layout import Layout
from ..errors import Failure, explain
from ..image import healthcheck
from ..image.healthcheck import Healthcheck
from ..kernel.cgroups import cgroups
from ..kernel.process import Process
from ..lean.dataclasses import replace
from ..oci import lifecycle, probe
from . import container_guest, container_health, container_state, container_volumes, journal, restart_policy
from .container_health import FAILED, LONGEST_OUTPUT, ROOM, SECOND, UNHEALTHY, Health, Result
from .container_model import Container

TRUNCATED = "..."
"""What follows on output that is not kept to its end, as with Docker."""


def once(layout: Layout, identity: str) -> float | None:
    """In the checker: check once. Returns the seconds to the next check, None if there is nothing more to check."""
    mine = lifecycle.checker(layout, identity)
    if mine is None or mine.pid != os.getpid():
        return None  # Another one has taken its place.
    _reap()
    try:
        container = container_state.load(layout, identity)
        image = container_volumes.image_config(layout, container) if container else {}
    except Failure:
        return healthcheck.DEFAULTS.interval / SECOND  # What it is to be can't be read now.
    init = lifecycle.running(layout, identity)
    check = container_health.in_force(container, image) if container else None
    if container is None or check is None or (init is None and lifecycle.waiter(layout, identity) is None):
        return None
    began = container_state.status(layout, identity).started_clock
    age = restart_policy.clock() - began
    result = _result(layout, container, check, container_health.arguments(check, image)) if init else None
    health = before = container_health.read(layout, identity) or Health()
    # A run that has ended meanwhile has whoever records that to end this process.
    if result and init and lifecycle.running(layout, identity) == init:
        health = container_health.after(health, result, check, age)
        container_health.write(layout, identity, health)
        if health.status != before.status:
            journal.note(layout, container, f"health_status: {health.status}")
        if health.status == UNHEALTHY and result.code:
            _act(layout, container, init, health)
    return container_health.delay(health, check, restart_policy.clock() - began)


def _reap() -> None:
    """Take the status of a check that was held still when its time was over."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _result(layout: Layout, container: Container, check: Healthcheck, words: list[str]) -> Result | None:
    """Run the check; None if it can't be told what it would say: the container is held still, or has yet to begin."""
    if container_state.paused(container):
        return None
    room = probe.Room(cgroups(), container_state.cgroup(container), ROOM)
    start = time.time()
    try:
        room.end()  # What is left of a check whose checker was killed, or that was held still.
        guest = container_guest.guest(layout, container, words, {}, "", "")
        answer = probe.ask(guest.init, guest.program, room, check.timeout / SECOND, LONGEST_OUTPUT + 1)
    except lifecycle.NotBegun:
        return None
    except (OSError, Failure) as error:
        if container_state.paused(container):
            return None
        return Result(start, time.time(), FAILED, explain(error))
    if answer is None:
        return None
    code, output = answer
    said = output[:LONGEST_OUTPUT].decode(errors="replace") + (TRUNCATED if len(output) > LONGEST_OUTPUT else "")
    if code is None:
        late = f"the check took longer than its timeout of {healthcheck.show_duration(check.timeout)}"
        return Result(start, time.time(), FAILED, f"{late}: {said}" if said else late)
    return Result(start, time.time(), code, said)


def _act(layout: Layout, container: Container, init: Process, health: Health) -> None:
    """Do what is asked for with a container that is unhealthy."""
    if container.on_unhealthy == "restart":
        _restart(layout, container.id or "", init, health)
    elif container.on_unhealthy == "stop":
        _stop(layout, container.id or "", init, health)


@contextmanager
def _held(layout: Layout, identity: str, init: Process) -> Iterator[Container | None]:
    """The container under its lock; None if it is not the same run any more, or is about to be ended by others."""
    with container_state.held(layout, identity) as container:
        mine, wanted = lifecycle.checker(layout, identity), container_state.status(layout, identity).wanted
        same = lifecycle.running(layout, identity) == init and mine is not None and mine.pid == os.getpid()
        yield container if same and wanted == "running" else None


def _restart(layout: Layout, identity: str, init: Process, health: Health) -> None:
    """End the program as a stop does; its waiter starts it again."""
    from .container_kinds import DEFAULT_STOP_TIMEOUT
    from .container_steps import stop_signal

    with _held(layout, identity, init) as container:
        if container is None:
            return
        status = container_state.status(layout, identity)
        container_state.set_status(layout, identity, replace(status, unhealthy=True, error=_words(health)))
        number = stop_signal(layout, container)
        patience = DEFAULT_STOP_TIMEOUT if container.stop_timeout is None else container.stop_timeout
    # Not under the lock, which the waiter needs to record the end. It ends this process then.
    if init.signal(number) and not init.wait(patience) and init.signal(signal.SIGKILL):
        init.wait(lifecycle.KILL_PATIENCE)


def _stop(layout: Layout, identity: str, init: Process, health: Health) -> None:
    """Stop the container."""
    from . import container_observed, supervise

    with _held(layout, identity, init) as container:
        if container is None:
            return
        status = container_state.status(layout, identity)
        container_state.set_status(layout, identity, replace(status, error=_words(health)))
        supervise.halt(layout, container_observed.observed(layout, container))
        if container.auto_remove:
            supervise.remove(layout, container_observed.observed(layout, container))


def _words(health: Health) -> str:
    """Why a container was ended."""
    last = health.log[-1]
    said = last.output.strip().splitlines()
    told = f", and said: {said[-1]}" if said else ""
    ended = "did not end" if last.code == FAILED else f"ended with status {last.code}"
    return f"it was unhealthy: {health.streak} checks failed in a row, the last one {ended}{told}"
