# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of ``--format``."""
from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli import template
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue

VALUE: dict[str, Any] = {"Name": "web", "State": {"Status": "up", "Pid": 7, "Paused": False}, "Label": {"a.b": "c"}}


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("{{.Name}}", "web"),
        ("{{ .Name }}: {{.State.Status}}!", "web: up!"),
        (r"{{.Name}}\t{{.State.Pid}}\n", "web\t7\n"),
        ("{{.State.Paused}}", "false"),
        ('{{.Label "a.b"}}', "c"),
        ('{{.Label "x"}}', "<no value>"),
        ("{{.State.Status.Deeper.x}} {{.State.What.x}}", "up <no value>"),
        ("{{json .State}}", '{"Status": "up", "Pid": 7, "Paused": false}'),
        ("{{json .Name}}", '"web"'),
        ("plain", "plain"),
        ("json", '{"Name": "web", "State": {"Status": "up", "Pid": 7, "Paused": false}, "Label": {"a.b": "c"}}'),
        ("{{json .}}", '{"Name": "web", "State": {"Status": "up", "Pid": 7, "Paused": false}, "Label": {"a.b": "c"}}'),
    ],
)  # fmt: skip
def test_values_are_picked(said: str, text: str) -> None:
    """By name, by the names below, by a key, as they are or as JSON."""
    assert template.parsed(said, VALUE)(VALUE) == text


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("{{.What}}", "there is no field What; fields are Label, Name, State"),
        ("{{range .State}}", "{{range .State}} is more than a value; write {{.Field}}"),
        ("{{.}}", "is more than a value"),
        ("{{Name}}", "is more than a value"),
        ("{{.Name", "its braces do not close"),
        (".Name}}", "its braces do not close"),
    ],
)
def test_what_computes_is_refused(said: str, reason: str) -> None:
    """With what there is."""
    with pytest.raises(InvalidValue, match=re.escape(reason)):
        template.parsed(said, VALUE)


def test_a_terminal_gets_no_orders() -> None:
    """What an image or a container says is shown, and does nothing."""
    assert template.parsed("{{.Name}}\\n")({"Name": "\x1b[2J\n"}) == "\\x1b[2J\\n\n"
