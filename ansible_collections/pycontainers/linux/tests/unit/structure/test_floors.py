# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

COLLECTION = Path(__file__).parents[3]
PLUGINS = COLLECTION / "plugins"
RUNTIME = PLUGINS / "module_utils/runtime"
ROOMS = {
    "lean": 0, "typed": 0, "errors": 1, "core": 2, "kernel": 2,
    "oci": 3, "image": 3, "resources": 4, "cli": 5,
}
"""The floor that each room of the runtime is on."""

LONGEST = 400
HEADER = """\
# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""
NEVER_CALLED = "_whole"
"""The function of resources/service.py that names, for Ansible's archive, what nothing below imports."""


def sources(folder: Path) -> list[Path]:
    """The Python files below a folder, without what tools leave there."""
    found = (path for path in sorted(folder.rglob("*.py")) if "output" not in path.parts)
    return [path for path in found if "__pycache__" not in path.parts]


def name(path: Path) -> str:
    """A file of the runtime as a module's name below it; a package is named like its folder."""
    return ".".join(path.relative_to(RUNTIME).with_suffix("").parts).removesuffix("__init__").removesuffix(".")


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


MODULES = {name(path): path for path in sources(RUNTIME)}
each_module = pytest.mark.parametrize("module", [module for module in MODULES if module])
each_file = pytest.mark.parametrize(
    "path", sources(COLLECTION), ids=lambda path: str(path.relative_to(COLLECTION)).removesuffix(".py")
)


def nodes(top: ast.AST, skipped: tuple[str, ...] = ()) -> Iterator[ast.AST]:
    """All nodes below one, also those in functions, but for functions and conditions of these names."""
    for each in ast.iter_child_nodes(top):
        named = each.name if isinstance(each, ast.FunctionDef) else each.test if isinstance(each, ast.If) else ""
        if (named.id if isinstance(named, ast.Name) else named) not in skipped:
            yield each
            yield from nodes(each, skipped)


def imported(module: str, *skipped: str) -> set[str]:
    """The modules of the runtime that one imports anywhere, in functions too, but not in those that are skipped."""
    path, found = MODULES[module], set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for each in nodes(tree(path), skipped):
        if isinstance(each, ast.ImportFrom) and each.level:
            above = package[: len(package) - each.level + 1]
            source = ".".join([*above, *filter(None, [each.module])])
            for alias in each.names:
                inner = f"{source}.{alias.name}".lstrip(".")
                found.add(inner if inner in MODULES else source)
    return found


def room(module: str) -> str:
    """The room that a module is in."""
    return module.partition(".")[0]


def test_every_room_has_a_floor() -> None:
    """There is no room in the runtime but those that are known here."""
    assert {room(module) for module in MODULES if module} == set(ROOMS)


@each_module
def test_imports_go_down(module: str) -> None:
    """A module imports from its own room and from floors below: never upwards, nor from the room next door."""
    wrong = {
        other
        for other in imported(module, NEVER_CALLED)
        if room(other) != room(module) and ROOMS[room(other)] >= ROOMS[room(module)]
    }
    assert wrong == set()


@each_module
def test_imports_are_relative(module: str) -> None:
    """The runtime imports the standard library, pyroute2 and decompressors by name, and itself by relative names.

    On a host it is installed under another name than in the collection.
    """
    absolute = {
        alias.name if isinstance(each, ast.Import) else str(each.module)
        for each in nodes(tree(MODULES[module]))
        if isinstance(each, ast.Import) or (isinstance(each, ast.ImportFrom) and not each.level)
        for alias in each.names
    }
    assert not any(each.partition(".")[0] in ("ansible_collections", "ansible", "runtime") for each in absolute)


def test_there_are_no_circles() -> None:
    """No module imports itself by way of others, not even from inside a function; what only types need is no import."""
    ahead: list[list[str]] = [[module] for module in MODULES if module]
    done: set[str] = set()
    while ahead:
        way = ahead.pop()
        if way[-1] in done:
            continue
        further = [other for other in imported(way[-1], NEVER_CALLED, "TYPE_CHECKING") if other not in done]
        assert not set(further) & set(way), f"{' -> '.join(way)} -> {set(further) & set(way)}"
        if further:
            ahead += [way, *([*way, other] for other in further)]
        else:
            done.add(way[-1])


def test_what_names_the_whole_is_never_called() -> None:
    """The function that looks upwards for the archive's sake is called by nobody."""
    names = [each.id for path in MODULES.values() for each in nodes(tree(path)) if isinstance(each, ast.Name)]
    assert NEVER_CALLED not in names
    functions = {
        (module, each.name)
        for module, path in MODULES.items()
        for each in tree(path).body
        if isinstance(each, ast.FunctionDef)
    }
    assert [module for module, name in functions if name == NEVER_CALLED] == ["resources.service"]


@pytest.mark.parametrize("start", ["resources.container", "resources.service"])
def test_what_installs_the_runtime_carries_all_of_it(start: str) -> None:
    """Ansible's archive holds what is imported: from what installs the runtime, imports lead to every file of it."""
    reached, ahead = {""}, [start]
    while ahead:
        module = ahead.pop()
        if module not in reached:
            reached.add(module)
            ahead += [*imported(module), module.rpartition(".")[0]]
    assert set(MODULES) - reached == set()


@each_file
def test_files_are_short(path: Path) -> None:
    """A file that is too long to be read at once is split by what it answers."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@each_file
def test_files_begin_alike(path: Path) -> None:
    """Each file says who wrote it and under which license; then come its docstring and the modern annotations."""
    text = path.read_text(encoding="utf-8")
    assert text.removeprefix("#!/usr/bin/python\n").lstrip("\n").startswith(HEADER)
    assert "from __future__ import annotations" in text or not tree(path).body[1:]


def mentions(word: str) -> dict[str, set[bool]]:
    """The plugins whose code has a name, by path, and whether it stands outside of functions there."""
    found: dict[str, set[bool]] = {}
    for path in sources(PLUGINS):
        functions = [each for each in nodes(tree(path)) if isinstance(each, ast.FunctionDef)]
        inside = {each for function in functions for each in nodes(function)}
        for each in nodes(tree(path)):
            said = {getattr(each, "id", ""), getattr(each, "attr", "")}
            if isinstance(each, ast.Import | ast.ImportFrom):
                said |= {alias.name.partition(".")[0] for alias in each.names}
                said.add((getattr(each, "module", "") or "").partition(".")[0])
            if word in said:
                found.setdefault(str(path.relative_to(PLUGINS)), set()).add(each not in inside)
    return found


def test_check_mode_is_read_in_one_place() -> None:
    """Whether this is a check is asked once: all else gets a plan, or does not."""
    assert set(mentions("check_mode")) == {"module_utils/resource_module.py"}


def test_there_is_one_module_of_ansibles() -> None:
    """Ansible's module class is used in one file."""
    assert set(mentions("AnsibleModule")) == {"module_utils/resource_module.py"}


def test_pyroute2_is_imported_when_it_is_needed() -> None:
    """One file imports pyroute2, inside functions only: a run that changes no link does not pay for it."""
    assert mentions("pyroute2") == {"module_utils/runtime/kernel/netlink.py": {False}}
