# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who we are to a registry: stored credentials, and what a registry that wants to know them answers."""
from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ..core import store
from ..errors import Failure
from ..lean.dataclasses import dataclass
from .reference import DOCKER_HUB, Reference

IDENTITY = "<token>"
"""The user that stands before a token which is exchanged for others, in the words of Docker's helpers."""

_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_PARAMETER = re.compile(r'([a-zA-Z_]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SCHEME = re.compile(r"(?:^|,)\s*(bearer|basic)(?:\s+|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Challenge:
    """One way to log in that a registry offers: ``bearer`` by a token from the realm, or ``basic``."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def challenge(headers: list[str]) -> Challenge | None:
    """The best offer in WWW-Authenticate headers (RFC 9110, 11.6.1; distribution, "Token Authentication")."""
    offers = []
    for header in headers:
        found = _SCHEME.split(header)
        for scheme, text in zip(found[1::2], found[2::2], strict=True):
            said = {key.lower(): quoted or bare for key, quoted, bare in _PARAMETER.findall(text)}
            offers.append(Challenge(scheme.lower(), *(said.get(key, "") for key in ("realm", "service", "scope"))))
    return max(offers, key=lambda offer: offer.scheme == "bearer", default=None)


def realm(text: str, base: str) -> SplitResult | None:
    """Where a registry sends us for a token, or None if no login may go there.

    The registry at ``base`` names the place, as with Docker and podman: whom we trust with a login, we trust to name
    it. It has to be TLS. Only a registry that is spoken to in plain HTTP itself may have one of the same host in plain.
    """
    try:
        found, own = urlsplit(text), urlsplit(base)
        plain = own.scheme == "http" and found.scheme == "http" and found.hostname == own.hostname
        good = bool(found.hostname) and "@" not in found.netloc and (found.scheme == "https" or plain)
    except ValueError:
        return None
    return found if good else None


def files(environment: Mapping[str, str]) -> list[str]:
    """Where credentials are kept (containers-auth.json(5)): the file that is named, or podman's and Docker's own."""
    named = environment.get("REGISTRY_AUTH_FILE")
    if named:
        return [named]
    home, mine = environment.get("HOME") or "/root", f"/run/containers/{os.geteuid()}"
    running = environment.get("XDG_RUNTIME_DIR")
    settings = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    docker = environment.get("DOCKER_CONFIG") or f"{home}/.docker"
    folders = ([f"{running}/containers"] if running else []) + [mine, f"{settings}/containers"]
    return [*(f"{folder}/auth.json" for folder in folders), f"{docker}/config.json"]


def credentials(reference: Reference, environment: Mapping[str, str]) -> str | None:
    """``user:password`` for the reference's registry, or None. An entry for a repository beats its registry's.

    The user :data:`IDENTITY` has an identity token in the password's place. A helper that a file names for the
    registry is run, as Docker does; see :mod:`.login_helper`.
    """
    wanted = [reference.name]
    while "/" in wanted[-1]:
        wanted.append(wanted[-1].rpartition("/")[0])
    for path in files(environment):
        kept = store.read_json(path) or {}
        found = _in_file(path, kept, wanted)
        if found is not None:
            return found
    return None


def _in_file(path: str, kept: Mapping[str, Any], wanted: list[str]) -> str | None:
    """A file's login for the first of the places that it has one for.

    A helper for that place goes before what is written there, and that before the helper of the whole file.
    """
    known, helpers = (_by_place(kept.get(key)) for key in ("auths", "credHelpers"))
    everything = kept.get("credsStore")
    for place in wanted:
        if place in helpers:
            return _of_helper(path, helpers[place], place)
        if place in known:
            found = _decoded(path, place, known[place])
            # Docker leaves an empty entry for what its helper keeps.
            return _of_helper(path, everything, place) if found is None and everything else found
    return _of_helper(path, everything, wanted[-1]) if everything else None


def _of_helper(path: str, name: Any, place: str) -> str | None:
    from .login_helper import ask

    return ask(path, name, _DOCKER_HUB_KEY if place == DOCKER_HUB else place)


def _by_place(entries: Any) -> dict[str, Any]:
    return {_place(key): entry for key, entry in entries.items()} if isinstance(entries, dict) else {}


def _place(key: str) -> str:
    """A key of ``auths`` as a registry or repository: Docker writes its own as https://index.docker.io/v1/."""
    bare = re.sub(r"/v[12]/?$", "", re.sub(r"^https?://", "", key)).rstrip("/")
    return re.sub(r"^(index\.|registry-1\.)docker\.io", DOCKER_HUB, bare)


def _decoded(path: str, place: str, entry: Any) -> str | None:
    said = entry if isinstance(entry, dict) else {}
    identity = said.get("identitytoken")
    if isinstance(identity, str) and identity:
        return f"{IDENTITY}:{identity}"
    encoded = said.get("auth")
    if not encoded:
        return None
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (TypeError, ValueError, binascii.Error):
        text = ""
    if ":" not in text:
        raise Failure(f"read {path}", f"the auth of {place} is not user:password in base64", "log in to it again")
    return text.rstrip("\0\n")


def basic(text: str) -> str:
    """The value of an Authorization header (RFC 7617)."""
    return "Basic " + base64.b64encode(text.encode()).decode()
