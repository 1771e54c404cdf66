# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published attacks by what is read before anything is made: users, ids, names, cgroup paths."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_cgroup import cgroup_path
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_linux import Namespaces, sysctls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_mounts import WITHIN_PROC, mounts
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_process import process
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.container import Containers, valid
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.fields import Field
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.users import LARGEST_FILE, user


def rooted(folder: Path, passwd: str = "", group: str = "") -> str:
    """A root filesystem with these users and groups."""
    (folder / "rootfs/etc").mkdir(parents=True)
    (folder / "rootfs/etc/passwd").write_text(passwd)
    (folder / "rootfs/etc/group").write_text(group)
    return str(folder / "rootfs")


def given(**values: Any) -> Field:
    """A process object of a configuration."""
    return Field("process", {"args": ["x"], "cwd": "/", **values}, [])


@pytest.mark.parametrize("wanted", ["1000", "01000", "1000:1000"])
def test_cve_2016_3697_a_number_is_no_name(tmp_path: Path, wanted: str) -> None:
    """CVE-2016-3697 (docker): a user with a number as its name does not make root of that number."""
    rootfs = rooted(tmp_path, "1000:x:0:0::/:/bin/sh\n01000:x:0:0::/:/bin/sh\n", "1000:x:0:\n")
    assert user(rootfs, wanted).uid == 1000
    assert user(rootfs, "5:1000").gid == 1000


LARGE = [str(2**31 * 2 - 1), str(2**32), str(2**32 + 1), str(2**64), "9" * 400]


@pytest.mark.parametrize("number", LARGE)
def test_cve_2024_40635_a_number_that_is_too_large(tmp_path: Path, number: str) -> None:
    """CVE-2024-40635 (containerd): an id beyond 32 bits is refused, never cut off to that of root."""
    rootfs = rooted(tmp_path)
    for wanted in (number, f"1000:{number}"):
        with pytest.raises(Failure, match="ids end at"):
            user(rootfs, wanted)
    for values in ({"uid": int(number)}, {"gid": int(number)}, {"additionalGids": [int(number)]}):
        with pytest.raises(InvalidValue):
            process(given(user=values))


@pytest.mark.parametrize("number", LARGE)
def test_cve_2026_46680_a_number_that_is_too_large_is_no_name(tmp_path: Path, number: str) -> None:
    """CVE-2026-46680 (containerd): nor is such a number looked up as a name, which an image could map to root."""
    rootfs = rooted(tmp_path, f"{number}:x:0:0::/:/bin/sh\n", f"{number}:x:0:\n")
    for wanted in (number, f"1000:{number}"):
        with pytest.raises(Failure, match="ids end at"):
            user(rootfs, wanted)


@pytest.mark.parametrize("uid", ["4294967296", "-4294967296", "0x0", "", "+0", " 0"])
def test_cve_2024_40635_a_number_in_the_image(tmp_path: Path, uid: str) -> None:
    """CVE-2024-40635 (containerd): a user whose number in /etc/passwd is none to the kernel is refused."""
    rootfs = rooted(tmp_path, f"web:x:{uid}:1000::/:/bin/sh\n")
    with pytest.raises(Failure):
        user(rootfs, "web")


@pytest.mark.parametrize("name", ["passwd", "group"])
def test_cve_2024_9676_a_list_is_a_link(tmp_path: Path, name: str) -> None:
    """CVE-2024-9676 (podman, buildah, cri-o): users and groups are read inside the root, whatever links say."""
    rootfs = rooted(tmp_path)
    line = "outside:x:4711:4711::/:/bin/sh\n" if name == "passwd" else "outside:x:4711:\n"
    (tmp_path / "list").write_text(line)
    for target in (str(tmp_path / "list"), "../../list", "../../../../../../../../../" + str(tmp_path / "list")):
        (tmp_path / "rootfs/etc" / name).unlink()
        (tmp_path / "rootfs/etc" / name).symlink_to(target)
        with pytest.raises(Failure, match="no such"):
            user(rootfs, "outside" if name == "passwd" else "0:outside")


