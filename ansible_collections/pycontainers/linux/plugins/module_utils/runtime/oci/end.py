# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending a container: signals, and taking away all that was made for it."""
from __future__ import annotations

import os
import time

from ..core import store
from ..errors import Failure, NotFound, failing
from ..kernel import cgroups, freezer
from ..kernel.killing import PATIENCE, end_all, signal_all
from ..kernel.process import Process
from ..lean import signal, socket
from ..lean.contextlib import suppress
from .container import CREATED, CREATING, PAUSED, STOPPED, Containers, Damaged, Record, bare, encoded
from .limits import groups


def kill(containers: Containers, identity: str, number: int, *, everyone: bool = False) -> None:
    """Send a signal to the first process, or to all of the container. Raises :class:`Failure` if it does not run."""
    with containers.locked(identity):
        record = containers.load(identity)
        status = containers.status(record)
        if everyone:
            _signal_all(record, number)
            return
        if status == STOPPED or record.process is None or not record.process.signal(number):
            raise Failure(f"kill container {identity}", "container not running")
        if number == signal.SIGKILL:
            if not record.own_pids:
                # Without a pid namespace the others would stay when the first process ends.
                _signal_all(record, number)
            if status == PAUSED:
                freezer.thaw(groups(), record.cgroup)


def _signal_all(record: Record, number: int) -> None:
    if record.cgroup:
        signal_all(groups(), record.cgroup, number)
    elif record.process:
        record.process.signal(number)


def members(record: Record) -> tuple[int, ...]:
    """The pids in the container's cgroup and those below it."""
    if not record.cgroup:
        return (record.process.pid,) if record.process and record.process.alive else ()
    return cgroups.members(groups(), record.cgroup)


def delete(containers: Containers, identity: str, *, force: bool = False) -> tuple[str, ...]:
    """Delete a container that has stopped or was never started, by force also one that runs; returns warnings.

    By force it is no error that there is none.
    """
    try:
        with containers.locked(identity) as folder:
            try:
                record = containers.load(identity)
            except NotFound:
                # Its creation was killed before anything but the folder was there.
                containers.forget(identity)
                return ()
            except Damaged as damage:
                if not force:
                    raise
                return _delete_damaged(containers, identity, folder, damage)
            status = containers.status(record)
            if not force and status not in (STOPPED, CREATED, CREATING):
                reason = f"container is not stopped: {status}"
                raise Failure(f"delete container {identity}", reason, "stop it first, or use --force")
            return destroy(containers, record)
    except NotFound:
        if force:
            return ()
        raise


def _delete_damaged(containers: Containers, identity: str, folder: int, damage: Damaged) -> tuple[str, ...]:
    """Remove what the id leads to of a container whose record can't be read; the caller holds the lock.

    That is the folder, whoever waits to be started there, and a cgroup that is named by the id: from another one that
    the configuration says nobody knows whether it was there before, and whose the processes in it are.
    """
    from .config_cgroup import cgroup_path
    from .fields import Field

    warnings = [f"{damage.reason}: container {identity} is removed by its id alone, without hooks poststop"]
    cgroup = f"pycontainers-{identity}"
    with suppress(OSError, Failure):
        document = store.read_json(containers.folder(identity, "config.json")) or {}
        said = document["linux"].get("cgroupsPath") if isinstance(document.get("linux"), dict) else None
        found = cgroup_path(Field("linux.cgroupsPath", said, []), isinstance(said, str) and said.count(":") == 2)
        cgroup = found.path if found else cgroup
    name = os.path.basename(cgroup).removesuffix(".scope")
    if name != identity and not name.endswith(f"-{identity}"):
        warnings.append(f"cgroup {cgroup} is not named by the container's id: it is left, and what runs in it")
        cgroup = ""
    # The first process of one that is not started ends when nobody says that it is to go on.
    with suppress(OSError), socket.socket(socket.AF_UNIX) as peer:
        # By the descriptor, since a socket's path has 107 bytes at most.
        peer.connect(f"/proc/self/fd/{folder}/start")
    return (*warnings, *destroy(containers, bare(identity, cgroup)))


def destroy(containers: Containers, record: Record) -> tuple[str, ...]:
    """End what runs, remove cgroup and record, run the hooks poststop; returns warnings. The caller holds the lock."""
    with failing(f"delete container {record.id}"):
        if record.process and record.process.signal(signal.SIGKILL):
            _thaw(record)
            if not _has_ended(record.process):
                reason = f"process {record.process.pid} has not ended {PATIENCE:g} s after SIGKILL"
                raise Failure(f"delete container {record.id}", reason, "see its stack in /proc")
        end_network(containers, record.id)
        if record.cgroup and record.cgroup_made:
            end_all(groups(), record.cgroup)
            cgroups.remove(groups(), record.cgroup)
        warnings = _last_hooks(containers, record)
        containers.forget(record.id)
    return warnings


def end_network(containers: Containers, identity: str) -> None:
    """End the program that makes a container's network, if one does. Raises :class:`Failure`."""
    folder = containers.folder(identity)
    if os.path.exists(f"{folder}/network.json"):
        from .user_network_program import end

        end(folder)


def _has_ended(process: Process) -> bool:
    """Wait until a killed process runs no more and has let go of what it held, patiently; whether it has.

    The first process of a pid namespace stays until all zombies in there are reaped, also those of a caller of exec
    who does not do so: it is dead once it has no namespaces any more (pid_namespaces(7), kernel/exit.c).
    """
    end = time.monotonic() + PATIENCE
    while not process.wait(0.05):
        with suppress(PermissionError):
            try:
                os.readlink(f"/proc/{process.pid}/ns/mnt")
            except (FileNotFoundError, ProcessLookupError):
                return True
        if time.monotonic() > end:
            return False
    return True


def _last_hooks(containers: Containers, record: Record) -> tuple[str, ...]:
    if record.process is None or "poststop" not in record.hooks:
        return ()
    from .hooks import warned

    try:
        hooks = containers.config(record).hooks["poststop"]
    except Failure as error:
        return (str(error),)
    return warned("poststop", hooks, encoded(record, STOPPED), os.environ)


def _thaw(record: Record) -> None:
    if record.cgroup and freezer.frozen(groups(), record.cgroup):
        freezer.thaw(groups(), record.cgroup)
