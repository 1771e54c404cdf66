# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens without a task: a container's program ends, is started again, the host boots or shuts down."""
from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..core import store
from ..core.layout import Layout
from ..core.plan import Plan, Step, apply, converge
from ..errors import Failure, explain
from ..lean.dataclasses import replace
from ..oci import lifecycle
from ..oci.waiter import come_back
from . import (
    container_bundle,
    container_logs,
    container_memory,
    container_network,
    container_observed,
    container_pids,
    container_state,
    container_words,
    hosts_files,
    restart_policy,
)
from .attachments import names_of
from .container_kinds import OTHER
from .container_model import Container
from .container_steps import (
    DEFAULT_STOP_TIMEOUT,
    StopProcess,
    clean_steps,
    dismantle_steps,
    prepare_steps,
    run_steps,
    stop,
)
from .network import NETWORK
from .network_model import Network
from .network_model import names as networks

SIDE_BY_SIDE = 16
"""How many containers are stopped at the same time when the host shuts down."""


def exited(layout: Layout, identity: str) -> None:
    """In the waiter, when the container's program has ended: record it, and start again or take the rest away.

    Nobody waits for this: what fails is kept in the status, and told on stderr, which is a file.
    """
    come_back()
    with _kept(layout, identity):
        _exited(layout, identity)


@contextmanager
def _kept(layout: Layout, identity: str) -> Iterator[None]:
    try:
        yield
    except (OSError, Failure) as error:
        known = container_state.status(layout, identity)
        container_state.set_status(layout, identity, replace(known, error=explain(error)))
        raise


def _exited(layout: Layout, identity: str) -> None:
    with container_state.held(layout, identity) as container:
        mine = lifecycle.waiter(layout, identity)
        if container is None or mine is None or mine.pid != os.getpid():
            return  # Whoever stopped it has recorded the end, and may have started another run since.
        container_pids.end_rest(container)
        lifecycle.await_log(layout, identity)
        code = lifecycle.exit_status(layout, identity) or 0
        status = container_state.status(layout, identity)
        again = restart_policy.in_a_row(status, restart_policy.clock())
        # Whoever stops a container writes that down first, so one whose status can't be read was to run.
        wanted = "running" if status.wanted == container_state.UNKNOWN else status.wanted
        status = replace(status, wanted=wanted, exit_code=code, finished_at=time.time(), in_a_row=again)
        status = container_memory.recorded(container, status)
        if not restart_policy.restarts(container, status.wanted, status.restarts, code):
            container_state.set_status(layout, identity, replace(status, wanted="stopped"))
            lifecycle.forget(layout, identity)
            hosts_files.tell(layout, names_of(container.networks))
            _dismantle(layout, container)
            if container.auto_remove:
                remove(layout, container_observed.observed(layout, container))
            return
        container_state.set_status(layout, identity, replace(status, restarts=status.restarts + 1, in_a_row=again + 1))
        # Without these the container is between two runs: seen as restarting, since its waiter is there.
        for name in ("init", "exit"):
            store.remove(layout.running(identity, name))
    _sleep_then_resume(layout, identity, restart_policy.delay(again))


def _mend(layout: Layout, running: Container) -> None:
    """Put back what the kernel has lost of a container that runs. Its lock is held."""
    from .container import CONTAINER

    asked = Container(name=running.name)
    have = CONTAINER.observe(layout, asked)
    apply(CONTAINER.plan(layout, CONTAINER.resolve(layout, asked, have), have))


def remove(layout: Layout, gone: Container) -> None:
    """Take away all there is of an observed container. Its lock is held."""
    from .container import CONTAINER

    # As with Docker, what removes itself takes its anonymous volumes with it.
    want = replace(gone, state="absent", keep_volumes=gone.keep_volumes and not gone.auto_remove)
    apply(CONTAINER.plan(layout, CONTAINER.resolve(layout, want, gone), gone))


def _dismantle(layout: Layout, container: Container) -> None:
    apply(Plan((*_unpublished(layout, container), *dismantle_steps(layout, container))))


def _unpublished(layout: Layout, container: Container) -> tuple[Step, ...]:
    return container_network.publish_steps(layout, container, (), container_network.observe_ports(layout, container))


def _sleep_then_resume(layout: Layout, identity: str, seconds: float) -> None:
    """Become a shell for as long as there is nothing to do: it costs a tenth of what this process does."""
    command = f"{layout.runtimes}/current/pycontainers"
    script = 'sleep "$1"; exec "$2" --root "$3" --run "$4" resume "$5"'
    words = ["pycontainers", f"{seconds:g}", command, layout.root, layout.run, identity]
    os.execve("/bin/sh", ["sh", "-c", script, *words], dict(os.environ))


def resume(layout: Layout, identity: str) -> None:
    """In the waiter, when the delay is over: become the waiter of the next run. Fails as :func:`exited` does."""
    with _kept(layout, identity):
        _resume(layout, identity)


