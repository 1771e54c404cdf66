# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammars of what a container's program may do and is given: privileges, limits, devices, mounts, names."""
from __future__ import annotations

import re
import signal
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from ..core.kinds import NAME, UNLIMITED, limit_size, listed, mapping, path, size, text, whole
from ..core.model import Kind
from ..kernel.mount_options import FLAGS
from ..kernel.process import signal_number
from ..kernel.process_attributes import RLIMITS
from ..kernel.security import CAPABILITIES
from ..lean.dataclasses import dataclass
from ..oci import user_network

ALL = "ALL"
ULIMITS = tuple(sorted(name.removeprefix("RLIMIT_").lower() for name in RLIMITS if name != "RLIMIT_AS"))
LARGEST_LIMIT = 2**63 - 1
SHM_SIZE = 64 << 20
"""Bytes of /dev/shm unless said otherwise, as Docker has it."""

DEFAULT_STOP_TIMEOUT = 10
"""Seconds between the stop signal and SIGKILL, as Docker has it."""

PRIVATE, HOST, NONE, OTHER, PATH = "private", "host", "none", "container:", "ns:"
"""A namespace of its own; and what goes before the name of the container whose it is."""

ACCESSES = "rwm"
LONGEST_HOST_NAME = 64
"""Bytes of a host or domain name (linux/utsname.h, __NEW_UTS_LEN)."""

UNASKED = ("apparmor=unconfined", "label=disable", "seccomp=builtin", "no-new-privileges=false")
"""Security options that change nothing: this is how a container is."""

_TMPFS_FLAGS = {"nosuid": "suid", "nodev": "dev", "noexec": "exec"}
"""What a tmpfs has unless its opposite is given."""

_NO_TMPFS_FLAGS = ("bind", "rbind", "remount")
_TMPFS_VALUES = ("size", "nr_blocks", "nr_inodes", "mode", "uid", "gid", "huge", "mpol")
_HOST_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*", re.ASCII)
_SYSCTL = re.compile(r"[^\s./]+([./][^\s./]+)+")


