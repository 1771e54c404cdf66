# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What registries have: repositories by a word, and the tags of one.

Docker Hub and some others search by themselves (Docker Registry HTTP API V1, "Search"); of the rest the whole catalog
is read, in pages, and only so many. What a registry says is shown to people, so nothing unprintable gets through.
"""
from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from ..core.layout import Layout
from ..errors import Failure, NotFound
from ..lean.dataclasses import dataclass
from .reference import DOCKER_HUB, Reference, parse_reference
from .registry import LARGEST_MANIFEST, Registry

PAGE = 100
"""How many are asked for at once: what Docker Hub gives at most, and few enough for any registry's own limit."""

MOST_PAGES = 200
LONGEST_DESCRIPTION = 500

_INDEX = "https://index.docker.io"
_NEXT = re.compile(r"<([^>]*)>\s*;[^,]*\brel=\"?next\b", re.ASCII)


@dataclass(frozen=True)
class Repository:
    """A repository that was found, in the words of Docker's API ("Search images"), but for ``name``: with registry."""

    name: str
    description: str = ""
    star_count: int = 0
    is_official: bool = False


@dataclass(frozen=True)
class Findings:
    """Repositories as the registry ranks them, or tags by name; ``truncated`` if there are, or may be, more of them."""

    repositories: tuple[Repository, ...] = ()
    tags: tuple[str, ...] = ()
    truncated: bool = False


class Refused(NotFound):
    """An answer that is not what was asked for, and stays so."""


def search(layout: Layout, registry: str, term: str, limit: int) -> Findings:
    """Repositories of a registry that a word leads to."""
    asked = _Lists(layout, Reference(registry, ""), f"search {registry} for {term!r}")
    if registry == DOCKER_HUB:
        return asked.index(_INDEX, term, limit)
    with contextlib.suppress(Refused):
        return asked.index(asked.root, term, limit)
    return asked.catalog(term, limit)


def tags(layout: Layout, repository: Reference, limit: int) -> Findings:
    """The tags of a repository."""
    asked = _Lists(layout, repository, f"list the tags of {repository.name}")
    found: list[str] = []
    for said, more in asked.pages(f"{asked.base}/tags/list?{urlencode({'n': min(limit, PAGE)})}"):
        listed = said.get("tags") or []
        # By the specification they are in order; the reference registry gives them as they lie on its disk.
        found += sorted(each for each in listed if isinstance(each, str) and each.isprintable())
        if len(found) > limit or (len(found) == limit and more):
            return Findings(tags=tuple(found[:limit]), truncated=True)
    return Findings(tags=tuple(found), truncated=more)


class _Lists(Registry):
    """A registry whose lists are read."""

    @property
    def root(self) -> str:
        """The URL of the registry's host."""
        return f"{'http' if self.plain else 'https'}://{self.host}"

    def index(self, root: str, term: str, limit: int) -> Findings:
        """Ask a registry that searches by itself. Raises :class:`Refused` if it does not."""
        found: list[Repository] = []
        for number in range(1, MOST_PAGES + 1):
            query = urlencode({"q": term, "n": min(limit, PAGE), "page": number})
            said, _ = self._page(f"{root}/v1/search?{query}")
            listed = said.get("results")
            if not isinstance(listed, list):
                raise Refused(self.operation, f"{urlsplit(root).netloc} answered with no list of results")
            found += self._repositories(listed)
            pages = said.get("num_pages")
            more = isinstance(pages, int) and number < pages and bool(listed)
            if len(found) >= limit or not more:
                break
        return Findings(tuple(found[:limit]), truncated=more or len(found) > limit)

    def catalog(self, term: str, limit: int) -> Findings:
        """Read the names of all repositories ("Listing Repositories"), and keep those that have the word in them."""
        found: list[Repository] = []
        for said, more in self.pages(f"{self.root}/v2/_catalog?n={PAGE}"):
            names = said.get("repositories") or []
            fitting = [{"name": each} for each in names if isinstance(each, str) and term.lower() in each]
            found += self._repositories(fitting)
            if len(found) > limit or (len(found) == limit and more):
                return Findings(tuple(found[:limit]), truncated=True)
        return Findings(tuple(found), truncated=more)

    def _repositories(self, listed: list[Any]) -> Iterator[Repository]:
        """What can be pulled of what was listed."""
        for each in listed:
            try:
                name = parse_reference(f"{self.reference.registry}/{each['name']}").name
            except (ValueError, KeyError, TypeError):
                continue
            words, stars = str(each.get("description") or "").split(), each.get("star_count")
            text = "".join(char for char in " ".join(words) if char.isprintable())[:LONGEST_DESCRIPTION]
            yield Repository(name, text, stars if type(stars) is int else 0, each.get("is_official") is True)

    def pages(self, url: str) -> Iterator[tuple[dict[str, Any], bool]]:
        """A list's pages, each with whether there is another one (RFC 5988, rel="next"), up to a bound."""
        for _ in range(MOST_PAGES):
            said, link = self._page(url)
            yield said, bool(link)
            if not link:
                return
            # Only where to go on is taken: a registry behind a proxy may not know its own name.
            parts = urlsplit(urljoin(url, link))
            url = f"{self.root}{parts.path}?{parts.query}"

    def _page(self, url: str) -> tuple[dict[str, Any], str]:
        def ask() -> tuple[dict[str, Any], str]:
            with contextlib.closing(self.ask(url, "GET", "application/json")) as answer:
                if answer.status != 200:
                    raise self._denied(answer.status, *self._said(answer))
                content = self._bounded(answer, LARGEST_MANIFEST, "the list")
                link = _NEXT.search(", ".join(answer.headers.get_all("Link") or []))
            try:
                said = json.loads(content)
            except (ValueError, RecursionError):
                said = None
            if not isinstance(said, dict):
                raise Refused(self.operation, f"{urlsplit(url).netloc} answered with no JSON object")
            return said, link[1] if link else ""

        return self._trying(ask)

    def _denied(self, status: int, code: str, message: str, said: str) -> Failure:
        words = f": {message}" if message else ""
        if status in (401, 403):
            return Refused(self.operation, f"{self.host} does not let us {said}{words}", self._login_fix())
        if status == 404 and self.reference.repository:
            return Refused(self.operation, f"the registry has no such repository {said}", "correct the name")
        if status in (404, 405):
            fix = "name the repository, and list its tags"
            return Refused(self.operation, f"{self.host} tells nobody what repositories it has {said}", fix)
        return Refused(self.operation, f"{self.host} answered {said}{words}")
