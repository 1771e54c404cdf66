# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root of a container, for whoever copies files to or from it."""
from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from ..core.layout import Layout
from ..errors import Failure, failing
from ..image import content
from ..kernel.mounts import mounted
from ..kernel.process import Process
from ..oci import lifecycle
from . import container_state, image_mount, storage_opts
from .container_model import Container
from .container_rootfs import MountRootfs, written


@contextmanager
def root_of(layout: Layout, wanted: str) -> Iterator[tuple[Container, int]]:
    """A container and the descriptor of its root: as its program sees it, or mounted meanwhile if it does not run.

    One that does not run is kept from starting, but for one that its policy is about to start again. Raises
    :class:`Failure`.
    """
    container = container_state.find(layout, wanted)
    process = lifecycle.begun(layout, container.id or "")
    if process is not None:
        with _of_process(layout, container, process) as descriptor:
            yield container, descriptor
        return
    with container_state.lock(layout, container.name):
        if lifecycle.running(layout, container.id or "") is not None:
            raise Failure(f"reach the files of container {container.name}", "it was started meanwhile", "try again")
        merged, step = layout.container(container.id or "", "merged"), MountRootfs(layout, container)
        # Between two runs it is mounted, and the next run takes it as it is. Else it is what a killed run has left.
        kept = lifecycle.waiter(layout, container.id or "") is not None and mounted(merged) is not None
        if not kept:
            step.do()
        try:
            descriptor = os.open(merged, os.O_PATH | os.O_DIRECTORY)
            try:
                yield container, descriptor
            finally:
                os.close(descriptor)
        finally:
            if not kept:
                step.undo()


@contextmanager
def view_of(layout: Layout, wanted: str) -> Iterator[tuple[Container, int]]:
    """The same to be read only: of one that does not run nothing is made, and nothing stays mounted."""
    container = container_state.find(layout, wanted)
    process = lifecycle.begun(layout, container.id or "")
    if process is not None:
        with _of_process(layout, container, process) as descriptor:
            yield container, descriptor
        return
    image = content.find_id(layout, container.image_id or "")
    if image is None:
        reason = f"its image {container.image_id} is not in the store"
        raise Failure(f"reach the files of container {container.name}", reason, "pull the image again")
    # Where what it has written must be mounted for the look, nobody else may do so, or start it, meanwhile.
    alone = storage_opts.has_image(layout, container.id or "")
    with container_state.lock(layout, container.name) if alone else nullcontext(), written(layout, container) as upper:
        layers = (upper, *image.layers) if os.path.isdir(upper) else image.layers
        with failing(f"reach the files of container {container.name}"), content.lock(layout):
            tree = image_mount.detached(layout, layers, upper)
        try:
            yield container, tree
        finally:
            os.close(tree)
            shutil.rmtree(layout.overlay(upper), ignore_errors=True)


@contextmanager
def _of_process(layout: Layout, container: Container, process: Process) -> Iterator[int]:
    with failing(f"reach the files of container {container.name}", "try again"):
        descriptor = os.open(f"/proc/{process.pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if lifecycle.running(layout, container.id or "") != process:
            raise Failure(f"reach the files of container {container.name}", "it ended meanwhile", "try again")
        yield descriptor
    finally:
        os.close(descriptor)
