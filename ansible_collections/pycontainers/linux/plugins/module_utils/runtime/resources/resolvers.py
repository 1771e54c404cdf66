# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The resolvers that a container is given: the host's, but for those that only the host itself can reach.

An address such as 127.0.0.53 is, in a container, the container's own. Where a host has nothing else, it runs
systemd-resolved, which keeps a list of the servers behind it (systemd-resolved.service(8), /etc/resolv.conf).
"""
from __future__ import annotations

from collections.abc import Sequence

from ..core import store
from .addresses import bits_of
from .name_kinds import NO_SEARCH

HOST = "/etc/resolv.conf"
BEHIND_STUB = "/run/systemd/resolve/resolv.conf"


def resolvers(
    servers: Sequence[str] = (),
    search: Sequence[str] = (),
    options: Sequence[str] = (),
    *,
    loopback: bool = False,
    forwarders: Sequence[str] = (),
    host: str = HOST,
    behind_stub: str = BEHIND_STUB,
) -> str:
    """The text of a container's resolv.conf(5): the host's lines, but for those that others are given for.

    ``loopback`` says that the host's loopback interface is the container's, with the servers there. ``forwarders`` are
    addresses of the container's network that pass questions on to the host's first server of their family.
    """
    lines = _lines(host) or []
    servers_there = [*filter(None, map(_server, lines))]
    passed_on = [each for each in forwarders if bits_of(each) in map(bits_of, servers_there)]
    if passed_on:
        lines = [*(f"nameserver {each}" for each in passed_on), *lines]
    elif not loopback and servers_there and all(map(_loopback, servers_there)):
        lines = _lines(behind_stub) or lines
    kept = [line for line in lines if loopback or not _loopback(_server(line))]
    for given, keywords in ((servers, ("nameserver",)), (search, ("search", "domain")), (options, ("options",))):
        if given:
            kept = [line for line in kept if (line.split() or [""])[0] not in keywords]
    kept += [f"nameserver {each}" for each in servers]
    kept += [f"search {' '.join(search)}"] if search and NO_SEARCH not in search else []
    kept += [f"options {' '.join(options)}"] if options else []
    return "".join(f"{line}\n" for line in kept)


def _lines(path: str) -> list[str] | None:
    content = store.read(path)
    return None if content is None else content.decode(errors="replace").splitlines()


def _server(line: str) -> str:
    """The server that a line names, the empty text if it is no such line."""
    words = line.split()
    return words[1] if len(words) > 1 and words[0] == "nameserver" else ""


def _loopback(server: str) -> bool:
    return server.startswith("127.") or server.partition("%")[0] in ("::1", "0.0.0.0", "::")
