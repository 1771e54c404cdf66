# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of containers, as hosts with a stand-in for their runtime tell of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.unit.plugins.stand_in import StandIn

LABELS = {"app": "shop", "evil": "{{ 1 + 1 }}"}


def document(name: str = "web", **changes: Any) -> dict[str, Any]:
    """What a runtime tells of a container."""
    return {
        "Id": "a9e4" * 16,
        "Name": f"/{name}",
        "Config": {"Image": "docker.io/library/nginx:1.27", "Labels": LABELS},
        "State": {"Status": "running", "Health": {"Status": "healthy"}},
        "NetworkSettings": {
            "Networks": {"web": {"IPAddress": "10.88.0.2", "GlobalIPv6Address": "fd00::2"}, "back": {"IPAddress": ""}},
            "Ports": {"80/tcp": None},
        },
        **changes,
    }


@pytest.fixture
def runtime(tmp_path: Path) -> StandIn:
    """The stand-in, with one container."""
    made = StandIn.made(tmp_path)
    made.answer(json.dumps([document()]))
    made.write("hosts.yml", {"all": {"hosts": {"one": {"ansible_connection": "local"}}}})
    return made


def source(runtime: StandIn, name: str = "fleet.pycontainers.yml", **options: Any) -> Path:
    """A source of the plugin."""
    shared = {"plugin": "pycontainers.linux.containers", "root": str(runtime.root), "run": "/run/none"}
    return runtime.write(name, shared | options)


def inventory(runtime: StandIn, *sources: Path) -> tuple[dict[str, Any], str]:
    """The inventory of sources, and what is warned of."""
    words = [word for each in (runtime.folder / "hosts.yml", *sources) for word in ("-i", each)]
    done = runtime.ansible("ansible-inventory", *words, "--list", "--export")
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout), done.stderr


def listed(runtime: StandIn, **options: Any) -> tuple[dict[str, Any], str]:
    """The inventory of one source, and what is warned of."""
    return inventory(runtime, source(runtime, **options))


def plain(value: Any) -> Any:
    """A value without the marks of what is no template."""
    if isinstance(value, dict):
        return plain(value["__ansible_unsafe"]) if set(value) == {"__ansible_unsafe"} else {
            key: plain(each) for key, each in value.items()
        }
    return [plain(each) for each in value] if isinstance(value, list) else value


def test_a_container_is_a_host_with_all_that_is_needed(runtime: StandIn) -> None:
    """It has the variables that tell of it, and those by which tasks reach it."""
    found, said = listed(runtime)
    assert "WARNING" not in said
    assert plain(found["_meta"]["hostvars"]["web.one"]) == {
        "ansible_connection": "pycontainers.linux.container",
        "ansible_pycontainers_host": "one",
        "ansible_pycontainers_name": "web",
        "ansible_pycontainers_root": str(runtime.root),
        "ansible_pycontainers_run": "/run/none",
        "pycontainers_addresses": ["10.88.0.2", "fd00::2"],
        "pycontainers_health": "healthy",
        "pycontainers_host": "one",
        "pycontainers_id": "a9e4" * 16,
        "pycontainers_image": "docker.io/library/nginx:1.27",
        "pycontainers_labels": LABELS,
        "pycontainers_name": "web",
        "pycontainers_networks": document()["NetworkSettings"]["Networks"],
        "pycontainers_ports": {"80/tcp": None},
        "pycontainers_state": "running",
    }


def test_what_a_container_says_is_no_template(runtime: StandIn) -> None:
    """A label is shown as it is, whatever is in it."""
    found, _ = listed(runtime)
    assert found["_meta"]["hostvars"]["web.one"]["pycontainers_labels"]["evil"] == {"__ansible_unsafe": LABELS["evil"]}


def test_groups_are_by_what_is_told(runtime: StandIn) -> None:
    """A container is in a group of each kind, and in those that the file asks for."""
    found, _ = listed(
        runtime,
        keyed_groups=[{"key": "pycontainers_labels.app", "prefix": "app"}],
        groups={"well": "pycontainers_health == 'healthy'", "ill": "pycontainers_health != 'healthy'"},
        compose={"ansible_python_interpreter": "'/usr/bin/python3'"},
    )
    groups = {name for name, each in found.items() if "web.one" in each.get("hosts", ())}
    assert groups == {
        "app_shop", "pycontainers", "pycontainers_health_healthy", "pycontainers_host_one",
        "pycontainers_image_docker_io_library_nginx_1_27", "pycontainers_label_app_shop",
        "pycontainers_label_evil____1___1___",
        "pycontainers_state_running", "well",
    }  # fmt: skip
    assert plain(found["_meta"]["hostvars"]["web.one"]["ansible_python_interpreter"]) == "/usr/bin/python3"


