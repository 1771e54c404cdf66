# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The default profile beside the kernel's whole table of system calls, and beside the profile that Debian packages."""
from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.security import DEFAULT_CAPABILITIES
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.default_seccomp import (
    BY_CAPABILITY,
    DEBUGGING,
    NEW_NAMESPACES,
    default_profile,
)

NETWORK = os.open("/proc/self/ns/net", os.O_RDONLY)
"""The network that the tests begin in: those of the kernel leave it for one where nothing can be downloaded."""

X86_64, X86, AARCH64 = 0xC000003E, 0x40000003, 0xC00000B7
HIGHEST = 600

NEVER = {
    "their numbers are kept, but kernels have them no more": """
        _sysctl afs_syscall bdflush break create_module ftime get_kernel_syms getpmsg gtty idle lock mpx nfsservctl prof
        profil putpmsg query_module security stty sysfs tuxcall ulimit uselib ustat vserver pciconfig_iobase
        pciconfig_read pciconfig_write""",
    "the first Linux programs had them, and no C library of today calls them": """
        nice oldfstat oldlstat oldstat olduname oldolduname sgetmask ssetmask""",
    "keys are the user's in all containers, keyrings have no namespace": "add_key keyctl request_key",
    "they act on the whole host's memory, swap or kernel": """
        kexec_load kexec_file_load swapon swapoff migrate_pages move_pages""",
    "their code has been a way out of containers time and again": """
        io_uring_setup io_uring_enter io_uring_register userfaultfd vm86 vm86old""",
}
"""Why system calls are refused whatever capabilities a container has."""

MORE = {
    "newer than the packaged profile; each does what one that it allows does, on a new argument": """
        cachestat fchmodat2 file_getattr file_setattr futex_requeue futex_wait futex_waitv futex_wake getxattrat
        listxattrat removexattrat setxattrat statmount listmount mseal map_shadow_stack""",
    "the kernel calls them in a process that somebody on the host is tracing; refused, they would kill it": """
        uprobe uretprobe""",
    "asynchronous input and output with a signal mask: io_getevents, which is allowed, and a mask": """
        io_pgetevents io_pgetevents_time64""",
    "moves the caller's own pages into its own pipe, as splice and tee do between files": "vmsplice",
}
"""Why we allow what the packaged profile refuses."""

LESS = {
    "they need CAP_SYS_ADMIN, which a container can have over namespaces of its own only where it may make them": """
        mount umount umount2 pivot_root mount_setattr open_tree move_mount fsopen fsconfig fsmount fspick setns""",
    "its flags can't be seen by a filter, so it is unknown (ENOSYS), and clone is called instead": "clone3",
    "new namespaces bring all of the kernel's code for administrators within reach": "clone unshare",
    "sockets of the family vsock reach the hypervisor from any network namespace": "socket",
    "the kernel's log is the host's; CAP_SYSLOG": "syslog",
    "for CAP_SYS_BOOT": "reboot",
    "takes descriptors from another process; for CAP_SYS_PTRACE": "pidfd_getfd",
    "memory policies concern the host's nodes; for CAP_SYS_NICE": "mbind get_mempolicy set_mempolicy",
    "keyrings have no namespace": "keyctl",
    "there is no system call of that name": "syscall timerfd",
}
"""Why we refuse, wholly or for some arguments, what the packaged profile allows."""


def words(lists: dict[str, str]) -> set[str]:
    """All names in some lists."""
    return {name for each in lists.values() for name in each.split()}


def table(architecture: int) -> set[str]:
    """The names of an architecture's system calls, as libseccomp knows them."""
    library = ctypes.CDLL("libseccomp.so.2")
    resolve = library.seccomp_syscall_resolve_num_arch
    resolve.argtypes, resolve.restype = (ctypes.c_uint32, ctypes.c_int), ctypes.c_void_p
    found = (resolve(architecture, number) for number in range(HIGHEST))
    return {ctypes.string_at(each).decode() for each in found if each}


