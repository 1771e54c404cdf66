# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container can be asked to be: the rows of ``container``, and the grammars that only it has."""
from __future__ import annotations

import math
import re
import shlex
from typing import Any

from ..core.kinds import BOOL, NAME, TEXT, TEXTS, UNLIMITED, listed, mapping, text, whole
from ..core.model import Effect, Kind, option
from ..image.healthcheck import HEALTHCHECK, Healthcheck
from ..image.reference import REFERENCE, Reference
from ..lean.dataclasses import dataclass
from ..oci import loggers
from . import container_kinds as kinds
from . import name_kinds
from .attachments import MAC_ADDRESS, NETWORKS, Attachment
from .cgroup_parent import CGROUP_PARENT
from .comparisons import COMPARISONS
from .container_mounts import MOUNTS, VOLUMES, VOLUMES_FROM, Mount, Volume
from .dependencies import DEPENDENCIES, Dependency
from .limits import Limits
from .log_options import DRIVERS, LOG_OPTIONS, Options
from .ports import EXPOSED, HOST_ADDRESS, PORTS, Exposed, Port
from .rates import RATE
from .storage_opts import STORAGE_OPTS

RESTART_POLICIES = ("no", "on-failure", "always", "unless-stopped")
MODES = ("host", "private")
STATES = ("absent", "healthy", "present", "started", "stopped")
ON_UNHEALTHY = ("none", "restart", "stop")
_VARIABLE = re.compile(r"[^=\0]+")


def arguments(value: Any) -> tuple[str, ...]:
    """A command: a list as it is, or text split as a shell splits words."""
    if isinstance(value, str):
        try:
            return tuple(shlex.split(text(value)))
        except ValueError as error:
            raise ValueError(f"its quotes do not close ({error})") from error
    return listed(text)(value)


def environment(value: Any) -> tuple[tuple[str, str], ...]:
    """Variables by name, sorted. Values must be text, so that YAML's ``no`` and ``0x10`` do not turn into others."""
    value = mapping(value)
    for key, each in value.items():
        if not isinstance(key, str) or not _VARIABLE.fullmatch(key):
            raise ValueError(f"{key!r} is not a variable name")
        if not isinstance(each, str):
            raise ValueError(f"the value of {key} is not text: quote it")
        text(each)
    return tuple(sorted(value.items()))


def seconds(value: Any) -> int:
    """A number of seconds, zero or more."""
    number = whole(value)
    if number < 0:
        raise ValueError("it is below zero")
    return number


def patience(value: Any) -> float:
    """For how many seconds something is waited for; zero or less is for ever."""
    if isinstance(value, bool):
        raise ValueError("it is not a number of seconds")
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError("it is not a number of seconds") from error
    if not math.isfinite(number):
        raise ValueError("it is not a number of seconds")
    return number


COMMAND = Kind("command", {"type": "raw"}, arguments, list)
ENTRYPOINT = Kind("entrypoint", {"type": "list", "elements": "str"}, arguments, list)
ENVIRONMENT = Kind("environment", {"type": "dict"}, environment, dict)
SECONDS = Kind("seconds", {"type": "int"}, seconds)
PATIENCE = Kind("patience", {"type": "float"}, patience)


