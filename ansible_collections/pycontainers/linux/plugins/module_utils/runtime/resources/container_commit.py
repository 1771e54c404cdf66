# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container_commit``: an image of what a container has written, on top of the image that it was made from."""
from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from ..core.kinds import BOOL, NAME, TEXT
from ..core.layout import Layout
from ..core.model import Effect, option
from ..core.plan import Plan
from ..errors import Failure, InvalidValue
from ..image import build, content, garbage, healthcheck
from ..image.build import Recipe
from ..image.content import StoredImage
from ..image.instructions import applied
from ..image.pack import Packing
from ..image.reference import REFERENCE, Reference
from ..kernel import freezer
from ..kernel.cgroups import Cgroups, cgroups, exists
from ..lean.dataclasses import dataclass, replace
from . import container_state, container_words
from .container_model import Container
from .container_rootfs import written
from .image_facts import inspect
from .image_kinds import INSTRUCTIONS


@dataclass(frozen=True, kw_only=True)
class ContainerCommit:
    """The rows of a commit. ``id`` is the image's."""

    container: str = option(NAME, required=True)
    image: Reference | None = option(REFERENCE)
    changes: tuple[str, ...] | None = option(INSTRUCTIONS, request=True)
    author: str = option(TEXT, default="", request=True)
    comment: str = option(TEXT, default="", request=True)
    pause: bool = option(BOOL, default=True, request=True)
    id: str | None = option(TEXT, Effect.RECREATE, internal=True)
    state: str = "present"
    source: Container | None = None
    stored: StoredImage | None = None


@dataclass(frozen=True)
class Commit:
    """The step that makes the image. ``before`` is what its name stands for now."""

    layout: Layout
    want: ContainerCommit
    name: Reference
    before: StoredImage | None

    def describe(self) -> str:
        """The container and the image's name."""
        return f"commit container {self.want.container} as image {self.name}"

    def do(self) -> None:
        """Pack what the container has written by now, while it is held still if that is wanted."""
        container = _source(self.want)
        # The store's lock first: a container is not held still while somebody pulls.
        with content.lock(self.layout), _still(container) if self.want.pause else nullcontext():
            made = recipe(self.layout, self.want)
            with _upper(self.layout, container) as upper:
                packing = Packing(upper, overlay=True)
                build.build(self.layout, made, packing, _base(self.layout, container), (self.name,))

    def undo(self) -> None:
        """Let the name stand for what it stood for, and remove what nothing uses."""
        with content.lock(self.layout):
            content.set_entry(self.layout, self.name, self.before.entry if self.before else None)
            garbage.prune(self.layout)


@contextmanager
def _still(container: Container) -> Iterator[None]:
    """Hold a container's processes still, if it has any and they are not held by somebody else."""
    groups, path = cgroups(), container_state.cgroup(container)
    if not exists(groups, path) or freezer.frozen(groups, path):
        yield
        return
    with _guarded(groups, path):
        freezer.freeze(groups, path)
        try:
            yield
        finally:
            freezer.thaw(groups, path)


@contextmanager
def _guarded(groups: Cgroups, path: str) -> Iterator[None]:
    """Have a process beside that lets a cgroup go on when this one is killed: nobody else knows who has frozen it."""
    reader, writer = os.pipe()
    guard = os.fork()
    if guard == 0:
        try:
            os.setsid()  # what is sent to a terminal's group does not end it
            os.close(writer)
            os.read(reader, 1)
            freezer.thaw(groups, path)
        finally:
            os._exit(0)
    os.close(reader)
    try:
        yield
    finally:
        os.close(writer)
        with suppress(ChildProcessError):  # where SIGCHLD is ignored, the kernel waits itself
            os.waitpid(guard, 0)


def _source(want: ContainerCommit) -> Container:
    if want.source is None:
        raise TypeError("a commit takes what resolve returned")
    return want.source


@contextmanager
def _upper(layout: Layout, container: Container) -> Iterator[str]:
    """Where a container writes. Raises :class:`Failure` if it has never been started."""
    if not os.path.isdir(layout.container(container.id or "", "upper")):
        raise Failure(f"commit container {container.name}", "it has never been started", "start it first")
    with written(layout, container) as upper:
        yield upper


def _base(layout: Layout, container: Container) -> StoredImage:
    found = content.find_id(layout, container.image_id or "") if container.image_id else None
    if found is None:
        reason = f"its image {container.image_id} is not in the store"
        raise Failure(f"commit container {container.name}", reason, "pull or load that image again")
    return found


def recipe(layout: Layout, want: ContainerCommit) -> Recipe:
    """The image that the container would become now. Reads all that it has written.

    It was created when the latest file was changed, so a container that writes nothing is the same image again.
    """
    container = _source(want)
    base = _base(layout, container)
    build.layers_below(layout, base, f"commit container {container.name}")
    config = applied(_config(container, base.config), want.changes or ())
    by = " ".join(container_words.arguments(container, base.config))
    with _upper(layout, container) as upper:
        return build.recipe_of_changes(upper, build.base_config(layout, base), config, by, want.comment, want.author)


def _config(container: Container, image: Mapping[str, Any]) -> dict[str, Any]:
    """What a container of the image runs: what the container was told to, over what its image says."""
    own = {
        "Cmd": list(container.command) if container.command is not None else None,
        "Entrypoint": list(container.entrypoint) if container.entrypoint is not None else None,
        "User": container.user,
        "WorkingDir": container.working_dir,
        "StopSignal": container.stop_signal,
        "Env": container_words.environment(container, image),
        "Labels": container_words.labels(container, image),
        "Healthcheck": healthcheck.to_image(healthcheck.merged(container.healthcheck, healthcheck.of_image(image))),
    }
    # A command of the image was meant for the image's entry point.
    kept = {key: value for key, value in image.items() if key != "Cmd" or container.entrypoint is None}
    return kept | {key: value for key, value in own.items() if value}


class ContainerCommitResource:
    """Images made of containers."""

    model = ContainerCommit

    def lock(self, layout: Layout, want: ContainerCommit) -> AbstractContextManager[object]:
        """The container's, so that it is neither replaced nor removed meanwhile."""
        return container_state.lock(layout, want.container)

    def observe(self, layout: Layout, want: ContainerCommit) -> ContainerCommit | None:
        """What the image's name stands for now."""
        stored = content.find(layout, want.image) if want.image else None
        return replace(want, id=stored.id, stored=stored) if stored else None

    def resolve(self, layout: Layout, want: ContainerCommit, have: ContainerCommit | None) -> ContainerCommit:
        """The image that the container would be now."""
        if want.image is None:
            raise InvalidValue("image", None, "the new image needs a name", "such as registry.example.com/web:tuned")
        container = container_state.find(layout, want.container)
        want = replace(want, source=container)
        return replace(want, id=recipe(layout, want).id)

    def plan(self, layout: Layout, want: ContainerCommit, have: ContainerCommit | None) -> Plan:
        """Make the image, unless the name stands for it already."""
        if want.image is None or (have is not None and have.id == want.id):
            return Plan()
        return Plan((Commit(layout, want, want.image, have.stored if have else None),))

    def facts(self, layout: Layout, have: ContainerCommit | None) -> Mapping[str, Any]:
        """The image as ``docker image inspect`` shows it, or nothing."""
        return {"image": inspect(have.stored)} if have and have.stored else {}


CONTAINER_COMMIT = ContainerCommitResource()
