# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Creating a container and starting it; the handshake with its first process is drawn in :mod:`.stage`."""
from __future__ import annotations

import os
import stat
import time

from ..core import store
from ..errors import Failure, InvalidValue, failing
from ..kernel import freezer, procfs, syscalls
from ..kernel.cgroups import Cgroups, exists
from ..kernel.devices import set_rules
from ..kernel.process import Process, process
from ..kernel.security import shield_interpreter
from ..lean import signal, socket
from ..lean.contextlib import contextmanager, suppress
from ..typed import Any, NamedTuple
from . import channel, config_supported, guard, mappings, operations, stage
from .channel import ENVIRONMENT, GO, READY
from .config import Config, parse
from .config_process import Process as Program
from .container import CREATED, CREATING, RUNNING, STOPPED, Containers, Record, encoded
from .devices import DEFAULT_RULES
from .host import facts
from .limits import apply, groups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .lent_network import Wanted

NO_CGROUP = "disabled"
"""The choice of --cgroup-manager that leaves cgroups to the caller."""


class Wish(NamedTuple):
    """How a container is to be created.

    ``console`` is a connected socket that gets the terminal's master, or -1; ``console_socket`` is the path of one
    that is to be connected to; ``screen`` asks for the master itself, if there is to be a terminal. ``anew`` says that
    the whole process may be executed once more to be shielded from the container (:mod:`.guard`): who has more to do
    than this one thing answers for that itself.
    """

    bundle: str
    config_file: str = ""
    pid_file: str = ""
    console: int = -1
    console_socket: str = ""
    screen: bool = False
    anew: bool = False
    preserved: int = 0
    pivot: bool = True
    keyring: bool = True
    systemd: bool = False
    cgroup_manager: str = ""
    network: Wanted | None = None


class Created(NamedTuple):
    """A container whose first process waits to be started, and what the runtime has left out or read otherwise.

    ``master`` is the socket over which the terminal's master comes, if one was asked for.
    """

    record: Record
    warnings: tuple[str, ...]
    master: socket.socket | None = None


def create(containers: Containers, identity: str, wish: Wish) -> Created:
    """Create a container. Raises :class:`Failure`; nothing is left then, and nothing was touched by a bad value."""
    from .fields import decode

    containers.folder(identity)
    path = wish.config_file or f"{wish.bundle}/config.json"
    with failing(f"read the configuration {path}"), open(path, "rb") as file:
        content = file.read()
    document = decode(content)
    config = parse(document, wish.bundle, systemd=wish.systemd)
    path = config.cgroup.path if config.cgroup else f"pycontainers-{identity}"
    host_groups = None if wish.cgroup_manager == NO_CGROUP else groups()
    host_groups, without = mappings.usable(host_groups, path, config) if host_groups else (None, ())
    warnings = config.warnings + without + _check(config, host_groups, wish)
    cgroup = (host_groups, path) if host_groups else None
    record = Record(
        id=identity,
        bundle=wish.bundle,
        rootfs=config.rootfs,
        version=config.version,
        created=time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() % 10**9:09d}Z",
        systemd=wish.systemd,
        own_pids=bool(config.namespaces.new & syscalls.CLONE_NEWPID),
        cgroup=path if cgroup else "",
        cgroup_made=cgroup is not None and not exists(*cgroup),
        annotations=config.annotations,
        hooks=[kind for kind, given in config.hooks.items() if given],
    )
    if cgroup and not record.cgroup_made and freezer.frozen(*cgroup):
        raise Failure(f"create container {identity}", f"its cgroup {path} is frozen", "thaw it, or take another")
    guarded = guard.by_trampoline(config)
    if wish.anew and not guarded:
        shield_interpreter(come_back=True)
    above = _missing_above(*cgroup) if cgroup else []
    containers.make(identity)
    terminal = _program(config).terminal
    with containers.locked(identity) as folder, _console(wish, terminal) as (console, master):
        try:
            made = _create(containers, record, config, content, wish._replace(console=console), cgroup, folder, guarded)
            return Created(made, warnings, master)
        except BaseException:
            from .end import destroy

            with suppress(Failure, OSError):
                destroy(containers, containers.load(identity) if _written(containers, record) else record)
            for directory in above:
                with suppress(OSError):  # another container may be there by now
                    os.rmdir(directory)
            raise


@contextmanager
def _console(wish: Wish, terminal: bool) -> Iterator[tuple[int, socket.socket | None]]:
    """The socket that gets the terminal's master, -1 for none, and the one that it comes out of, if that is ours."""
    if wish.console_socket:
        from .console_socket import connected

        descriptor = connected(wish.console_socket)
        try:
            yield descriptor, None
        finally:
            os.close(descriptor)
    elif wish.screen and terminal:
        ours, theirs = socket.socketpair()
        with theirs:
            yield theirs.fileno(), ours
    else:
        yield wish.console, None


