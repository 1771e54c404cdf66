# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry and its images, seen by skopeo, umoci and the kernel."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.registry import RegistryFailure, Server, images, process, registry, standing
from testbed.registry.nginx import PAGE_LATEST, PAGE_NEXT
from testbed.registry.server import start

SKOPEO = ("skopeo", "--insecure-policy")
REPOSITORY = Path(__file__).resolve().parents[3]

# Mounts, network and processes of the server are in namespaces of their own, which end with it.
ALONE = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private")
SERVE_AND_ASK = """
ip link set lo up
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
chroot "$1" /usr/bin/env nginx -g 'daemon off;' &
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    "$2" -c 'import urllib.request as r; print(r.urlopen("http://127.0.0.1/").read().decode())' 2>/dev/null && break
    sleep 0.3
done
kill -QUIT $!
wait $!
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a registry with all images, which the tests only read."""
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def output(*words: str | Path) -> str:
    """Run a program that must succeed and return what it printed."""
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.mark.parametrize(("tag", "line"), [("latest", PAGE_LATEST), ("next", PAGE_NEXT)])
def test_nginx_serves_its_page(server: Server, tmp_path: Path, tag: str, line: str) -> None:
    """What skopeo pulls and umoci unpacks is an nginx that runs, logs to its output and ends well on SIGQUIT."""
    target = f"oci:{tmp_path}/layout:{tag}"
    output(*SKOPEO, "copy", "-q", "--src-tls-verify=false", remote(server.address, tag), target)
    output("umoci", "unpack", "--image", f"{tmp_path}/layout:{tag}", tmp_path / "bundle")
    said = output(*ALONE, "sh", "-c", SERVE_AND_ASK, "sh", tmp_path / "bundle/rootfs", sys.executable)
    assert f"<h1>{line}</h1>" in said
    assert '"GET / HTTP/1.1" 200' in said


def test_tags_differ_in_the_topmost_layer_only(server: Server) -> None:
    """An upgrade from latest to next needs one small layer; the version is another name of latest."""
    layers = {}
    for tag in ("latest", "next"):
        manifest = json.loads(output("skopeo", "inspect", "--raw", "--tls-verify=false", remote(server.address, tag)))
        layers[tag] = [layer["digest"] for layer in manifest["layers"]]
        assert sum(layer["size"] for layer in manifest["layers"]) < 35_000_000
    assert server.digest("nginx", images().nginx_version) == server.digest("nginx", "latest")
    assert layers["latest"][:-1] == layers["next"][:-1]
    assert layers["latest"][-1] != layers["next"][-1]
    assert len(layers["latest"]) == 3


def remote(address: str, tag: str, repository: str = "nginx") -> str:
    """Name an image as skopeo does."""
    return f"docker://{address}/{repository}:{tag}"


def test_busybox_runs_under_each_name(server: Server, tmp_path: Path) -> None:
    """The links of the layer are one program, which runs as the shell and as others."""
    target = f"oci:{tmp_path}/layout:latest"
    output(*SKOPEO, "copy", "-q", "--src-tls-verify=false", remote(server.address, "docker", "busybox"), target)
    output("umoci", "unpack", "--image", f"{tmp_path}/layout:latest", tmp_path / "bundle")
    root = tmp_path / "bundle/rootfs"
    assert output("chroot", root, "/bin/sh", "-c", "/usr/bin/id -un; /bin/cat /etc/platform").split()[0] == "root"
    assert (root / "bin/sh").samefile(root / "bin/busybox")


def test_image_configuration_is_complete(server: Server) -> None:
    """The configuration has every field that a runtime takes from an image."""
    told = output("skopeo", "inspect", "--config", "--tls-verify=false", remote(server.address, "latest"))
    config = json.loads(told)["config"]
    assert config["Entrypoint"] + config["Cmd"] == ["/usr/bin/env", "nginx", "-g", "daemon off;"]
    assert config["ExposedPorts"] == {"80/tcp": {}}
    assert config["StopSignal"] == "SIGQUIT"
    assert config["WorkingDir"] == "/"
    assert "/usr/sbin" in config["Env"][0]