def test_hosts_are_chosen_by_a_pattern(runtime: StandIn) -> None:
    """Only hosts of the pattern are asked; the controller can be one, and containers are none."""
    container = {"ansible_connection": "pycontainers.linux.container"}
    hosts = {name: {"ansible_connection": "local"} for name in ("one", "two", "three")} | {"inner": container}
    runtime.write("hosts.yml", {"all": {"hosts": hosts}})
    found, said = listed(runtime, hosts="all:!two:localhost", hostname="pycontainers_host ~ '-' ~ pycontainers_name")
    assert "WARNING" not in said
    assert set(found["pycontainers"]["hosts"]) == {"one-web", "three-web", "localhost-web"}


def test_variables_of_files_beside_the_inventory_count(runtime: StandIn) -> None:
    """How a host is reached may be said in group_vars beside the sources before."""
    runtime.write("hosts.yml", {"all": {"hosts": {"one": {}}}})
    (runtime.folder / "group_vars").mkdir()
    runtime.write("group_vars/all.yml", {"way": "local", "ansible_connection": "{{ way }}"})
    assert listed(runtime)[0]["pycontainers"]["hosts"] == ["web.one"]


TROUBLE = {
    "late": ("", "sleep 1000", "cannot list the containers of host late: there was no answer in 3 s"),
    "odd": ('{"no": "list"}', "", "cannot list the containers of host odd: exit status 0, and it is no list"),
    "full": ("", "echo no room >&2; exit 3", "cannot list the containers of host full: no room"),
    "partly": ("[]", "echo pycontainers: cannot read x >&2; exit 1", "host partly: cannot read x"),
    "damaged": ('[{"Name": "/web"}]', "", "cannot use a container of host damaged: what is told of it is damaged"),
}


def test_a_host_that_can_not_tell_is_warned_of(runtime: StandIn) -> None:
    """The other hosts' containers are there; or it is an error, if that is wanted."""
    local = {"ansible_connection": "local"}
    ways = {"closed": {"ansible_host": "127.0.0.1", "ansible_port": 1}, "odder": {"ansible_connection": "no.such.way"}}
    runtime.write("hosts.yml", {"all": {"hosts": dict.fromkeys(("one", *TROUBLE), local) | ways}})
    sources = [source(runtime, "well.containers.yml", hosts="one:closed:odder")]
    sources.append(source(runtime, "strict.containers.yml", hosts="closed", strict_hosts=True))
    for name, (answer, script, _) in TROUBLE.items():
        other = StandIn.made(runtime.folder / name)
        other.answer(answer, script)
        sources.append(source(runtime, f"{name}.containers.yml", hosts=name, root=str(other.root), timeout=3))
    found, warned = inventory(runtime, *sources)
    said = " ".join(warned.split())
    assert found["pycontainers"]["hosts"] == ["web.one"]
    assert "cannot list the containers of host closed: Failed to connect to the host" in said
    assert "cannot reach host odder: there is no connection plugin no.such.way" in said
    assert [words for _, _, words in TROUBLE.values() if words not in said] == []
    assert said.count("Unable to parse") == 1


def test_a_host_without_a_runtime_has_no_containers(runtime: StandIn) -> None:
    """A host on which nothing of ours is installed is asked in vain, and that is no trouble."""
    found, said = listed(runtime, root="/none/such")
    assert "pycontainers" not in found
    assert "WARNING" not in said


def test_names_are_new_ones(runtime: StandIn) -> None:
    """A container can't take the name of a host, nor that of another container; what gives no name is an error."""
    runtime.answer(json.dumps([document("web"), document("db")]))
    names = {
        "host": ("'one'", "cannot call container db of host one one: there is a host of this name already"),
        "here": ("'localhost'", "cannot call container db of host one localhost"),
        "same": ("'x' ~ pycontainers_state", "cannot call container web of host one xrunning"),
        "none": ("none_such", "cannot name container db of host one by hostname='none_such'"),
        "empty": ("''", "cannot name container db of host one by hostname=\"''\": it gives ''"),
    }
    sources = [source(runtime, f"{each}.containers.yml", hostname=names[each][0]) for each in names]
    said = " ".join(inventory(runtime, *sources)[1].split())
    assert [words for _, words in names.values() if words not in said] == []
    assert said.count("Unable to parse") == len(names)


def test_files_are_told_by_their_names(runtime: StandIn) -> None:
    """A file of another name is not read."""
    names = ("containers.yaml", "x.containers.yml", "x.pycontainers.yml", "others.yml")
    sources = [source(runtime, each, hostname=f"'by-{each}'") for each in names]
    assert inventory(runtime, *sources)[0]["pycontainers"]["hosts"] == [f"by-{each}" for each in names[:3]]


def test_answers_can_be_kept(runtime: StandIn) -> None:
    """With a cache hosts are asked once, and what they said is used until it is flushed."""
    options = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(runtime.folder / "cache")}
    first, _ = listed(runtime, **options)
    runtime.answer("[]")
    again, _ = listed(runtime, **options)
    assert again["_meta"]["hostvars"] == first["_meta"]["hostvars"]
    assert len(runtime.calls) == 1
