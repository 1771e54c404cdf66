# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers of the OCI command line in user namespaces: their ids, files and rights, and those of plain users."""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci

FIRST = 100000
MAPPING = [{"containerID": 0, "hostID": FIRST, "size": 65536}]
USER = 54321


def users(document: dict[str, Any]) -> None:
    """Add a new user namespace."""
    document["linux"]["namespaces"].append({"type": "user"})
    document["linux"] |= {"uidMappings": MAPPING, "gidMappings": MAPPING}


def owned(folder: Path, identity: int) -> None:
    """Give all files of a tree to a user."""
    for place, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(f"{place}/{name}", identity, identity, follow_symlinks=False)


@pytest.fixture
def mapped(oci: Oci) -> Oci:
    """A bundle whose root filesystem belongs to the root of the user namespace."""
    owned(oci.rootfs, FIRST)
    return oci


def test_ids_inside_and_outside(mapped: Oci) -> None:
    """Root inside is another user outside, and the recorded pid is the program's."""
    mapped.configure(change=users)
    pid = mapped.run()
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"Uid:\t{FIRST}\t{FIRST}\t{FIRST}\t{FIRST}\n" in status
    assert f"Gid:\t{FIRST}\t{FIRST}\t{FIRST}\t{FIRST}\n" in status
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"
    assert os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user")
    assert mapped.ok("exec", "c", "sh", "-c", "id -u; cat /proc/self/uid_map").split() == ["0", "0", "100000", "65536"]


def test_first_process(mapped: Oci) -> None:
    """The program is pid 1 with the namespace's rights only, in namespaces that belong to the user namespace."""
    said = mapped.said("echo $$; grep CapEff /proc/$$/status; mknod /x c 1 3 2>/dev/null || echo refused", users)
    first, _, capabilities, last = said.split()
    assert (first, capabilities, last) == ("1", "00000000a80425fb", "refused")


def test_files(mapped: Oci) -> None:
    """Files made inside belong to the mapped users outside; a bound folder that only the host's root reaches too."""
    folder = mapped.bundle / "closed"
    (folder / "shared").mkdir(parents=True)
    os.chmod(folder, 0o700)
    owned(folder / "shared", FIRST)

    def change(document: dict[str, Any]) -> None:
        users(document)
        source = str(folder / "shared")
        document["mounts"].append({"destination": "/shared", "type": "bind", "source": source, "options": ["rbind"]})

    mapped.said("touch /shared/a /b; chown 5:7 /b; echo x > /dev/null; head -c 1 /dev/zero > /shared/z", change)
    about = (mapped.rootfs / "b").stat()
    assert (about.st_uid, about.st_gid) == (FIRST + 5, FIRST + 7)
    assert (folder / "shared/a").stat().st_uid == FIRST


def test_another_user(mapped: Oci) -> None:
    """A program runs as the user that the configuration names, and exec as another."""

    def change(document: dict[str, Any]) -> None:
        users(document)
        document["process"]["user"] = {"uid": 5, "gid": 6, "additionalGids": [7]}

    mapped.configure(change=change)
    pid = mapped.run()
    status = Path(f"/proc/{pid}/status").read_text()
    assert f"Uid:\t{FIRST + 5}\t" in status
    assert f"Groups:\t{FIRST + 6} {FIRST + 7} \n" in status
    assert mapped.ok("exec", "--user", "8:9", "c", "id").startswith("uid=8 gid=9 groups=")


def test_joined(mapped: Oci) -> None:
    """A container joins user and network namespaces of another one."""
    mapped.configure(change=users)
    pid = mapped.run()

    def change(document: dict[str, Any]) -> None:
        kinds = [each for each in document["linux"]["namespaces"] if each["type"] not in ("network", "pid")]
        kinds += [{"type": kind, "path": f"/proc/{pid}/ns/{name}"} for kind, name in PLACES]
        document["linux"]["namespaces"] = kinds

    said = mapped.said("cd /proc/self/ns; for n in user net pid; do readlink $n; done; id -u", change)
    wanted = [os.readlink(f"/proc/{pid}/ns/{name}") for name in ("user", "net", "pid")]
    assert said.split() == [*wanted, "0"]


