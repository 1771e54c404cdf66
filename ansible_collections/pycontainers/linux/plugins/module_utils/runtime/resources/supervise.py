# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens without a task: a container's program ends, is started again, the host boots or shuts down."""
from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from ..core import store
from ..core.layout import Layout
from ..core.plan import Plan, Step, apply, converge
from ..errors import Failure, explain
from ..kernel import freezer, netlink, programs
from ..kernel.cgroups import cgroups, looked_once
from ..lean.dataclasses import replace
from ..oci import checker, lifecycle
from ..oci.waiter import be_there, come_back
from . import (
    container_bundle,
    container_health_steps,
    container_logs,
    container_memory,
    container_network,
    container_observed,
    container_order,
    container_pids,
    container_state,
    container_words,
    hosts_files,
    journal,
    restart_policy,
    restart_turns,
)
from .attachments import names_of
from .container_kinds import DEFAULT_STOP_TIMEOUT
from .container_model import Container
from .container_steps import (
    StopProcess,
    clean_steps,
    dismantle_steps,
    note_end,
    prepare_steps,
    run_steps,
    stop,
)
from .network import NETWORK
from .network_model import Network
from .network_model import names as networks
from .side_by_side import in_order

AT_BOOT, AT_SHUTDOWN = 4 * (os.cpu_count() or 1), 32
"""How many containers are started, or stopped, at the same time. Most of a start is work, most of a stop patience."""

TOLD_EVERY = 1.0
"""Seconds after which containers are told of those that have been started meanwhile, while the host boots."""


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
        checker.end(layout, identity)
        container_pids.end_rest(container)
        lifecycle.await_log(layout, identity)
        code = lifecycle.exit_status(layout, identity) or 0
        status = container_state.status(layout, identity)
        # On a host where many end at once it takes long until this process runs, which is no merit of the program's.
        finished = min(lifecycle.ended_at(layout, identity), time.time())
        again = restart_policy.in_a_row(status, restart_policy.clock() - (time.time() - finished))
        # Whoever stops a container writes that down first, so one whose status can't be read was to run.
        wanted = "running" if status.wanted == container_state.UNKNOWN else status.wanted
        status = replace(status, wanted=wanted, exit_code=code, finished_at=finished, in_a_row=again)
        before, status = status, container_memory.recorded(container, status)
        unhealthy, status = status.unhealthy, replace(status, unhealthy=False)
        if not restart_policy.restarts(container, status.wanted, status.restarts, code, unhealthy):
            container_state.set_status(layout, identity, replace(status, wanted="stopped"))
            note_end(layout, container, before, status)
            lifecycle.forget(layout, identity)
            hosts_files.tell(layout, names_of(container.networks))
            _dismantle(layout, container)
            if container.auto_remove:
                remove(layout, container_observed.observed(layout, container))
            return
        container_state.set_status(layout, identity, replace(status, restarts=status.restarts + 1, in_a_row=again + 1))
        note_end(layout, container, before, status)
        # Without these the container is between two runs: seen as restarting, since its waiter is there.
        for name in ("init", "exit"):
            store.remove(layout.running(identity, name))
    restart_turns.sleep(layout, identity, restart_policy.delay(again))


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


def resume(layout: Layout, identity: str) -> None:
    """In the waiter, when the delay is over: become the waiter of the next run. Fails as :func:`exited` does."""
    restart_turns.begin()
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
        except lifecycle.NotBegun:
            again = status.in_a_row  # which is no failure of this container's
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
            if container_state.paused(container):  # A new run is not, and would not even begin.
                freezer.thaw(cgroups(), container_state.cgroup(container))
            container_health_steps.begin(layout, container)
            journal.note(layout, container, "start")
            stdin, log = container_words.stdin(container), container_logs.of(container)
            restart_turns.over()
            lifecycle.resume(layout, identity, program, stdin, log, beside=beside)
    restart_turns.sleep(layout, identity, restart_policy.delay(again))


def named(layout: Layout) -> tuple[list[Container], list[str]]:
    """All containers that have a name, observed, and a line for each that can't be read. Half made ones have none."""
    return _all(layout, container_observed.observed)


def recorded(layout: Layout) -> tuple[list[Container], list[str]]:
    """The same as they are recorded: what is there of the kernel's is not looked at."""
    return _all(layout, lambda _, container: container)


def _all(layout: Layout, look: Callable[[Layout, Container], Container]) -> tuple[list[Container], list[str]]:
    found, failures = [], []
    for identity in container_state.identities(layout):
        try:
            container = container_state.load(layout, identity)
            if container and container_state.identity_of(layout, container.name) == identity:
                found.append(look(layout, container))
        except (OSError, Failure) as error:
            failures.append(explain(error))
    return found, failures