def allowed(entries: list[dict[str, Any]]) -> dict[str, set[tuple[Any, ...]]]:
    """What calls are allowed, with the conditions in which they are."""
    found: dict[str, set[tuple[Any, ...]]] = {}
    for each in entries:
        if each["action"] == "SCMP_ACT_ALLOW":
            conditions = tuple((it["index"], it["op"], it["value"]) for it in each["args"] or ())
            for name in each["names"]:
                found.setdefault(name, set()).add(conditions)
    return found


@pytest.mark.parametrize(("machine", "architectures"), [("x86_64", (X86_64, X86)), ("aarch64", (AARCH64,))])
def test_every_system_call_has_been_thought_of(machine: str, architectures: tuple[int, ...]) -> None:
    """Each call that the kernel has is allowed, or comes with a capability, or is refused for a reason."""
    known = set().union(*(table(each) for each in architectures))
    named = {name for each in default_profile(BY_CAPABILITY, machine)["syscalls"] for name in each["names"]}
    assert known - named - words(NEVER) == set()
    assert named & words(NEVER) == set()


def test_the_profile_follows_capabilities_and_machine() -> None:
    """A capability adds its calls, an administrator's clone has no conditions, architectures have their own calls."""
    least, most = (allowed(default_profile(each, "x86_64")["syscalls"]) for each in ((), BY_CAPABILITY))
    assert set(most) - set(least) == {name for each in BY_CAPABILITY.values() for name in each.split()} - {
        *DEBUGGING.split(), "clone", "unshare"
    }  # fmt: skip
    assert least["clone"] == {((0, "SCMP_CMP_MASKED_EQ", NEW_NAMESPACES),)}
    assert () in most["clone"]
    assert "arch_prctl" in least
    arm = default_profile((), "aarch64")
    assert arm["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    assert "arch_prctl" not in allowed(arm["syscalls"])


@pytest.mark.parametrize(
    ("kernel", "debugging"), [("4.7.10", False), ("4.8", True), ("6.18.44-virt", True), ("unknown", False)]
)
def test_tracing_waits_for_a_kernel_that_filters_it(kernel: str, debugging: bool) -> None:
    """Before Linux 4.8 a tracer could change a call after the filter had seen it."""
    assert ("ptrace" in allowed(default_profile((), "x86_64", kernel)["syscalls"])) == debugging


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The profile of the Debian package golang-github-containers-common, which podman and buildah use."""
    if not shutil.which("apt-get"):
        pytest.skip("the profile is a Debian package's")
    folder = tmp_path_factory.mktemp("package")
    folder.chmod(0o777)
    package = "golang-github-containers-common"
    outside = ["nsenter", f"--net=/proc/self/fd/{NETWORK}"] if os.geteuid() == 0 else []
    command = [*outside, "apt-get", "-qq", "download", package]
    done = subprocess.run(command, cwd=folder, pass_fds=(NETWORK,), capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"apt has no {package}")
    (file,) = folder.glob("*.deb")
    subprocess.run(["dpkg-deb", "-x", str(file), "files"], cwd=folder, check=True)
    found: dict[str, Any] = json.loads((folder / "files/usr/share/containers/seccomp.json").read_text())
    shutil.rmtree(folder)
    return found


def resolved(profile: dict[str, Any]) -> list[dict[str, Any]]:
    """The packaged profile's entries for the default capabilities on x86-64."""
    capabilities = set(DEFAULT_CAPABILITIES)
    return [
        each
        for each in profile["syscalls"]
        if capabilities >= set(each["includes"].get("caps", ()))
        and not capabilities & set(each["excludes"].get("caps", ()))
        and "amd64" in each["includes"].get("arches", ["amd64"])
    ]


def test_each_difference_from_the_packaged_profile_has_a_reason(packaged: dict[str, Any]) -> None:
    """With the fourteen capabilities, both allow the same but for what is listed here with the reason."""
    ours = allowed(default_profile(DEFAULT_CAPABILITIES, "x86_64")["syscalls"])
    theirs = allowed(resolved(packaged))
    different = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    more = {name for name in different if name not in theirs}
    assert more == words(MORE)
    assert different - more == words(LESS)
    assert all(ours[name] != {()} for name in different - more if name in ours)
