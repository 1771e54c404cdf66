# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What registries have. Asking changes nothing, so there is never anything to do."""
from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.kinds import TEXT, whole
from ..core.layout import Layout
from ..core.model import Kind, option
from ..core.question import Question
from ..errors import Failure
from ..image.reference import DOCKER_HUB, REFERENCE, Reference, parse_reference
from ..lean.dataclasses import asdict, dataclass, replace

if TYPE_CHECKING:
    from ..image.search import Findings

MOST = 10_000


def registry(value: Any) -> str:
    """A registry as references have it: a host with a dot in it or a port, or ``localhost``."""
    found = parse_reference(f"{value}/some/repository")
    if found.repository != "some/repository":
        raise ValueError("it is no registry: write host.domain or host:port")
    return found.registry


def limit(value: Any) -> int:
    """How many results there may be."""
    found = whole(value)
    if not 1 <= found <= MOST:
        raise ValueError(f"it is not between 1 and {MOST}")
    return found


REGISTRY = Kind("registry", {"type": "str"}, registry)
LIMIT = Kind("limit", {"type": "int"}, limit)


@dataclass(frozen=True, kw_only=True)
class ImageSearch:
    """The rows of a question to a registry. ``found`` is its answer."""

    query: str | None = option(TEXT)
    repository: Reference | None = option(REFERENCE)
    registry: str = option(REGISTRY, default=DOCKER_HUB)
    limit: int = option(LIMIT, default=25)
    state: str = option(TEXT, default="present", choices=("present",), internal=True)
    found: Findings | None = None


class ImageSearchResource(Question[ImageSearch]):
    """Questions to registries."""

    model = ImageSearch

    def observe(self, layout: Layout, want: ImageSearch) -> ImageSearch:
        """Ask the registry. Raises :class:`Failure` if there is no question, or two."""
        from ..image.search import search, tags

        if want.query and not want.repository:
            return replace(want, found=search(layout, want.registry, want.query, want.limit))
        if want.repository and not want.query:
            return replace(want, found=tags(layout, want.repository, want.limit))
        raise Failure("search", "it is one of query and repository that is needed", "give query, or give repository")

    def facts(self, layout: Layout, have: ImageSearch | None) -> Mapping[str, Any]:
        """The answer."""
        if have is None or have.found is None:
            return {}
        found = have.found
        if have.repository:
            return {"tags": list(found.tags), "truncated": found.truncated}
        return {"repositories": [asdict(each) for each in found.repositories], "truncated": found.truncated}


IMAGE_SEARCH = ImageSearchResource()
