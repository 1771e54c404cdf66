# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

UTILS = Path(__file__).parents[3] / "plugins/module_utils"

FIRST_PROCESS = {
    "runtime",
    "runtime.kernel",
    "runtime.kernel.process_calls",
    "runtime.kernel.procfs",
    "runtime.kernel.seccomp",
    "runtime.kernel.security",
    "runtime.kernel.syscalls",
    "runtime.lean",
    "runtime.lean.ctypes",
    "runtime.oci",
    "runtime.oci.first",
    "runtime.oci.init",
}
"""What a container's first process loads of the runtime: each start of a container pays for it."""

FIRST_PROCESS_LIBRARY = set(
    "__future__ _abc _collections_abc _ctypes _stat abc errno genericpath os os.path posixpath stat warnings".split()
)
"""What it may load of the standard library."""

HEAVY = set(
    "pyroute2 ssl _ssl http http.client urllib.request urllib.error tarfile zipfile gzip lzma bz2 hashlib _hashlib "
    "subprocess argparse asyncio concurrent multiprocessing threading logging email ipaddress pathlib tempfile shutil "
    "encodings.ascii random datetime decimal unittest xml sqlite3 ctypes.util platform uuid glob fnmatch pickle "
    "configparser".split()
)
"""What no run that changes nothing may load: each costs milliseconds of every task on every host."""


def loaded(program: str, *arguments: str) -> tuple[set[str], Any]:
    """The modules that a program loads in an interpreter that has loaded nothing, and what it printed as JSON."""
    script = f"""\
import sys
before = set(sys.modules)
sys.path.insert(0, {str(UTILS)!r})
said = None
{program}
after = set(sys.modules) - before
import json
print(json.dumps([sorted(after), said]))
"""
    command = [sys.executable, "-I", "-S", "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not done.stderr
    found, said = json.loads(done.stdout)
    return set(found), said


def test_a_containers_first_process_loads_little() -> None:
    """What runs before a container's program loads of the runtime only what it acts with, and hardly a library."""
    found, _ = loaded("import runtime.oci.first")
    ours = {each for each in found if each.partition(".")[0] == "runtime"}
    assert ours == FIRST_PROCESS
    assert found - ours <= FIRST_PROCESS_LIBRARY


SPARED = set(
    "typing dataclasses inspect json re enum signal socket selectors contextlib collections functools array "
    "termios".split()
)
"""What takes a millisecond or so each, and has a stand-in in runtime/lean where it is needed."""


def test_the_oci_command_line_loads_little() -> None:
    """What clients start for each container loads neither what is heavy nor what adds up to as much."""
    found, _ = loaded("import runtime.cli.oci_door, runtime.cli.oci, runtime.cli.oci_life, runtime.cli.oci_exec")
    assert found & (HEAVY | SPARED | {"encodings.ascii"}) == set()


NO_OP = """
from runtime.core.layout import Layout
from runtime.core.model import parse
from runtime.core.plan import converge
{imports}
outcome = converge({resource}, Layout(*sys.argv[1:3]), parse({resource}.model, {values}), check=False)
said = [list(outcome.actions), len(outcome.changes)]
"""
CONTAINER = "from runtime.resources.container import CONTAINER"
LIMIT = "from runtime.resources.cgroup_limit import CGROUP_LIMIT"
IMAGE = "from runtime.resources.image import IMAGE"
NETWORK = "from runtime.resources.network import NETWORK"
ROOTFS = "from runtime.resources.rootfs import ROOTFS"
VOLUME = "from runtime.resources.volume import VOLUME"
RUNTIME = "from runtime.resources.service import RUNTIME"


def put(root: Path, path: str, value: dict[str, Any]) -> str:
    """Write a JSON file and return its digest; a path that ends with a slash gets the digest as its name."""
    text = json.dumps(value).encode()
    digest = sha256(text).hexdigest()
    file = root / (path + digest if path.endswith("/") else path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(text)
    return f"sha256:{digest}"


@pytest.fixture
def host(tmp_path: Path) -> tuple[str, str]:
    """The folders of a host that has an image, and a stopped container of it."""
    root, identity = tmp_path / "root", "0a" * 32
    image = put(root, "images/blobs/sha256/", {"config": {"Cmd": ["true"]}, "rootfs": {"diff_ids": []}})
    manifest = put(root, "images/blobs/sha256/", {"config": {"digest": image}, "layers": []})
    name = {"org.opencontainers.image.ref.name": "docker.io/library/nginx:latest"}
    put(root, "images/index.json", {"manifests": [{"digest": manifest, "annotations": name}]})
    record = {"name": "web", "image": "nginx", "image_id": image, "id": identity, "memory": 4096, "format": 1}
    record |= {"volumes": ["files:/files", "/cache"], "anonymous": {"/cache": "0b" * 32}}
    put(root, "volumes/files/volume.json", {"name": "files", "labels": {"a": "b"}, "format": 1})
    (root / "volumes/files/_data").mkdir()
    put(root, f"containers/{identity}/container.json", record)
    (root / "names").mkdir()
    (root / "names/web").symlink_to(f"../containers/{identity}")
    return str(root), str(tmp_path / "run")


@pytest.mark.parametrize(
    ("imports", "values"),
    [
        pytest.param(CONTAINER, {"name": "web", "state": "stopped"}, id="container"),
        pytest.param(CONTAINER, {"name": "web", "state": "present", "image": "nginx"}, id="container with image"),
        pytest.param(CONTAINER, {"name": "db", "state": "absent"}, id="container absent"),
        pytest.param(LIMIT, {"name": "web", "memory": "4k"}, id="cgroup_limit"),
        pytest.param(IMAGE, {"name": "nginx"}, id="image"),
        pytest.param(IMAGE, {"name": "busybox", "state": "absent"}, id="image absent"),
        pytest.param(NETWORK, {"name": "front", "state": "absent"}, id="bridge_network absent"),
        pytest.param(ROOTFS, {"path": "/nowhere", "state": "absent"}, id="overlay_rootfs absent"),
        pytest.param(VOLUME, {"name": "files", "labels": {"a": "b"}}, id="volume"),
        pytest.param(VOLUME, {"name": "other", "state": "absent"}, id="volume absent"),
        pytest.param(RUNTIME, {"link": "/nowhere/pycontainers", "state": "absent"}, id="runtime absent"),
    ],
)
def test_a_run_that_changes_nothing_loads_nothing_heavy(
    host: tuple[str, str], imports: str, values: dict[str, Any]
) -> None:
    """To find all in order takes no library for networks, archives, digests or other programs."""
    resource = imports.rpartition(" ")[2]
    found, said = loaded(NO_OP.format(imports=imports, resource=resource, values=values), *host)
    assert said == [[], 0]
    assert found & HEAVY == set()


def test_something_heavy_would_be_seen(host: tuple[str, str]) -> None:
    """A run that has something to tell a digest of loads what digests are made with."""
    values = {"name": "web", "state": "stopped", "command": "sleep 5"}
    program = NO_OP.replace("check=False", "check=True").format(imports=CONTAINER, resource="CONTAINER", values=values)
    found, said = loaded(program, *host)
    assert said[1] > 0
    assert "hashlib" in found & HEAVY
