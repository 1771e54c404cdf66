# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How registries are reached, as ``registries.json`` has it: which speak plain HTTP, and which have mirrors."""
from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from .reference import DOCKER_HUB, Reference, parse_reference

_DOCKER_HUB_HOST = "registry-1.docker.io"
_INSECURE = 'write {"insecure": ["host:port"]}'
_MIRRORS = 'write {"mirrors": {"docker.io": ["host:port"]}}'


def reach(layout: Layout, reference: Reference) -> tuple[str, bool]:
    """The host of a reference's registry, and whether it is spoken to in plain HTTP.

    Plain are this machine's own addresses, and the registries that ``layout.registries`` lists as insecure.
    """
    registry = reference.registry
    if registry == DOCKER_HUB:
        return _DOCKER_HUB_HOST, False
    name = urlsplit(f"//{registry}").hostname or ""
    insecure = _known(layout).get("insecure", [])
    if not isinstance(insecure, list):
        raise Failure(f"read {layout.registries}", 'its "insecure" is not a list', _INSECURE)
    return registry, registry in insecure or name in insecure or is_loopback(name)


def mirrors(layout: Layout, reference: Reference) -> list[Reference]:
    """The reference as its registry's mirrors have it, in the order in which they are to be asked.

    A mirror is ``host``, ``host:port`` or either with a path, below which it has the registry's repositories.
    """
    known = _known(layout).get("mirrors", {})
    listed = known.get(reference.registry, []) if isinstance(known, dict) else None
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        reason = f'its "mirrors" have no list of hosts for {reference.registry}'
        raise Failure(f"read {layout.registries}", reason, _MIRRORS)
    return [_at(layout, each, reference) for each in listed]


def _at(layout: Layout, mirror: str, reference: Reference) -> Reference:
    registry, _, path = mirror.partition("/")
    text = f"{registry}/{path}/{reference.repository}" if path else f"{registry}/{reference.repository}"
    try:
        found = parse_reference(text)
    except ValueError as error:
        raise Failure(f"read {layout.registries}", f"its mirror {mirror!r} can't be one: {error}", _MIRRORS) from error
    if found.registry != registry.lower():
        raise Failure(f"read {layout.registries}", f"its mirror {mirror!r} is no host with a dot or a port", _MIRRORS)
    return Reference(found.registry, found.repository, reference.tag, reference.digest)


def _known(layout: Layout) -> dict[str, Any]:
    return store.read_json(layout.registries) or {}


def is_loopback(name: str) -> bool:
    """Whether a host's name or address is this machine itself."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
