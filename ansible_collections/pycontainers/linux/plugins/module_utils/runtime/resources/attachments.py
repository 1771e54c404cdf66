# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``networks`` of a container: on which it is, and what it asks for there."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..core.kinds import NAME, listed, text
from ..core.model import Kind
from ..lean.dataclasses import dataclass, fields
from .addresses import ADDRESS, ADDRESS6
from .name_kinds import HOST_GATEWAY, known_name

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", re.ASCII)


@dataclass(frozen=True)
class Attachment:
    """A network that a container is on. What is None there is not asked for, what is empty is cleared.

    ``aliases`` are names for it on this network.
    """

    name: str
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    mac_address: str | None = None
    aliases: tuple[str, ...] | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that are asked for."""
        return tuple(each for each in (self.ipv4_address, self.ipv6_address) if each)


def names_of(networks: Iterable[Attachment] | None) -> tuple[str, ...]:
    """The names of networks."""
    return tuple(each.name for each in networks or ())


def filled(want: tuple[Attachment, ...], kept: tuple[Attachment, ...]) -> tuple[Attachment, ...]:
    """Networks that are wanted, with what they leave out as it is kept, and nothing where something is cleared."""
    known = {each.name: each for each in kept}
    return tuple(_filled(each, known.get(each.name, each)) for each in want)


def _filled(want: Attachment, kept: Attachment) -> Attachment:
    found: dict[str, Any] = {}
    for each in fields(Attachment):
        said = getattr(want, each.name)
        found[each.name] = (getattr(kept, each.name) if said is None else said) or None
    return Attachment(**found)


def mac_address(value: Any) -> str:
    """A MAC address of one interface, in lower case with colons."""
    said = text(value).lower().replace("-", ":")
    if not _MAC.fullmatch(said):
        raise ValueError(f"{value!r} is no MAC address such as 02:42:ac:11:00:02")
    if int(said[:2], 16) & 1 or said == "00:00:00:00:00:00":
        raise ValueError(f"{value!r} is no MAC address that one interface can have")
    return said


def aliases(value: Any) -> tuple[str, ...]:
    """Names, each once, in the order in which they are given."""
    return tuple(dict.fromkeys(listed(_alias)(value)))


def _alias(value: Any) -> str:
    said = known_name(value)
    if said == HOST_GATEWAY:
        raise ValueError(f"{said} stands for the host's address in etc_hosts")
    return said


_PARTS: dict[str, Callable[[Any], Any]] = {
    "name": NAME.parse,
    "ipv4_address": lambda value: value and ADDRESS.parse(value),
    "ipv6_address": lambda value: value and ADDRESS6.parse(value),
    "mac_address": lambda value: value and mac_address(value),
    "aliases": aliases,
}
"""The grammar of each; an empty text asks for nothing any more."""


def networks(value: Any) -> tuple[Attachment, ...]:
    """Networks, each as its name or as a dictionary with ``name``; none twice, nor an address or a MAC address."""
    if not isinstance(value, list | tuple):
        raise ValueError("it is not a list")
    found = tuple(map(_attachment, value))
    for what in ("name", "ipv4_address", "ipv6_address", "mac_address"):
        said = [each for each in (getattr(one, what) for one in found) if each]
        twice = [each for each in said if said.count(each) > 1]
        if twice:
            raise ValueError(f"{'a network' if what == 'name' else what} is named twice: {twice[0]}")
    return found


def _attachment(value: Any) -> Attachment:
    value = value if isinstance(value, Mapping) else {"name": value}
    unknown = [key for key, given in value.items() if key not in _PARTS and given is not None]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not known of a network; {', '.join(_PARTS)} are")
    said = {key: given for key, given in value.items() if key in _PARTS and given is not None}
    if "name" not in said:
        raise ValueError("a network has no name")
    return Attachment(**{key: _PARTS[key](given) for key, given in said.items()})


def show_networks(value: tuple[Attachment, ...]) -> list[dict[str, Any]]:
    """Networks as a playbook writes them, without what nobody asks for."""
    return [_shown(each) for each in value]


def _shown(attachment: Attachment) -> dict[str, Any]:
    said = {each.name: getattr(attachment, each.name) for each in fields(Attachment)}
    return {name: list(each) if isinstance(each, tuple) else each for name, each in said.items() if each}


_TEXT = {"type": "str"}
MAC_ADDRESS = Kind("mac_address", _TEXT, _PARTS["mac_address"])
NETWORKS = Kind(
    "networks",
    {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "required": True},
            "ipv4_address": _TEXT,
            "ipv6_address": _TEXT,
            "mac_address": _TEXT,
            "aliases": {"type": "list", "elements": "str"},
        },
    },
    networks,
    show_networks,
)
