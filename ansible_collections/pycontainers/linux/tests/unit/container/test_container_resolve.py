# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import differences
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue, NotFound
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_state
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_folder import GiveName
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container

OLD = "0a" * 32
IMAGE_ID = f"sha256:{'2c' * 32}"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A host's folders, with nothing in them."""
    return Layout(str(tmp_path / "root"), str(tmp_path / "run"))


@pytest.fixture
def web(layout: Layout) -> Container:
    """A stopped container "web" on the disk, as it is observed."""
    kept = parse(
        Container,
        {"name": "web", "image": "nginx", "memory": "512m", "command": ["nginx"], "restart_policy": "always", "id": OLD}
        | {"image_id": IMAGE_ID, "created": "2025-01-01T00:00:00Z"},
    )
    container_state.record_step(layout, kept, None).do()
    GiveName(layout, "web", OLD, None).do()
    observed = CONTAINER.observe(layout, said())
    assert observed is not None
    return observed


def said(**options: Any) -> Container:
    """What a playbook says of the container "web"."""
    return parse(Container, {"name": "web", **options})


def test_what_is_on_the_disk_is_observed(web: Container) -> None:
    """A container that does not run is what its record says, and stopped."""
    assert (web.state, web.memory, web.id) == ("stopped", 2**29, OLD)


def test_what_is_left_out_comes_from_the_record(layout: Layout, web: Container) -> None:
    """An option that is left out keeps its value, one that is given takes the new one, and the id stays."""
    full = CONTAINER.resolve(layout, said(state="stopped", memory="1g"), web)
    assert (full.memory, full.command, full.restart_policy, full.id) == (2**30, ("nginx",), "always", OLD)
    assert [change.path for change in differences(full, web)] == ["memory"]


@pytest.mark.parametrize("state", ["stopped", "started"])
def test_present_leaves_the_state_as_it_is(layout: Layout, web: Container, state: str) -> None:
    """``present`` neither starts nor stops a container that is there."""
    have = replace(web, state=state)
    full = CONTAINER.resolve(layout, said(state="present"), have)
    assert full.state == state
    assert CONTAINER.plan(layout, full, have).describe() == []


@pytest.mark.parametrize(
    "options", [{}, {"networks": []}, {"published_ports": []}, {"volumes": []}, {"env": {}}, {"memory": "0.5g"}]
)
def test_a_running_container_that_is_right_is_left_alone(
    layout: Layout, web: Container, options: dict[str, Any]
) -> None:
    """To ask for what a container has, also for none of what it has none of, is no difference."""
    kept = replace(web, **{key: value for key, value in vars(said(**options)).items() if key in options})
    container_state.record_step(layout, kept, None).do()
    have = replace(kept, state="started")
    full = CONTAINER.resolve(layout, said(**options), have)
    assert differences(full, have) == ()
    assert CONTAINER.plan(layout, full, have).describe() == []


def test_another_command_is_another_container(layout: Layout, web: Container) -> None:
    """What can't be changed live gives a new id: the same for the same wish, another for another."""
    first, again = (CONTAINER.resolve(layout, said(command="sleep 5"), web) for _ in range(2))
    other = CONTAINER.resolve(layout, said(command="sleep 6"), web)
    assert first.id == again.id
    assert len({OLD, first.id, other.id}) == 3
    assert len(str(first.id)) == 64


def test_to_be_made_anew_gives_a_new_id(layout: Layout, web: Container) -> None:
    """A container that is asked to be made anew becomes another one, though nothing differs."""
    full = CONTAINER.resolve(layout, said(state="stopped", recreate=True), web)
    assert full.id != OLD
    assert CONTAINER.plan(layout, full, web).describe() == [
        f"make container web ({str(full.id)[:12]})",
        f"give the name web to container {str(full.id)[:12]}",
        f"remove container web ({OLD[:12]})",
    ]


def test_unfinished_containers_of_the_name_are_seen(layout: Layout, web: Container) -> None:
    """A container that a killed run has left under the name is to go when the next one is made."""
    left = replace(web, id="5f" * 32)
    container_state.record_step(layout, left, None).do()
    full = CONTAINER.resolve(layout, said(state="stopped", command="sleep 5"), web)
    lines = CONTAINER.plan(layout, full, web).describe()
    assert lines[0] == "remove unfinished container 5f5f5f5f5f5f"


def test_a_removal_asks_for_nothing(layout: Layout, web: Container) -> None:
    """To remove a container, nothing has to be known of it."""
    assert CONTAINER.resolve(layout, said(state="absent"), web).id == OLD
    assert CONTAINER.resolve(layout, said(state="absent"), None).id is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"volumes": ["/nowhere:/in"]}, "cannot use '/nowhere' as volumes: there is nothing at this path on the host"),
        ({"published_ports": ["8080:80"]}, "as published_ports: the container is on no network; give it one"),
        ({"networks": ["front"]}, "cannot use the network front: there is no such network"),
    ],
)
def test_what_would_fail_halfway_is_refused(
    layout: Layout, web: Container, options: dict[str, Any], sentence: str
) -> None:
    """What the container needs and the host does not have is told before anything is touched."""
    with pytest.raises(Failure) as caught:
        CONTAINER.resolve(layout, said(**options), web)
    assert sentence in str(caught.value)


def test_a_new_container_needs_an_image(layout: Layout) -> None:
    """Without an image there is nothing to make a container of, and one that may not be pulled must be there."""
    with pytest.raises(InvalidValue, match="as image: a new container needs an image"):
        CONTAINER.resolve(layout, said(), None)
    with pytest.raises(NotFound, match="it is not in the store, and pull is never"):
        CONTAINER.resolve(layout, said(image="nginx", pull="never"), None)


def test_a_damaged_record_is_told(layout: Layout, web: Container) -> None:
    """A record that can't be read is an error that names its file, and the file stays."""
    path = Path(container_state.record_path(layout, OLD))
    kept = path.read_text()
    for content, reason in (("{", "it is not JSON"), (kept.replace('"web"', '"../x"'), "cannot use '../x' as name")):
        path.write_text(content)
        with pytest.raises(Failure, match=reason) as caught:
            CONTAINER.observe(layout, said())
        assert str(path) in str(caught.value)
        assert path.read_text() == content
    path.write_text(kept.replace('"format": 1', '"format": 2'))
    with pytest.raises(Failure, match="another version of pycontainers wrote it"):
        CONTAINER.observe(layout, said())
