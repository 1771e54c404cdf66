# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container_copy_into`` and ``container_copy_out``: files that are to be in a container, or on the host, as given."""
from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Generic, TypeVar

from ..core.kinds import BOOL, NAME, PATH, TEXT, WHOLE, text
from ..core.layout import Layout
from ..core.model import Effect, Kind, option
from ..core.plan import Plan
from ..errors import Failure, InvalidValue, failing
from ..image import content
from ..lean.dataclasses import dataclass, field, replace
from ..oci import lifecycle, users
from .container_copy import Copy, Place, opened, pieces
from .container_kinds import LABELS
from .container_model import Container
from .container_root import root_of, view_of

LONGEST_SHOWN = 1 << 16
"""Bytes of a text that is shown as it is before and after."""

Told = tuple[tuple[str, str], ...]
W = TypeVar("W", bound="Files")


def mode(value: Any) -> int:
    """A file's mode: octal digits as text, or a number, which is what YAML reads ``0644`` as."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif text(value).removeprefix("0o").isascii() and text(value).removeprefix("0o").isdecimal():
        try:
            number = int(str(value), 8)
        except ValueError:
            number = -1
    else:
        number = -1
    if not 0 <= number <= 0o7777:
        raise ValueError("it is not a mode; give octal digits in quotes, such as '0644'")
    return number


MODE = Kind("file_mode", {"type": "raw"}, mode, lambda value: f"{value:04o}")


@dataclass(frozen=True)
class There:
    """What a comparison has found: of each path what is there and what is to be, and the same of a text's content."""

    path: str
    files: Mapping[str, tuple[str, str]]
    text: tuple[str | None, str | None]


@dataclass(frozen=True, kw_only=True)
class Files:
    """What both have. ``files`` are the paths that are to be, each with what is there; ``text`` is a file's content."""

    container: str = option(NAME, required=True)
    container_path: str | None = option(PATH, request=True)
    path: str | None = option(TEXT, request=True)
    follow: bool = option(BOOL, default=False, request=True)
    mode: int | None = option(MODE, request=True)
    files: Told | None = option(LABELS, Effect.LIVE, internal=True)
    text: str | None = option(TEXT, Effect.LIVE, internal=True)
    state: str = "present"
    there: There | None = field(default=None, compare=False)


@dataclass(frozen=True, kw_only=True)
class ContainerCopyInto(Files):
    """The rows of a copy into a container."""

    content: str | None = option(TEXT, request=True)
    content_is_b64: bool = option(BOOL, default=False, request=True)
    remote_src: bool = option(BOOL, default=False, request=True)
    local_follow: bool = option(BOOL, default=True, request=True)
    owner_id: int | None = option(WHOLE, request=True)
    group_id: int | None = option(WHOLE, request=True)
    force: bool | None = option(BOOL, request=True)


@dataclass(frozen=True, kw_only=True)
class ContainerCopyOut(Files):
    """The rows of a copy out of a container."""


@dataclass(frozen=True)
class CopyFiles(Generic[W]):
    """The step that copies. It can't be undone; each file is the old or the new one, and the next run goes on."""

    resource: FilesResource[W]
    layout: Layout
    want: W

    def describe(self) -> str:
        """From where to where."""
        return self.resource.words(self.want)

    def do(self) -> None:
        """Replace what differs."""
        with self.resource.copy(self.layout, self.want, reading=False) as copy:
            copy.run()

    def undo(self) -> None:
        """What was there before has been replaced."""
        raise Failure(f"take back: {self.describe()}", "what was there before is gone")


