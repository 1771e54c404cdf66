# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be said in ``depends_on``."""
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_order import needed


def declared(**values: Any) -> Container:
    """A container with these options."""
    return parse(Container, {"name": "web", **values})


def test_names_and_dictionaries_say_the_same() -> None:
    """A name alone asks for what runs, and the order in which names are given makes no difference."""
    said = [["db", "cache"], [{"name": "cache"}, {"name": "db", "condition": "started"}]]
    first, second = (declared(depends_on=each) for each in said)
    assert first == second


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("db", "it is not a list"),
        (["db", {"name": "db"}], "a container is named twice: db"),
        ([{"condition": "started"}], "a dependency has no name"),
        ([{"name": "db", "condition": "green"}], "the condition 'green' is not one of started, healthy"),
        ([{"name": "db", "until": 1}], "'until' is not known of a dependency"),
        (["../db"], "a name starts with a letter or digit"),
    ],
)
def test_what_can_not_be_depended_on(value: Any, reason: str) -> None:
    """What is no dependency is refused by the option's name, with the reason."""
    with pytest.raises(InvalidValue, match="as depends_on: ") as caught:
        declared(depends_on=value)
    assert reason in str(caught.value)


def test_who_joins_another_needs_it_too() -> None:
    """Whose processes or network a container joins comes before it, each once, with those in depends_on."""
    container = declared(depends_on=["db"], pid_mode="container:db", network_mode="container:vpn")
    assert needed(container) == ("db", "vpn")
    assert needed(declared(pid_mode="host", network_mode="host")) == ()
