# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Published attacks on /proc, /sys and the cgroup filesystem: mounts over them, settings of the host, what is seen."""
from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import procfs, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import V1
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.limits import groups
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.spec import MASKED_PATHS, READONLY_PATHS
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import Oci

Change = Callable[[dict[str, Any]], object]
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
NOT_THERE = "mounting there would change what"


def mounted(**mount: Any) -> Change:
    """A configuration with one mount more."""
    return lambda document: document["mounts"].append(mount)


def linked(folder: Path, target: str) -> None:
    """Put a symbolic link in place of a folder."""
    if folder.is_dir():
        folder.rmdir()
    folder.symlink_to(target)


@contextmanager
def bound(source: str, place: str) -> Iterator[None]:
    """Bind a file over another within the block."""
    syscalls.mount(source, place, flags=syscalls.MS_BIND)
    try:
        yield
    finally:
        syscalls.umount(place)


@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
@pytest.mark.parametrize("below", ["self/attr", "sys/kernel", "tty"])
def test_cve_2019_16884_a_link_to_proc_is_mounted_on(oci: Oci, kind: str, below: str) -> None:
    """CVE-2019-16884 (runc): no mount gets into /proc by a link of the image, so labels are written to real files."""
    (oci.rootfs / "trap").symlink_to("/proc")
    change = mounted(destination=f"/trap/{below}", type=kind, source="/etc", options=["bind"] if kind == "bind" else [])
    assert NOT_THERE in oci.refused(change)


@pytest.mark.parametrize("below", ["self/attr", "self/attr/exec", "sys", "1", "sysrq-trigger"])
def test_cve_2015_3631_a_volume_in_proc(oci: Oci, below: str) -> None:
    """CVE-2015-3631 (docker): no volume is put over files of /proc."""
    assert NOT_THERE in oci.refused(mounted(destination=f"/proc/{below}", type="bind", source="/etc", options=["bind"]))


@pytest.mark.parametrize("source", ["/etc", "/proc/self", "/proc/sys"])
def test_cve_2019_19921_a_volume_over_proc(oci: Oci, source: str) -> None:
    """CVE-2019-19921 (runc): only a whole procfs is mounted on /proc, neither a volume nor a part of one."""
    change = mounted(destination="/proc", type="bind", source=source, options=["rbind"])
    assert "only a whole procfs" in oci.refused(change)


def test_cve_2019_19921_the_host_s_proc_is_whole(oci: Oci) -> None:
    """CVE-2019-19921 (runc): what is not that attack, the host's procfs bound, is still taken."""
    change = mounted(destination="/proc", type="bind", source="/proc", options=["rbind"])
    assert oci.said("test -e /proc/self/status && echo there", change) == "there\n"


def test_cve_2023_27561_proc_is_a_link(oci: Oci) -> None:
    """CVE-2023-27561 (runc): procfs is mounted on no link, or who shares its target could swap what is masked."""
    (oci.rootfs / "shared/proc").mkdir(parents=True)
    linked(oci.rootfs / "proc", "/shared/proc")
    assert "/proc: a symbolic link leads there" in oci.refused(lambda document: None)


def test_cve_2023_28642_sys_is_a_link(oci: Oci) -> None:
    """CVE-2023-28642 (runc): sysfs is mounted on no link either."""
    (oci.rootfs / "shared/sys").mkdir(parents=True)
    linked(oci.rootfs / "sys", "/shared/sys")
    assert "/sys: a symbolic link leads there" in oci.refused(lambda document: None)


def test_cve_2023_28642_proc_is_a_link_in_an_image(host: Host) -> None:
    """CVE-2023-28642 (runc): nor does a module start an image whose /proc is a link."""

    def build(root: Path) -> None:
        (root / "shared").mkdir()
        (root / "proc").symlink_to("/shared")

    with pytest.raises(Exception, match="a symbolic link leads there"):
        host.converge(image=host.image("linked", {}, build), command=["sleep", "1000"], stop_timeout=0)