PLACES = (("network", "net"), ("user", "user"), ("pid", "pid"))


def test_sysfs_of_the_host(mapped: Oci) -> None:
    """Without a network namespace of its own a container is shown the host's /sys."""

    def change(document: dict[str, Any]) -> None:
        users(document)
        document["linux"]["namespaces"].remove({"type": "network"})

    assert "kernel" in mapped.said("ls /sys", change)


def test_terminal(mapped: Oci) -> None:
    """A terminal of the container's own is the user's inside."""

    def change(document: dict[str, Any]) -> None:
        users(document)
        document["process"]["terminal"] = True

    mapped.configure("sh", "-c", "stat -c %u:%t /proc/self/fd/0 -L", change=change)
    done = mapped.call("run", "screen")
    assert (done.returncode, done.stdout.split()) == (0, ["0:88"])


def test_without_pivot(mapped: Oci) -> None:
    """The root filesystem becomes the root by moving it too."""
    mapped.configure("sh", "-c", "cd /; pwd; ls -d bin", change=users)
    assert mapped.ok("run", "--no-pivot", "moved").split() == ["/", "bin"]


def test_time_offsets(mapped: Oci) -> None:
    """The clocks of a time namespace that belongs to the user namespace are shifted."""

    def change(document: dict[str, Any]) -> None:
        users(document)
        document["linux"]["namespaces"].append({"type": "time"})
        document["linux"]["timeOffsets"] = {"boottime": {"secs": 1000000}}

    assert float(mapped.said("cat /proc/uptime", change).split()[0]) > 1000000


@pytest.mark.parametrize("inside", [True, False])
def test_id_mapped_mount(oci: Oci, inside: bool) -> None:
    """Files show the ids that a mount's mappings give them, with a user namespace and without one."""
    if inside:
        owned(oci.rootfs, FIRST)
    source = oci.bundle / "volume"
    source.mkdir()
    (source / "file").touch()
    mount: dict[str, Any] = {"destination": "/volume", "type": "bind", "source": str(source), "options": ["rbind"]}

    def change(document: dict[str, Any]) -> None:
        if inside:
            users(document)
            mount["options"] = ["rbind", "idmap"]
        else:
            mount.update(uidMappings=MAPPING, gidMappings=MAPPING)
        document["mounts"].append(mount)

    assert oci.said("stat -c %u:%g /volume/file", change).strip() == ("0:0" if inside else f"{FIRST}:{FIRST}")


def test_id_mapped_mount_refused(oci: Oci) -> None:
    """A filesystem that takes no mappings is told by the mount's field."""

    def change(document: dict[str, Any]) -> None:
        mount = {"destination": "/mnt", "type": "bind", "source": "/proc", "options": ["bind"]}
        document["mounts"].append(mount | {"uidMappings": MAPPING, "gidMappings": MAPPING})

    said = oci.refused(change)
    assert "mounts[" in said
    assert "].uidMappings" in said
    assert "id-mapped" in said


def test_copy_up(oci: Oci) -> None:
    """A tmpfs with tmpcopyup begins with what the image has there, with owners, modes and links."""
    folder = oci.rootfs / "begun"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/file").write_text("kept")
    os.chown(folder / "deep/file", 5, 6)
    os.chmod(folder / "deep/file", 0o640)
    os.symlink("deep/file", folder / "link")

    def change(document: dict[str, Any]) -> None:
        mount = {"destination": "/begun", "type": "tmpfs", "source": "tmpfs", "options": ["tmpcopyup", "ro"]}
        document["mounts"].append(mount)

    said = oci.said("cat /begun/link; stat -c ' %u:%g %a' /begun/deep/file; touch /begun/x 2>&1; :", change)
    assert said.startswith("kept 5:6 640\n")
    assert "Read-only" in said
    assert not (folder / "x").exists()


