# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules' documentation says what their models are."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.pycontainers.linux.plugins.doc_fragments.common import ModuleDocFragment
from ansible_collections.pycontainers.linux.plugins.module_utils.resource_module import Place, options
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse, rows
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.report import key, tells_only

COLLECTION = Path(__file__).parents[3]
MODULES = sorted(path.stem for path in (COLLECTION / "plugins/modules").glob("*.py"))
COMMON = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)
AGAIN = {"container", "container_copy_into", "container_exec", "image_export"}
"""Modules that can be asked to act each time."""
QUIET = {"image_search"}
"""Modules without differences to show, besides those that only tell."""
COMPARED = ("type", "elements", "choices", "default", "aliases", "required")


def module(name: str) -> Any:
    """The module, imported."""
    return importlib.import_module(f"ansible_collections.pycontainers.linux.plugins.modules.{name}")


def tree(name: str) -> ast.Module:
    """The module's syntax tree."""
    return ast.parse((COLLECTION / f"plugins/modules/{name}.py").read_text(encoding="utf-8"))


def resource(name: str) -> Any:
    """The one resource that the module's main function hands over."""
    main = next(each for each in tree(name).body if isinstance(each, ast.FunctionDef))
    call = main.body[-1].value  # type: ignore[attr-defined]
    return getattr(module(name), call.args[0].id)


def documentation(name: str) -> dict[str, Any]:
    """DOCUMENTATION of the module with the fragments that are its own, without the one that all have."""
    found: dict[str, Any] = yaml.safe_load(module(name).DOCUMENTATION)
    for fragment in found["extends_documentation_fragment"][1:]:
        where = fragment.removeprefix("pycontainers.linux.")
        other = importlib.import_module(f"ansible_collections.pycontainers.linux.plugins.doc_fragments.{where}")
        found["options"] |= yaml.safe_load(other.ModuleDocFragment.DOCUMENTATION)["options"]
    return found


def attributes(name: str) -> dict[str, dict[str, Any]]:
    """What ansible-doc says that the module does and does not, its own words over those that all have."""
    own = documentation(name).get("attributes", {})
    return {each: COMMON["attributes"].get(each, {}) | own.get(each, {}) for each in COMMON["attributes"] | own}


def leaves(described: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The returned values that hold no others, by name."""
    for name, entry in described.items():
        if "contains" in entry:
            yield from leaves(entry["contains"])
        else:
            yield name, entry


def tasks(name: str) -> list[dict[str, Any]]:
    """The tasks of the module's EXAMPLES."""
    found: list[dict[str, Any]] = yaml.safe_load(module(name).EXAMPLES)
    return found


def compared(described: Mapping[str, Mapping[str, Any]], inner: str) -> dict[str, Any]:
    """Options with what documentation and argument specification both say of them; ``inner`` holds suboptions."""
    return {
        option: {word: entry[word] for word in COMPARED if word in entry}
        | ({"suboptions": compared(entry[inner], inner)} if inner in entry else {})
        for option, entry in described.items()
    }


def descriptions(described: Mapping[str, Mapping[str, Any]], inner: str) -> list[str]:
    """All sentences that describe options or returned values."""
    found: list[str] = []
    for entry in described.values():
        said = entry["description"]
        found += [said] if isinstance(said, str) else said
        found += descriptions(entry.get(inner, {}), inner)
    return found


def test_there_are_modules() -> None:
    """The other tests have something to test."""
    assert "container" in MODULES


@pytest.mark.parametrize("name", MODULES)
def test_options_are_those_of_the_model(name: str) -> None:
    """Every option is documented, none that does not exist, with the type and default it really has."""
    documented = documentation(name)["options"] | COMMON["options"]
    assert compared(documented, "suboptions") == compared(options(resource(name)), "options")


@pytest.mark.parametrize("name", MODULES)
def test_common_options_do_not_hide_others(name: str) -> None:
    """No model has an option of the name of one that all modules have."""
    assert not {row.name for row in rows(resource(name).model)} & {row.name for row in rows(Place)}


@pytest.mark.parametrize("name", MODULES)
def test_documentation_is_whole(name: str) -> None:
    """What ansible-doc shows at the top is there, and the fragment gives the rest."""
    documented = documentation(name)
    assert documented["module"] == name
    assert not documented["short_description"].endswith(".")
    assert documented["version_added"]
    assert documented["extends_documentation_fragment"][0] == "pycontainers.linux.common"


@pytest.mark.parametrize("name", MODULES)
def test_attributes_say_what_the_module_does(name: str) -> None:
    """Each module tells of check mode, diff, repetition and platform; what it does partly is explained."""
    said = attributes(name)
    assert set(said) == {"action_group", "check_mode", "diff_mode", "idempotent", "platform"}
    assert [each for each, entry in said.items() if entry["support"] == "partial" and "details" not in entry] == []
    assert all(entry["description"] for entry in said.values())
    shown = "none" if tells_only(resource(name).model) or name in QUIET else "full"
    repeated = "partial" if name in AGAIN else "full"
    supported = {each: entry["support"] for each, entry in said.items()}
    assert supported == dict.fromkeys(said, "full") | {"diff_mode": shown, "idempotent": repeated}


def test_all_modules_are_in_the_group_of_all() -> None:
    """``module_defaults`` for the group reach every module, and the group names each once."""
    runtime = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text(encoding="utf-8"))
    assert runtime["action_groups"] == {"all": MODULES}
    assert COMMON["attributes"]["action_group"]["membership"] == ["pycontainers.linux.all"]


