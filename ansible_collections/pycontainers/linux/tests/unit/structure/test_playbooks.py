# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written of roles and playbooks is what they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

COLLECTION = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (COLLECTION / "roles").iterdir())
PLAYBOOKS = sorted(path.stem for path in (COLLECTION / "playbooks").glob("*.yml"))


def read(path: str) -> Any:
    """A YAML file of the collection."""
    return yaml.safe_load((COLLECTION / path).read_text(encoding="utf-8"))


def options(role: str) -> dict[str, Any]:
    """The documented variables of a role."""
    found: dict[str, Any] = read(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    return found


@pytest.mark.parametrize("role", ROLES)
def test_defaults_of_roles_are_the_documented_ones(role: str) -> None:
    """The variables of a role that have a default have the one that ansible-doc tells."""
    told = {name: entry["default"] for name, entry in options(role).items() if "default" in entry}
    assert read(f"roles/{role}/defaults/main.yml") == told


@pytest.mark.parametrize("role", ROLES)
def test_pages_of_roles_name_their_variables(role: str) -> None:
    """The README of a role has a row for each of its variables, in the order of the documentation."""
    page = (COLLECTION / f"roles/{role}/README.md").read_text(encoding="utf-8")
    named = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert named == list(options(role))
    assert all(name.startswith(f"{role}_") for name in named)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_playbooks_are_told_of(playbook: str) -> None:
    """A playbook begins with how it is called, and the page of the collection names it."""
    text = (COLLECTION / f"playbooks/{playbook}.yml").read_text(encoding="utf-8")
    assert f"#   ansible-playbook -i hosts.yml pycontainers.linux.{playbook}" in text.split("- name:")[0]
    assert f"`{playbook}`" in (COLLECTION / "README.md").read_text(encoding="utf-8")
