# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container told in Docker's options: the rows of a container, as the command line spells them."""
from __future__ import annotations

import argparse
import os
import secrets
from collections.abc import Collection

from ..core.model import Row, parse, rows
from ..errors import InvalidValue
from ..image.healthcheck import NONE, SHELL
from ..oci.user_network import PACKAGES
from ..resources import env_file
from ..resources.container_kinds import OTHER, PATH
from ..resources.container_model import Container
from ..typed import Any
from . import mount_words

SPELLED = {
    "cpu_shares": ("-c", "--cpu-shares"),
    "device_cgroup_rules": ("--device-cgroup-rule",),
    "cgroupns_mode": ("--cgroupns",),
    "depends_on": ("--requires",),
    "devices": ("--device",),
    "dns_opts": ("--dns-option",),
    "dns_search_domains": ("--dns-search",),
    "dns_servers": ("--dns",),
    "env": ("-e", "--env"),
    "etc_hosts": ("--add-host",),
    "exposed_ports": ("--expose",),
    "groups": ("--group-add",),
    "hostname": ("-h", "--hostname"),
    "interactive": ("-i", "--interactive"),
    "ipc_mode": ("--ipc",),
    "labels": ("-l", "--label"),
    "memory": ("-m", "--memory"),
    "log_options": ("--log-opt",),
    "mounts": ("--mount",),
    "oom_killer": ("--oom-kill-disable",),
    "networks": ("--network", "--net"),
    "pid_mode": ("--pid",),
    "publish_all_ports": ("-P", "--publish-all"),
    "published_ports": ("-p", "--publish"),
    "security_opts": ("--security-opt",),
    "storage_opts": ("--storage-opt",),
    "sysctls": ("--sysctl",),
    "tty": ("-t", "--tty"),
    "ulimits": ("--ulimit",),
    "user": ("-u", "--user"),
    "userns_mode": ("--userns",),
    "volumes": ("-v", "--volume"),
    "working_dir": ("-w", "--workdir"),
}
"""How Docker, or Podman where that has no word, spells rows; others are spelt as they are called."""

SAID_OTHERWISE = ("name", "state", "image", "command", "entrypoint", "restart_policy", "restart_retries", "recreate",
                  "keep_volumes", "healthcheck", "healthy_wait_timeout", "restart", "force_kill", "kill_signal",
                  "auto_remove", "env_file", "default_host_ip", "mac_address", "purge_networks", "detach",
                  "cleanup", "comparisons")  # fmt: skip
"""Rows that words, the verb itself, or an option with a grammar of its own stand for."""

ON_FIRST = {
    "ipv4_address": ("--ip", "its address on the first network"),
    "ipv6_address": ("--ip6", "its address of IPv6 on the first network"),
    "mac_address": ("--mac-address", "that of its interface on the first network"),
    "aliases": ("--network-alias", "another name for it on the first network"),
}
"""What Docker spells as options of the container, and is asked for on the first of its networks."""

MODES = ("none", "host", "private", "default", *PACKAGES)
JOINED = (OTHER, PATH, *(f"{program}:" for program in PACKAGES))
"""What Docker and Podman take in place of a network's name: whose network namespace it is, or who makes its network."""

HEALTH = {
    "test": ("--health-cmd", "a line for a shell in the container that fails if that is not healthy"),
    "interval": ("--health-interval", "how long after one check the next begins (30s)"),
    "timeout": ("--health-timeout", "how long a check may take (30s)"),
    "retries": ("--health-retries", "how many checks in a row fail before it is unhealthy (3)"),
    "start_period": ("--health-start-period", "how long after its start failures do not count (0s)"),
    "start_interval": ("--health-start-interval", "the interval within that time (5s)"),
}
"""The parts of a health check, as Docker spells them."""

FLAG, LIST, PAIRS = "bool", "list", "dict"
"""Types of rows whose options take no value, or can be given several times: for values, or for names with values."""


def options() -> dict[str, Row]:
    """The rows that have an option, by the option's last spelling."""
    found = (row for row in rows(Container) if not row.internal and row.name not in SAID_OTHERWISE)
    return {_spellings(row)[-1]: row for row in found}


def _spellings(row: Row) -> tuple[str, ...]:
    return SPELLED.get(row.name) or (f"--{row.name.replace('_', '-')}",)


def parser(verbs: Any, name: str, words: str) -> argparse.ArgumentParser:
    """A verb with the options that say what a container is to be."""
    # -h is the host name, as with Docker.
    more = "Other options are those of the module container, where they are explained (ansible-doc)."
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=words, epilog=more, add_help=False)
    verb.add_argument("--help", action="help", help="show this help message and exit")
    verb.add_argument("--name", default="", help="its name")
    words = "a file with a variable a line; -e goes over it"
    verb.add_argument("--env-file", action="append", default=[], metavar="FILE", help=words)
    verb.add_argument("--restart", default="", metavar="POLICY[:RETRIES]", help="when it is started again")
    verb.add_argument("--entrypoint", metavar="PROGRAM", help="what is started in place of the image's")
    for name, (spelling, words) in ON_FIRST.items():
        act = "append" if name == "aliases" else "store"
        verb.add_argument(spelling, dest=name, action=act, metavar="VALUE", help=words)
    for name, (spelling, words) in HEALTH.items():
        verb.add_argument(spelling, dest=f"health_{name}", metavar="VALUE", help=words)
    verb.add_argument("--no-healthcheck", action="store_true", help="do not check its health, whatever its image says")
    for row in options().values():
        declare(verb, row)
    return verb


