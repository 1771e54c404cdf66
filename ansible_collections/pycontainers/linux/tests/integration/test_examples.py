# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples that the modules are documented with run as they are, on a host that has what they name."""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.pycontainers.linux.tests.integration.fleet import HOSTS, Fleet, Task

HOST = HOSTS[0]
MODULES = "ansible_collections.pycontainers.linux.plugins.modules"
ORDER = """
    runtime bridge_network volume image image_load container cgroup_limit container_copy_into container_exec
    container_copy_out container_commit image_export image_push image_search overlay_rootfs bridge_network_info
    volume_info container_info container_stats host_info image_info prune
""".split()
"""All modules, each after those whose examples make what its own need."""
GONE_LATE = ("runtime", "bridge_network", "volume")
"""Modules whose examples remove what those of others need."""
REGISTRY, DIGEST = "registry.example.com", "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
"""The registry of examples, and the digest of whatever image."""
REPOSITORIES = (
    "library/nginx:1.27 library/postgres:17 library/haproxy:3.0 team/web:stable team/web:candidate "
    "web:2.1 backup:3 shop:7 exporter:latest"
)
MORE = {"crawler", "reports"}
"""Containers that examples name and none makes."""
LACKING = {"bridge_network-6": "the kernel has no 8021q", "overlay_rootfs-2": "/dev/loop-control"}
"""What hosts of the testbed can't have for an example."""

# An image that is whatever an example takes it for.
ROOTFS = r"""
cat > /entry <<'END'
#!/bin/sh
case "$1" in
-* | "") trap "exit 0" TERM USR1; sleep 1000 & wait ;;
*) exec "$@" ;;
esac
END
for program in /usr/bin/nginx /usr/bin/initdb /usr/bin/psql /usr/bin/wget /manage.py; do
    rm -f $program
    echo '#!/bin/sh' > $program
    chmod 755 $program /entry
done
echo postgres:x:70:70::/:/bin/sh >> /etc/passwd
echo haproxy:x:99:99::/:/bin/sh >> /etc/passwd
mkdir -m 777 /data /etc/nginx /usr/share /usr/share/nginx
echo dump > /data/dump.sql
"""
# The overlay that the host's own files are on can be no upper directory of another.
PREPARE = """
set -e
pycontainers rm -f $(pycontainers ps -aq) >&2 || true
pycontainers network rm $(pycontainers network ls -q) >&2 || true
mount -t tmpfs examples /srv
cd /srv
mkdir -p images site/www pages exporter db/conf layers/application layers/base web/upper web/work web/rootfs export
mkdir -p build/upper build/work build/rootfs backup builds
echo page > pages/index.html
echo KEY=value > /etc/backup.env
for each in /sys/fs/cgroup/cpu /sys/fs/cgroup; do
    [ ! -e $each/cgroup.procs ] || mkdir -p $each/system.slice/backup.service
done
pycontainers run --name examples REGISTRY/busybox:latest sh -c "$ROOTFS"
pycontainers commit -c 'ENTRYPOINT ["/entry"]' examples example.com/web:1.0
pycontainers save -o images/web.tar example.com/web:1.0
pycontainers save --format oci-dir -o images/web example.com/web:1.0
for name in REPOSITORIES; do
    pycontainers tag example.com/web:1.0 REGISTRY/$name
    pycontainers push REGISTRY/$name >&2
    pycontainers rmi REGISTRY/$name >&2
done
pycontainers pull REGISTRY/team/web:candidate >&2
pycontainers rm examples >&2
pycontainers run -d --name crawler example.com/web:1.0 >&2
pycontainers run -d --name reports --label team=reports example.com/web:1.0 >&2
pycontainers network create mgmt >&2
"""
CLEAN = """
pycontainers rm -f $(pycontainers ps -aq) || true
pycontainers network rm apps back dual front lan mgmt storage voice || true
pycontainers volume rm db-files media scratch || true
umount -R /srv/*/* /srv || true
rm -f /etc/backup.env /opt/bin/pycontainers /var/lib/pycontainers/registries.json
rmdir /sys/fs/cgroup/cpu/system.slice/backup.service /sys/fs/cgroup/cpu/system.slice || true
rmdir /sys/fs/cgroup/system.slice/backup.service /sys/fs/cgroup/system.slice || true
"""


