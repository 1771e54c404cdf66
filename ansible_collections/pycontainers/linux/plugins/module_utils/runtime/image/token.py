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
from dataclasses import dataclass
from typing import Any

from ..core import store
from ..errors import Failure
from .reference import DOCKER_HUB, Reference

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


def files(environment: Mapping[str, str]) -> list[str]:
    """Where credentials are kept (containers-auth.json(5)): the file that is named, or podman's and Docker's own."""
    named = environment.get("REGISTRY_AUTH_FILE")
    if named:
        return [named]
    docker = environment.get("DOCKER_CONFIG") or f"{environment.get('HOME') or '/root'}/.docker"
    return [f"/run/containers/{os.geteuid()}/auth.json", f"{docker}/config.json"]


def credentials(reference: Reference, environment: Mapping[str, str]) -> str | None:
    """``user:password`` for the reference's registry, or None. An entry for a repository beats its registry's.

    Only ``auths`` are read: a credential helper would be a program of somebody's to run.
    """
    wanted = [reference.name]
    while "/" in wanted[-1]:
        wanted.append(wanted[-1].rpartition("/")[0])
    for path in files(environment):
        auths = (store.read_json(path) or {}).get("auths")
        known = {_place(key): entry for key, entry in auths.items()} if isinstance(auths, dict) else {}
        for place in wanted:
            if place in known:
                return _decoded(path, place, known[place])
    return None


def _place(key: str) -> str:
    """A key of ``auths`` as a registry or repository: Docker writes its own as https://index.docker.io/v1/."""
    bare = re.sub(r"/v[12]/?$", "", re.sub(r"^https?://", "", key)).rstrip("/")
    return re.sub(r"^(index\.|registry-1\.)docker\.io", DOCKER_HUB, bare)


def _decoded(path: str, place: str, entry: Any) -> str | None:
    encoded = entry.get("auth") if isinstance(entry, dict) else None
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
