# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled modules of a command line in one file, since looking for each takes as long as executing it.

The interpreter asks the kernel ten things for each module that it imports, here it is one: whether the source is still
as old and as large as it was. A module of which that is not so is imported as ever, and the file is written anew when
the command line ends. It lies where the interpreter keeps its compiled files, and is written when those would be.
"""
from __future__ import annotations

import marshal
import os
import sys

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


class _Loader(SourceFileLoader):
    """Executes a module's code that is at hand."""

    compiled = memoryview(b"")

    def get_code(self, fullname: str) -> object:  # type: ignore[override]
        """The code."""
        return marshal.loads(self.compiled)


class Bundle:
    """The file, as what finds modules; :meth:`use` puts it before all others that do.

    It begins with the length of its index, and what the places in that count from is the index's end. It is read at
    once: an open descriptor of it could be taken for one of the caller's.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.codes = memoryview(b"")
        self.kept: Kept = {}

    def use(self) -> None:
        """Read the file, if it is there and whole, and find modules in it from now on."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                content = memoryview(file.readall() or b"")
            start = WORD + int.from_bytes(content[:WORD], "big")
            self.kept, self.codes = dict(marshal.loads(content[WORD:start])), content[start:]
        except (OSError, ValueError, TypeError, EOFError):
            self.kept = {}
            return
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """What the import system asks for (importlib.abc.MetaPathFinder)."""
        if not self._holds(name):
            return None
        file, _, _, package, place, length = self.kept[name]
        loader = _Loader(name, file)
        loader.compiled = self.codes[place : place + length]
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
        aside = f"{self.path}.{os.getpid()}"
        try:
            content = self._content(new)
            with open(aside, "wb") as file:
                file.write(content)
            os.rename(aside, self.path)
        except OSError:
            return

    def _content(self, new: dict[str, ModuleSpec]) -> bytes:
        codes, index = b"", {}
        for name, (*about, place, length) in self.kept.items():
            if name not in new:
                index[name] = (*about, len(codes), length)
                codes += self.codes[place : place + length]
        for name, spec in new.items():
            file = spec.origin or ""
            before, code = os.stat(file), _compiled(file)
            index[name] = (file, before.st_mtime_ns, before.st_size, spec.submodule_search_locations is not None)
            index[name] += (len(codes), len(code))
            codes += code
        table = marshal.dumps(index)
        return len(table).to_bytes(WORD, "big") + table + codes


def _compiled(file: str) -> bytes:
    """The module's code without its docstrings, which nobody reads here."""
    with open(file, "rb") as source:
        return marshal.dumps(compile(source.read(), file, "exec", dont_inherit=True, optimize=2))