@dataclass(frozen=True)
class Example:
    """An example of a module: its place there, its name, and the module's arguments."""

    module: str
    number: int
    arguments: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.module}-{self.number}"

    @property
    def place(self) -> tuple[int, int, int]:
        """What it comes after: what others stand on goes when they are gone, and the runtime last."""
        at = ORDER.index(self.module)
        if self.module in GONE_LATE and self.arguments.get("state") == "absent":
            return 2, -at, self.number
        return int(self.module == "prune"), at, self.number


def examples() -> list[Example]:
    """All examples of all modules, in an order in which they can run."""
    found = [
        Example(name, number, task[f"pycontainers.linux.{name}"] or {})
        for name in ORDER
        for number, task in enumerate(yaml.safe_load(importlib.import_module(f"{MODULES}.{name}").EXAMPLES))
    ]
    return sorted(found, key=lambda each: each.place)


EXAMPLES = examples()


def meant(example: Example, registry: str, digest: str, here: Path) -> Task:
    """An example with names that there are: the testbed's registry, the digest of its image, files of this machine."""
    text = json.dumps(example.arguments).replace(DIGEST, digest).replace("{{ secret }}", "of no use")
    text = text.replace(f"{REGISTRY}:5000", REGISTRY).replace(REGISTRY, registry)
    text = text.replace("/srv/builds/", f"{here}/").replace('"nginx.conf"', f'"{here}/nginx.conf"')
    arguments = json.loads(text)
    # No setting is written through a mount, and hosts of the testbed have some over /proc/sys.
    arguments.get("sysctls", {}).pop("net.ipv4.tcp_keepalive_time", None)
    # Docker Hub is far away.
    hub = {"registry": registry} if example.module == "image_search" else {}
    return Task(example.module, hub | arguments)


def run(fleet: Fleet, here: Path) -> dict[str, dict[str, Any]]:
    """Run all examples in one play, with a removal of all containers in between, and return their results."""
    (here / "nginx.conf").write_text("events {}\n", encoding="utf-8")
    (here / "web.tar").write_bytes(base64.b64decode(fleet.shell(HOST, "base64 /srv/images/web.tar")))
    digest = json.loads(fleet.shell(HOST, "cat /srv/images/web/index.json"))["manifests"][0]["digest"]
    asked = {str(each): meant(each, fleet.registry, digest, here) for each in EXAMPLES}
    first = next(index for index, each in enumerate(EXAMPLES) if each.module == "prune")
    names = {task.arguments["name"] for task in asked.values() if task.module == "container"}
    gone = [Task("container", {"name": each, "state": "absent", "force_kill": True}) for each in sorted(names | MORE)]
    tasks = [*asked.values()]
    told = fleet.tasks(HOST, [*tasks[:first], *gone, *tasks[first:]])
    return dict(zip(asked, told[:first] + told[first + len(gone) :], strict=True))


@pytest.fixture(scope="module")
def results(fleet: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """The result of each example, on a host that is cleared afterwards."""
    assert not fleet.task(HOST, "runtime", {"state": "present"})["failed"]
    fleet.shell(HOST, CLEAN)
    registries = json.dumps({"insecure": [fleet.registry], "mirrors": {"docker.io": [fleet.registry]}})
    fleet.shell(HOST, "cat > /var/lib/pycontainers/registries.json", registries)
    prepare = PREPARE.replace("REGISTRY", fleet.registry).replace("REPOSITORIES", REPOSITORIES)
    try:
        fleet.shell(HOST, f"ROOTFS=$(cat)\n{prepare}", ROOTFS)
        yield run(fleet, tmp_path_factory.mktemp("controller"))
    finally:
        fleet.task(HOST, "runtime", {"state": "present"})
        fleet.shell(HOST, CLEAN)


def test_examples_are_of_all_modules() -> None:
    """No module's examples are left out."""
    folder = Path(__file__).parents[2] / "plugins/modules"
    assert sorted(ORDER) == sorted(path.stem for path in folder.glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_runs(results: dict[str, dict[str, Any]], example: Example) -> None:
    """An example of the documentation is carried out, unless the host lacks what the error names."""
    result = results[str(example)]
    lacking = LACKING.get(str(example))
    assert not result["failed"] or (lacking and lacking in result["msg"]), result["msg"]
