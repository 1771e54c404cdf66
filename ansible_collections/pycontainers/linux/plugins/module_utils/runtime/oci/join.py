# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another program in a container of the OCI command line: forked into its pid namespace, then as :mod:`.stage` has it.

=============================  ==========================================
runtime (exec)                 the new process
=============================  ==========================================
fork into the pid namespace
receive CHILD, send GO         a user namespace: fork inside, send CHILD
receive READY                  cgroups, namespaces, identity, send READY
write the pid file             exec
read to the end: executed      …or ERROR
=============================  ==========================================
"""
from __future__ import annotations

import os

from ..errors import Failure, failing
from ..kernel import syscalls
from ..lean import socket
from ..lean.contextlib import suppress
from . import channel, operations, stage
from .config import Config
from .config_linux import NAMESPACES
from .config_process import Process
from .container import CREATED, PAUSED, RUNNING, Containers, encoded
from .create import end_child, first_process, write_pid
from .guard import by_trampoline, may_trace
from .limits import groups
from .mappings import accompany, has_users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .operations import Operation


def execute(
    containers: Containers,
    identity: str,
    process: Process,
    *,
    console: int = -1,
    preserved: int = 0,
    pid_file: str = "",
    ignore_paused: bool = False,
) -> int:
    """Run a program in the container; returns its pid, that of a child. Raises :class:`Failure`; nothing runs then."""
    operation = f"exec in container {identity}"
    with containers.locked(identity):
        record = containers.load(identity)
        status = containers.status(record)
        if status == PAUSED and not ignore_paused:
            raise Failure(operation, "cannot exec in a paused container", "resume it first")
        if status not in (CREATED, RUNNING, PAUSED):
            raise Failure(operation, "container not running")
        init, config = first_process(record), containers.config(record)
        if status == CREATED and not has_users(config) and may_trace(process) and by_trampoline(config):
            # The first process is the host's interpreter yet, and not read-only.
            raise Failure(operation, "no program may have CAP_SYS_PTRACE in it before its own", "start it first")
        process = labelled(process, config)
        if process.apparmor_profile or process.selinux_label:
            from .config_supported import supported_labels
            from .host import facts

            supported_labels(process, facts(None))
        if process.terminal and console < 0:
            raise Failure(operation, "the process has a terminal and there is no console socket", "--console-socket")
        target = _pinned(operation, init.pid)
        if not init.alive:
            os.close(target)
            raise Failure(operation, "container not running")
        ours, theirs = socket.socketpair()
        try:
            with failing(operation):
                directories = _group(record.cgroup, init.pid) if record.cgroup else ()
                program = operations.compile_process(
                    process, config.seccomp, directories, target, kinds(config), containers.filters
                )
                setup = stage.Stage(theirs, None, console, preserved)
                setup.state = encoded(record, status)
                pid = _fork(config, target, program, setup)
        finally:
            theirs.close()
            os.close(target)
    with ours:
        if has_users(config):
            pid = accompany(operation, ours, pid, None)
        try:
            channel.expect(operation, ours, channel.READY)
            if pid_file:
                with failing(operation):
                    write_pid(pid_file, pid)
            kind, body = channel.receive(ours)
            if kind == channel.ERROR:
                raise Failure(operation, body.decode(errors="replace"))
        except BaseException:
            end_child(pid)
            raise
    return pid


def labelled(process: Process, config: Config) -> Process:
    """The process with the profile and label of the container where it has none of its own."""
    own = config.process
    if own is None:
        return process
    return process._replace(
        apparmor_profile=process.apparmor_profile or own.apparmor_profile,
        selinux_label=process.selinux_label or own.selinux_label,
    )


def _group(path: str, pid: int) -> tuple[str, ...]:
    """The directories of the container's group; with version 2 perhaps of one below, where its first process is."""
    found = groups()
    if found.version == 2:
        from .unified import joinable

        path = joinable(found, path, pid)
    return found.directories(path)


def _pinned(operation: str, pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise Failure(operation, "container not running") from None


def kinds(config: Config) -> int:
    """The namespaces to be joined: all that the container does not share with the runtime."""
    wanted = config.namespaces
    found = sum(flag for flag in NAMESPACES.values() if wanted.has(flag))
    return found if has_users(config) else found & ~syscalls.CLONE_NEWPID


def _fork(config: Config, target: int, program: tuple[Operation, ...], setup: stage.Stage) -> int:
    own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    inside = config.namespaces.has(syscalls.CLONE_NEWPID) and not has_users(config)
    try:
        if inside:
            syscalls.setns(target, syscalls.CLONE_NEWPID)
        pid = os.fork()
        if not pid:
            stage.run(program, setup, {target})
        return pid
    finally:
        if inside:
            with suppress(OSError):
                syscalls.setns(own, syscalls.CLONE_NEWPID)
        os.close(own)


def adapted(
    base: Process,
    *,
    arguments: tuple[str, ...],
    environment: tuple[str, ...],
    cwd: str,
    user: tuple[int, int] | None,
    groups: tuple[int, ...],
    terminal: bool,
    capabilities: int,
    no_new_privileges: bool,
) -> Process:
    """The container's own process with another program; capabilities are added, variables replaced by name."""
    variables = dict(each.partition("=")[::2] for each in (*base.environment, *environment))
    sets = base.capabilities
    more = sets._replace(
        bounding=sets.bounding | capabilities,
        effective=sets.effective | capabilities,
        permitted=sets.permitted | capabilities,
    )
    return base._replace(
        arguments=arguments,
        environment=tuple(f"{name}={value}" for name, value in variables.items()),
        cwd=cwd or base.cwd,
        uid=user[0] if user else base.uid,
        gid=user[1] if user else base.gid,
        groups=groups or base.groups,
        terminal=terminal,
        console=None,
        capabilities=more,
        no_new_privileges=base.no_new_privileges or no_new_privileges,
    )
