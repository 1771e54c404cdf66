# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container_info``: what there is to know of containers, and what they have written last."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import ids
from ..core.kinds import TEXTS
from ..core.layout import Layout
from ..core.model import option
from ..core.question import Question
from ..lean.dataclasses import dataclass
from . import supervise
from .container_facts import inspect
from .container_logs import tail
from .container_model import SECONDS, Container


@dataclass(frozen=True, kw_only=True)
class ContainerInfo:
    """The rows of a question. ``name`` are names or ids, ``labels`` are KEY or KEY=VALUE; left out, all are meant."""

    name: tuple[str, ...] | None = option(TEXTS, request=True)
    labels: tuple[str, ...] | None = option(TEXTS, request=True)
    logs: int | None = option(SECONDS, request=True)
    state: str = "present"


class ContainerInfoResource(Question[ContainerInfo]):
    """The containers of one host."""

    model = ContainerInfo

    def facts(self, layout: Layout, have: ContainerInfo | None) -> Mapping[str, Any]:
        """The containers that there are of those asked for, by name, and a line for each that can't be read."""
        want = have or ContainerInfo()
        found, failures = supervise.named(layout)
        told = [inspect(layout, each) for each in found if want.name is None or _is_named(each, want.name)]
        told = [each for each in told if _is_labelled(each["Config"]["Labels"], want.labels or ())]
        if want.logs is not None:
            told = [{**each, "Logs": tail(layout, each["Id"], want.logs)} for each in told]
        return {"containers": sorted(told, key=lambda each: str(each["Name"])), "failures": failures}


def _is_named(container: Container, names: tuple[str, ...]) -> bool:
    return any(name and (name == container.name or ids.begins(container.id or "", name)) for name in names)


def _is_labelled(labels: Mapping[str, str], wanted: tuple[str, ...]) -> bool:
    pairs = (each.partition("=") for each in wanted)
    return all(key in labels and (not equals or labels[key] == value) for key, equals, value in pairs)


CONTAINER_INFO = ContainerInfoResource()