def _missing_above(groups: Cgroups, path: str) -> list[str]:
    """The directories that have to be made for those of a group to be made in, innermost first."""
    found = []
    for directory in groups.directories(path):
        for _ in range(path.count("/")):
            directory = os.path.dirname(directory)
            found += [directory] if not os.path.isdir(directory) else []
    return found


def _written(containers: Containers, record: Record) -> bool:
    return os.path.exists(containers.folder(record.id, "state.json"))


def _program(config: Config) -> Program:
    if config.process is None:
        raise InvalidValue("process", None, "there is no program to be run")
    return config.process


def _check(config: Config, host_groups: Cgroups | None, wish: Wish) -> tuple[str, ...]:
    """What must be right before anything is touched."""
    process = _program(config)
    mappings.check(config)
    warnings = config_supported.supported(config, facts(host_groups, config))
    if config.net_devices:
        from .net_devices import check

        check(config)
    if wish.network:
        from .lent_network import check as check_network

        check_network(config, wish.network)
    with failing(f"use {config.rootfs} as root.path"):
        if not stat.S_ISDIR(os.stat(config.rootfs).st_mode):
            raise InvalidValue("root.path", config.rootfs, "it is not a folder")
    for _, path in config.namespaces.joined:
        with failing(f"join the namespace {path}"):
            os.stat(path)
    for index, mount in enumerate(config.mounts):
        if mount.bind and mount.source:
            with failing(f"mount mounts[{index}] on {mount.destination}"):
                os.stat(mount.source)
    console = wish.console >= 0 or wish.console_socket
    if process.terminal and not (console or wish.screen):
        raise Failure("make the terminal", "process.terminal is set and there is no console socket", "--console-socket")
    if not process.terminal and console:
        raise Failure("use the console socket", "process.terminal is not set, so there is no terminal to be sent")
    return warnings


def _create(
    containers: Containers,
    record: Record,
    config: Config,
    content: bytes,
    wish: Wish,
    cgroup: tuple[Cgroups, str] | None,
    folder: int,
    guarded: bool,
) -> Record:
    containers.save(record)
    store.write(containers.folder(record.id, "config.json"), content, durable=False)
    with failing(f"create container {record.id}"), mappings.shifts(config) as shifts:
        program = operations.compile_config(
            config,
            _program(config),
            cgroup,
            containers.filters,
            pivot=wish.pivot,
            keyring=wish.keyring,
            shifts=shifts,
        )
        if cgroup:
            _make_cgroup(config, *cgroup)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"/proc/self/fd/{folder}/start")
        listener.listen(1)
        ours, theirs = socket.socketpair()
        with theirs, listener:
            setup = stage.Stage(theirs, listener, wish.console, wish.preserved, guarded, lends=wish.network is not None)
            pid = _fork(config, program, setup, set(shifts.values()))
    with ours:
        if mappings.has_users(config):
            pid = mappings.accompany(f"create container {record.id}", ours, pid, config)
        return _accompany(containers, record._replace(process=process(pid)), config, wish, ours)


def _make_cgroup(config: Config, groups: Cgroups, path: str) -> None:
    groups.create(path)
    apply(groups, path, config.resources)
    if groups.version == 2:
        from .unified import hand_over, takes_processes

        takes_processes(groups, path)
        owner = mappings.cgroup_owner(config)
        if owner > 0 and not os.geteuid():
            hand_over(groups.directories(path)[0], owner)
    if os.geteuid():
        # Only root sets device rules, and no rule keeps a user from more than the nodes' owners do.
        return
    rules = config.resources.devices
    everything = bool(rules) and rules[-1].whole and rules[-1].allow
    set_rules(groups, path, rules if everything else (*rules, *DEFAULT_RULES))


def _accompany(
    containers: Containers, record: Record, config: Config, wish: Wish, channel_: socket.socket
) -> Record:
    """The runtime's side of the handshake. A failure ends the first process."""
    init = record.init
    try:
        containers.save(record)
        channel.expect(f"create container {record.id}", channel_, ENVIRONMENT)
        with _devices_moved(config, init.pid), _lent(channel_, wish) as lent:
            document = encoded(record, CREATING)
            for kind in ("prestart", "createRuntime"):
                if config.hooks[kind]:
                    from .hooks import run_hooks

                    run_hooks(kind, config.hooks[kind], document, os.environ)
            with failing(f"create container {record.id}"):
                with suppress(BrokenPipeError):  # then its own words tell more
                    channel.send(channel_, GO, document)
                channel.expect(f"create container {record.id}", channel_, READY)
                if wish.network:
                    from .lent_network import start as start_network

                    start_network(containers.folder(record.id), config, wish.network, init.pid, lent)
                record = record._replace(ready=True)
                containers.save(record)
                if wish.pid_file:
                    write_pid(wish.pid_file, init.pid)
        return record
    except BaseException:
        end_child(init.pid)
        raise


