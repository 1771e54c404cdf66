# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published attacks by paths: links and swapped folders in a root filesystem, descriptors left open, wrong folders."""
from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.trampoline import TRAMPOLINE
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci, console_socket

Change = Callable[[dict[str, Any]], object]
ROUNDS = 12
"""Creations against which a folder is swapped."""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of the host's that no container is given."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret\n")
    return folder


def mounted(**mount: Any) -> Change:
    """A configuration with one mount more."""
    return lambda document: document["mounts"].append(mount)


def without(*places: str) -> Change:
    """A configuration that leaves these destinations to the image."""

    def change(document: dict[str, Any]) -> None:
        document["mounts"] = [each for each in document["mounts"] if each["destination"] not in places]

    return change


def working(place: str) -> Change:
    """A configuration with this working folder."""
    return lambda document: document["process"].update(cwd=place)


@contextmanager
def swapped(place: Path, target: str) -> Iterator[None]:
    """Swap a folder and a symbolic link to ``target`` for one another all the time."""
    place.mkdir()
    link, end = place.with_name("link"), threading.Event()
    link.symlink_to(target)

    def swap() -> None:
        here, there = (os.open(place.parent, os.O_PATH) for _ in range(2))
        while not end.is_set():
            # RENAME_EXCHANGE: neither name is ever missing.
            syscalls.libc.renameat2(here, os.fsencode(place.name), there, b"link", 2)
            end.wait(0.0002)
        os.close(here)
        os.close(there)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def test_cve_2021_30465_a_mount_s_target_is_swapped(oci: Oci, outside: Path) -> None:
    """CVE-2021-30465 (runc): while a target is swapped for a link, no mount goes to where that leads outside."""
    shared = oci.rootfs / "shared"
    shared.mkdir()
    (outside / "inner").mkdir()
    seen = "cut -d' ' -f5 /proc/self/mountinfo"
    oci.configure("sh", "-c", seen, change=mounted(destination="/shared/place/inner", type="tmpfs", source="tmpfs"))
    with swapped(shared / "place", f"../../../../../../../..{outside}"):
        for _ in range(ROUNDS):
            done = oci.call("run", "c")
            # Either it is refused, or made inside: where it would be outside, the container does not see it.
            assert done.returncode or "/inner\n" in done.stdout
    assert sorted(os.listdir(outside)) == ["inner", "secret"]


def test_cve_2024_45310_a_folder_is_swapped_while_others_are_made(oci: Oci, outside: Path) -> None:
    """CVE-2024-45310 (runc): while a folder is swapped for a link, no folder or file is made outside of the root."""
    shared = oci.rootfs / "shared"
    shared.mkdir()

    def change(document: dict[str, Any]) -> None:
        for name in ("a/b/c", "d/e/f"):
            mounted(destination=f"/shared/place/{name}", type="tmpfs", source="tmpfs")(document)
        mounted(destination="/shared/place/g/h", type="bind", source="/etc/hostname", options=["bind"])(document)

    oci.configure("true", change=change)
    with swapped(shared / "place", f"../../../../../../../..{outside}"):
        for _ in range(ROUNDS):
            oci.call("run", "c")
    assert os.listdir(outside) == ["secret"]


@pytest.mark.parametrize("target", ["{}", "../../../../../../../../..{}", "/proc/self/root{}", "/proc/1/root{}"])
def test_cve_2019_18837_a_target_is_a_link(oci: Oci, outside: Path, target: str) -> None:
    """CVE-2019-18837 (crun): a mount's target that is a link leads to what the container would find there."""
    (oci.rootfs / "trap").symlink_to(target.format(outside))
    change = mounted(destination="/trap/made", type="tmpfs", source="tmpfs")
    oci.configure("true", change=change)
    done = oci.call("run", "c")
    assert (done.returncode == 0) == ("/proc/" not in target)
    assert os.listdir(outside) == ["secret"]


def test_cve_2015_3629_a_target_has_become_a_link_when_it_starts_again(oci: Oci, outside: Path) -> None:
    """CVE-2015-3629 (docker): what a container has made of a mount's target leads nowhere at its next start."""
    change = mounted(destination="/files", type="bind", source="/etc", options=["bind"])
    assert oci.said("ls /files/hostname", change) == "/files/hostname\n"
    (oci.rootfs / "files").rmdir()
    (oci.rootfs / "files").symlink_to(f"/../../../../../../..{outside}")
    assert oci.said("ls /files/hostname", change) == "/files/hostname\n"
    assert os.listdir(outside) == ["secret"]
    assert (oci.rootfs / str(outside).lstrip("/")).is_dir()