@dataclass(frozen=True, order=True)
class Ulimit:
    """A resource limit; :data:`UNLIMITED` for none."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True, order=True)
class Device:
    """A device of the host in the container, and what the container may do with it."""

    target: str
    source: str
    access: str = ACCESSES


@dataclass(frozen=True, order=True)
class Tmpfs:
    """A filesystem in memory, empty at each start, at a place in the container."""

    target: str
    options: tuple[str, ...]


def capabilities(value: Any) -> tuple[str, ...]:
    """Names of capabilities with or without ``CAP_``, in any case; sorted. ``ALL`` takes in all others."""
    names = {text(each).upper().removeprefix("CAP_") for each in listed(text)(value)}
    for each in sorted(names - {ALL, *CAPABILITIES}):
        raise ValueError(f"there is no capability {each}; capabilities are those of capabilities(7), and ALL")
    return (ALL,) if ALL in names else tuple(f"CAP_{each}" for each in sorted(names))


def security_options(value: Any) -> tuple[str, ...]:
    """Security options as ``name`` or ``name=value``, sorted; a colon stands for the equals sign too."""
    found = set()
    for each in listed(text)(value):
        name, _, given = each.replace(":", "=", 1).partition("=")
        said = f"{name}={given}" if given else name
        if said in ("no-new-privileges", "no-new-privileges=true"):
            found.add("no-new-privileges")
        elif said in ("seccomp=unconfined", "systempaths=unconfined"):
            found.add(said)
        elif name == "seccomp" and given.startswith("/"):
            found.add(f"seccomp={path(given)}")
        elif said not in UNASKED:
            known = "no-new-privileges, seccomp=unconfined, seccomp=/path/to/profile.json and systempaths=unconfined"
            raise ValueError(f"{each!r} is not known; options are {known}")
    if sum(each.startswith("seccomp=") for each in found) > 1:
        raise ValueError("there are two for seccomp")
    return tuple(sorted(found))


def ulimits(value: Any) -> tuple[Ulimit, ...]:
    """Limits as ``name:soft[:hard]``, sorted by name; -1 and ``unlimited`` are no limit."""
    found = sorted(listed(_ulimit)(value))
    return _none_twice(tuple(found), [each.name for each in found], "two limits are for")


def _ulimit(value: Any) -> Ulimit:
    name, *limits = text(value).lower().replace("=", ":", 1).split(":")
    if name not in ULIMITS:
        raise ValueError(f"there is no limit {name!r}; limits are {', '.join(ULIMITS)}")
    if not 1 <= len(limits) <= 2:
        raise ValueError(f"{value!r} is not of the form name:soft[:hard]")
    soft, hard = (_limit(each) for each in (limits[0], limits[-1]))
    if hard != UNLIMITED and (soft == UNLIMITED or soft > hard):
        raise ValueError(f"the soft limit of {name} is above the hard one")
    return Ulimit(name, soft, hard)


def _limit(said: str) -> int:
    if said in ("-1", "unlimited"):
        return UNLIMITED
    number = whole(said) if len(said) < 20 else LARGEST_LIMIT + 1
    if not 0 <= number <= LARGEST_LIMIT:
        raise ValueError(f"{said} is no limit; limits are from 0 to {LARGEST_LIMIT}, and -1 for none")
    return number


def sysctls(value: Any) -> tuple[tuple[str, str], ...]:
    """Kernel settings by name with dots, sorted; of white space in values it only matters that it is there."""
    value = mapping(value)
    found = {}
    for name, given in value.items():
        if not isinstance(name, str) or not _SYSCTL.fullmatch(text(name)):
            raise ValueError(f"{name!r} is not the name of a kernel setting")
        # Whichever of '.' and '/' comes first separates, the other stands for '.' (sysctl.d(5)).
        first = next(letter for letter in name if letter in "./")
        said = name if first == "." else name.translate({ord("."): "/", ord("/"): "."})
        if said in found:
            raise ValueError(f"{said} is there twice")
        found[said] = " ".join(text(given).split())
    return tuple(sorted(found.items()))


def devices(value: Any) -> tuple[Device, ...]:
    """Devices as ``path[:path in the container[:access]]``, sorted by where they are in the container."""
    found = sorted(listed(_device)(value))
    return _none_twice(tuple(found), [each.target for each in found], "two devices are at")


def _device(value: Any) -> Device:
    source, *rest = text(value).split(":")
    if len(rest) > 2:
        raise ValueError(f"{value!r} is not of the form path[:path in the container[:access]]")
    # As with Docker, what looks like an access in second place is one.
    if len(rest) == 1 and not rest[0].startswith("/"):
        rest = [source, rest[0]]
    access = rest[1] if len(rest) == 2 else ACCESSES
    if not access or set(access) - set(ACCESSES):
        raise ValueError(f"{access!r} is not made of r, w and m")
    return Device(path(rest[0] if rest else source), path(source), "".join(each for each in ACCESSES if each in access))


def tmpfs(value: Any) -> tuple[Tmpfs, ...]:
    """Filesystems in memory as ``target[:options]``, sorted by target."""
    found = sorted(listed(_tmpfs)(value))
    return _none_twice(tuple(found), [each.target for each in found], "two filesystems are at")


def _tmpfs(value: Any) -> Tmpfs:
    said, _, words = text(value).partition(":")
    target = path(said)
    if target == "/":
        raise ValueError("a tmpfs can't take the place of the container's root")
    flags = {FLAGS[word][0]: word for word in _TMPFS_FLAGS}
    values = {}
    for word in filter(None, words.split(",")):
        name, equals, given = word.partition("=")
        if equals and name in _TMPFS_VALUES and given:
            # Shares of memory ("50%") are a filesystem's own units.
            values[name] = str(size(given)) if name == "size" and not given.endswith("%") else given
        elif word in FLAGS and word not in _NO_TMPFS_FLAGS:
            flag, on = FLAGS[word]
            positive = next(other for other, meaning in FLAGS.items() if meaning == (flag, True)) if flag else ""
            flags[flag] = positive if on else _TMPFS_FLAGS.get(positive, "")
        else:
            raise ValueError(f"{word!r} is not an option of a tmpfs")
    return Tmpfs(target, tuple(sorted([*filter(None, flags.values()), *(f"{n}={v}" for n, v in values.items())])))


def _none_twice(found: tuple[Any, ...], keys: list[str], what: str) -> tuple[Any, ...]:
    for before, after in pairwise(keys):
        if before == after:
            raise ValueError(f"{what} {after}")
    return found


def user(value: Any) -> str:
    """``user[:group]``, each a name or a number; empty for the image's."""
    name, colon, group = text(value).strip().partition(":")
    if ":" in group or (colon and not name):
        raise ValueError(f"{value!r} is not of the form user[:group]")
    return ":".join(filter(None, (_number_as_is(name), _number_as_is(group))))


def _number_as_is(said: str) -> str:
    return said.lstrip("0") or "0" if said.isascii() and said.isdecimal() else said


def groups(value: Any) -> tuple[str, ...]:
    """Names or numbers of groups, sorted."""
    found = {_number_as_is(each.strip()) for each in listed(text)(value)}
    if "" in found:
        raise ValueError("a group is empty")
    return tuple(sorted(found))


