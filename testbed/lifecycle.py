# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a whole testbed up, and take it down."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from pathlib import Path

from testbed import cgroups, connect, guest, inventory, machine, network, process, vm
from testbed.build import image
from testbed.instance import Instance, Record, claim, read_record, refuse_other_owner, remove_record
from testbed.shell import RUN_NEEDS, VM_NEEDS, Failure, require

CONTAINER_SECONDS = 30.0
VM_SECONDS = 240.0


def up(instance: Instance, containers: int, vms: int, debians: int = 0) -> None:
    """Make and start what is missing of this many hosts, and wait until ssh answers on each; others that run are kept.

    A failure leaves what is up as it is: `up` goes on from there, `down` clears it.
    """
    refuse_other_owner(instance)
    require(RUN_NEEDS | (VM_NEEDS if vms else {}))
    built = image()
    tops = _own_record(instance).tops
    for top in tops:
        cgroups.delegate(top.parent)
        cgroups.make(top)
        cgroups.delegate(top)
        cgroups.make(top / cgroups.OUTSIDE)
    network.create(instance)
    inventory.create_keys(instance)
    wanted = [(machine, name) for name in instance.container_names()[:containers]]
    wanted += [(machine, name) for name in instance.debian_names()[:debians]]
    wanted += [(vm, name) for name in instance.vm_names()[:vms]]
    began = time.monotonic()
    started = []
    for kind, name in wanted:
        kind.create(instance, name, built)
        if not is_running(instance, name):
            kind.start(instance, name, tops)
            started.append(name)
    inventory.write(instance)
    for _, name in wanted:
        _wait_for_ssh(instance, name)
        state = f"is up after {time.monotonic() - began:.1f} s" if name in started else "was up"
        print(f"testbed: {name} ({instance.address(name)}) {state}", flush=True)


def _own_record(instance: Instance) -> Record:
    record = read_record(instance)
    if record and record.checkout != str(instance.checkout):
        # Its checkout was deleted while it was up.
        down(instance)
        record = None
    if record is None:
        paths = [str(hierarchy.parent / instance.tag) for hierarchy in cgroups.hierarchies()]
        record = Record(str(instance.checkout), paths, not network.directory_is_mounted())
        claim(instance, record)
    return record


def _wait_for_ssh(instance: Instance, name: str) -> None:
    deadline = time.monotonic() + (VM_SECONDS if name in instance.vm_names() else CONTAINER_SECONDS)
    while not _answers(instance, name):
        running = is_running(instance, name)
        if not running or time.monotonic() > deadline:
            console = guest.folder(instance, name) / "console.log"
            state = "did not answer by ssh in time" if running else "ended while it booted"
            raise Failure(f"{name} {state}: {_last_line(console)} (more in {console})")
        time.sleep(0.05)


def _answers(instance: Instance, name: str) -> bool:
    with contextlib.suppress(OSError), connect.connect(instance.tag, instance.address(name), 22, 2.0) as connection:
        connection.settimeout(2.0)
        return connection.recv(4) == b"SSH-"
    return False


def _last_line(path: Path) -> str:
    with contextlib.suppress(OSError):
        lines = path.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
    return "it said nothing"


def is_running(instance: Instance, name: str) -> bool:
    """Tell whether a host is on: its keeper, or the virtual machine itself, leaves with its power off."""
    return process.is_running(guest.folder(instance, name) / "keeper")


def reboot(instance: Instance, name: str) -> None:
    """Reboot a host by its own `reboot` and return when ssh answers after it."""
    before = _boot_id(instance, name)
    if before is None:
        raise Failure(f"{name} does not answer by ssh: look at {guest.folder(instance, name) / 'console.log'}")
    began = time.monotonic()
    deadline = began + (VM_SECONDS if name in instance.vm_names() else CONTAINER_SECONDS)
    _ssh(instance, name, "reboot")
    while _boot_id(instance, name) in (None, before):
        if time.monotonic() > deadline or not is_running(instance, name):
            raise Failure(f"{name} did not come back: look at {guest.folder(instance, name) / 'console.log'}")
        time.sleep(0.2)
    print(f"testbed: {name} has rebooted in {time.monotonic() - began:.1f} s", flush=True)


def _boot_id(instance: Instance, name: str) -> str | None:
    return _ssh(instance, name, "cat /proc/sys/kernel/random/boot_id") if _answers(instance, name) else None


def _ssh(instance: Instance, name: str, command: str) -> str | None:
    line = ["ssh", "-F", f"{instance.state}/ssh_config", "-o", "ConnectTimeout=10", name, command]
    done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.stdout.decode().strip() if done.returncode == 0 else None


def down(instance: Instance) -> None:
    """End every host and remove all that the testbed made; does nothing when nothing is left."""
    refuse_other_owner(instance)
    if record := read_record(instance):
        cgroups.end_processes(*record.tops)
        for top in record.tops:
            cgroups.remove(top)
        network.remove(instance, record.made_netns_directory)
    if instance.state.is_dir():
        shutil.rmtree(instance.state)
    remove_record(instance)