def test_cve_2019_18837_a_device_s_place_is_a_link(oci: Oci, outside: Path) -> None:
    """CVE-2019-18837 (crun): nodes and links of /dev are made where the image's links lead inside, not outside."""
    folder = oci.rootfs / "dev"
    for each in folder.iterdir() if folder.is_dir() and not folder.is_symlink() else []:
        each.unlink()
    with suppress(FileNotFoundError):
        folder.rmdir()
    folder.symlink_to(f"../../../../../../../../..{outside}")
    change = without("/dev", "/dev/pts", "/dev/mqueue", "/dev/shm")
    assert oci.said("test -c /dev/null && echo node", change) == "node\n"
    assert os.listdir(outside) == ["secret"]


def test_cve_2025_31133_the_image_has_another_dev_null(oci: Oci) -> None:
    """CVE-2025-31133 (runc): a link in place of /dev/null is no device, and nothing of its target becomes a mask."""
    (oci.rootfs / "dev").mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        (oci.rootfs / "dev/null").unlink()
    (oci.rootfs / "dev/null").symlink_to("/proc/sys/kernel/hostname")
    said = oci.refused(without("/dev", "/dev/pts", "/dev/mqueue", "/dev/shm"))
    assert "something else is there" in said


def test_cve_2025_31133_masks_are_the_null_device(oci: Oci) -> None:
    """CVE-2025-31133 (runc): a mask is the host's null device, and where that is another file nothing starts."""
    (oci.rootfs / "secret").write_text("secret\n")

    def change(document: dict[str, Any]) -> None:
        document["linux"]["maskedPaths"] = ["/secret"]

    assert oci.said("stat -c '%t:%T' /secret; cat /secret", change) == "1:3\n"
    real = os.open("/dev/null", os.O_PATH)
    syscalls.mount("/dev/zero", "/dev/null", flags=syscalls.MS_BIND)
    try:
        oci.configure(change=change)
        done = oci.call("create", "c")
    finally:
        syscalls.umount("/dev/null")
        os.close(real)
    assert (done.returncode, "not the null device" in done.stderr) == (1, True)


@pytest.mark.parametrize("target", ["/proc/sys/kernel/hostname", "/elsewhere", "../elsewhere"])
def test_cve_2025_52565_the_image_has_another_console(oci: Oci, target: str) -> None:
    """CVE-2025-52565 (runc): the terminal is put on no link that the image has in place of /dev/console."""

    def change(document: dict[str, Any]) -> None:
        without("/dev", "/dev/mqueue", "/dev/shm")(document)
        document["process"]["terminal"] = True

    for name in os.listdir(oci.rootfs / "dev") if (oci.rootfs / "dev").exists() else []:
        if not (oci.rootfs / "dev" / name).is_dir():
            (oci.rootfs / "dev" / name).unlink()
    (oci.rootfs / "dev").mkdir(exist_ok=True)
    (oci.rootfs / "elsewhere").touch()
    (oci.rootfs / "dev/console").symlink_to(target)
    oci.configure(change=change)
    with console_socket(oci.bundle):
        done = oci.call("create", "--console-socket", "console", "c")
    assert done.returncode == 1
    assert "a symbolic link leads there" in done.stderr, done.stderr


@pytest.mark.parametrize("number", range(3, 12))
def test_cve_2024_21626_the_working_folder_is_a_descriptor(oci: Oci, number: int) -> None:
    """CVE-2024-21626 (runc): a working folder by way of an open descriptor of the runtime is refused, or inside."""
    for place in (f"/proc/self/fd/{number}", f"/proc/self/fd/{number}/../../.."):
        oci.configure(change=working(place))
        assert oci.call("create", "c").returncode == 1


