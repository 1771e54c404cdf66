# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's file systems: what is masked, devices, volumes, and links of an image that lead elsewhere."""
from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import spec
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait


@pytest.mark.parametrize("path", spec.MASKED_PATHS)
def test_masked_paths_can_not_be_read(host: Host, path: str) -> None:
    """What would tell of the host is an empty folder or reads as nothing, and can't be written."""
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no {path}")
    script = f"ls -A {path} 2>&1; [ -d {path} ] || cat {path}; touch {path}/x 2>/dev/null && echo written"
    said = host.said(script)
    assert said == (f"{path}\n" if not os.path.isdir(path) else "")


def test_readonly_paths_can_not_be_written(host: Host) -> None:
    """/proc/sys and its like, /sys and the cgroups can be read, not written, not even by root."""
    script = """
    for path in /proc/sys/kernel/domainname /proc/sys/vm/swappiness /proc/irq/default_smp_affinity; do
      old=$(cat $path) && (echo "$old" > $path) 2>/dev/null && echo "written $path"
    done
    (echo h > /proc/sysrq-trigger) 2>/dev/null && echo written sysrq
    mkdir /sys/fs/cgroup/memory/x 2>/dev/null && echo made cgroup
    (echo 1 > /sys/kernel/mm/ksm/run) 2>/dev/null && echo written sys
    echo done
    """
    assert host.said(script) == "done\n"


def test_device_nodes_that_it_makes_do_not_work(host: Host, tmp_path: Path) -> None:
    """A container may make device nodes, in its root, in /dev, /tmp and in volumes, but can't open them."""
    volume = tmp_path / "volume"
    volume.mkdir()
    number = os.stat("/").st_dev
    disk = f"b {os.major(number)} {os.minor(number)}"
    script = f"""
    for place in /node /dev/node /dev/shm/node /volume/node; do
      mknod $place c 1 5 || echo not made $place
      head -c1 $place >/dev/null 2>&1 && echo opened $place
      mknod ${{place}}b {disk} && head -c1 ${{place}}b >/dev/null 2>&1 && echo opened disk by $place
    done
    head -c1 /dev/zero > /dev/null && echo default devices work
    """
    assert host.said(script, volumes=[f"{volume}:/volume"]) == "default devices work\n"


def test_devices_are_the_default_ones(host: Host) -> None:
    """/dev has the default devices and links, a terminal multiplexer of its own, and nothing of the host's."""
    found = host.said("cd /dev; ls").split()
    assert found == "fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero".split()