@pytest.mark.parametrize("name", MODULES)
def test_descriptions_are_sentences(name: str) -> None:
    """Descriptions of options and of returned values begin like sentences and end with a full stop."""
    said = descriptions(documentation(name)["options"], "suboptions")
    said += descriptions(yaml.safe_load(module(name).RETURN), "contains")
    assert [each for each in said if not each.endswith((".", ":")) or each[0].islower()] == []


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_tasks_that_parse(name: str) -> None:
    """Each example is one named task of the module, whose arguments the model takes."""
    for task in tasks(name):
        assert set(task) == {"name", f"pycontainers.linux.{name}"}
        arguments = task[f"pycontainers.linux.{name}"] or {}
        model = resource(name).model
        own = {row.name for row in rows(model)}
        aliases = {alias: row.name for row in rows(model) for alias in row.aliases}
        given = {aliases.get(option, option): value for option, value in arguments.items()}
        assert set(given) <= set(options(resource(name)))
        parse(model, {option: value for option, value in given.items() if option in own})


def declares(name: str) -> bool:
    """Whether the module declares a thing that is to be there or not; others act on what is there, or tell of it."""
    return "state" in options(resource(name))


@pytest.mark.parametrize("name", [*filter(declares, MODULES)])
def test_examples_show_both_ends(name: str) -> None:
    """The examples show how the thing is made and how it is removed."""
    states = [(task[f"pycontainers.linux.{name}"] or {}).get("state", "") for task in tasks(name)]
    assert "absent" in states
    assert "" in states


@pytest.mark.parametrize("name", MODULES)
def test_return_values_are_documented(name: str) -> None:
    """What every module returns is documented with samples, and so is the thing itself."""
    returned = yaml.safe_load(module(name).RETURN)
    for entry in returned.values():
        assert {"description", "returned", "type"} <= set(entry)
    assert [each for each, entry in leaves(returned) if "sample" not in entry] == []
    assert tells_only(resource(name).model) or not name.endswith("_info")
    if tells_only(resource(name).model):
        assert not {"actions", "changes", "diff"} & set(returned)
        return
    assert {"actions", "changes", "diff"} < set(returned)
    sample = returned["changes"]["sample"][0]
    assert set(sample) == set(returned["changes"]["contains"])
    assert sample["option"] in {row.name for row in rows(resource(name).model)}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_documentation_and_one_call(name: str) -> None:
    """A module's file has no logic: three texts, the imports, and a main function of one call."""
    body = tree(name).body
    texts = [each.targets[0].id for each in body if isinstance(each, ast.Assign)]  # type: ignore[attr-defined]
    assert texts == ["DOCUMENTATION", "EXAMPLES", "RETURN"]
    kinds = [type(each).__name__ for each in body if not isinstance(each, ast.Assign)]
    assert kinds == ["Expr", "ImportFrom", "ImportFrom", "ImportFrom", "FunctionDef", "If"]
    main = next(each for each in body if isinstance(each, ast.FunctionDef))
    docstring, call = main.body
    assert ast.get_docstring(main)
    assert isinstance(docstring, ast.Expr)
    assert ast.unparse(call).startswith("resource_module.run(")


@pytest.mark.parametrize("name", MODULES)
def test_what_is_removed_is_named_by_its_key(name: str) -> None:
    """A model has at most one required option, which names the thing."""
    required = [row.name for row in rows(resource(name).model) if row.required]
    assert required == ([key(resource(name).model)] if key(resource(name).model) else [])