def stop_signal(value: Any) -> str:
    """A signal by name or number, as its name; empty for the image's."""
    said = text(value).strip().upper()
    number = signal_number(said)
    if said and number == signal.SIGTERM and said.removeprefix("SIG") not in ("TERM", str(int(signal.SIGTERM))):
        raise ValueError("there is no such signal")
    if number in signal.Signals.__members__.values():
        return signal.Signals(number).name if said else ""
    return f"SIGRTMIN+{number - signal.SIGRTMIN}"


def host_name(value: Any) -> str:
    """A host or domain name in lower and upper case as it is; empty for none."""
    said = text(value)
    if said and (len(said) > LONGEST_HOST_NAME or not _HOST_NAME.fullmatch(said)):
        raise ValueError(
            f"a host name is made of letters, digits, '-' and '.', {LONGEST_HOST_NAME} at most, and each part starts "
            "and ends with a letter or digit"
        )
    return said


def labels(value: Any) -> tuple[tuple[str, str], ...]:
    """Labels by name, sorted. Values must be text, so that YAML's ``no`` and ``0x10`` do not turn into others."""
    value = mapping(value)
    for key, each in value.items():
        if not isinstance(key, str) or not text(key):
            raise ValueError(f"{key!r} is not the name of a label")
        if not isinstance(each, str):
            raise ValueError(f"the value of {key} is not text: quote it")
        text(each)
    return tuple(sorted(value.items()))


def shm_size(value: Any) -> int:
    """Bytes, more than none."""
    number = limit_size(value)
    if number == UNLIMITED:
        raise ValueError("it is not above zero")
    return number


def score(value: Any) -> int:
    """How soon the kernel ends a process when memory runs out, -1000 to 1000."""
    number = whole(value)
    if not -1000 <= number <= 1000:
        raise ValueError("it is not from -1000 to 1000")
    return number


def pid_mode(value: Any) -> str:
    """``private``, ``host``, or ``container:`` with another's name or id; empty for private."""
    said = text(value)
    if said.startswith(OTHER):
        return f"{OTHER}{NAME.parse(said.removeprefix(OTHER))}"
    if said not in ("", PRIVATE, "host"):
        raise ValueError("it is not one of private, host and container:NAME")
    return said or PRIVATE


def network_mode(value: Any) -> str:
    """``private``, ``none``, ``host``, ``container:`` with another's name or id, ``ns:`` with a path; else private.

    Or the program that makes its network, with options.
    """
    said = text(value)
    asked = user_network.asked(said)
    if asked:
        return str(asked)
    if said.startswith(OTHER):
        return f"{OTHER}{NAME.parse(said.removeprefix(OTHER))}"
    if said.startswith(PATH):
        return f"{PATH}{path(said.removeprefix(PATH))}"
    if said in ("", "default"):
        return PRIVATE
    if said not in (PRIVATE, NONE, HOST):
        others = "private, none, host, slirp4netns, pasta, container:NAME and ns:PATH"
        raise ValueError(f"it is not one of {others}; networks are named in the option networks")
    return said


def own_network(mode: str | None) -> bool:
    """Whether a container of this network mode has a network namespace to itself."""
    return mode in (None, PRIVATE, NONE) or user_network.asked(mode) is not None


def _or_empty(parse: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda value: "" if value == "" else parse(value)


_LIST: dict[str, Any] = {"type": "list", "elements": "str"}
CAPABILITY_NAMES = Kind("capabilities", _LIST, capabilities, list)
SECURITY_OPTIONS = Kind("security_options", _LIST, security_options, list)
ULIMITS_KIND = Kind(
    "ulimits", _LIST, ulimits, lambda value: [f"{each.name}:{each.soft}:{each.hard}" for each in value]
)
SYSCTLS = Kind("sysctls", {"type": "dict"}, sysctls, dict)
DEVICES = Kind(
    "devices", _LIST, devices, lambda value: [f"{each.source}:{each.target}:{each.access}" for each in value]
)
TMPFS = Kind("tmpfs", _LIST, tmpfs, lambda value: [f"{each.target}:{','.join(each.options)}" for each in value])
HOST_FILE = Kind("host_file", {"type": "path"}, path)
USER = Kind("user", {"type": "str"}, user)
GROUPS = Kind("groups", _LIST, groups, list)
FOLDER = Kind("folder", {"type": "str"}, _or_empty(path))
STOP_SIGNAL = Kind("stop_signal", {"type": "str"}, stop_signal)
HOST_NAME = Kind("host_name", {"type": "str"}, host_name)
LABELS = Kind("labels", {"type": "dict"}, labels, dict)
SHM_SIZE_KIND = Kind("shm_size", {"type": "str"}, shm_size)
NETWORK_MODE = Kind("network_mode", {"type": "str"}, network_mode)
PID_MODE = Kind("pid_mode", {"type": "str"}, pid_mode)
SCORE = Kind("score", {"type": "int"}, score)
