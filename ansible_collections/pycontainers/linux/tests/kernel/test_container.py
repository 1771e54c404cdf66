# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``container``: what a task changes, what it tells, and what it leaves alone."""
from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Effect, parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import apply
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import garbage
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups, links
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import (
    container_state,
    endpoint,
    firewall,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, snapshot, wait
from testbed.registry import Server

REPOSITORY = Path(__file__).resolve().parents[5]
ON_FRONT: dict[str, Any] = {"networks": [{"name": "front"}]}
SERVE = "mkdir -p /www; echo {} > /www/index.html; exec httpd -f -p 80 -h /www"


def serving(text: str, **values: Any) -> dict[str, Any]:
    """Describe a container that serves a text on port 8080 of the host."""
    ports = {"published_ports": ["8080:80"], **ON_FRONT}
    return {"command": ["sh", "-c", SERVE.format(text)], "stop_timeout": 0, **ports, **values}


def fetched(port: int = 8080) -> str:
    """Fetch what a port of the host serves; nothing if nobody does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
            text: str = answer.read().decode().strip()
            return text
    except OSError:
        return ""


def test_nginx_from_a_registry(host: Host, server: Server) -> None:
    """A task pulls nginx, starts it, and it answers; the next task replaces it by a newer one on the same port."""
    host.network()
    values = {"published_ports": ["8080:80"], "memory": "64m", **ON_FRONT}
    host.converge("web", image=f"{server.address}/nginx:latest", **values)
    wait(lambda: "Welcome to nginx" in fetched())
    outcome = host.converge("web", image=f"{server.address}/nginx:next", **values)
    assert [(each.path, each.effect) for each in outcome.changes][-1] == ("image_id", Effect.RECREATE)
    wait(lambda: "Welcome to the next nginx" in fetched())


@pytest.mark.parametrize("state", ["started", "stopped", "present"])
def test_a_second_run_changes_nothing(host: Host, state: str, tmp_path: Path) -> None:
    """The same task again has no changes and no actions, also with lists that are empty and text that is split."""
    host.network()
    values = {
        "image": host.busybox,
        "command": "sleep 1000",
        "env": {"A": "b"},
        "memory": "0.03125g",
        "cpus": "0.5",
        "pids_limit": 50,
        "published_ports": ["8080:80", "8081:81/udp"],
        "volumes": [f"{tmp_path}:/volume/"],
        "restart_policy": "unless-stopped",
        "stop_timeout": 0,
        "state": state,
        **ON_FRONT,
    }
    host.converge(**values)
    for again in (values, values | {"command": ["sleep", "1000"], "memory": "32M"}, {"state": state}):
        outcome = host.converge(**again)
        assert (outcome.changes, outcome.actions) == ((), ())
    host.converge("plain", image=host.busybox, command=["sleep", "9"], state="stopped")
    empty: dict[str, Any] = {"env": {}, "volumes": [], "published_ports": [], "networks": []}
    assert host.converge("plain", state="stopped", **empty).changes == ()


def scenario(host: Host, name: str) -> dict[str, Any]:
    """Bring the host to where a scenario begins, and return the task that it is about."""
    web = serving("old", image=host.busybox, memory="32m")
    host.network()
    if name == "create":
        return web
    host.converge(**web)
    if name == "start":
        host.converge(state="stopped")
        return {"state": "started"}
    tasks: dict[str, dict[str, Any]] = {
        "replace": web | serving("new", memory="48m", published_ports=["8080:80", "8081:80"]),
        "live": web | {"memory": "64m", "published_ports": ["8081:80"], "restart_policy": "always"},
        "stop": {"state": "stopped"},
        "remove": {"state": "absent"},
        "recreate": {"recreate": True},
    }
    return tasks[name]


@pytest.mark.parametrize("name", ["create", "start", "replace", "recreate", "live", "stop", "remove"])
def test_a_check_changes_nothing_and_tells_all(host: Host, name: str) -> None:
    """A check leaves the host as it is, and tells just the changes and actions of the run that follows."""
    task = scenario(host, name)
    before = snapshot(host.layout)
    told = host.converge(check=True, **task)
    assert snapshot(host.layout) == before
    done = host.converge(**task)
    assert told.changed
    assert (told.changes, told.actions) == (done.changes, done.actions)
    if "recreate" not in task:
        assert host.converge(**task).actions == ()


@pytest.mark.parametrize(
    ("option", "value", "file", "text"),
    [
        ("memory", "64m", "memory/memory.limit_in_bytes", str(64 << 20)),
        ("cpus", "0.25", "cpu/cpu.cfs_quota_us", "25000"),
        ("pids_limit", 7, "pids/pids.max", "7"),
        ("memory", "max", "memory/memory.limit_in_bytes", "9223372036854771712"),
        ("cpus", "max", "cpu/cpu.cfs_quota_us", "-1"),
        ("pids_limit", "max", "pids/pids.max", "max"),
    ],
)
def test_limits_change_live(host: Host, option: str, value: Any, file: str, text: str) -> None:
    """A limit is changed and cleared in the kernel while the program runs on, and is kept for the next start."""
    container = host.run(memory="32m", cpus="0.5", pids_limit=20)
    pid, groups = host.pid(), cgroups.cgroups()
    if groups.version == 2:
        pytest.skip("the texts are those of version 1")
    outcome = host.converge(**{option: value})
    assert [(each.path, each.effect) for each in outcome.changes] == [(option, Effect.LIVE)]
    assert cgroups.read_file(groups.file(container_state.cgroup(container), file)) == text
    assert host.pid() == pid
    host.converge(state="stopped")
    host.converge(state="started")
    assert cgroups.read_file(groups.file(container_state.cgroup(container), file)) == text


def test_ports_and_policy_change_live(host: Host) -> None:
    """Published ports and the restart policy are changed while the program runs on."""
    host.network()
    host.converge(image=host.busybox, **serving("here"))
    pid = host.pid()
    wait(lambda: fetched() == "here")
    outcome = host.converge(published_ports=["8081:80", "8082:80"], restart_policy="always")
    assert {each.effect for each in outcome.changes} == {Effect.LIVE}
    assert [fetched(port) for port in (8080, 8081, 8082)] == ["", "here", "here"]
    assert host.pid() == pid
    os.kill(pid, 9)
    wait(lambda: host.pid() not in (0, pid))


@pytest.mark.parametrize("drift", ["ports", "veth", "memory", "pids_limit", "bridge port"])
def test_drift_is_seen_and_mended(host: Host, drift: str) -> None:
    """What somebody changed in the kernel by hand is shown with its value, and mended while the program runs on."""
    host.network()
    task = serving("here", image=host.busybox, memory="32m", pids_limit=20)
    host.converge(**task)
    wait(lambda: fetched() == "here")
    container, pid, groups = host.observed(), host.pid(), cgroups.cgroups()
    path, interface = container_state.cgroup(container), _interface(host)
    expected: tuple[str, Any] = ("attached", [])
    if drift == "ports":
        subprocess.run(["nft", "flush", "map", "inet", "pycontainers", "ports_any"], check=True)
        expected = ("published_ports", [])
    elif drift == "veth":
        subprocess.run(["ip", "link", "del", interface], check=True)
    elif drift == "bridge port":
        subprocess.run(["ip", "link", "set", interface, "nomaster"], check=True)
    elif drift == "memory":
        name = "memory/memory.limit_in_bytes" if groups.version == 1 else "memory.max"
        cgroups.write_file(groups.file(path, name), str(48 << 20))
        expected = ("memory", 48 << 20)
    else:
        cgroups.write_file(groups.file(path, "pids/pids.max" if groups.version == 1 else "pids.max"), "max")
        expected = ("pids_limit", "max")
    outcome = host.converge(**task)
    assert [(each.path, each.before) for each in outcome.changes] == [expected]
    assert (host.observed(), host.pid()) == (container, pid)
    assert fetched() == "here"
    assert not host.converge(**task).changed


def _interface(host: Host) -> str:
    found = endpoint.observe_endpoint(host.layout, host.observed().id or "", host.observed().networks or ())
    return found["front"].host_interface


def test_a_lost_firewall_table_is_mended(host: Host) -> None:
    """When the whole table is gone, declaring network and container brings back what was published."""
    host.network()
    task = serving("here", image=host.busybox)
    host.converge(**task)
    pid = host.pid()
    subprocess.run(["nft", "delete", "table", "inet", "pycontainers"], check=True)
    host.network()
    host.converge(**task)
    assert (fetched(), host.pid()) == ("here", pid)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"image": "127.0.0.1:1/no/such:image"}, "refused"),
        ({"command": ["nosuch"]}, "executable file not found in $PATH"),
        ({"command": ["/bin"]}, "permission denied"),
        ({"command": ["/bin"], "volumes": ["/usr/share:/mnt"]}, "permission denied"),
        ({"published_ports": ["8090:80"]}, "leads to the container at"),
        ({"published_ports": ["8091:80"]}, "a program of the host listens"),
        ({"volumes": ["/no/such/folder:/data"]}, "there is nothing at this path"),
        ({"networks": [{"name": "nosuch"}]}, "nosuch"),
        ({"entrypoint": [], "command": []}, "has none of its own"),
    ],
)
def test_a_replacement_that_fails_keeps_the_old_one(host: Host, values: dict[str, Any], reason: str) -> None:
    """When the new container can't be had, one sentence says why, and the old one serves as before."""
    host.network()
    old = serving("old", image=host.busybox)
    host.converge(**old)
    host.converge("neighbour", image=host.busybox, **serving("neighbour", published_ports=["8090:80"]))
    wait(lambda: (fetched(), fetched(8090)) == ("old", "neighbour"))
    before, pid = snapshot(host.layout), host.pid()
    with socket.create_server(("127.0.0.1", 8091)), pytest.raises(Failure) as caught:
        host.converge(**(old | {"env": {"NEW": "yes"}} | values))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    wait(lambda: fetched() == "old")
    if values.get("command") != ["/bin"]:
        # Seen before the old one is stopped; the others only when exec is tried.
        assert host.pid() == pid
        assert snapshot(host.layout) == before
    assert container_state.identity_of(host.layout, "c") in container_state.identities(host.layout)
    assert len(container_state.identities(host.layout)) == 2
    assert not host.converge(**old).changed


@pytest.mark.parametrize(
    ("first", "then", "pid", "there"),
    [
        ("started", "present", True, True),
        ("started", "stopped", False, True),
        ("started", "absent", False, False),
        ("stopped", "present", False, True),
        ("stopped", "started", True, True),
        ("stopped", "absent", False, False),
        ("present", "started", True, True),
        ("present", "absent", False, False),
    ],
)
def test_states_follow_one_another(host: Host, first: str, then: str, pid: bool, there: bool) -> None:
    """From each state to each other: whether the program runs, and whether the container is there."""
    host.converge(image=host.busybox, command=["sleep", "1000"], stop_timeout=0, state=first)
    assert bool(host.pid()) is (first == "started")
    outcome = host.converge(state=then)
    assert outcome.changed is (then != "present")
    assert (bool(host.pid()), bool(container_state.identities(host.layout))) == (pid, there)
    assert not host.converge(state=then).changed


def test_what_it_wrote_is_kept_until_it_is_replaced(host: Host) -> None:
    """A stop and a start keep files and address; a replacement begins with the image's."""
    host.network()
    script = "echo run >> /runs; cat /runs; echo; sleep 1000"
    container = host.shell(script, **ON_FRONT)
    wait(lambda: host.log(container) == "run\n\n")
    host.converge(state="stopped")
    host.converge(state="started")
    wait(lambda: host.log(container) == "run\n\nrun\nrun\n\n")
    assert host.observed().held == container.held
    host.converge(recreate=True)
    new = host.observed()
    assert new.id != container.id
    wait(lambda: host.log(new) == "run\n\n")


def test_leaving_options_out_keeps_them(host: Host) -> None:
    """A task that names one option leaves all others as they are."""
    container = host.run(memory="32m", restart_policy="always", env={"A": "b"})
    host.converge(pids_limit=30)
    new = host.observed()
    assert (new.pids_limit, new.memory, new.restart_policy, new.env) == (30, 32 << 20, "always", (("A", "b"),))
    assert new.id == container.id


def test_the_same_tag_for_another_image(host: Host) -> None:
    """A stopped and a started container are replaced when the tag has come to stand for other content."""
    image = host.image("moving", {"Labels": {"version": "1"}})
    host.converge(image=image, command=["sleep", "1000"], stop_timeout=0)
    first = host.observed()
    host.image("moving", {"Labels": {"version": "2"}})
    outcome = host.converge(image=image)
    assert [each.path for each in outcome.changes] == ["image_id"]
    assert host.observed().id != first.id
    assert not host.converge(image=image).changed


def test_layers_go_with_the_last_container(host: Host) -> None:
    """An image that no name stands for any more goes with its last container, in a replacement and in a removal."""

    def layers() -> set[str]:
        return set(os.listdir(f"{host.layout.root}/layers"))

    base = layers()
    tasks: dict[str, dict[str, Any]] = {"1": {"image": "registry.test/moving"}, "2": {"state": "absent"}}
    for version, task in tasks.items():
        image = host.image("moving", {}, partial(_touch, version))
        host.converge(image=image, command=["sleep", "1000"], stop_timeout=0)
        own = layers() - base
        host.image("moving", {"Labels": {"version": version}})
        assert own <= layers()
        told = host.converge(check=True, **task)
        done = host.converge(**task)
        assert told.actions == done.actions
        assert layers() == base, done.actions
        host.converge(state="absent")


def _touch(name: str, root: Path) -> None:
    (root / name).touch()


def test_an_image_that_goes_away_meanwhile(host: Host) -> None:
    """A container is not made of an image that was removed after it was looked up."""
    image = host.image("going", {}, lambda root: (root / "x").touch())
    want = parse(Container, {"name": "c", "image": image, "command": ["true"]})
    plan = CONTAINER.plan(host.layout, CONTAINER.resolve(host.layout, want, None), None)
    garbage.remove(host.layout, parse_reference(image))
    with pytest.raises(Failure, match="has been removed meanwhile; run the task again"):
        apply(plan)
    assert container_state.identities(host.layout) == []


def test_facts_are_those_of_docker_inspect(host: Host, tmp_path: Path) -> None:
    """What a task returns is what the kernel says, in the words of docker inspect."""
    host.network()
    task = serving("x", image=host.busybox, memory="32m", cpus="0.5", pids_limit=9, env={"A": "b"})
    facts: Any = host.converge(volumes=[f"{tmp_path}:/volume:ro"], **task).facts["container"]
    assert facts["Name"] == "/c"
    assert facts["State"]["Running"] is True
    assert facts["State"]["Pid"] == host.pid()
    assert facts["Path"] == "sh"
    assert "A=b" in facts["Config"]["Env"]
    config = facts["HostConfig"]
    assert (config["Memory"], config["NanoCpus"], config["PidsLimit"]) == (32 << 20, 500_000_000, 9)
    said = {"Type": "bind", "Source": str(tmp_path), "Destination": "/volume", "RW": False, "Propagation": "rprivate"}
    assert facts["Mounts"] == [said]
    address = facts["NetworkSettings"]["Networks"]["front"]["IPAddress"]
    assert dict(host.observed().held) == {"front": (address,)}
    assert facts["NetworkSettings"]["Ports"] == {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}
    assert firewall.read_ports() == {("tcp", "0.0.0.0", 8080): (address, 80)}
    gone: Any = host.converge(state="absent").facts["container"]
    assert gone == {}
    assert links.links().keys() >= {"lo"}


def test_a_run_that_changes_nothing_is_cheap(host: Host) -> None:
    """A task with nothing to do imports neither pyroute2 nor what talks to registries or unpacks."""
    host.network()
    task = serving("x", image=host.busybox, memory="32m")
    host.converge(**task)
    script = """
import json, sys
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import layout, model, plan
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container import CONTAINER
place, task = json.loads(sys.argv[1])
outcome = plan.converge(CONTAINER, layout.Layout(*place), model.parse(CONTAINER.model, task), False)
print(json.dumps([outcome.changed, sorted(sys.modules)]))
"""
    given = json.dumps([[host.layout.root, host.layout.run], {"name": "c", **task}])
    result = subprocess.run(
        [sys.executable, "-c", script, given], capture_output=True, text=True, cwd=REPOSITORY, check=True, timeout=30
    )
    changed, modules = json.loads(result.stdout)
    assert changed is False
    heavy = {"pyroute2", "urllib.request", "ssl", "http.client", "tarfile", "asyncio", "zipfile", "email", "shutil"}
    assert heavy & set(modules) == set()
