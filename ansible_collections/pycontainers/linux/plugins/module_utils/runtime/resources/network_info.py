# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``bridge_network_info``: what there is to know of networks, as they are declared and as the kernel has them."""
from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..core import store
from ..core.kinds import TEXTS
from ..core.layout import Layout
from ..core.model import option
from ..core.question import Question
from ..lean.dataclasses import dataclass
from .network import NETWORK
from .network_model import Network, names


@dataclass(frozen=True, kw_only=True)
class NetworkInfo:
    """The rows of a question. ``name`` are networks; left out, all are meant."""

    name: tuple[str, ...] | None = option(TEXTS, request=True)
    state: str = "present"


class NetworkInfoResource(Question[NetworkInfo]):
    """The networks of one host."""

    model = NetworkInfo

    def lock(self, layout: Layout, want: NetworkInfo) -> AbstractContextManager[object]:
        """That of all networks, with others who only look: a change is seen before or after it."""
        return store.lock(layout.lock("networks"), shared=True)

    def facts(self, layout: Layout, have: NetworkInfo | None) -> Mapping[str, Any]:
        """The networks that there are of those asked for, by name."""
        asked = None if have is None else have.name
        found = [each for each in names(layout) if asked is None or each in asked]
        return {"networks": [facts(layout, each) for each in found]}


def facts(layout: Layout, name: str) -> Mapping[str, Any]:
    """One network as ``docker network inspect`` shows it; empty if there is none."""
    found: Mapping[str, Any] = NETWORK.facts(layout, NETWORK.observe(layout, Network(name=name)))["network"]
    return found


NETWORK_INFO = NetworkInfoResource()
