# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry for one test: on 127.0.0.1, at a port of its own, gone afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import server
from .images import images


@contextmanager
def registry(
    directory: Path, *, filled: bool = True, settings: server.Settings | None = None
) -> Iterator[server.Server]:
    """Run a registry whose storage, configuration and log are in `directory`, for the time of the block.

    Filled, it has `nginx` (latest, next, the version) and `busybox` (latest, docker, multi), which the first call on a
    machine has to build (see `images`); otherwise it is as the directory leaves it. `settings` are further ones of its
    configuration. Errors: RegistryFailure.
    """
    storage = directory / "storage"
    if filled and not storage.exists():
        server.fill(storage, images().storage)
    with server.serve(directory, storage, listen="127.0.0.1:0", settings=settings) as running:
        yield running