class FilesResource(Generic[W]):
    """Copies of files, one way or the other."""

    model: type[W]

    def words(self, want: W) -> str:
        """A line that tells what is copied."""
        raise NotImplementedError

    def copy(self, layout: Layout, want: W, *, reading: bool) -> AbstractContextManager[Copy]:
        """The copy that is asked for; nothing is touched when it is only to be compared. Raises :class:`Failure`."""
        raise NotImplementedError

    def lock(self, layout: Layout, want: W) -> AbstractContextManager[object]:
        """None: whoever reaches a container that does not run has its lock."""
        return nullcontext()

    def observe(self, layout: Layout, want: W) -> W | None:
        """What there is at the paths that are to be."""
        with self.copy(layout, want, reading=True) as copy:
            found = compared(copy)
        before = tuple((path, each) for path, (each, _) in found.files.items() if each)
        return replace(want, files=tuple(sorted(before)), text=found.text[0], there=found)

    def resolve(self, layout: Layout, want: W, have: W | None) -> W:
        """What is to be there. Raises :class:`Failure` where a folder would take the place of a file, or a file its."""
        if have is None or have.there is None:
            raise TypeError("a copy takes what observe returned")
        for path, (before, after) in have.there.files.items():
            if before and ("directory" in (before, after)) and before != after:
                reason = f"at {path} there is a {before.partition(' ')[0]}, and a {after.partition(' ')[0]} is to be"
                raise Failure(self.words(want), reason, "remove that first, or give another path")
        if getattr(want, "force", None) is False and have.files:
            return replace(want, files=have.files, text=have.text, there=have.there)
        wanted = tuple(sorted((path, each) for path, (_, each) in have.there.files.items()))
        return replace(want, files=wanted, text=have.there.text[1], there=have.there)

    def plan(self, layout: Layout, want: W, have: W | None) -> Plan:
        """Copy, if anything differs or if it is to be done always."""
        differs = have is None or want.files != have.files
        return Plan((), (CopyFiles(self, layout, want),)) if differs or getattr(want, "force", None) else Plan()

    def facts(self, layout: Layout, have: W | None) -> Mapping[str, Any]:
        """Where it is, and what is there."""
        raise NotImplementedError


def compared(copy: Copy) -> There:
    """What a copy would change. Reads only."""
    files = copy.compare()
    operation = failing(f"compare {copy.source} with {copy.target}", "try again")
    with operation, copy.item() as item, copy.end() as (folder, name, path), opened(folder, name) as there:
        before, after = None if there is None else _text(there), _text(item)
        shown = after is not None and (there is None or before is not None)
        return There(path, files, (before, after) if shown else (None, None))


def _text(item: int) -> str | None:
    """The content of a file if it is text that can be shown."""
    there = os.fstat(item)
    if not stat.S_ISREG(there.st_mode) or there.st_size > LONGEST_SHOWN:
        return None
    try:
        said = b"".join(pieces(item, there.st_size)).decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in said else said


class ContainerCopyIntoResource(FilesResource[ContainerCopyInto]):
    """Files in containers."""

    model = ContainerCopyInto

    def words(self, want: ContainerCopyInto) -> str:
        """What gets where."""
        return f"copy {want.path or 'content'} to {want.container}:{want.container_path}"

    @contextmanager
    def copy(self, layout: Layout, want: ContainerCopyInto, *, reading: bool) -> Iterator[Copy]:
        """Of a file of the host, or of content."""
        path = _checked(want)
        with ExitStack() as stack:
            source = want.path or stack.enter_context(_content(want))
            reach = view_of if reading else root_of
            container, root = stack.enter_context(reach(layout, want.container))
            _check_volumes(layout, container, path)
            owner = (want.owner_id, want.group_id)
            yield Copy(
                Place(source),
                Place(path, root, container.name),
                follow=want.path is None or want.local_follow,
                exact=True,
                always=bool(want.force),
                through=want.follow,
                owner=_user(layout, container, root) if owner[0] is None or owner[1] is None else (owner[0], owner[1]),
                mode=want.mode,
            )

    def facts(self, layout: Layout, have: ContainerCopyInto | None) -> Mapping[str, Any]:
        """The path in the container, and what is there."""
        return {"container_path": have.there.path, "files": dict(have.files or ())} if have and have.there else {}


