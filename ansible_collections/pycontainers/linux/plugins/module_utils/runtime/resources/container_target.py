# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container on its way from what is asked for to what is planned."""
from __future__ import annotations

from ..core.model import Effect, diff
from ..core.plan import Step
from ..lean.dataclasses import dataclass
from .container_model import Container
from .image import Image
from .volume_model import Volume as NamedVolume


@dataclass(frozen=True, kw_only=True, repr=False)
class Target(Container):
    """A container as it is to be, with what was read to get there.

    ``kept`` is the record of the one there is, ``fetch`` the image as wanted and as stored, ``leftovers`` the
    ids of others of this name that a killed run has left, ``install`` what the host's runtime lacks, ``volumes_made``
    the volumes that are named and not there, ``abandoned`` the anonymous ones of the container there is that are not to
    be kept. ``prune`` says that nothing but the container there is uses its image, ``settled`` that there is nothing to
    do, ``awaited`` that it is waited for until it is healthy.
    """

    kept: Container | None = None
    fetch: tuple[Image, Image | None] | None = None
    leftovers: tuple[str, ...] = ()
    install: tuple[Step, ...] = ()
    volumes_made: tuple[NamedVolume, ...] = ()
    abandoned: tuple[str, ...] = ()
    prune: bool = False
    settled: bool = False
    awaited: bool = False


def restarts(want: Container, have: Container | None) -> bool:
    """Whether a container that runs and goes on to do so is asked to be stopped and started in between."""
    return bool(want.restart) and have is not None and want.state == have.state == "started"


def recreates(want: Container, have: Container) -> bool:
    """Whether getting from ``have`` to ``want`` takes a new container."""
    return bool(want.recreate) or any(change.effect == Effect.RECREATE for change in diff(want, have))
