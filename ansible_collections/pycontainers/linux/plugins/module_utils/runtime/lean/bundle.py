# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled modules of a program in one file, since looking for each takes as long as executing it.

The interpreter asks the kernel ten things for each module that it imports, here it is one: whether the source is still
as old and as large as it was. A module of which that is not so is imported as ever. Of a command line the file lies
where the interpreter keeps its compiled files, is written when those would be, and anew when the command line ends. For
tasks it is written with the runtime that is installed, as they write nothing that they do not tell.
"""
from __future__ import annotations

import errno
import marshal
import os
import sys

from .contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec, SourceFileLoader

    Kept = dict[str, tuple[str, int, int, bool, int, int]]
    """By a module's name: its file, when that was changed, its size, whether it is a package, place and length."""
else:
    # The import of importlib.machinery takes longer than all that is won here.
    ModuleSpec, SourceFileLoader = type(__spec__), type(__spec__.loader)


WORD = 4
"""Bytes of the index's length."""

LONGEST = 1 << 20
"""Bytes of an index."""

WRITABLE = 0o022
"""The bits of a file that others than its owner may write to: who runs this may be root, and they are not."""

DAMAGED = (ValueError, TypeError, EOFError, AttributeError)
"""What comes of content that nobody has written so."""


def tasks(folder: str) -> str:
    """Where the file for tasks is of the runtime whose package is installed in a folder."""
    return f"{os.path.dirname(folder)}/tasks.{sys.implementation.cache_tag}.bundle"


class _Loader(SourceFileLoader):
    """Executes a module's code out of the file."""

    bundle: Bundle
    place, length = 0, 0

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        """The code, from the source where the file is another one by now, or damaged."""
        code = None
        with suppress(OSError, *DAMAGED):
            code = marshal.loads(self.bundle.part(self.place, self.length))
        return code if isinstance(code, type(_stamp.__code__)) else super().get_code(fullname)


class Bundle:
    """The file, as what finds modules; :meth:`use` puts it before all others that do.

    It begins with the length of its index, and what the places in that count from is the index's end. It is opened for
    each part that is wanted: a descriptor that stays open could be taken for one of the caller's.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.start = WORD
        self.stamp: tuple[int, int, int] | None = None
        self.kept: Kept = {}

    def use(self) -> None:
        """Read the file, if it is there and whole, and find modules in it from now on."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if os.fstat(descriptor).st_mode & WRITABLE:
                    raise PermissionError(errno.EPERM, "anybody can write to it", self.path)
                self.stamp = _stamp(descriptor)
                length = int.from_bytes(os.pread(descriptor, WORD, 0), "big")
                self.kept = dict(marshal.loads(os.pread(descriptor, min(length, LONGEST), WORD)))
                self.start = WORD + length
            finally:
                os.close(descriptor)
        except (OSError, *DAMAGED):
            self.kept = {}
            return
        sys.meta_path.insert(0, self)

    def part(self, place: int, length: int) -> bytes:
        """So many bytes of it. Raises ``OSError`` where another file has taken its place since it was read."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if _stamp(descriptor) != self.stamp:
                raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), self.path)
            return os.pread(descriptor, length, self.start + place)
        finally:
            os.close(descriptor)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """What the import system asks for (importlib.abc.MetaPathFinder)."""
        if not self._holds(name):
            return None
        file, _, _, package, place, length = self.kept[name]
        loader = _Loader(name, file)
        loader.bundle, loader.place, loader.length = self, place, length
        spec = ModuleSpec(name, loader, origin=file, is_package=package)
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [os.path.dirname(file)]
        return spec

    def _holds(self, name: str) -> bool:
        """Whether the module is kept, and of the source that is there now."""
        if name not in self.kept:
            return False
        file, modified, size, *_ = self.kept[name]
        try:
            now = os.stat(file)
        except OSError:
            return False
        return (now.st_mtime_ns, now.st_size) == (modified, size)

    def keep(self) -> None:
        """Write the file anew if something was imported that is not in it. That it can't be written is no error."""
        specs = {name: getattr(each, "__spec__", None) for name, each in sys.modules.items()}
        new = {name: spec for name, spec in specs.items() if spec and type(spec.loader) is SourceFileLoader}
        # Some are imported before the file can be used.
        new = {name: spec for name, spec in new.items() if not self._holds(name)}
        if sys.dont_write_bytecode or not new:
            return
        with suppress(OSError):
            self._write(self._content(new))

    def fill(self, modules: dict[str, tuple[str, str]]) -> None:
        """Write the file for modules whose sources move before it is used: by name, where each is now, and is then."""
        codes = b""
        index: Kept = {}
        for name, (now, then) in modules.items():
            about, code = os.stat(now), _compiled(now, then)
            package = os.path.basename(now) == "__init__.py"
            index[name] = (then, about.st_mtime_ns, about.st_size, package, len(codes), len(code))
            codes += code
        self._write(_joined(index, codes))

    def _write(self, content: bytes) -> None:
        aside = f"{self.path}.{os.getpid()}"
        # Whatever the caller's umask is: shims have 0.
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666 & ~WRITABLE)
        try:
            with open(descriptor, "wb") as file:
                file.write(content)
            os.rename(aside, self.path)
        except OSError:
            os.unlink(aside)
            raise

    def _content(self, new: dict[str, ModuleSpec]) -> bytes:
        codes = b""
        index: Kept = {}
        for name, (file, modified, size, package, place, length) in self.kept.items():
            if name not in new:
                index[name] = (file, modified, size, package, len(codes), length)
                codes += self.part(place, length)
        for name, spec in new.items():
            file = spec.origin or ""
            before, code = os.stat(file), _compiled(file, file)
            package = spec.submodule_search_locations is not None
            index[name] = (file, before.st_mtime_ns, before.st_size, package, len(codes), len(code))
            codes += code
        return _joined(index, codes)


def _stamp(descriptor: int) -> tuple[int, int, int]:
    now = os.fstat(descriptor)
    return now.st_ino, now.st_mtime_ns, now.st_size


def _joined(index: Kept, codes: bytes) -> bytes:
    table = marshal.dumps(index)
    return len(table).to_bytes(WORD, "big") + table + codes


def _compiled(file: str, name: str) -> bytes:
    """The module's code, with its file's name, without its docstrings, which nobody reads here."""
    with open(file, "rb") as source:
        return marshal.dumps(compile(source.read(), name, "exec", dont_inherit=True, optimize=2))