def test_a_folder_of_the_host_as_dev_stays_as_it_is(host: Host, tmp_path: Path) -> None:
    """Where /dev is a volume, no devices and links are made in it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "mine").touch()
    assert host.said("ls /dev", volumes=[f"{folder}:/dev"]) == "mine\n"
    assert os.listdir(folder) == ["mine"]


def _links_to_outside(root: Path, outside: Path) -> None:
    (root / "etc").symlink_to("/")
    (root / "data").symlink_to(outside)
    (root / "up").symlink_to("../../../../../../.." + str(outside))
    (root / "dangling").symlink_to("/made/by/link")
    (root / "loop").symlink_to("loop")


def test_links_in_an_image_lead_nowhere_but_inside(host: Host, tmp_path: Path) -> None:
    """Mounts on paths that links of the image lead to end up inside the container, and the host stays as it is."""
    outside, volume = tmp_path / "outside", tmp_path / "volume"
    outside.mkdir()
    volume.mkdir()
    (volume / "file").write_text("of the volume")
    image = host.image("with-links", {}, lambda root: _links_to_outside(root, outside))
    before = _listing("/"), _listing("/etc"), _listing(str(outside))
    host.converge(
        image=image,
        command=["sleep", "1000"],
        stop_timeout=0,
        volumes=[f"{volume}:{target}" for target in ("/data/a", "/up/b", "/dangling/c")],
    )
    root = f"/proc/{host.pid()}/root"
    assert (_listing("/"), _listing("/etc"), _listing(str(outside))) == before
    for place in (f"{outside}/a", f"{outside}/b", "/made/by/link/c", "/hosts"):
        assert os.path.lexists(root + place), place
    assert Path(f"{root}{outside}/a/file").read_text() == "of the volume"
    assert Path(f"{root}/made/by/link/c/file").read_text() == "of the volume"
    host.converge(state="stopped")


def _listing(folder: str) -> list[str]:
    return sorted(os.listdir(folder))


def test_a_dangling_resolv_conf_is_filled(host: Host) -> None:
    """An image whose /etc/resolv.conf is a link to what systemd would make gets one that can be read."""

    def build(root: Path) -> None:
        (root / "etc").mkdir()
        (root / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")

    image = host.image("with-resolved", {}, build)
    host.converge(image=image, command=["cat", "/etc/resolv.conf"])
    container = host.observed()
    host.ended(container)
    assert host.log(container) == Path("/etc/resolv.conf").read_text()


def test_links_that_loop_are_refused(host: Host, tmp_path: Path) -> None:
    """A volume whose target leads through a link to itself is refused with the path."""
    image = host.image("with-loop", {}, lambda root: (root / "loop").symlink_to("loop"))
    with pytest.raises(Failure, match=r"/loop/x.*(symbolic links|Too many levels)"):
        host.converge(image=image, command=["true"], volumes=[f"{tmp_path}:/loop/x"])


def test_proc_as_a_link_of_the_image(host: Host) -> None:
    """An image whose /proc is a link is told of, and nothing is mounted where the link leads."""
    image = host.image("with-linked-proc", {}, lambda root: (root / "proc").symlink_to("/elsewhere"))
    with pytest.raises(Failure, match="/proc: a symbolic link leads there"):
        host.converge(image=image, command=["true"])


def test_mounts_do_not_spread(host: Host, tmp_path: Path) -> None:
    """What the host mounts in a volume later does not appear inside the container."""
    volume = tmp_path / "volume"
    volume.mkdir()
    syscalls.mount("none", str(volume), "tmpfs")
    syscalls.mount("none", str(volume), flags=syscalls.MS_SHARED)
    try:
        (volume / "later").mkdir()
        host.run(volumes=[f"{volume}:/volume"])
        wait(lambda: Path(f"/proc/{host.pid()}/root/volume").exists())
        syscalls.mount("none", str(volume / "later"), "tmpfs")
        (volume / "later/seen").touch()
        assert list(Path(f"/proc/{host.pid()}/root/volume/later").iterdir()) == []
        host.converge(state="stopped")
    finally:
        syscalls.umount(str(volume), syscalls.MNT_DETACH)


def test_volumes_are_writable_or_not(host: Host, tmp_path: Path) -> None:
    """A volume is the host's folder or file with what is mounted below it; ro holds for all of that."""
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    file = tmp_path / "fïle with a space"
    file.write_text("of the host\n")
    syscalls.mount("none", str(folder / "below"), "tmpfs")
    try:
        script = """
        cat /etc/file; echo written > /rw/a
        (echo x > /ro/b) 2>/dev/null && echo wrote ro
        (echo x > /ro/below/b) 2>/dev/null && echo wrote below ro
        (echo x > /etc/file) 2>/dev/null && echo wrote file
        """
        volumes = [f"{folder}:/rw", f"{folder}:/ro:ro", f"{file}:/etc/file:ro"]
        assert host.said(script, volumes=volumes) == "of the host\n"
        assert (folder / "a").read_text() == "written\n"
    finally:
        syscalls.umount(str(folder / "below"))


def test_nothing_of_a_container_is_open_to_users_of_the_host(host: Host) -> None:
    """A set-user-ID program that a container makes can't be reached by users of the host."""
    container = host.shell("cp /bin/busybox /tmp/root-shell; chmod 4755 /tmp/root-shell; sleep 1000")
    path = Path(host.layout.container(container.id or ""), "upper/tmp/root-shell")
    wait(lambda: path.exists() and path.stat().st_mode & stat.S_ISUID)
    assert stat.S_IMODE(os.stat(host.layout.container(container.id or "")).st_mode) & 0o077 == 0
    result = subprocess.run(["test", "-e", path], user=65534, group=65534, extra_groups=[], check=False)
    assert result.returncode == 1
