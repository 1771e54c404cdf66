# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an image can be had: the mirrors of its registry, and the registry itself.

What one of them can't give is asked of the next. All is verified by digest; only what a tag stands for is
believed of a mirror as it is of the registry.
"""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from ..core.layout import Layout
from ..errors import Failure
from .reference import Reference
from .registries import mirrors
from .registry import Manifest, Registry

T = TypeVar("T")


class Sources:
    """A reference's mirrors and registry, in the order in which they are asked. ``stop`` ends all requests."""

    def __init__(self, layout: Layout, reference: Reference) -> None:
        self.operation = f"pull {reference}"
        self.stop = threading.Event()
        named = [*mirrors(layout, reference), reference]
        self._left = [Registry(layout, each, self.operation, self.stop) for each in named]

    def digest(self) -> str:
        """See :meth:`.registry.Registry.digest`."""
        return self.first(lambda registry: registry.digest())

    def manifest(self, target: str) -> Manifest:
        """See :meth:`.registry.Registry.manifest`."""
        return self.first(lambda registry: registry.manifest(target))

    def small(self, digest: str, size: int) -> bytes:
        """See :meth:`.registry.Registry.small`."""
        return self.first(lambda registry: registry.small(digest, size))

    def first(self, ask: Callable[[Registry], T]) -> T:
        """What the first one gives that can. A mirror that failed is not asked any more.

        The failure, if all fail, is the registry's own, with what its mirrors said.
        """
        said: list[str] = []
        for registry in tuple(self._left):
            try:
                return ask(registry)
            except Failure as failure:
                if registry is self._left[-1] or self.stop.is_set():
                    raise self._told(failure, said) from failure
                said.append(f"the mirror {registry.host}: {failure.reason}")
                if registry in self._left:
                    self._left.remove(registry)
        raise AssertionError("there is always the registry itself")

    def _told(self, failure: Failure, said: list[str]) -> Failure:
        if not said:
            return failure
        return type(failure)(failure.operation, f"{failure.reason} (before that, {'; '.join(said)})", failure.fix)
