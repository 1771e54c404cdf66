# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""References: the names under which registries hold images.

The grammar is the distribution specification's (spec.md, "Pulling manifests"); what may be left out, and what
it then stands for, is Docker's: ``nginx`` is ``docker.io/library/nginx:latest``.
"""
from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from ..core.model import Kind
from ..lean.dataclasses import dataclass

DOCKER_HUB = "docker.io"
DEFAULT_TAG = "latest"
LONGEST_NAME = 255
"""Characters of registry and repository together, as Docker counts them."""

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, order=True)
class Reference:
    """An image by registry, repository and tag, digest or both; the digest then decides and the tag is a remark."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def target(self) -> str:
        """What a registry is asked for: the digest, else the tag."""
        return self.digest or self.tag or DEFAULT_TAG

    def __str__(self) -> str:
        """The canonical text; :func:`parse_reference` reads it back."""
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def is_digest(text: str) -> bool:
    """Whether the text is a digest of the one algorithm that registries use, sha256 in lower case."""
    return _DIGEST.fullmatch(text) is not None


def parse_reference(value: Any) -> Reference:
    """A reference as people write it, such as ``nginx:1.27`` or ``10.0.0.1:5000/app/web@sha256:…``.

    Raises ``ValueError`` with the reason.
    """
    if isinstance(value, Reference):
        return value
    if not isinstance(value, str):
        raise ValueError("it is not text")
    return _parsed(value)


@lru_cache
def _parsed(value: str) -> Reference:
    """The same for text. Many containers are of few images."""
    if not value:
        raise ValueError("it is empty")
    if value != value.strip() or any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("it contains a space or a control character")
    if "://" in value:
        raise ValueError("a reference has no scheme: leave out what stands before '://' and the '://'")
    if _HEXADECIMAL.fullmatch(value):
        raise ValueError("it is a bare digest: write repository@sha256:…")
    rest, at, digest = value.partition("@")
    if at and not is_digest(digest):
        raise ValueError(f"the digest {digest!r} is not sha256: and 64 of 0-9a-f")
    path, tag = _split_tag(rest)
    if tag is not None and not _TAG.fullmatch(tag):
        raise ValueError(f"the tag {tag!r} is not 1 to 128 letters, digits, '_', '.', '-' (the first no '.' or '-')")
    registry, repository = _split_registry(path)
    if len(registry) + 1 + len(repository) > LONGEST_NAME:
        raise ValueError(f"registry and repository have more than {LONGEST_NAME} characters")
    return Reference(registry, repository, tag or (None if at else DEFAULT_TAG), digest or None)


def _split_tag(text: str) -> tuple[str, str | None]:
    """A colon before the last slash belongs to a port, one after it to the tag."""
    head, colon, tag = text.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (text, None)


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if slash and (any(char in first for char in ".:[") or first.lower() == "localhost"):
        registry, repository = first.lower(), rest
    else:
        registry, repository = DOCKER_HUB, text
    if not _REGISTRY.fullmatch(registry):
        raise ValueError(f"{first!r} is neither a registry (host or host:port) nor a part of a repository")
    port = registry.rpartition("]")[2].partition(":")[2]
    if port and not 0 < int(port) < 1 << 16:
        raise ValueError(f"the registry {first!r} has a port that is not 1 to 65535")
    if registry == "index.docker.io":
        registry = DOCKER_HUB
    for part in repository.split("/"):
        _check_part(part)
    if registry == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    return registry, repository


def _check_part(part: str) -> None:
    if _PART.fullmatch(part):
        return
    if not part:
        raise ValueError("a part of the repository is empty")
    if part.lower() != part:
        raise ValueError(f"{part!r} is in upper case: repositories are in lower case")
    raise ValueError(f"{part!r} is no part of a repository: letters and digits with '.', '_', '__' or '-' in between")


REFERENCE = Kind("reference", {"type": "str"}, parse_reference, str)
"""The kind of option rows that name an image."""
