# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of what has become of containers, and how it is read."""
from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.cli import main
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import journal
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container

Told = Callable[..., list[dict[str, Any]]]
WEB = Container(name="web", id="ab" * 32, image=parse_reference("a.test/nginx:1"), labels=(("tier", "front"),))
DB = Container(name="db", id="cd" * 32, image=parse_reference("a.test/db:2"))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host without containers."""
    (tmp_path / "root").mkdir()
    return Layout(str(tmp_path / "root"), str(tmp_path / "run"))


@pytest.fixture
def told(layout: Layout, capsys: pytest.CaptureFixture[str]) -> Told:
    """What the verb tells of all that there is."""

    def tell(*words: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        shared = ("--root", layout.root, "--run", layout.run)
        assert main.main([*shared, "events", "--json", "--since", "1", "--until", "0s", *words]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return tell


def names(found: list[dict[str, Any]]) -> list[str]:
    """The names of what has happened to whom."""
    return [f"{each['Actor']['Attributes']['name']} {each['Action']}" for each in found]


def test_an_event_is_told_as_docker_tells_it(layout: Layout, told: Told, capsys: pytest.CaptureFixture[str]) -> None:
    """With its time, who it is about, the image, labels, and what is special to it; as a line, too."""
    journal.note(layout, WEB, "die", exitCode=3)
    (found,) = told()
    attributes = {"exitCode": "3", "image": "a.test/nginx:1", "name": "web", "tier": "front"}
    assert found.pop("time") == found.pop("timeNano") // 10**9
    assert found == {
        "status": "die", "id": WEB.id, "from": "a.test/nginx:1", "Type": "container", "Action": "die",
        "Actor": {"ID": WEB.id, "Attributes": attributes}, "scope": "local",
    }  # fmt: skip
    main.main(["--root", layout.root, "events", "--since", "1", "--until", "0s"])
    line = capsys.readouterr().out
    main.main(["--root", layout.root, "events", "--since", "1", "--until", "0s", "--format", "{{.Action}} {{.id}}"])
    assert capsys.readouterr().out == f"die {WEB.id}\n"
    assert line.endswith(f"Z container die {WEB.id} (exitCode=3, image=a.test/nginx:1, name=web, tier=front)\n")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ([], ["web create", "db create", "web health_status: healthy", "db die"]),
        (["container=web"], ["web create", "web health_status: healthy"]),
        (["container=" + "cd" * 5], ["db create", "db die"]),
        (["container=web", "container=db", "event=create"], ["web create", "db create"]),
        (["event=health_status"], ["web health_status: healthy"]),
        (["event=die", "event=create", "container=db"], ["db create", "db die"]),
        (["label=tier"], ["web create", "web health_status: healthy"]),
        (["label=tier", "label=other"], []),
        (["label=tier=back"], []),
        (["image=a.test/db"], ["db create", "db die"]),
        (["type=container", "image=a.test/db:2", "event=die"], ["db die"]),
    ],
)
def test_filters_are_dockers(layout: Layout, told: Told, words: list[str], found: list[str]) -> None:
    """One value of each kind has to fit, and every label."""
    journal.note(layout, WEB, "create")
    journal.note(layout, DB, "create")
    journal.note(layout, WEB, "health_status: healthy")
    journal.note(layout, DB, "die", exitCode=0)
    assert names(told(*(part for each in words for part in ("--filter", each)))) == found


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("what=x", "there is no such filter; filters are container, event, image, label, type"),
        ("event", "it is not KEY=VALUE"),
        ("event=", "it has no value"),
        ("type=volume", "only events of containers are told of"),
    ],
)
def test_other_filters_are_refused(
    layout: Layout, capsys: pytest.CaptureFixture[str], said: str, reason: str
) -> None:
    """With the ones that there are."""
    assert main.main(["--root", layout.root, "events", "--until", "0s", "--filter", said]) == 1
    assert reason in capsys.readouterr().err


def test_damaged_lines_are_passed_over(layout: Layout, told: Told) -> None:
    """What a power cut, or anybody, has left in the files keeps nobody from the rest; the next line is whole."""
    journal.note(layout, WEB, "create")
    path = Path(layout.events, "output")
    with path.open("ab") as file:
        file.write(b'\n[]\n{"time": 5}\n\xff\n{"time": "x", "action": 1}\n{"time": 1, "acti')
    journal.note(layout, WEB, "start")
    assert names(told()) == ["web create", "web start"]


def test_it_is_bounded(layout: Layout, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than it holds the newest is there, in order, in two files."""
    monkeypatch.setattr(journal, "LIMIT", 2000)
    for number in range(100):
        journal.note(layout, WEB, "die", exitCode=number)
    assert sorted(os.listdir(layout.events)) == ["output", "output.1"]
    assert sum(Path(layout.events, name).stat().st_size for name in os.listdir(layout.events)) < 5000
    codes = [int(each["Actor"]["Attributes"]["exitCode"]) for each in told()]
    assert codes == list(range(codes[0], 100))
    assert len(codes) > 5


@pytest.mark.parametrize(("limit", "least"), [(journal.LIMIT, 800), (30000, 250)])
def test_many_write_at_once(
    layout: Layout, told: Told, monkeypatch: pytest.MonkeyPatch, limit: int, least: int
) -> None:
    """No line of one writer is lost or torn by another, also where files are put aside; each one's are in order."""
    monkeypatch.setattr(journal, "LIMIT", limit)
    for name in "abcd":
        if not os.fork():
            try:
                for number in range(200):
                    journal.note(layout, Container(name=name, id="a"), str(number))
            finally:
                os._exit(0)
    for _ in "abcd":
        os.wait()
    found = names(told())
    for name in "abcd":
        own = [int(each.split()[1]) for each in found if each.startswith(name)]
        assert own == list(range(200 - len(own), 200))
    assert len(found) >= least


def test_it_is_nobodys_failure(tmp_path: Path) -> None:
    """Where nothing can be written, nothing is, and nothing fails; nor is anything made that was not there."""
    journal.note(Layout(str(tmp_path / "gone")), WEB, "create")
    assert os.listdir(tmp_path) == []
    (tmp_path / "events").write_text("in the way")
    journal.note(Layout(str(tmp_path)), WEB, "create")
    (tmp_path / "events").unlink()
    (tmp_path / "events").symlink_to("nowhere")
    journal.note(Layout(str(tmp_path)), WEB, "create")
    assert os.listdir(tmp_path) == ["events"]


def test_long_labels_are_left_out(layout: Layout, told: Told) -> None:
    """A line has its bound; what has happened is told all the same."""
    journal.note(layout, Container(name="c", id="a", labels=(("l", "x" * journal.LONGEST),)), "create")
    (found,) = told()
    assert found["Actor"]["Attributes"] == {"image": "", "name": "c"}
