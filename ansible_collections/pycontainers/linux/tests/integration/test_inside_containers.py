# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks inside containers of real hosts: a role that knows nothing of them, by the inventory and the connection."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, Fleet, Run, warnings
from ansible_collections.pycontainers.linux.tests.integration.packages import hello
from testbed import network
from testbed.registry import alpine

PLAYBOOK = Path(__file__).with_name("inside") / "site.yml"
STORE = "/var/lib/pycontainers"
ONE, OTHER = HOSTS
NAMES = ("left", "right")
CONTAINERS = [f"{name}.{host}" for host in HOSTS for name in NAMES]
BARE, STOPPED = "bare", "stopped"
UNREACHABLE = re.compile(r"^(\S+) \| UNREACHABLE! => (\{.*?^\})$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Inside:
    """Hosts with two containers each that have Python. ``folder`` is for what tests write, ``source`` finds them."""

    fleet: Fleet
    folder: Path
    source: Path

    def site(self, *options: str) -> Run:
        """Run the playbook with the role."""
        package = self.folder / "hello.apk"
        variables = {"page_package": str(package), "inside_fetched": f"{self.folder}/fetched"}
        return self.fleet.run(str(PLAYBOOK), "-i", str(self.source), *options, **variables)

    def refused(self, hosts: dict[str, Any]) -> dict[str, str]:
        """What is said of containers that can't be reached, each with variables of its own, by their names."""
        shared = {"ansible_connection": "pycontainers.linux.container", "ansible_pycontainers_host": ONE}
        path = self.folder / "refused.yml"
        path.write_text(json.dumps({"refused": {"hosts": {name: shared | said for name, said in hosts.items()}}}))
        done = self.fleet.ansible("ansible", "-i", str(path), "refused", "-m", "ansible.builtin.ping")
        assert "Traceback" not in done.stdout + done.stderr
        return {found[1]: json.loads(found[2])["msg"] for found in UNREACHABLE.finditer(done.stdout)}

    def command(self, host: str, words: str) -> str:
        """What the runtime's own command line says on a host."""
        return self.fleet.shell(host, f"{STORE}/runtime/current/pycontainers {words}")


@pytest.fixture(scope="module")
def inside(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """The containers, an inventory that finds them, and beside them one without Python and one that does not run."""
    folder = tmp_path_factory.mktemp("inside")
    image = f"{fleet.registry}/alpine:{alpine.TAG}"
    layout = f"oci:{alpine.image()}/layout:{alpine.TAG}"
    push = ("skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", layout, f"docker://{image}")
    subprocess.run(network.command(fleet.instance, *push), check=True)
    source = folder / "fleet.pycontainers.yml"
    source.write_text(json.dumps({"plugin": "pycontainers.linux.containers", "hosts": ",".join(HOSTS)}))
    (folder / "hello.apk").write_bytes(hello())
    here = Inside(fleet, folder, source)
    for host in HOSTS:
        _make(here, host, image)
    _run(here, ONE, f"-d --name {BARE}", f"{fleet.registry}/busybox:latest")
    here.command(ONE, f"create --name {STOPPED} {fleet.registry}/busybox:latest")
    yield here
    for host in HOSTS:
        here.command(host, " ".join(["rm -f", *NAMES, *([BARE, STOPPED] if host == ONE else [])]))
        here.command(host, f"rmi {image}")


def _make(inside: Inside, host: str, image: str) -> None:
    """Have the runtime on a host, and containers by it."""
    fleet = inside.fleet
    fleet.shell(host, f"mkdir -p {STORE} && cat > {STORE}/registries.json", json.dumps({"insecure": [fleet.registry]}))
    installed = fleet.task(host, "runtime", {"state": "present"})
    assert not installed["failed"], installed
    for name in NAMES:
        _run(inside, host, f"-d --name {name} --hostname {name}-host --label inside=page", image)


def _run(inside: Inside, host: str, options: str, image: str) -> None:
    inside.command(host, f"run {options} --stop-timeout 0 {image} sleep 100000")


@pytest.fixture(scope="module")
def runs(inside: Inside) -> tuple[Run, Run]:
    """The playbook, twice."""
    return inside.site(), inside.site("--skip-tags", "users")


def test_a_role_runs_in_all_containers(runs: tuple[Run, Run]) -> None:
    """A role that knows nothing of containers ends well in each of both hosts, without a warning."""
    first, _ = runs
    assert first.status == 0, first.output
    assert all(first.count(name, "changed") > 5 for name in CONTAINERS)


def test_a_second_run_changes_nothing(runs: tuple[Run, Run]) -> None:
    """The same again finds everything as it should be."""
    _, second = runs
    assert second.status == 0, second.output
    assert [second.count(name, "changed") for name in CONTAINERS] == [0] * len(CONTAINERS), second.output


def test_the_newest_ansible_finds_the_same(inside: Inside, runs: tuple[Run, Run], newest: Fleet) -> None:
    """Inventory and connection are the same to it: nothing changes once more."""
    third = replace(inside, fleet=newest).site()
    assert third.status == 0, third.output
    assert [third.count(name, "changed") for name in CONTAINERS] == [0] * len(CONTAINERS), third.output


@pytest.mark.parametrize("host", HOSTS)
def test_what_the_role_did_is_in_the_containers_only(inside: Inside, runs: tuple[Run, Run], host: str) -> None:
    """Files, user, package and process are in each container, and nothing of it is on its host."""
    for name in NAMES:
        page = inside.command(host, f"exec {name} cat /home/page/index.html /home/page/another")
        assert f"Served from {name}-host, which is {name}.{host}." in page
        assert inside.command(host, f"exec -u page {name} hello") == "hello from a package"
        assert "http.server" in inside.command(host, f"exec {name} ps")
    gone = "ls /usr/bin/hello /home/page /var/tmp/hello.apk 2>/dev/null; grep page: /etc/passwd; true"
    assert inside.fleet.shell(host, gone) == ""


def test_files_come_back(inside: Inside, runs: tuple[Run, Run]) -> None:
    """What is fetched from a container is here, under its name."""
    for name in CONTAINERS:
        text = (inside.folder / "fetched" / name / "home/page/index.html").read_text()
        assert f"which is {name}." in text


def test_the_inventory_tells_of_containers(inside: Inside) -> None:
    """Containers are hosts, in groups by host, image, state, health and label, with what there is to know of them."""
    done = inside.fleet.ansible("ansible-inventory", "-i", str(inside.source), "--list", "--export")
    assert not warnings(done.stderr)
    found = json.loads(done.stdout)
    assert found["pycontainers_label_inside_page"]["hosts"] == CONTAINERS
    assert {f"{each}.{ONE}" for each in (*NAMES, BARE, STOPPED)} <= set(found[f"pycontainers_host_{ONE}"]["hosts"])
    assert set(CONTAINERS) <= set(found["pycontainers_state_running"]["hosts"])
    assert f"{STOPPED}.{ONE}" in found["pycontainers_state_created"]["hosts"]
    assert set(CONTAINERS) <= set(found["pycontainers_health_none"]["hosts"])
    image = re.sub(r"\W", "_", f"{inside.fleet.registry}/alpine:{alpine.TAG}")
    assert found[f"pycontainers_image_{image}"]["hosts"] == CONTAINERS
    told = found["_meta"]["hostvars"][CONTAINERS[0]]["pycontainers_id"]["__ansible_unsafe"]
    assert told == json.loads(inside.command(ONE, f"inspect {NAMES[0]}"))[0]["Id"]


def test_what_can_not_be_entered_is_told_in_a_sentence(inside: Inside) -> None:
    """No such container, one that does not run, one without Python, and no such user: unreachable, and why."""
    said = inside.refused(
        {
            "none": {},
            STOPPED: {},
            BARE: {},
            "user": {"ansible_pycontainers_name": NAMES[0], "ansible_pycontainers_user": "nosuch"},
            "root": {"ansible_pycontainers_name": NAMES[0], "ansible_pycontainers_root": "/none"},
        }
    )
    assert said == {
        "none": f"Task failed: host {ONE}: cannot find container none: there is none of this name or id; "
        "see pycontainers ps -a",
        STOPPED: f"Task failed: host {ONE}: cannot exec in container {STOPPED}: container not running; start it first",
        BARE: f"Task failed: cannot run modules in container {BARE} of host {ONE}: it has no /usr/bin/python3; "
        "have Python in its image, or say where it is with ansible_python_interpreter",
        "user": f"Task failed: host {ONE}: cannot run as user nosuch: the image's /etc/passwd has no such user; "
        "give a number or another name",
        "root": f"Task failed: host {ONE}: cannot run /none/runtime/current/pycontainers: there is no runtime; "
        "use the role pycontainers.linux.host there, or say where its root is",
    }


@pytest.fixture
def operator(fleet: Fleet) -> Iterator[str]:
    """Somebody who logs in to a host by the same key, and is no administrator but by sudo."""
    name = "operator"
    try:
        fleet.shell(
            ONE,
            f"adduser -D -s /bin/sh {name} && echo '{name} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{name} "
            f"&& sed -i 's/^{name}:!/{name}:*/' /etc/shadow && cp -r /root/.ssh /home/{name}/ "
            f"&& chown -R {name} /home/{name}/.ssh",
        )
        yield name
    finally:
        fleet.shell(ONE, f"deluser --remove-home {name}; rm -f /etc/sudoers.d/{name}")


def test_becoming_root_on_the_host_is_the_hosts(inside: Inside, operator: str) -> None:
    """The one who logs in to the host becomes root there as the host's variables say, and is root in the container."""
    path = inside.folder / "operator.yml"

    def say(**variables: Any) -> subprocess.CompletedProcess[str]:
        path.write_text(json.dumps({"alpine": {"hosts": {ONE: {"ansible_user": operator, **variables}}}}))
        sources = ("-i", str(path), "-i", str(inside.source))
        where = f"{NAMES[0]}.{ONE}"
        return inside.fleet.ansible("ansible", *sources, where, "-m", "ansible.builtin.command", "-a", "id -un")

    done = say(ansible_become=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "root" in done.stdout
    assert f"root alone can read them; set ansible_become for host {ONE}" in " ".join(say().stderr.split())
