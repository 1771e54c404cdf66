# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens without a task: a container's program ends, is started again, the host boots or shuts down."""
from __future__ import annotations

import os
import time
from dataclasses import replace

from ..core import store
from ..core.layout import Layout
from ..core.plan import Plan, apply, converge
from ..errors import Failure
from ..oci import lifecycle
from ..oci.waiter import come_back
from . import container_bundle, container_state, endpoint
from .container_model import Container
from .container_state import Status
from .container_steps import StopProcess, dismantle_steps, network, prepare_steps, run_steps, stop
from .network import NETWORK
from .network_model import Network
from .network_model import names as networks

FIRST_DELAY, LONGEST_DELAY = 0.1, 60.0
"""Seconds before a restart: doubled from one to the other, as Docker has it."""

HEALTHY_AFTER = 10.0
"""Seconds after which a run counts as a good one, and the delay begins anew."""


def delay(restarts: int) -> float:
    """Seconds to wait before a restart, when there have been so many in a row."""
    return float(min(FIRST_DELAY * 2 ** min(restarts, 30), LONGEST_DELAY))


def restarts(container: Container, status: Status, code: int) -> bool:
    """Whether the policy starts a container again whose program has ended by itself."""
    if status.wanted != "running":
        return False
    policy = container.restart_policy or "no"
    if policy == "on-failure":
        allowed = container.restart_retries or 0
        return code != 0 and (not allowed or status.restarts < allowed)
    return policy in ("always", "unless-stopped")


def boots(container: Container, status: Status) -> bool:
    """Whether a container is started at boot: ``always`` in any case, others if they ran when the host went down."""
    policy = container.restart_policy or "no"
    if policy == "always":
        return True
    return policy in ("unless-stopped", "on-failure") and status.wanted == "running"


def exited(layout: Layout, identity: str) -> None:
    """In the waiter, when the container's program has ended: record it, and start again or take the rest away."""
    come_back()
    container = container_state.load(layout, identity)
    if container is None:
        return
    with container_state.lock(layout, container.name):
        mine = lifecycle.waiter(layout, identity)
        if mine is None or mine.pid != os.getpid():
            return  # Whoever stopped it has recorded the end, and may have started another run since.
        code = lifecycle.exit_status(layout, identity) or 0
        status = container_state.status(layout, identity)
        now = time.time()
        again = 0 if now - status.started_at >= HEALTHY_AFTER else status.restarts
        status = replace(status, exit_code=code, finished_at=now, restarts=again)
        if not restarts(container, status, code):
            container_state.set_status(layout, identity, replace(status, wanted="stopped"))
            lifecycle.forget(layout, identity)
            _dismantle(layout, container)
            return
        container_state.set_status(layout, identity, replace(status, restarts=again + 1))
        # Without these the container is between two runs: seen as restarting, since its waiter is there.
        for name in ("init", "exit"):
            store.remove(layout.running(identity, name))
    _sleep_then_resume(layout, identity, delay(again))


def _dismantle(layout: Layout, container: Container) -> None:
    ports = endpoint.observe_ports(layout, container.id or "")
    unpublished = endpoint.unpublish_steps(layout, container.id or "", network(container), ports)
    apply(Plan((*unpublished, *dismantle_steps(layout, container))))


def _sleep_then_resume(layout: Layout, identity: str, seconds: float) -> None:
    """Become a shell for as long as there is nothing to do: it costs a tenth of what this process does."""
    command = f"{layout.runtimes}/current/pycontainers"
    script = 'sleep "$1"; exec "$2" --root "$3" --run "$4" resume "$5"'
    words = ["pycontainers", f"{seconds:g}", command, layout.root, layout.run, identity]
    os.execve("/bin/sh", ["sh", "-c", script, *words], dict(os.environ))


def resume(layout: Layout, identity: str) -> None:
    """In the waiter, when the delay is over: become the waiter of the next run."""
    container = container_state.load(layout, identity)
    if container is None:
        return
    with container_state.lock(layout, container.name):
        mine = lifecycle.waiter(layout, identity)
        status = container_state.status(layout, identity)
        if mine is None or mine.pid != os.getpid() or status.wanted != "running":
            return
        container_state.set_status(layout, identity, replace(status, started_at=time.time()))
        # The lock ends with the exec: its descriptor does not survive that.
        lifecycle.resume(layout, identity, container_bundle.prepared(layout, identity))


def named(layout: Layout) -> list[Container]:
    """All containers that have a name, observed; ones that are half made or can't be read are left out."""
    found = []
    for identity in container_state.identities(layout):
        try:
            container = container_state.load(layout, identity)
            if container and container_state.identity_of(layout, container.name) == identity:
                found.append(container_state.observed(layout, container))
        except Failure:
            continue
    return found


def start(layout: Layout, container: Container) -> None:
    """Start a stopped container, or undo what was begun of it."""
    apply(Plan((*prepare_steps(layout, container), *run_steps(layout, container))))


def halt(layout: Layout, container: Container) -> None:
    """Stop a started container and take away what it needed to run."""
    ports = endpoint.observe_ports(layout, container.id or "")
    unpublished = endpoint.unpublish_steps(layout, container.id or "", network(container), ports)
    apply(Plan((StopProcess(layout, container), *unpublished, *dismantle_steps(layout, container))))


def boot(layout: Layout) -> list[str]:
    """Start all that should run, networks first; returns a line per thing that could not be. None holds up another."""
    failures = []
    for name in networks(layout):
        try:
            converge(NETWORK, layout, Network(name=name), check=False)
        except Failure as error:
            failures.append(str(error))
    for container in named(layout):
        with container_state.lock(layout, container.name):
            now = container_state.observed(layout, container)
            status = container_state.status(layout, container.id or "")
            if now.state == "started" or not boots(container, status):
                continue
            try:
                start(layout, now)
            except Failure as error:
                failures.append(str(error))
                container_state.set_status(layout, container.id or "", replace(status, error=str(error)))
    return failures


def shutdown(layout: Layout) -> list[str]:
    """Stop all that runs, so that what should run again does at the next boot."""
    failures = []
    for container in named(layout):
        if container.state != "started":
            continue
        with container_state.lock(layout, container.name):
            try:
                timeout = container.stop_timeout
                stop(layout, container, 10 if timeout is None else timeout, wanted="running")
                _dismantle(layout, container)
            except Failure as error:
                failures.append(str(error))
    return failures