@pytest.mark.parametrize("target", ["/proc", "/proc/sys", "/proc/self"])
def test_cve_2015_3631_a_module_s_volume_over_proc(host: Host, target: str) -> None:
    """CVE-2015-3631 (docker): nor does a module's volume go over /proc or files in it."""
    with pytest.raises(Exception, match=r"procfs can be mounted|mounting there"):
        host.converge(image=host.busybox, command=["sleep", "1000"], volumes=[f"/etc:{target}"], stop_timeout=0)


def test_cve_2025_52881_a_setting_is_another_file(oci: Oci) -> None:
    """CVE-2025-52881 (runc): a setting over which another file of /proc is mounted is written to neither."""
    other = f"/proc/{os.getpid()}/oom_score_adj"
    before = Path(other).read_text()
    oci.configure("true", change=lambda document: document["linux"].update(sysctl={"kernel.domainname": "33"}))
    with bound(other, "/proc/sys/kernel/domainname"):
        said = oci.call("run", "c").stderr
    assert "something is mounted over it" in said
    assert Path(other).read_text() == before


def test_cve_2025_52881_a_score_is_another_file(oci: Oci, tmp_path: Path) -> None:
    """CVE-2025-52881 (runc): where /proc is no procfs, nothing is written to what pretends to be one."""
    (tmp_path / "self").mkdir()
    (tmp_path / "self/oom_score_adj").touch()
    with bound(str(tmp_path), "/proc"), pytest.raises(OSError, match="not the filesystem proc"):
        procfs.write("self/oom_score_adj", "10")
    assert (tmp_path / "self/oom_score_adj").read_text() == ""


def test_cve_2025_52881_a_namespace_with_a_wrong_proc(oci: Oci) -> None:
    """CVE-2025-52881 (runc): a mount namespace that is joined may have any /proc; settings are written to no fake."""
    change = mounted(destination="/srv", type="bind", source=str(oci.bundle), options=["bind"])
    oci.configure(change=change)
    pid = oci.run("first")
    fake = oci.bundle / "fake"
    (fake / "sys/kernel").mkdir(parents=True)
    (fake / "sys/kernel/msgmax").touch()
    child = os.fork()
    if not child:
        descriptor = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
        syscalls.setns(descriptor, syscalls.CLONE_NEWNS)
        syscalls.mount("/srv/fake", "/proc", flags=syscalls.MS_BIND)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0

    def join(document: dict[str, Any]) -> None:
        for each in document["linux"]["namespaces"]:
            if each["type"] == "mount":
                each["path"] = f"/proc/{pid}/ns/mnt"
        document["linux"]["sysctl"] = {"kernel.msgmax": "9"}

    assert "not the filesystem proc" in oci.refused(join)
    assert (fake / "sys/kernel/msgmax").read_text() == ""


@pytest.mark.parametrize(
    ("number", "path"),
    [
        ("CVE-2015-3630", "/proc/asound"),
        ("CVE-2015-3630", "/proc/timer_stats"),
        ("CVE-2015-3630", "/proc/latency_stats"),
        ("CVE-2018-10892", "/proc/acpi"),
        ("CVE-2017-16539", "/proc/scsi"),
        ("CVE-2020-8694", "/sys/devices/virtual/powercap"),
    ],
)
def test_what_an_attack_used_is_masked(oci: Oci, number: str, path: str) -> None:
    """A path by which the host was read or changed is empty, or not there, and takes no change."""
    assert path in MASKED_PATHS, number
    said = oci.said(f"ls {path} 2>/dev/null; cat {path} 2>/dev/null; touch {path}/x 2>/dev/null || echo refused")
    assert said == "refused\n"