@dataclass(frozen=True, kw_only=True, repr=False)
class Container(Limits):
    """The rows of a container, limits among them. ``id`` and those after it are filled in by the host.

    ``attached`` are the networks that the kernel shows it on, as it is wanted there; ``hosts`` is whether its hosts
    file has the others on them, current or stale; ``wanted`` is whether a started one is meant to run, for its policy
    and the next boot; ``waiter`` is whether somebody waits for its end, ``checker`` whether somebody checks the health
    of one that is to be checked, there or lost; ``health`` is what the last checks said; ``remains`` is what a stopped
    one still holds of the kernel's, since whoever stopped it was killed; ``layer_image`` is whether what it writes is
    in an image; ``held`` are its addresses, by network.
    ``mounts``, ``env_file``, ``default_host_ip``, ``mac_address`` and ``volumes_from`` are other spellings
    (:mod:`.container_spelling`): once read they are in the rows of volumes, filesystems, variables, ports and networks.
    ``chosen_ports`` are those of the published ones that ``publish_all_ports`` has chosen, ``free_ports`` those for
    which ``published_ports`` names no port of the host, on the free one that was found.
    ``anonymous`` are the names of volumes that were given none, by place; of a new container those that it takes over.
    ``console_size`` are lines and columns of the terminal of whoever starts it and looks on; ``watched`` says that its
    log is for whoever starts it, who wants it as it is.
    """

    name: str = option(NAME, required=True)
    state: str = option(TEXT, Effect.LIVE, default="started", choices=STATES)
    image: Reference | None = option(REFERENCE)
    pull: str | None = option(TEXT, default="missing", choices=("always", "missing", "never"), request=True)
    command: tuple[str, ...] | None = option(COMMAND, Effect.RECREATE)
    entrypoint: tuple[str, ...] | None = option(ENTRYPOINT, Effect.RECREATE)
    env: tuple[tuple[str, str], ...] | None = option(ENVIRONMENT, Effect.RECREATE)
    env_file: str | None = option(kinds.HOST_FILE, request=True)
    published_ports: tuple[Port, ...] | None = option(PORTS, Effect.LIVE, aliases=("ports",))
    exposed_ports: tuple[Exposed, ...] | None = option(
        EXPOSED, Effect.LIVE, aliases=("exposed", "expose"), nothing=()
    )
    publish_all_ports: bool | None = option(BOOL, Effect.LIVE, nothing=False)
    default_host_ip: str | None = option(HOST_ADDRESS, request=True)
    networks: tuple[Attachment, ...] | None = option(NETWORKS, Effect.LIVE)
    mac_address: str | None = option(MAC_ADDRESS, request=True)
    purge_networks: bool = option(BOOL, default=True, request=True)
    network_mode: str | None = option(kinds.NETWORK_MODE, Effect.RECREATE, nothing=kinds.PRIVATE)
    ingress_rate: int | None = option(RATE, Effect.LIVE, nothing=UNLIMITED)
    egress_rate: int | None = option(RATE, Effect.LIVE, nothing=UNLIMITED)
    volumes: tuple[Volume, ...] | None = option(VOLUMES, Effect.RECREATE)
    mounts: tuple[Mount, ...] | None = option(MOUNTS, request=True)
    volumes_from: tuple[str, ...] | None = option(VOLUMES_FROM, request=True)
    keep_volumes: bool = option(BOOL, default=True, request=True)
    restart_policy: str | None = option(TEXT, Effect.LIVE, choices=RESTART_POLICIES, nothing="no")
    restart_retries: int | None = option(SECONDS, Effect.LIVE, nothing=0)
    auto_remove: bool | None = option(BOOL, Effect.LIVE, nothing=False)
    stop_timeout: int | None = option(SECONDS, Effect.LIVE, nothing=kinds.DEFAULT_STOP_TIMEOUT)
    depends_on: tuple[Dependency, ...] | None = option(DEPENDENCIES, Effect.LIVE, nothing=())
    healthcheck: Healthcheck | None = option(HEALTHCHECK, Effect.LIVE, nothing=Healthcheck())
    on_unhealthy: str | None = option(TEXT, Effect.LIVE, choices=ON_UNHEALTHY, nothing="none")
    healthy_wait_timeout: float = option(PATIENCE, default=300, request=True)
    user: str | None = option(kinds.USER, Effect.RECREATE, nothing="")
    groups: tuple[str, ...] | None = option(kinds.GROUPS, Effect.RECREATE, nothing=())
    working_dir: str | None = option(kinds.FOLDER, Effect.RECREATE, nothing="")
    hostname: str | None = option(kinds.HOST_NAME, Effect.RECREATE, nothing="")
    domainname: str | None = option(kinds.HOST_NAME, Effect.RECREATE, nothing="")
    dns_servers: tuple[str, ...] | None = option(name_kinds.SERVERS, Effect.RECREATE, nothing=())
    dns_search_domains: tuple[str, ...] | None = option(name_kinds.SEARCH_DOMAINS, Effect.RECREATE, nothing=())
    dns_opts: tuple[str, ...] | None = option(name_kinds.RESOLVER_OPTIONS, Effect.RECREATE, nothing=())
    etc_hosts: tuple[tuple[str, str], ...] | None = option(name_kinds.HOSTS, Effect.RECREATE, nothing=())
    labels: tuple[tuple[str, str], ...] | None = option(kinds.LABELS, Effect.LIVE, nothing=())
    stop_signal: str | None = option(kinds.STOP_SIGNAL, Effect.LIVE, nothing="")
    privileged: bool | None = option(BOOL, Effect.RECREATE, nothing=False)
    cap_add: tuple[str, ...] | None = option(
        kinds.CAPABILITY_NAMES, Effect.RECREATE, aliases=("capabilities",), nothing=()
    )
    cap_drop: tuple[str, ...] | None = option(kinds.CAPABILITY_NAMES, Effect.RECREATE, nothing=())
    security_opts: tuple[str, ...] | None = option(kinds.SECURITY_OPTIONS, Effect.RECREATE, nothing=())
    read_only: bool | None = option(BOOL, Effect.RECREATE, nothing=False)
    tmpfs: tuple[kinds.Tmpfs, ...] | None = option(kinds.TMPFS, Effect.RECREATE, nothing=())
    shm_size: int | None = option(kinds.SHM_SIZE_KIND, Effect.RECREATE, nothing=kinds.SHM_SIZE)
    devices: tuple[kinds.Device, ...] | None = option(kinds.DEVICES, Effect.RECREATE, nothing=())
    ulimits: tuple[kinds.Ulimit, ...] | None = option(kinds.ULIMITS_KIND, Effect.LIVE, nothing=())
    storage_opts: tuple[tuple[str, int], ...] | None = option(STORAGE_OPTS, Effect.LIVE, nothing=())
    sysctls: tuple[tuple[str, str], ...] | None = option(kinds.SYSCTLS, Effect.RECREATE, nothing=())
    oom_score_adj: int | None = option(kinds.SCORE, Effect.LIVE, nothing=0)
    ipc_mode: str | None = option(TEXT, Effect.RECREATE, choices=MODES, nothing="private")
    uts: str | None = option(TEXT, Effect.RECREATE, choices=MODES, nothing="private")
    cgroupns_mode: str | None = option(TEXT, Effect.RECREATE, choices=MODES, nothing="private")
    cgroup_parent: str | None = option(CGROUP_PARENT, Effect.RECREATE, nothing="")
    pid_mode: str | None = option(kinds.PID_MODE, Effect.RECREATE, nothing=kinds.PRIVATE)
    init: bool | None = option(BOOL, Effect.RECREATE, nothing=False)
    userns_mode: str | None = option(TEXT, Effect.RECREATE, choices=("host",), nothing="host")
    log_driver: str | None = option(TEXT, Effect.RECREATE, choices=DRIVERS, nothing=loggers.FILE)
    log_options: Options | None = option(LOG_OPTIONS, Effect.RECREATE, aliases=("log_opt",), nothing=())
    tty: bool | None = option(BOOL, Effect.RECREATE, nothing=False)
    interactive: bool | None = option(BOOL, Effect.RECREATE, nothing=False)
    detach: bool = option(BOOL, default=True, request=True)
    cleanup: bool = option(BOOL, default=False, request=True)
    comparisons: tuple[tuple[str, str], ...] | None = option(COMPARISONS, request=True)
    recreate: bool | None = option(BOOL, default=False, request=True)
    restart: bool | None = option(BOOL, default=False, request=True)
    force_kill: bool | None = option(BOOL, default=False, aliases=("forcekill",), request=True)
    kill_signal: str | None = option(kinds.STOP_SIGNAL, request=True)
    id: str | None = option(TEXT, internal=True)
    created: str | None = option(TEXT, internal=True)
    image_id: str | None = option(TEXT, Effect.RECREATE, internal=True)
    chosen_ports: tuple[Port, ...] | None = option(PORTS, internal=True)
    free_ports: tuple[Port, ...] | None = option(PORTS, internal=True)
    anonymous: tuple[tuple[str, str], ...] | None = option(kinds.LABELS, internal=True)
    attached: tuple[str, ...] | None = option(TEXTS, Effect.LIVE, internal=True)
    hosts: str | None = option(TEXT, Effect.LIVE, internal=True)
    wanted: str | None = option(TEXT, Effect.LIVE, internal=True)
    waiter: str | None = option(TEXT, Effect.LIVE, internal=True)
    checker: str | None = option(TEXT, Effect.LIVE, internal=True)
    health: str | None = option(TEXT, Effect.LIVE, internal=True)
    remains: tuple[str, ...] | None = option(TEXTS, Effect.LIVE, internal=True)
    layer_image: bool | None = option(BOOL, Effect.RECREATE, internal=True)
    held: tuple[tuple[str, tuple[str, ...]], ...] = ()
    console_size: tuple[int, ...] = ()
    watched: bool = False