def test_cve_2024_21626_exec_in_a_folder_by_a_descriptor(oci: Oci, outside: Path) -> None:
    """CVE-2024-21626 (runc): exec does not begin in a folder outside, though a descriptor of it is handed on."""
    oci.run()
    words = ("exec", "--preserve-fds", "1", "--cwd", "/proc/self/fd/3", "c", "cat", "secret")
    command = ["/bin/sh", "-c", f'exec 3<"{outside}"; exec "$0" "$@"', COMMAND, "--root", str(oci.root), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (255, "")
    assert "chdir" in done.stderr


def test_cve_2024_21626_a_program_by_a_descriptor(oci: Oci) -> None:
    """CVE-2024-21626 (runc): no descriptor of the runtime leads to a program outside of the root."""
    oci.run()
    for number in range(3, 16):
        words = f"/proc/self/fd/{number}/../../../../../../bin/bash"
        assert oci.call("exec", "c", words, "-c", "true").returncode == 255


def test_cve_2015_3627_no_folder_outside_is_held(oci: Oci) -> None:
    """CVE-2015-3627 (docker): what waits in the container holds no descriptor opened before it went inside."""
    pid = oci.create()
    root = os.stat(f"/proc/{pid}/root")
    for name in os.listdir(f"/proc/{pid}/fd"):
        place = f"/proc/{pid}/fd/{name}"
        if int(name) > 2 and os.path.isdir(place):
            assert os.path.samestat(os.stat(place), root), os.readlink(place)
        else:
            # A sealed file in memory is how it becomes the program.
            usual = ("socket:", "/dev/null", f"/memfd:{TRAMPOLINE} ")
            assert os.readlink(place).startswith(usual) or int(name) <= 2


def test_cve_2016_9962_the_first_process_is_not_seen_into(oci: Oci) -> None:
    """CVE-2016-9962 (docker): what runs in the container reaches no descriptor of a process that is on its way in."""
    oci.create()
    script = "for each in /proc/1/fd/*; do readlink $each; done; readlink /proc/1/exe; ls /proc/1/cwd/ 2>&1"
    assert oci.call("exec", "c", "sh", "-c", script).stdout == "ls: /proc/1/cwd/: Permission denied\n"


def test_cve_2014_9358_an_id_is_no_path(oci: Oci, outside: Path) -> None:
    """CVE-2014-9358 (docker): no verb takes an id that climbs out of the folder of all containers."""
    (outside / "state.json").write_text("{}")
    climbing = os.path.relpath(outside, oci.root)
    for words in (("state",), ("delete", "--force"), ("kill",), ("create",), ("start",), ("pause",), ("ps",)):
        done = oci.call(*words, climbing)
        assert (done.returncode, "container id" in done.stderr) == (1, True)
    assert sorted(os.listdir(outside)) == ["secret", "state.json"]


def test_cve_2021_41091_folders_are_root_s(oci: Oci) -> None:
    """CVE-2021-41091 (docker): whatever the caller's mask is, only root reads or enters a container's folder."""
    old = os.umask(0)
    try:
        oci.run()
    finally:
        os.umask(old)
    assert (oci.root / "c").stat().st_mode & 0o077 == 0
    assert oci.root.stat().st_mode & 0o066 == 0
    assert json.loads((oci.root / "c/state.json").read_text())["id"] == "c"


def test_cve_2021_41091_folders_of_the_modules_are_root_s(host: Host) -> None:
    """CVE-2021-41091 (docker): nobody else gets to the set-user-ID programs in a container that a module has made."""
    host.run()
    identity = host.observed().id or ""
    merged = Path(host.layout.container(identity, "merged"))
    ours = [each for each in merged.parents if each.is_relative_to(host.layout.root)]
    assert any(each.stat().st_mode & 0o007 == 0 for each in ours)


def test_cve_2024_21626_a_working_folder_of_an_image(host: Host) -> None:
    """CVE-2024-21626 (runc): an image's working folder by way of an open descriptor is refused."""
    for number in range(3, 9):
        image = host.image(f"leaky-{number}", {"WorkingDir": f"/proc/self/fd/{number}"})
        with pytest.raises(Exception, match="proc/self/fd"):
            host.converge(f"leaky{number}", image=image, command=["sh", "-c", "ls"], stop_timeout=0)


def test_cve_2019_18837_a_volume_s_target_is_a_link(host: Host, outside: Path) -> None:
    """CVE-2019-18837 (crun): a module's volume goes to where the image's links lead inside."""
    image = host.image("trap", {}, lambda root: (root / "trap").symlink_to(f"../../../../../../../..{outside}"))
    host.converge(image=image, command=["sleep", "1000"], volumes=["/etc:/trap/made:ro"], stop_timeout=0)
    assert host.ok("exec", "c", "ls", "/trap/made/hostname") == "/trap/made/hostname\n"
    assert os.listdir(outside) == ["secret"]