def _resume(layout: Layout, identity: str) -> None:
    with container_state.held(layout, identity) as container:
        mine = lifecycle.waiter(layout, identity)
        status = container_state.status(layout, identity)
        if container is None or mine is None or mine.pid != os.getpid() or status.wanted != "running":
            return
        try:
            beside = container_pids.beside(layout, container)
            container_network.path(layout, container)
        except Failure as error:
            # The container whose processes it joins may be between two runs itself.
            if not restart_policy.restarts(container, status.wanted, status.restarts, 1):
                raise
            again = status.in_a_row + 1
            later = replace(status, restarts=status.restarts + 1, in_a_row=again, error=explain(error))
            container_state.set_status(layout, identity, later)
        else:
            begun = replace(status, started_at=time.time(), started_clock=restart_policy.clock(), error="")
            container_state.set_status(layout, identity, begun)
            # The lock ends with the exec: its descriptor does not survive that.
            program = container_bundle.prepared(layout, identity)
            stdin, log = container_words.stdin(container), container_logs.of(container)
            lifecycle.resume(layout, identity, program, stdin, log, beside=beside)
    _sleep_then_resume(layout, identity, restart_policy.delay(again))


def named(layout: Layout) -> tuple[list[Container], list[str]]:
    """All containers that have a name, observed, and a line for each that can't be read. Half made ones have none."""
    found, failures = [], []
    for identity in container_state.identities(layout):
        try:
            container = container_state.load(layout, identity)
            if container and container_state.identity_of(layout, container.name) == identity:
                found.append(container_observed.observed(layout, container))
        except (OSError, Failure) as error:
            failures.append(explain(error))
    return found, failures


def start(layout: Layout, container: Container) -> None:
    """Start a stopped container, or undo what was begun of it."""
    container_network.check_ports(layout, container, container.id, ())
    apply(Plan((*clean_steps(layout, container), *prepare_steps(layout, container), *run_steps(layout, container))))


def halt(layout: Layout, container: Container) -> None:
    """Stop a started container and take away what it needed to run."""
    gone = (*_unpublished(layout, container), *dismantle_steps(layout, container))
    apply(Plan((StopProcess(layout, container), *gone)))


def boot(layout: Layout) -> list[str]:
    """Start all that should run, networks first; returns a line per thing that could not be. None holds up another."""
    failures = []
    for name in networks(layout):
        try:
            converge(NETWORK, layout, Network(name=name), check=False)
        except (OSError, Failure) as error:
            failures.append(explain(error))
    containers, unreadable = named(layout)
    # Whose processes others join comes before them.
    for container in sorted(containers, key=_joins):
        try:
            boot_one(layout, container.id or "")
        except (OSError, Failure) as error:
            failures.append(explain(error))
    return failures + unreadable


def boot_one(layout: Layout, identity: str) -> None:
    """Bring one container to what it should be at boot. Raises :class:`Failure` or ``OSError``, which is kept too."""
    with _kept(layout, identity):
        container = container_state.load(layout, identity)
        if container is not None:
            with container_state.lock(layout, container.name):
                _boot(layout, identity)


def _joins(container: Container) -> bool:
    """Whether a container needs another one to run."""
    return any((mode or "").startswith(OTHER) for mode in (container.pid_mode, container.network_mode))


def _boot(layout: Layout, identity: str) -> None:
    container = container_state.load(layout, identity)
    if container is None:
        return
    now, status = container_observed.observed(layout, container), container_state.status_or_failure(layout, identity)
    if now.state == "started":
        _mend(layout, now)
        return
    if restart_policy.boots(now, status):
        start(layout, now)
    elif now.auto_remove:
        remove(layout, now)
    elif status.wanted == "running":
        # It ran when the host went down, and is not to: a policy that it is given later is no reason to start it.
        container_state.set_status(layout, identity, replace(status, wanted="stopped"))


def shutdown(layout: Layout) -> list[str]:
    """Stop all that runs, so that what should run again does at the next boot; returns a line per failure.

    Programs take their time to end, so they are asked side by side.
    """
    containers, failures = named(layout)
    started = [each for each in containers if each.state == "started"]
    for first in range(0, len(started), SIDE_BY_SIDE):
        children = [_in_child(layout, each) for each in started[first : first + SIDE_BY_SIDE]]
        failures += filter(None, [_reported(*child) for child in children])
    for container in started:
        try:
            with container_state.lock(layout, container.name):
                _dismantle(layout, container)
        except (OSError, Failure) as error:
            failures.append(explain(error))
    return failures


def _in_child(layout: Layout, container: Container) -> tuple[int, int]:
    """Stop a container in a child; returns its pid and where it reports a failure."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child:
        os.close(write_end)
        return child, read_end
    try:
        timeout = container.stop_timeout
        with container_state.lock(layout, container.name):
            stop(layout, container, DEFAULT_STOP_TIMEOUT if timeout is None else timeout, wanted="running")
    except Exception as error:  # the parent hears of it, and goes on with the others
        os.write(write_end, explain(error).encode())
    finally:
        os._exit(0)


def _reported(child: int, read_end: int) -> str:
    with os.fdopen(read_end, "rb") as file:
        report = file.read().decode()
    os.waitpid(child, 0)
    return report