def test_busybox_comes_in_three_media_types(server: Server) -> None:
    """`latest` is an OCI manifest, `docker` a Docker one, `multi` an index whose first image is of another machine."""
    found = {
        tag: json.loads(
            output("skopeo", "inspect", "--raw", "--tls-verify=false", remote(server.address, tag, "busybox"))
        )
        for tag in ("latest", "docker", "multi")
    }
    assert found["latest"]["config"]["mediaType"] == "application/vnd.oci.image.config.v1+json"
    assert found["docker"]["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    platforms = [entry["platform"]["architecture"] for entry in found["multi"]["manifests"]]
    native = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    assert sorted(platforms) == ["amd64", "arm64"]
    assert platforms[1] == native


def test_private_registry_ends_with_its_block(tmp_path: Path) -> None:
    """An empty registry has nothing to pull, and leaves no process."""
    with registry(tmp_path, filled=False) as server:
        assert process.listening_port(server.pid) == int(server.address.rpartition(":")[2])
        with pytest.raises(RegistryFailure, match="status 404"):
            server.digest("nginx", "latest")
    assert not Path(f"/proc/{server.pid}").exists()


def test_private_registry_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    """The kernel ends the registry of a test run that was killed."""
    program = (
        "import sys, time; from pathlib import Path; from testbed.registry import registry\n"
        "with registry(Path(sys.argv[1]), filled=False) as server: print(server.pid, flush=True); time.sleep(60)"
    )
    words = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(words, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline())
        pidfd = os.pidfd_open(pid)
        owner.kill()
    try:
        assert process.has_ended(pidfd, 5)
    finally:
        os.close(pidfd)


def test_address_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    """A registry that cannot listen says why, at once."""
    with registry(tmp_path / "first", filled=False) as server, pytest.raises(RegistryFailure, match="address already"):
        start(tmp_path / "second", tmp_path / "storage", listen=server.address)


def test_missing_namespace_is_said_in_one_sentence(tmp_path: Path) -> None:
    """Without the testbed's network there is a hint and no process."""
    with pytest.raises(RegistryFailure, match="bring the testbed's network up first"):
        standing.up(netns="pyc-no-such-namespace", listen="127.0.0.1:5000", directory=tmp_path)
    assert not (tmp_path / "state.json").exists()


def test_up_is_idempotent_and_down_leaves_no_process(tmp_path: Path) -> None:
    """Up starts, up again keeps; after a crash of the server or of itself it starts anew; down ends what runs, once."""
    program = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from testbed.registry import process, standing
        place = {"netns": "pyc-registry-test", "listen": "127.0.0.1:5000", "directory": Path(sys.argv[1])}
        first, new = standing.up(**place)
        again, newer = standing.up(**place)
        assert (new, newer, first) == (True, False, again), (first, again)
        assert os.stat(f"/proc/{first.pid}/ns/net").st_ino == os.stat("/run/netns/pyc-registry-test").st_ino
        os.kill(first.pid, signal.SIGKILL)
        os.waitpid(first.pid, 0)
        second, newest = standing.up(**place)
        assert newest and second.pid != first.pid
        (place["directory"] / "state.json").unlink()
        third, newest = standing.up(**place)
        assert newest and process.start_time(second.pid) is None
        assert standing.down(directory=place["directory"]) == third
        assert process.start_time(third.pid) is None
        assert standing.down(directory=place["directory"]) is None
    """)
    # /run is empty there, so that the name of the namespace leaves nothing on the machine.
    shell = (
        "mount -t tmpfs tmpfs /run && ip netns add pyc-registry-test && "
        'ip -n pyc-registry-test link set lo up && exec "$0" -c "$1" "$2"'
    )
    words = [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        shell,
        sys.executable,
        program,
        str(tmp_path),
    ]
    ended = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr


def test_end_spares_a_process_that_has_taken_the_pid() -> None:
    """A pid whose start time differs is somebody else's."""
    with subprocess.Popen(["sleep", "30"]) as other:
        started = process.start_time(other.pid)
        assert started is not None
        assert not process.end(other.pid, started - 1)
        assert process.end(other.pid, started)
        assert other.wait() == -signal.SIGTERM