@pytest.mark.parametrize("path", READONLY_PATHS)
def test_cve_2015_3630_proc_is_read_only(oci: Oci, path: str) -> None:
    """CVE-2015-3630 (docker): what acts on the host in /proc can't be written."""
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no {path}")
    script = f"grep -c ' {path} proc ro,' /proc/mounts"
    assert oci.said(script) == "1\n"


@pytest.mark.parametrize(
    "name",
    [
        "kernel.core_pattern",
        "kernel/core_pattern",
        "net.ipv4/../../kernel/core_pattern",
        "net/ipv4/../../kernel/core_pattern",
        "kernel.shm_rmid_forced+kernel.core_pattern",
        "kernel.shm_rmid_forced kernel.core_pattern",
        "fs.mqueue/../core_pattern",
        "vm.overcommit_memory",
        "",
    ],
)
def test_cve_2022_0811_a_setting_of_the_host(oci: Oci, name: str) -> None:
    """CVE-2022-0811 (cri-o): no name of a setting leads to one of the host's."""
    # The value that it has: a runtime without the defence would set it for the machine.
    now = CORE_PATTERN.read_text().strip()
    oci.configure("true", change=lambda document: document["linux"].update(sysctl={name: now}))
    done = oci.call("run", "c")
    assert (done.returncode, "linux.sysctl" in done.stderr) == (1, True)


@pytest.mark.parametrize("gap", ["+", "\n", " -w "])
def test_cve_2022_0811_a_value_that_carries_another_setting(oci: Oci, gap: str) -> None:
    """CVE-2022-0811 (cri-o): a value is one file's content, and never a second setting."""
    before = CORE_PATTERN.read_text()
    values = {"kernel.shm_rmid_forced": f"1{gap}kernel.core_pattern=other"}
    oci.configure("true", change=lambda document: document["linux"].update(sysctl=values))
    oci.call("run", "c")
    after = CORE_PATTERN.read_text()
    CORE_PATTERN.write_text(before)
    assert after == before


def test_cve_2022_0492_no_release_agent(oci: Oci) -> None:
    """CVE-2022-0492 (kernel): root in a container sets no release agent, by what is mounted or by a new mount."""
    script = """
    mkdir /m
    for each in $(find /sys/fs/cgroup -name release_agent -o -name notify_on_release -o -name cgroup.procs); do
      value=0; case $each in *agent) value=$(cat $each);; esac
      (echo "$value" > $each) 2>/dev/null && echo "wrote $each"
    done
    mount -t cgroup -o memory cgroup /m 2>/dev/null && echo mounted
    unshare -C true 2>/dev/null && echo unshared
    unshare -U true 2>/dev/null && unshare -UrmC mount -t cgroup -o memory cgroup /m 2>/dev/null && echo mounted anew
    mount -o remount,rw /sys/fs/cgroup 2>/dev/null && echo remounted
    true
    """
    assert oci.said(script) == ""


@pytest.mark.parametrize("writable", [False, True])
def test_cve_2023_25809_only_its_own_cgroup_is_seen(oci: Oci, writable: bool) -> None:
    """CVE-2023-25809 (runc): without a cgroup namespace, too, a container finds its own group and no other's."""

    def change(document: dict[str, Any]) -> None:
        kinds = document["linux"]["namespaces"]
        document["linux"]["namespaces"] = [each for each in kinds if each["type"] != "cgroup"]
        for each in document["mounts"]:
            if each["type"] == "cgroup" and writable:
                each["options"] = [word for word in each["options"] if word != "ro"]

    top = "/sys/fs/cgroup/memory" if isinstance(groups(), V1) else "/sys/fs/cgroup"
    script = f"ls {top} | grep -c pycontainers; cat {top}/cgroup.procs | wc -l; mkdir {top}/x 2>/dev/null && echo made"
    if writable:
        script += f"; rmdir {top}/x"
    said = oci.said(f"{script}; true", change).split()
    assert said[0] == "0"
    assert ("made" in said) == writable
