# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks with values that can't be: one sentence that names option and value, and a host as it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, Fleet, Task, unused_port
from testbed.registry import Liar, registry

HOST = HOSTS[0]
WEB = {"name": "bad", "image": "nginx"}

BAD = [
    pytest.param("container", WEB | {"memory": "64x"}, "memory", "64x", id="unknown unit"),
    pytest.param("container", WEB | {"cpus": "many"}, "cpus", "many", id="no number"),
    pytest.param("container", WEB | {"published_ports": ["8080:70000"]}, "published_ports", "70000", id="port"),
    pytest.param("container", WEB | {"name": "../x"}, "name", "../x", id="name"),
    pytest.param("container", WEB | {"volumes": ["./relative:/x"]}, "volumes", "relative", id="relative volume"),
    pytest.param("container", WEB | {"image": "nginx latest"}, "image", "nginx latest", id="space in image"),
    pytest.param("container", WEB | {"env": {"A": 1}}, "env", "A", id="number as variable"),
    pytest.param("image", {"name": "nginx latest"}, "name", "nginx latest", id="space in image's name"),
    pytest.param("image", {"name": "nginx@sha256:12"}, "name", "sha256:12", id="digest too short"),
    pytest.param("bridge_network", {"name": "n", "subnet": "10.88.0.300/24"}, "subnet", "10.88.0.300/24", id="subnet"),
    pytest.param("bridge_network", {"name": "n", "subnet": "10.9.0.7/24"}, "subnet", "10.9.0.7/24", id="host bits"),
    pytest.param("overlay_rootfs", {"path": "/srv/x", "lower": ["/no/such"]}, "lower", "/no/such", id="no lower"),
    pytest.param("cgroup_limit", {"name": "nobody", "memory": "64m"}, "container", "nobody", id="no container"),
    pytest.param("container", WEB | {"state": "upright"}, "state", "upright", id="unknown state"),
]

LIES = [
    pytest.param("403", "403", id="refuses"),
    pytest.param("404", "404", id="knows no such image"),
    pytest.param("blob-digest", "sha256:", id="other content than the digest"),
    pytest.param("blob-truncated", "", id="half a layer"),
    pytest.param("manifest-digest", "sha256:", id="other manifest than the digest"),
]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry at this machine's loopback, that tells the truth."""
    with registry(tmp_path_factory.mktemp("upstream")) as server:
        yield server.address


@pytest.fixture(scope="module", autouse=True)
def _locks(fleet: Fleet) -> None:
    """Have the folder of the locks, which every task that is not a check needs, and which stays."""
    fleet.task(HOST, "overlay_rootfs", {"path": "/srv/x", "state": "absent"})


def refused(fleet: Fleet, module: str, arguments: dict[str, Any]) -> str:
    """The error of a task that has to fail and to leave the host as it was."""
    before = fleet.snapshot(HOST)
    result = fleet.task(HOST, module, arguments)
    assert result["failed"], result
    after = fleet.snapshot(HOST)
    for kind, found in before.items():
        assert after[kind] == found
    message: str = result["msg"]
    return message


def assert_sentence(message: str, *named: str) -> None:
    """Check that it is one line without a traceback that names what it should."""
    assert "\n" not in message
    assert "Traceback" not in message
    assert "bug" not in message
    for each in named:
        assert each in message


@pytest.fixture(scope="module")
def refusals(fleet: Fleet) -> dict[str, list[dict[str, Any]]]:
    """Of each bad value the host before it, the result, and the host after it, by what is bad of it."""
    asked: list[Task | None] = [None]
    for each in BAD:
        module, arguments = each.values[:2]
        asked += [Task(str(module), dict(arguments)), None]  # type: ignore[call-overload]
    told = fleet.tasks(HOST, asked)
    return {str(each.id): told[2 * number : 2 * number + 3] for number, each in enumerate(BAD)}


@pytest.mark.parametrize(("module", "arguments", "option", "value"), BAD)
def test_bad_values_are_named(
    refusals: dict[str, list[dict[str, Any]]],
    request: pytest.FixtureRequest,
    module: str,
    arguments: dict[str, Any],
    option: str,
    value: str,
) -> None:
    """A value that can't be is refused in a sentence that names it and its option, before anything is touched."""
    before, result, after = refusals[request.node.callspec.id]
    assert result["failed"], result
    assert after == before
    assert_sentence(result["msg"], option, value)


@pytest.mark.parametrize(("fault", "said"), LIES)
def test_registries_that_lie_are_found_out(fleet: Fleet, upstream: str, fault: str, said: str) -> None:
    """What a registry refuses or lies about is told with the image's name, and nothing of it is kept."""
    with Liar(upstream, fault=fault) as address, fleet.reachable(HOST, int(address.rpartition(":")[2])) as seen:
        assert_sentence(refused(fleet, "image", {"name": f"{seen}/nginx:latest"}), f"{seen}/nginx", said)


def test_registries_that_do_not_listen_are_named(fleet: Fleet) -> None:
    """Where nothing listens at a registry's address, the sentence names the image and says so."""
    seen = f"127.0.0.1:{unused_port()}"
    assert_sentence(refused(fleet, "image", {"name": f"{seen}/nginx"}), f"{seen}/", "refused")


def test_the_registry_of_the_lies_works_without_one(fleet: Fleet, upstream: str, tmp_path: Path) -> None:
    """The same way to the same registry brings the image when nobody lies, and takes all of it away again."""
    before = fleet.snapshot(HOST)
    with fleet.reachable(HOST, int(upstream.rpartition(":")[2])) as seen:
        image = {"name": f"{seen}/busybox:latest"}
        assert fleet.task(HOST, "image", image)["changed"]
        assert fleet.task(HOST, "image", image | {"state": "absent"})["changed"]
    assert not [each for each in fleet.snapshot(HOST)["files"] if each not in before["files"] and "/layers/" in each]
