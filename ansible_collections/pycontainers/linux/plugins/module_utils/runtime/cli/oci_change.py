# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verbs that change a running container: pause, resume, update."""
from __future__ import annotations

import sys

from ..errors import Failure, InvalidValue, failing
from ..kernel import freezer
from ..kernel.cgroup_writes import put_back
from ..kernel.devices import set_rules
from ..oci import config_supported, limits
from ..oci.config import parse_resources
from ..oci.container import CREATED, PAUSED, RUNNING, Record
from ..oci.devices import DEFAULT_RULES
from ..oci.fields import LARGEST_DOCUMENT, decode
from ..oci.host import facts
from ..typed import Any
from .oci_call import Call
from .options import Chosen

_SUFFIXES = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50}


def pause(call: Call) -> int:
    """Freeze all processes."""
    (identity,) = call.chosen.only(1, "a container id")
    with call.containers.locked(identity):
        record = _record(call, identity, (CREATED, RUNNING))
        with failing(f"pause container {identity}"):
            freezer.freeze(limits.groups(), record.cgroup)
    return 0


def resume(call: Call) -> int:
    """Let them go on."""
    (identity,) = call.chosen.only(1, "a container id")
    with call.containers.locked(identity):
        record = _record(call, identity, (PAUSED,))
        with failing(f"resume container {identity}"):
            freezer.thaw(limits.groups(), record.cgroup)
    return 0


def _record(call: Call, identity: str, states: tuple[str, ...]) -> Record:
    record = call.containers.load(identity)
    status = call.containers.status(record)
    operation = call.chosen.operation
    if status not in states:
        wanted = "paused" if states == (PAUSED,) else "running"
        raise Failure(f"{operation} on container {identity}", f"container not {wanted}: it is {status}")
    if not record.cgroup:
        raise Failure(f"{operation} on container {identity}", "it was created without a cgroup")
    return record


def update(call: Call) -> int:
    """Change limits: all that are given, or none."""
    (identity,) = call.chosen.only(1, "a container id")
    resources, warnings = parse_resources(_document(call.chosen))
    for each in warnings:
        call.warn(each)
    with call.containers.locked(identity):
        record = _record(call, identity, (CREATED, RUNNING, PAUSED))
        groups = limits.groups()
        config_supported.supported_resources(resources, facts(groups))
        with failing(f"update container {identity}"):
            written = limits.apply(groups, record.cgroup, resources)
            try:
                if resources.devices:
                    set_rules(groups, record.cgroup, (*resources.devices, *DEFAULT_RULES))
            except BaseException:
                put_back(written)
                raise
    return 0


def _document(chosen: Chosen) -> Any:
    """The resources object: of a file, of stdin, or of the options."""
    path = chosen.text("resources")
    if path == "-":
        return decode(sys.stdin.buffer.read(LARGEST_DOCUMENT + 1))
    if path:
        with failing(f"read the resources {path}"), open(path, "rb") as file:
            return decode(file.read())
    document: dict[str, dict[str, Any]] = {}
    for option, above, name, read in (
        ("memory", "memory", "limit", _bytes),
        ("memory-reservation", "memory", "reservation", _bytes),
        ("memory-swap", "memory", "swap", _bytes),
        ("kernel-memory-tcp", "memory", "kernelTCP", _bytes),
        ("cpu-share", "cpu", "shares", _number),
        ("cpu-quota", "cpu", "quota", _number),
        ("cpu-period", "cpu", "period", _number),
        ("cpu-burst", "cpu", "burst", _number),
        ("cpu-idle", "cpu", "idle", _number),
        ("cpu-rt-period", "cpu", "realtimePeriod", _number),
        ("cpu-rt-runtime", "cpu", "realtimeRuntime", _number),
        ("cpuset-cpus", "cpu", "cpus", _text),
        ("cpuset-mems", "cpu", "mems", _text),
        ("pids-limit", "pids", "limit", _number),
        ("blkio-weight", "blockIO", "weight", _number),
    ):
        said = chosen.text(option)
        if said:
            document.setdefault(above, {})[name] = read(f"--{option}", said)
    return document


def _text(option: str, said: str) -> str:
    return said


def _number(option: str, said: str) -> int:
    try:
        return int(said)
    except ValueError:
        raise InvalidValue(option, said[:60], "it is not a whole number") from None


def _bytes(option: str, said: str) -> int:
    """A number of bytes, with one of Docker's suffixes."""
    plain = said.lower().removesuffix("b")
    suffix = plain[-1:] if plain[-1:] in _SUFFIXES else ""
    return _number(option, plain.removesuffix(suffix)) << _SUFFIXES[suffix]