def test_cve_2024_9676_the_folder_of_the_lists_is_a_link(tmp_path: Path) -> None:
    """CVE-2024-9676 (podman, buildah, cri-o): nor does a link in place of /etc lead outside."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("outside:x:4711:4711::/:/bin/sh\n")
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "rootfs/etc").symlink_to("../etc")
    with pytest.raises(Failure, match="no such user"):
        user(str(tmp_path / "rootfs"), "outside")


@pytest.mark.parametrize("place", ["/dev/zero", "/proc/self/fd/0", "fifo", "sparse"])
def test_cve_2024_9676_a_list_without_end(tmp_path: Path, place: str) -> None:
    """CVE-2024-9676 (podman, buildah, cri-o): a FIFO, a device or a file of terabytes holds nobody up."""
    rootfs = rooted(tmp_path)
    path = tmp_path / "rootfs/etc/passwd"
    path.unlink()
    if place == "fifo":
        os.mkfifo(path)
    elif place == "sparse":
        with open(path, "wb") as file:
            file.truncate(1 << 42)
    else:
        path.symlink_to(place)
    assert user(rootfs, "7").uid == 7
    assert LARGEST_FILE <= 1 << 20


@pytest.mark.parametrize("identity", ["../x", "..", ".", "a/b", "/x", "x\0", "x\n", "", "seccomp~", "x" * 256])
def test_cve_2014_9358_an_id_is_no_path(tmp_path: Path, identity: str) -> None:
    """CVE-2014-9358 (docker): an id is the name of a folder, right below that of all containers."""
    with pytest.raises(InvalidValue, match="container id"):
        valid(identity)
    with pytest.raises(InvalidValue):
        Containers(str(tmp_path)).folder(identity, "state.json")


@pytest.mark.parametrize("path", ["../x", "/../x", "x/../../y", "/", "..", "x/..", "x\ny"])
def test_a_cgroup_does_not_climb(path: str) -> None:
    """No path of a cgroup leads to the hierarchy's root or above."""
    with pytest.raises(InvalidValue):
        cgroup_path(Field("linux.cgroupsPath", path, []), False)


@pytest.mark.parametrize(
    "path", ["a:b:../../x", "..:b:c", "../x.slice:b:c", "a.slice/..:b:c", "a.slice:../b:c", "-.slice::/"]
)
def test_a_unit_s_name_is_no_path(path: str) -> None:
    """The words of systemd's grammar are names, and no paths."""
    with pytest.raises(InvalidValue):
        cgroup_path(Field("linux.cgroupsPath", path, []), True)


@pytest.mark.parametrize(
    "place", ["/proc/self/attr", "/proc/../proc/sys", "//proc/1", "/x/../proc/sysrq-trigger", "proc/self"]
)
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_cve_2019_19921_a_mount_in_proc(place: str, kind: str) -> None:
    """CVE-2019-19921 (runc): no path, however it is written, mounts in /proc but on files that only inform."""
    entry = {"destination": place, "type": kind, "source": "/x"}
    with pytest.raises(InvalidValue, match="mounting there"):
        mounts(Field("mounts", [entry], []), "/bundle")
    assert not any(each.startswith("/proc/self") or "attr" in each for each in WITHIN_PROC)


@pytest.mark.parametrize(
    "name", ["kernel.core_pattern", "kernel/sysrq", "net/../kernel/core_pattern", "net.ipv4/../x/..", "vm.swappiness"]
)
def test_cve_2022_0811_a_setting_of_the_host(name: str) -> None:
    """CVE-2022-0811 (cri-o): a setting that no namespace has of its own is refused, with all namespaces, too."""
    with pytest.raises(InvalidValue):
        sysctls(Field("linux.sysctl", {name: "x"}, []), Namespaces(0xFFFFFFFF, ()))
