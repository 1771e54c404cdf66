# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of a testbed's network: up until it is taken down, known by a file in that testbed's directory."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from testbed.instance import Instance
from testbed.inventory import REGISTRY_PORT

from . import cache, process, server
from .errors import RegistryFailure
from .images import Images, images


@dataclass(frozen=True)
class Record:
    """What is written about the running server: pid with start time (clock ticks since boot), and what it serves."""

    pid: int
    started: int
    address: str
    netns: str
    images: str


def address(instance: Instance) -> str:
    """Return where the hosts of a testbed find its registry, as address and port."""
    return f"{instance.gateway}:{REGISTRY_PORT}"


def home(instance: Instance) -> Path:
    """Return the directory of a testbed's registry."""
    return instance.state / "registry"


def up(*, netns: str, listen: str, directory: Path) -> tuple[Record, bool]:
    """Run the registry in the network namespace `netns` (of ip-netns(8); "" for the caller's own).

    Returns its record, and whether it had to be started. One that serves other images or elsewhere is replaced;
    what was pushed to it stays as long as the images are the same. Builds the images where there are none.
    Errors: RegistryFailure; a namespace or an address that cannot be leaves what runs as it is.
    """
    prefix = _inside(netns)
    _check(listen)
    built = images()
    directory.mkdir(parents=True, exist_ok=True)
    with cache.locked(directory / "lock"):
        found = _read(directory)
        wanted = {"address": listen, "netns": netns, "images": built.directory.name}
        if found and _lives(found) and wanted.items() <= asdict(found).items():
            return found, False
        if found:
            process.end(found.pid, found.started)
        _end_unrecorded(directory)
        storage = directory / "storage" / built.directory.name
        if not storage.is_dir():
            _refill(storage, built)
        running = server.start(directory, storage, listen=listen, prefix=prefix)
        record = Record(running.pid, running.started, running.address, netns, built.directory.name)
        try:
            _write(directory, record)
        except OSError:
            process.end(running.pid, running.started)
            raise
        return record, True


def down(*, directory: Path) -> Record | None:
    """End the registry, keep its storage. Returns the record of what was ended, None if nothing ran."""
    if not directory.is_dir():
        return None
    with cache.locked(directory / "lock"):
        found = _read(directory)
        ended = found is not None and process.end(found.pid, found.started)
        _end_unrecorded(directory)
        (directory / "state.json").unlink(missing_ok=True)
        return found if ended else None


def _inside(netns: str) -> tuple[str, ...]:
    if not netns:
        return ()
    path = Path("/run/netns") / netns
    if not path.exists():
        raise RegistryFailure(
            f"cannot run a registry in the network namespace {netns}: {path} does not exist; "
            "bring the testbed's network up first, or name another with --netns"
        )
    if os.geteuid() != 0:
        raise RegistryFailure(f"cannot enter the network namespace {netns}: setns(2) needs root")
    return ("nsenter", f"--net={path}")


def _check(listen: str) -> None:
    host, _, port = listen.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise RegistryFailure(f"cannot listen at {listen!r}: it is to be an address and a port, such as 10.0.0.1:5000")


def _lives(record: Record) -> bool:
    return process.start_time(record.pid) == record.started and process.listening_port(record.pid) is not None


def _end_unrecorded(directory: Path) -> None:
    # Of a run that was killed between starting the server and writing its record. Nobody else has this configuration.
    for pid in process.with_argument(str(server.configuration_of(directory))):
        started = process.start_time(pid)
        if started is not None:
            process.end(pid, started)


def _refill(storage: Path, source: Images) -> None:
    # Of earlier recipes: nobody serves them any more.
    shutil.rmtree(storage.parent, ignore_errors=True)
    aside = storage.with_name(f"{storage.name}.new")
    server.fill(aside, source.storage)
    aside.rename(storage)


def _read(directory: Path) -> Record | None:
    try:
        return Record(**json.loads((directory / "state.json").read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise RegistryFailure(
            f"cannot read {directory / 'state.json'}: {error}; end the registry that it named by hand and remove it"
        ) from error


def _write(directory: Path, record: Record) -> None:
    aside = directory / "state.json.new"
    with aside.open("w", encoding="utf-8") as file:
        json.dump(asdict(record), file)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(directory / "state.json")
