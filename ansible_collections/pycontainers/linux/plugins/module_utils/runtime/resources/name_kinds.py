# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The grammar of what a container is told of names: resolvers, where they look, and lines of its hosts file."""
from __future__ import annotations

import re
import socket
from typing import Any

from ..core.kinds import listed, mapping, text
from ..core.model import Kind
from .container_kinds import host_name

HOST_GATEWAY = "host-gateway"
"""What stands for the host's address on the container's network, as with Docker."""

NO_SEARCH = "."
"""The search domain that stands for none, as with Docker."""

MOST_SERVERS = 3
"""Those that resolvers ask (resolv.conf(5), MAXNS)."""

_OPTION = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9:._-]*", re.ASCII)
_HOST = re.compile(r"[a-zA-Z0-9_](?:[a-zA-Z0-9_.-]{0,252}[a-zA-Z0-9_.])?", re.ASCII)


def address(value: Any) -> str:
    """An address of either family in its shortest form."""
    said = text(value).strip()
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, said))
        except OSError:
            continue
    raise ValueError(f"{said!r} is no address of IPv4 or IPv6")


def servers(value: Any) -> tuple[str, ...]:
    """Addresses in the order in which they are asked, each once."""
    found = tuple(dict.fromkeys(listed(address)(value)))
    if len(found) > MOST_SERVERS:
        raise ValueError(f"there are more than {MOST_SERVERS}, which is what resolvers ask")
    return found


def search_domains(value: Any) -> tuple[str, ...]:
    """Domains in the order in which they are tried; one dot for none at all."""
    found = tuple(dict.fromkeys(listed(_domain)(value)))
    if NO_SEARCH in found and len(found) > 1:
        raise ValueError("a dot stands for no domain at all, and there are others")
    return found


def _domain(value: Any) -> str:
    said = text(value).strip()
    if said == NO_SEARCH:
        return said
    if not host_name(said.removesuffix(".")):
        raise ValueError("a domain is empty")
    return said.removesuffix(".")


def resolver_options(value: Any) -> tuple[str, ...]:
    """Options of resolv.conf(5), each once."""
    found = tuple(dict.fromkeys(each.strip() for each in listed(text)(value)))
    for each in found:
        if not _OPTION.fullmatch(each):
            raise ValueError(f"{each!r} is no option such as ndots:2")
    return found


def hosts(value: Any) -> tuple[tuple[str, str], ...]:
    """Addresses by name, sorted."""
    value = mapping(value)
    found = {}
    for name, given in value.items():
        found[known_name(name)] = HOST_GATEWAY if given == HOST_GATEWAY else address(given)
    return tuple(sorted(found.items()))


def known_name(value: Any) -> str:
    """A name that a hosts file can tell the address of."""
    if not isinstance(value, str) or not _HOST.fullmatch(value):
        raise ValueError(f"{value!r} is not a name of letters, digits, '-', '_' and '.'")
    return value


_LIST: dict[str, Any] = {"type": "list", "elements": "str"}
SERVERS = Kind("dns_servers", _LIST, servers, list)
SEARCH_DOMAINS = Kind("dns_search_domains", _LIST, search_domains, list)
RESOLVER_OPTIONS = Kind("dns_opts", _LIST, resolver_options, list)
HOSTS = Kind("etc_hosts", {"type": "dict"}, hosts, dict)
