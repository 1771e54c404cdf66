# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container executes, with which variables, labels and name: its own over its image's."""
from __future__ import annotations

from typing import Any

from ..errors import InvalidValue
from ..oci import streams, user_network
from .addresses import BITS6, bits_of
from .container_model import Container
from .ports import Port


def short(container: Container) -> str:
    """A container in words: its name and the first twelve digits of its id."""
    return f"{container.name} ({(container.id or '')[:12]})"


def arguments(container: Container, image: Any) -> list[str]:
    """What is executed: entrypoint and command, each the image's if not given.

    A given entrypoint drops the image's command, as with Docker: that belongs to the image's own entrypoint.
    """
    entrypoint = list(container.entrypoint if container.entrypoint is not None else image.get("Entrypoint") or [])
    default = [] if container.entrypoint is not None else image.get("Cmd") or []
    words = entrypoint + list(container.command if container.command is not None else default)
    if not words:
        raise InvalidValue("command", None, f"the image {container.image} has none of its own", "give a command")
    return [str(each) for each in words]


def environment(container: Container, image: Any) -> list[str]:
    """The image's variables with the container's over them, as ``NAME=value``."""
    own = dict(str(each).partition("=")[::2] for each in image.get("Env") or [])
    return [f"{name}={value}" for name, value in (own | dict(container.env or ())).items()]


def labels(container: Container, image: Any) -> dict[str, str]:
    """The image's labels with the container's over them."""
    own = {str(name): str(value) for name, value in (image.get("Labels") or {}).items()}
    return own | dict(container.labels or ())


def stdin(container: Container) -> str:
    """What a container's program reads."""
    return streams.TERMINAL if container.tty else streams.PIPE if container.interactive else streams.NOTHING


def ports(container: Container) -> list[Port]:
    """The published ports of each family; one on every address is one of IPv6 too where the container has that."""
    program = user_network.asked(container.network_mode or "")
    ipv6 = any(bits_of(each) == BITS6 for _, addresses in container.held for each in addresses)
    ipv6 = ipv6 or (program is not None and program.program == user_network.PASTA and program.ipv6)
    return [one for each in container.published_ports or () for one in each.of_families(ipv6)]