def start(layout: Layout, container: Container, telling: bool = True) -> None:
    """Start a stopped container, or undo what was begun of it. Those on its networks are told if it is ``telling``."""
    container_order.require(layout, container)
    container_network.check_ports(layout, container, container.id, ())
    prepared = (*clean_steps(layout, container), *prepare_steps(layout, container))
    apply(Plan((*prepared, *run_steps(layout, container, telling))))


def start_needed(layout: Layout, container: Container) -> None:
    """Start all that a container needs and that is stopped, in their order. No lock is held."""
    for other in container_order.before(layout, container):
        with container_state.held(layout, other.id or "") as each:
            if each is not None and (now := container_observed.observed(layout, each)).state == "stopped":
                start(layout, now)


def halt(layout: Layout, container: Container) -> None:
    """Stop a started container and take away what it needed to run."""
    gone = (*_unpublished(layout, container), *dismantle_steps(layout, container))
    apply(Plan((StopProcess(layout, container), *gone)))


def boot(layout: Layout) -> list[str]:
    """Start all that should run, networks first; returns a line per thing that could not be. None holds up another.

    None but those that need it, that is, which are told of with its name.
    """
    failures, there = [], networks(layout)
    for name in there:
        try:
            converge(NETWORK, layout, Network(name=name), check=False)
        except (OSError, Failure) as error:
            failures.append(explain(error))
    containers, unreadable = recorded(layout)
    told = time.monotonic()

    def tell(done: str) -> None:
        nonlocal told
        if time.monotonic() - told > TOLD_EVERY:
            hosts_files.tell(layout, tuple(there))
            told = time.monotonic()

    edges = container_order.edges(layout, containers)
    programs.shell()  # tried here, and not by each
    with _prepared(bool(there)), hosts_files.booting():
        one = partial(boot_one, layout, telling=False)
        failures += in_order(edges, one, AT_BOOT, tell, _begin_to_start)
    hosts_files.tell(layout, tuple(there))
    return failures + unreadable


def _begin_to_start() -> None:
    """In a process that starts one container after another: spare the waiters, which are forked from it, some work.

    The process that boots stays in the service's cgroup, by which the journal tells whose lines its failures are.
    """
    with suppress(OSError, Failure):  # of which each waiter tells
        be_there()
    # What is looked at for collection is copied by each of them that does.
    gc.disable()


@contextmanager
def _prepared(networks: bool) -> Iterator[None]:
    """Have here once what all processes need that are forked from this one within the block."""
    if networks:
        netlink.load()
    with looked_once():
        yield


def boot_one(layout: Layout, identity: str, telling: bool = True) -> None:
    """Bring one container to what it should be at boot. Raises :class:`Failure` or ``OSError``, which is kept too."""
    with _kept(layout, identity):
        container = container_state.load(layout, identity)
        if container is not None:
            with container_state.lock(layout, container.name):
                _boot(layout, identity, telling)


def _boot(layout: Layout, identity: str, telling: bool) -> None:
    container = container_state.load(layout, identity)
    if container is None:
        return
    now, status = container_observed.observed(layout, container), container_state.status_or_failure(layout, identity)
    if now.state == "started":
        _mend(layout, now)
        return
    if restart_policy.boots(now, status):
        start(layout, now, telling)
    elif now.auto_remove:
        remove(layout, now)
    elif status.wanted == "running":
        # It ran when the host went down, and is not to: a policy that it is given later is no reason to start it.
        container_state.set_status(layout, identity, replace(status, wanted="stopped"))


def shutdown(layout: Layout) -> list[str]:
    """Stop all that runs, so that what should run again does at the next boot; returns a line per failure.

    Programs take their time to end, so they are asked side by side, and after those that need them.
    """
    containers, failures = named(layout)
    started = {each.id or "": each for each in containers if each.state == "started"}
    after: dict[str, set[str]] = {identity: set() for identity in started}
    for identity, needed in container_order.edges(layout, started.values()).items():
        for each in needed:
            after[each].add(identity)
    with _prepared(any(each.networks for each in started.values())):
        return failures + in_order(after, lambda identity: _end(layout, started[identity]), AT_SHUTDOWN)


def _end(layout: Layout, container: Container) -> None:
    """Stop a container that is to run again, and take away what it needed. Nobody is told, as all are ended."""
    timeout = DEFAULT_STOP_TIMEOUT if container.stop_timeout is None else container.stop_timeout
    with container_state.lock(layout, container.name):
        stop(layout, container, timeout, wanted="running", telling=False)
        _dismantle(layout, container)