def declare(verb: argparse.ArgumentParser, row: Row, both: bool = False) -> None:
    """Declare the option of a row, of a flag with ``both`` its opposite too."""
    kind = row.kind.spec["type"]
    if kind == FLAG:
        act: Any = argparse.BooleanOptionalAction if both else "store_true"
        verb.add_argument(*_spellings(row), dest=row.name, action=act, default=None)
    else:
        act = "append" if kind in (LIST, PAIRS) else "store"
        metavar = "NAME=VALUE" if kind == PAIRS else "VALUE"
        verb.add_argument(*_spellings(row), dest=row.name, action=act, metavar=metavar)


def add_words(verb: argparse.ArgumentParser) -> None:
    """Declare the image and the command."""
    verb.add_argument("image", metavar="IMAGE")
    verb.add_argument("command", nargs=argparse.REMAINDER, metavar="ARG")


def wanted(chosen: argparse.Namespace) -> Container:
    """The container that is asked for. Raises :class:`..errors.InvalidValue`."""
    given = values(chosen, options().values())
    if chosen.env_file:
        read = (env_file.read(os.path.abspath(each), os.environ) for each in chosen.env_file)
        given["env"] = dict(pair for each in read for pair in each.items()) | (given["env"] or {})
    if given["networks"]:
        modes = [each for each in given["networks"] if each in MODES or each.startswith(JOINED)]
        given["network_mode"] = modes[0] if modes else given["network_mode"]
        given["networks"] = [{"name": each} for each in given["networks"] if each not in modes]
    if given["volumes"]:
        given["volumes"] = [_from_here(each) for each in given["volumes"]]
    if given["mounts"]:
        given["mounts"] = [mount_words.mount(each) for each in given["mounts"]]
    _place(chosen, given)
    if chosen.restart:
        given |= policy(chosen.restart)
    if chosen.entrypoint is not None:
        given["entrypoint"] = [chosen.entrypoint] if chosen.entrypoint else []
    given["healthcheck"] = _health(chosen)
    given |= {"name": chosen.name or _some_name(chosen.image), "image": chosen.image}
    return parse(Container, given | {"command": chosen.command or None})


def _health(chosen: argparse.Namespace) -> dict[str, Any] | None:
    """The health check that is asked for; None to leave it to the image."""
    said = {name: given for name in HEALTH if (given := getattr(chosen, f"health_{name}")) is not None}
    if said.get("test"):
        said["test"] = [SHELL, said["test"]]
    if not chosen.no_healthcheck:
        return said or None
    if said:
        name = next(iter(said))
        raise InvalidValue(HEALTH[name][0], said[name], "there is to be no check", "leave out --no-healthcheck")
    return {"test": [NONE]}


def values(chosen: argparse.Namespace, declared: Collection[Row]) -> dict[str, Any]:
    """What the options of rows say, by row; None of those that were left out."""
    given = {row.name: getattr(chosen, row.name) for row in declared}
    for row in declared:
        if row.kind.spec["type"] == PAIRS and given[row.name]:
            given[row.name] = _pairs(given[row.name], row.name)
    return given


def policy(said: str) -> dict[str, Any]:
    """The rows that ``--restart`` speaks of."""
    name, _, retries = said.partition(":")
    return {"restart_policy": name, "restart_retries": retries or None}


def _from_here(said: str) -> str:
    """A volume whose source is a path that starts where the caller is."""
    source, colon, rest = said.partition(":")
    return f"{os.path.abspath(source)}:{rest}" if colon and source.startswith(".") else said


def _place(chosen: argparse.Namespace, given: dict[str, Any]) -> None:
    """Say of the first network what Docker's options ask for on it."""
    asked = {name: getattr(chosen, name) for name in ON_FIRST if getattr(chosen, name)}
    if asked and not given["networks"]:
        name, value = next(iter(asked.items()))
        raise InvalidValue(name, value, "the container is on no network", "give it one with --network")
    if asked:
        given["networks"][0] |= asked


def _pairs(given: list[str], row: str) -> dict[str, str]:
    """Values by name. A variable without a value has the caller's, as with Docker, and is left out if that has none."""
    found = {}
    for each in given:
        # A host's address was behind a colon before Docker took the other sign as well.
        colon = row == "etc_hosts" and "=" not in each
        name, equals, value = each.partition(":" if colon else "=")
        if equals or row != "env":
            found[name] = value
        elif name in os.environ:
            found[name] = os.environ[name]
    return found


def _some_name(image: str) -> str:
    words = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return f"{words}-{secrets.token_hex(3)}"
