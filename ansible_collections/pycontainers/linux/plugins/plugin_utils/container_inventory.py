# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of hosts as hosts of the inventory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.template import trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from ..module_utils.runtime.core.kinds import name as checked_name
from ..module_utils.runtime.core.layout import Layout
from . import host_runtime
from .at_once import at_once
from .host_connection import HostConnection

CONNECTION = "pycontainers.linux.container"
GROUP = "pycontainers"
"""The group of all containers, and what the names of the others begin with."""

GROUPS = [
    {"prefix": f"{GROUP}_{prefix}", "key": trust_as_template(f"pycontainers_{key}")}
    for prefix, key in (*((each, each) for each in ("host", "image", "state", "health")), ("label", "labels"))
]
"""The groups that a container is in without anybody's asking, as keyed groups are written."""

ENDINGS = ("containers.yml", "containers.yaml")


class ContainersOfHosts(BaseInventoryPlugin, Constructable, Cacheable):
    """Asks hosts that are known already for their containers."""

    NAME = "pycontainers.linux.containers"

    def verify_file(self, path: str) -> bool:
        """Whether a file is named like one of ours."""
        return bool(super().verify_file(path)) and path.endswith(ENDINGS)

    def parse(self, inventory: InventoryData, loader: DataLoader, path: str, cache: bool = True) -> None:
        """Add the containers of all hosts that the file names."""
        super().parse(inventory, loader, path, cache=cache)
        self._read_config_data(path)
        self.inventory.add_group(GROUP)
        for host, documents in self._answers(path, cache).items():
            for document in documents:
                self._add(host, document)

    def _answers(self, path: str, cache: bool) -> dict[str, list[dict[str, Any]]]:
        """The containers by host, from the cache if that is to be used and has them."""
        if not self.get_option("cache"):
            return self._asked()
        key = self.get_cache_key(path)
        if cache and key in self.cache:
            return dict(self.cache[key])
        found = self._asked()
        self.cache[key] = found
        return found

    def _asked(self) -> dict[str, list[dict[str, Any]]]:
        """The containers by host. What a host can't tell is a warning, unless that is to be an error."""
        manager = InventoryManager(loader=self.loader, sources=list(self.inventory.processed_sources), parse=False)
        manager._inventory = self.inventory
        variables = HostVars(manager, VariableManager(loader=self.loader, inventory=manager), self.loader)
        names = [each.name for each in manager.get_hosts(self.get_option("hosts"))]
        names = [each for each in names if variables[each].get("ansible_connection") != CONNECTION]

        def ask(name: str) -> tuple[list[dict[str, Any]], list[str]]:
            host = HostConnection(name, variables[name], PlayContext(), {}, self.get_option("host_become"))
            return host_runtime.containers(host, self._layout)

        answers = at_once(names, ask, self.get_option("forks"), self.get_option("timeout"))
        found: dict[str, list[dict[str, Any]]] = {}
        for name, answer in answers.items():
            if isinstance(answer, Exception):
                self._complain(sentence(name, str(answer)))
            else:
                found[name] = answer[0]
                for line in answer[1]:
                    self._complain(f"host {name}: {line}")
        return found

    @property
    def _layout(self) -> Layout:
        return Layout(self.get_option("root"), self.get_option("run"))

    def _complain(self, said: str) -> None:
        if self.get_option("strict_hosts"):
            raise AnsibleParserError(said)
        self.display.warning(said)

    def _add(self, host: str, document: Mapping[str, Any]) -> None:
        """Add one container, with its variables and groups."""
        try:
            variables = described(host, document)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self._complain(f"cannot use a container of host {host}: what is told of it is damaged ({error})")
            return
        name = self._host_name(variables)
        self.inventory.add_host(name, group=GROUP)
        for key, value in (variables | self._way(variables)).items():
            self.inventory.set_variable(name, key, value)
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups([*GROUPS, *self.get_option("keyed_groups")], variables, name, strict=strict)

    def _host_name(self, variables: Mapping[str, Any]) -> str:
        """What a container is called in the inventory. Raises :class:`AnsibleParserError` if that is no new name."""
        expression = self.get_option("hostname")
        place = f"container {variables['pycontainers_name']} of host {variables['pycontainers_host']}"
        try:
            name = self._compose(expression, dict(variables))
        except Exception as error:
            raise AnsibleParserError(f"cannot name {place} by hostname={expression!r}: {error}") from error
        if not isinstance(name, str) or not name:
            raise AnsibleParserError(f"cannot name {place} by hostname={expression!r}: it gives {name!r}")
        if name in self.inventory.hosts or name == "localhost":
            reason = "there is a host of this name already; have the name of the host in hostname"
            raise AnsibleParserError(f"cannot call {place} {name}: {reason}")
        return name

    def _way(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """What the connection plugin has to know."""
        found = {
            "ansible_connection": CONNECTION,
            "ansible_pycontainers_name": variables["pycontainers_name"],
            "ansible_pycontainers_host": variables["pycontainers_host"],
        }
        given = {option: self.get_option(option) for option in ("root", "run")}
        defaults = {"root": Layout().root, "run": Layout().run}
        found |= {f"ansible_pycontainers_{key}": value for key, value in given.items() if value != defaults[key]}
        becoming = self.get_option("host_become")
        return found | ({} if becoming is None else {"ansible_pycontainers_host_become": becoming})


def sentence(host: str, problem: str) -> str:
    """What went wrong with a host, which is named in it."""
    return problem if host in problem else f"cannot list the containers of host {host}: {problem}"


def described(host: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """The variables that tell of a container. Raises what a document that is none makes of it."""
    networks: Mapping[str, Any] = document["NetworkSettings"]["Networks"]
    found = [each.get(key) for each in networks.values() for key in ("IPAddress", "GlobalIPv6Address")]
    return {
        "pycontainers_name": checked_name(document["Name"].removeprefix("/")),
        "pycontainers_host": host,
        "pycontainers_id": str(document["Id"]),
        "pycontainers_image": str(document["Config"]["Image"]),
        "pycontainers_state": str(document["State"]["Status"]),
        "pycontainers_health": str((document["State"].get("Health") or {}).get("Status") or "none"),
        "pycontainers_labels": dict(document["Config"]["Labels"] or {}),
        "pycontainers_networks": dict(networks),
        "pycontainers_addresses": [str(each) for each in found if each],
        "pycontainers_ports": dict(document["NetworkSettings"]["Ports"] or {}),
    }