@contextmanager
def _devices_moved(config: Config, pid: int) -> Iterator[None]:
    """Have the container's network devices moved, for good if the block does well."""
    if not config.net_devices:
        yield
        return
    from .net_devices import moved

    with moved(config.net_devices, pid):
        yield


@contextmanager
def _lent(channel_: socket.socket, wish: Wish) -> Iterator[list[int]]:
    """The namespaces that the first process lends for its network to be made, if it is asked for that."""
    lent = socket.recv_fds(channel_, 1, 2)[1] if wish.network else []
    try:
        yield lent
    finally:
        for each in lent:
            os.close(each)


def end_child(pid: int) -> None:
    """Kill a child and take its status."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def write_pid(path: str, pid: int) -> None:
    """Write a pid file, which is there whole or not at all. Raises ``OSError``."""
    store.write(os.path.abspath(path), str(pid).encode(), 0o644, durable=False)


def _fork(config: Config, program: tuple[Any, ...], setup: stage.Stage, kept: set[int]) -> int:
    """Fork the first process, into the namespaces that one is born into."""
    with _born_into(config), failing("fork the first process"):
        pid = os.fork()
        if not pid:
            stage.run(program, setup, kept)
        return pid


@contextmanager
def _born_into(config: Config) -> Iterator[None]:
    """Within the block children are born into the container's pid and time namespaces; the caller's own stay."""
    kinds = config.namespaces
    if mappings.has_users(config):
        # The first process forks once more instead, when it is in the user namespace that owns them.
        yield
        return
    joined = [(kind, path) for kind, path in kinds.joined if kind & operations.BEFORE_FORK]
    fresh = kinds.new & operations.BEFORE_FORK
    touched = fresh | sum(kind for kind, _ in joined)
    files = ((syscalls.CLONE_NEWPID, "pid"), (syscalls.CLONE_NEWTIME, "time"))
    own = [(kind, os.open(f"/proc/self/ns/{name}", os.O_RDONLY)) for kind, name in files if touched & kind]
    try:
        for kind, path in joined:
            with failing(f"join the namespace {path}"):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                own.append((0, descriptor))
                syscalls.setns(descriptor, kind)
        if fresh:
            with failing("make the pid and time namespaces"):
                syscalls.unshare(fresh)
                for clock, seconds, nanoseconds in config.time_offsets:
                    procfs.write("self/timens_offsets", f"{clock} {seconds} {nanoseconds}")
        yield
    finally:
        for kind, descriptor in own:
            if kind:
                syscalls.setns(descriptor, kind)
            os.close(descriptor)


def start(containers: Containers, identity: str) -> tuple[str, ...]:
    """Start a created container; returns warnings. Raises :class:`Failure`, with what kept the program from running."""
    operation = f"start container {identity}"
    with containers.locked(identity) as folder, failing(operation):
        record = containers.load(identity)
        status = containers.status(record)
        if status == STOPPED:
            raise Failure(operation, "container not running: it has stopped")
        if status != CREATED:
            raise Failure(operation, f"cannot start a container in the {status} state")
        with socket.socket(socket.AF_UNIX) as channel_:
            try:
                channel_.connect(f"/proc/self/fd/{folder}/start")
            except OSError as error:
                raise Failure(operation, "container not running: its first process is gone") from error
            store.remove(containers.folder(identity, "start"))
            with suppress(BrokenPipeError):
                channel.send(channel_, GO)
            kind, body = channel.receive(channel_)
        if kind == channel.ERROR:
            raise Failure(operation, body.decode(errors="replace"))
        if kind == channel.NOT_EXECUTED:
            name = _program(containers.config(record)).arguments[0]
            raise Failure(operation, f'exec: "{name}": {os.strerror(body[0]).lower()}')
        if "poststart" not in record.hooks:
            return ()
        hooks = containers.config(record).hooks["poststart"]
    from .hooks import warned

    # The lock is let go of first: a hook may well call the runtime.
    return warned("poststart", hooks, encoded(record, RUNNING), os.environ)


def first_process(record: Record) -> Process:
    """The first process. Raises :class:`Failure` if it is gone."""
    if record.process is None or not record.process.alive:
        raise Failure(f"reach container {record.id}", "container not running")
    return record.process
