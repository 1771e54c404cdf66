# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which containers use which volumes: their records say so, and no other list is kept."""
from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from . import container_state, container_volumes, volume_model


def users(layout: Layout, gone: frozenset[str] = frozenset()) -> dict[str, dict[str, str]]:
    """The names of the containers that use each volume, by their ids; but for those that are ``gone``."""
    found: dict[str, dict[str, str]] = {}
    images: dict[str, Mapping[str, Any]] = {}
    for identity in container_state.identities(layout):
        if identity in gone:
            continue
        try:
            container = container_state.load(layout, identity)
        except Failure:
            title, names = identity[:12], _mentioned(layout, identity)
        else:
            if container is None:
                continue
            image = container.image_id or ""
            if image not in images:
                images[image] = container_volumes.image_config(layout, container)
            title, names = container.name, container_volumes.names(container, images[image])
        for name in names:
            found.setdefault(name, {})[identity] = title
    return found


def _mentioned(layout: Layout, identity: str) -> set[str]:
    """The volumes whose names are in a record that can't be read: they may well be in use."""
    text = b""
    with suppress(OSError):
        text = store.read(container_state.record_path(layout, identity)) or b""
    held = volume_model.held(layout, identity)
    own = {each for each in volume_model.names(layout) if each.encode() in text}
    return {*own, *held, *_made_for(layout, identity)}


def _made_for(layout: Layout, identity: str) -> set[str]:
    found = set()
    for each in volume_model.names(layout):
        with suppress(Failure):
            known = volume_model.load(layout, each)
            if known and known.anonymous == identity:
                found.add(each)
    return found