def _checked(want: ContainerCopyInto) -> str:
    """The path in the container. Raises :class:`InvalidValue` for what is said too much or too little."""
    if want.container_path is None:
        raise InvalidValue("container_path", None, "it is needed: where to copy to in the container")
    if (want.path is None) == (want.content is None):
        raise InvalidValue("path", want.path, "exactly one of path and content says what to copy")
    if want.content is not None and want.mode is None:
        raise InvalidValue("mode", None, "content has no mode of its own", "give one, such as '0644'")
    if (want.owner_id is None) != (want.group_id is None):
        raise InvalidValue("owner_id", want.owner_id, "owner_id and group_id go together")
    for name in ("owner_id", "group_id"):
        if not 0 <= (getattr(want, name) or 0) <= users.LARGEST_ID:
            raise InvalidValue(name, getattr(want, name), f"ids are from 0 to {users.LARGEST_ID}")
    return want.container_path


@contextmanager
def _content(want: ContainerCopyInto) -> Iterator[str]:
    """A path to a file with the content, which is in memory only."""
    said = (want.content or "").encode()
    if want.content_is_b64:
        from base64 import b64decode

        try:
            said = b64decode(said, validate=False)
        except ValueError as error:
            raise InvalidValue("content", "(not shown)", f"it is not Base64 ({error})") from error
    file = os.memfd_create("content")
    try:
        with os.fdopen(os.dup(file), "wb") as writer:
            writer.write(said)
        yield f"/proc/self/fd/{file}"
    finally:
        os.close(file)


def _check_volumes(layout: Layout, container: Container, path: str) -> None:
    """Refuse a path in a volume of a container that does not run: it is not mounted there now."""
    targets = [each.target for each in container.volumes or ()] + [each.target for each in container.tmpfs or ()]
    within = [each for each in targets if f"{path}/".startswith(f"{each}/")]
    if within and lifecycle.running(layout, container.id or "") is None:
        reason = f"{within[0]} is a volume, and the container does not run"
        raise InvalidValue("container_path", path, reason, "start it, or use the volume's files on the host")


def _user(layout: Layout, container: Container, root: int) -> tuple[int, int]:
    """Whom the container's program runs as."""
    image = content.find_id(layout, container.image_id or "") if container.image_id else None
    said = container.user or str((image.config if image else {}).get("User") or "")
    found = users.user(f"/proc/self/fd/{root}", said)
    return found.uid, found.gid


class ContainerCopyOutResource(FilesResource[ContainerCopyOut]):
    """Files out of containers."""

    model = ContainerCopyOut

    def words(self, want: ContainerCopyOut) -> str:
        """What gets where."""
        return f"copy {want.container}:{want.container_path} to {want.path}"

    @contextmanager
    def copy(self, layout: Layout, want: ContainerCopyOut, *, reading: bool) -> Iterator[Copy]:
        """Of a file of a container."""
        if want.container_path is None:
            raise InvalidValue("container_path", None, "it is needed: what to copy from the container")
        if want.path is None or not want.path.startswith("/"):
            raise InvalidValue("path", want.path, "it is needed: an absolute path of the host to copy to")
        with view_of(layout, want.container) as (container, root):
            _check_volumes(layout, container, want.container_path)
            source, target = Place(want.container_path, root, container.name), Place(want.path.rstrip("/") or "/")
            yield Copy(source, target, follow=want.follow, exact=True, mode=want.mode)

    def facts(self, layout: Layout, have: ContainerCopyOut | None) -> Mapping[str, Any]:
        """The path on the host, and what is there."""
        return {"path": have.there.path, "files": dict(have.files or ())} if have and have.there else {}


CONTAINER_COPY_INTO = ContainerCopyIntoResource()
CONTAINER_COPY_OUT = ContainerCopyOutResource()