def plain(document: dict[str, Any]) -> None:
    """What a user may have that maps only itself."""
    users(document)
    mapping = [{"containerID": 0, "hostID": USER, "size": 1}]
    document["linux"] |= {"uidMappings": mapping, "gidMappings": mapping}
    for mount in document["mounts"]:
        mount["options"] = [word for word in mount["options"] if not word.startswith("gid=")]
    document["linux"]["resources"] = {}


def as_user(oci: Oci, *words: str) -> tuple[int, str, str]:
    """Call the command line as an unprivileged user with a folder for its state: status, output and errors."""
    runtime = oci.bundle / "runtime"
    runtime.mkdir(exist_ok=True)
    owned(oci.bundle, USER)
    for folder in (oci.bundle, *list(oci.bundle.parents)[:-2]):
        os.chmod(folder, folder.stat().st_mode | 0o111)
    command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", COMMAND, *words]
    environment = {"XDG_RUNTIME_DIR": str(runtime), "PATH": os.environ["PATH"]}
    # What runs on holds the streams open, so they are files.
    with open(oci.bundle / "out", "w+") as out, open(oci.bundle / "err", "w+") as err:
        done = subprocess.run(
            command,
            cwd=oci.bundle,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            timeout=30,
            check=False,
        )
        status = done.returncode
    return status, (oci.bundle / "out").read_text(), (oci.bundle / "err").read_text()


def test_unprivileged(oci: Oci) -> None:
    """A user without any rights runs a container that it owns, and is told in the log that there is no cgroup."""
    oci.configure("sh", "-c", "id -u; echo $$; touch /made; cat /proc/self/setgroups", change=plain)
    status, out, err = as_user(oci, "--log", "log", "--log-format", "json", "run", "mine")
    assert (status, err, out.split()) == (0, "", ["0", "1", "deny"])
    assert (oci.rootfs / "made").stat().st_uid == USER
    assert "no cgroup" in json.loads((oci.bundle / "log").read_text().splitlines()[0])["msg"]
    assert os.listdir(oci.bundle / "runtime/pycontainers/oci") == []


def test_unprivileged_exec(oci: Oci) -> None:
    """A user runs another program in its container, and deletes it."""
    oci.configure(change=plain)
    assert as_user(oci, "run", "--detach", "--pid-file", "pid", "mine") == (0, "", "")
    pid = int((oci.bundle / "pid").read_text())
    assert Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"sleep")
    space = os.readlink(f"/proc/{pid}/ns/pid")
    assert as_user(oci, "exec", "mine", "sh", "-c", "id -u; readlink /proc/self/ns/pid") == (0, f"0\n{space}\n", "")
    assert as_user(oci, "delete", "--force", "mine") == (0, "", "")
    assert oci.exit_code(pid) == -signal.SIGKILL


def test_unprivileged_refusals(oci: Oci) -> None:
    """What a user can't have is told by its field: no user namespace, limits, groups."""

    def limits(document: dict[str, Any]) -> None:
        plain(document)
        document["linux"]["resources"] = {"pids": {"limit": 5}}

    def groups(document: dict[str, Any]) -> None:
        plain(document)
        document["process"]["user"]["additionalGids"] = [0]

    def without(document: dict[str, Any]) -> None:
        document["linux"]["resources"] = {}

    changes = (("linux.resources", limits), ("process.user.additionalGids", groups), ("linux.namespaces", without))
    for field, change in changes:
        oci.configure(change=change)
        status, _, err = as_user(oci, "run", "mine")
        assert status == 1
        assert field in err


@pytest.mark.skipif(shutil.which("newuidmap") is not None, reason="newuidmap is installed")
def test_without_the_programs_that_map(oci: Oci) -> None:
    """A user that maps more than itself on a host without newuidmap is told what to install; nothing is left."""

    def change(document: dict[str, Any]) -> None:
        plain(document)
        document["linux"] |= {"uidMappings": MAPPING, "gidMappings": MAPPING}

    oci.configure(change=change)
    status, _, err = as_user(oci, "run", "mine")
    assert status == 1
    assert "install the package uidmap" in err
    assert os.listdir(oci.bundle / "runtime/pycontainers/oci") == []
