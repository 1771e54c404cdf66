# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import array
import fcntl
import os
import platform
import shutil
import signal
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import libseccomp, seccomp
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.seccomp_names import FLAGS
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.security import DEFAULT_CAPABILITIES
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import seccomp as profiles
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.default_seccomp import (
    BY_CAPABILITY,
    default_profile,
)
from ansible_collections.pycontainers.linux.tests.kernel.seccomp_bench import (
    CHILD,
    EXECUTE,
    OLD_ABI,
    Confined,
    instructions,
    number,
)

ALLOW_ALL = {"defaultAction": "SCMP_ACT_ALLOW"}
WRONG, FAR = 0xFFFFFFFF, 1
"""Arguments that the kernel refuses: a descriptor, flag or command that is none, and an address that is not mapped."""

REFUSED: tuple[tuple[Any, ...], ...] = (
    ("add_key", FAR, FAR, 0, 0, 0),
    ("acct", FAR),
    ("bpf", WRONG, 0, 0),
    ("clock_settime", WRONG, FAR),
    ("fanotify_init", WRONG, 0),
    ("fsopen", FAR, 0),
    ("init_module", FAR, 1, FAR),
    ("finit_module", WRONG, FAR, WRONG),
    ("delete_module", FAR, 0),
    ("io_uring_setup", 1, FAR),
    ("iopl", 4),
    ("kcmp", WRONG, WRONG, 0, 0, 0),
    ("kexec_load", 0, WRONG, FAR, WRONG),
    ("kexec_file_load", WRONG, WRONG, 0, FAR, WRONG),
    ("keyctl", 9999),
    ("mbind", 1, 1, WRONG, 0, 0, 0),
    ("mount", FAR, FAR, FAR, 0, 0),
    ("mount_setattr", WRONG, FAR, WRONG, FAR, 0),
    ("move_mount", WRONG, FAR, WRONG, FAR, WRONG),
    ("move_pages", WRONG, 0, 0, 0, 0, WRONG),
    ("open_by_handle_at", WRONG, FAR, 0),
    ("open_tree", WRONG, FAR, WRONG),
    ("perf_event_open", FAR, 0, 0, 0, 0),
    ("personality", 0x40000),
    ("pidfd_getfd", WRONG, 0, 0),
    ("pivot_root", FAR, FAR),
    ("process_madvise", WRONG, 0, 0, 0, 0),
    ("quotactl", WRONG, FAR, 0, 0),
    ("reboot", 0, 0, 0, 0),
    ("request_key", FAR, FAR, FAR, 0),
    ("sethostname", FAR, 1),
    ("setns", WRONG, 0),
    ("settimeofday", FAR, 0),
    ("socket", 40, WRONG, 0),
    ("swapon", FAR, 0),
    ("swapoff", FAR),
    ("syslog", WRONG, 0, 0),
    ("umount2", FAR, 0),
    ("unshare", 0x10000000),
    ("unshare", 0x04000000),
    ("unshare", 0x00000080),
    ("userfaultfd", WRONG),
    ("clone", 0x04000000 | 0x1000 | 0x8000, 0, 0, 0, 0),
)
"""Calls that the default profile refuses, with arguments that let nothing happen where they are not refused.

The clone asks for both a pidfd and the old place of its number, which the kernel refuses; unshare is of the user,
UTS and time namespace of a process that is about to end.
"""


@pytest.fixture
def confined(tmp_path: Path) -> Confined:
    """Processes with the default profile of the fourteen capabilities, and all capabilities nonetheless."""
    return Confined(tmp_path, default_profile(DEFAULT_CAPABILITIES))


def test_what_harms_the_host_is_refused(confined: Confined, tmp_path: Path) -> None:
    """By the filter, not by the kernel: the same calls of the same user give other errors, or none, without it."""
    assert dict(zip(REFUSED, confined.errors(*REFUSED), strict=True)) == dict.fromkeys(REFUSED, "EPERM")
    unconfined = Confined(tmp_path, ALLOW_ALL).errors(*REFUSED)
    assert [each for each, error in zip(REFUSED, unconfined, strict=True) if error == "EPERM"] == []


def test_what_programs_need_gets_through(confined: Confined) -> None:
    """Debugging one's own processes, leaving the other threads' folder, and what fails for its arguments alone."""
    calls = [
        ("ptrace", 0x4200, WRONG, 0, 0),
        ("process_vm_readv", WRONG, FAR, 1, FAR, 1, 0),
        ("unshare", 0x200),
        ("chroot", FAR),
        ("personality", WRONG),
        ("socket", 1, 1, 0),
        ("socket", 16, 3, 9),
        ("mknodat", WRONG, FAR, 0, 0),
        ("adjtimex", FAR),
    ]
    assert confined.errors(*calls) == ["ESRCH", "EFAULT", "", "EFAULT", "", "", "", "EFAULT", "EFAULT"]


def test_clone3_is_unknown(confined: Confined) -> None:
    """It says ENOSYS, so that the C library takes clone, whose flags can be looked at."""
    assert confined.errors(("clone3", FAR, 0)) == ["ENOSYS"]


def test_a_capability_brings_its_calls(tmp_path: Path) -> None:
    """With a capability, the calls that belong to it get through to the kernel."""
    own = {each: set(words.split()) for each, words in BY_CAPABILITY.items()}
    for capability, names in own.items():
        calls = [each for each in REFUSED if each[0] in names and each[0] != "personality"]
        found = Confined(tmp_path, default_profile([capability])).errors(*calls)
        assert "EPERM" not in found, (capability, calls, found)
        others = [each for each in REFUSED if each[0] not in names]
        assert set(Confined(tmp_path, default_profile([capability])).errors(*others)) == {"EPERM"}


@pytest.mark.parametrize("architectures", [[], ["SCMP_ARCH_X86"], ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]])
def test_a_call_newer_than_the_profile_is_unknown(tmp_path: Path, architectures: list[str]) -> None:
    """Above the highest number that a profile names, calls give ENOSYS; below, what the profile says of others."""
    newer = "futex_wait futex_wake futex_requeue futex_waitv cachestat fchmodat2 map_shadow_stack process_mrelease"
    old = sorted({*default_profile([])["syscalls"][0]["names"]} - {*newer.split()})
    entries = [{"names": old, "action": "SCMP_ACT_ALLOW"}]
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": entries, "architectures": architectures}
    newest = ("cachestat", WRONG, FAR, FAR, 0)
    assert Confined(tmp_path, ALLOW_ALL).errors(newest) == ["EBADF"]
    calls = [newest, ("process_mrelease", WRONG, 0), ("landlock_restrict_self", WRONG, 0), ("swapoff", FAR), (9999,)]
    assert Confined(tmp_path, profile).errors(*calls) == ["ENOSYS", "ENOSYS", "EBADF", "EPERM", "ENOSYS"]
    profile["defaultAction"] = "SCMP_ACT_LOG"
    assert Confined(tmp_path, profile).errors(newest) == ["EBADF"]


PROGRAMS = {
    "shell": ("busybox", "sh", "-c", "cd / && ls -l | sort | wc -l | grep . && (sleep 0.01 & wait)"),
    "python": (
        "python3", "-I", "-c",
        "import asyncio, multiprocessing, os, socket, sqlite3, ssl, subprocess, tempfile, threading\n"
        "thread = threading.Thread(target=os.getpid); thread.start(); thread.join()\n"
        "subprocess.run(['true'], check=True); asyncio.run(asyncio.sleep(0))\n"
        "subprocess.run(['true'], check=True, preexec_fn=os.setsid)\n"
        "with tempfile.TemporaryDirectory() as folder: sqlite3.connect(folder + '/x').execute('create table t(a)')\n"
        "print(multiprocessing.get_context('fork').Pool(2).map(abs, [-1]))",
    ),
    "perl": ("perl", "-e", "print qx(echo x)"),
    "bash": ("bash", "-c", "trap : USR1; kill -USR1 $$; cat <(echo x)"),
    "git": ("git", "hash-object", "--stdin"),
    "gpgv": ("gpgv", "--version"),
    "dpkg": ("dpkg", "--print-architecture"),
    "apt": ("apt-cache", "policy"),
    "ssh-keygen": ("ssh-keygen", "-t", "ed25519", "-N", "", "-f", "{folder}/key"),
    "tar": ("tar", "-C", "/etc", "-cf", "/dev/zero", "hosts", "-v"),
}  # fmt: skip


@pytest.mark.parametrize("words", [pytest.param(words, id=name) for name, words in PROGRAMS.items()])
def test_ordinary_programs_run(confined: Confined, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Programs that containers are made of do what they do without a filter."""
    if not shutil.which(words[0]):
        pytest.skip(f"{words[0]} is not on this host")
    done = confined.run(EXECUTE, *(each.format(folder=tmp_path) if "{folder}" in each else each for each in words))
    assert (done.returncode, done.stdout != "" or done.stderr != "") == (0, True), done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it is about the calls of 32-bit x86 programs")
class TestOtherArchitectures:
    """The other ways into an x86-64 kernel."""

    GETPID, SWAPOFF, MODERN = 20, 115, 9999

    def test_32_bit_calls_go_by_the_same_profile(self, confined: Confined) -> None:
        """Allowed is what the profile allows, with the numbers of that architecture; newer ones are unknown."""
        assert int(confined.run(OLD_ABI, str(self.GETPID), "0").stdout) > 1
        assert int(confined.run(OLD_ABI, str(self.SWAPOFF), "1").stdout) == -1
        assert int(confined.run(OLD_ABI, str(self.MODERN), "0").stdout) == -38

    def test_an_architecture_that_is_not_named_is_no_way_in(self, tmp_path: Path) -> None:
        """Without it in the profile, the first such call ends the process."""
        profile = default_profile(DEFAULT_CAPABILITIES) | {"architectures": ["SCMP_ARCH_X86_64"]}
        assert Confined(tmp_path, profile).run(OLD_ABI, str(self.GETPID), "0").returncode == -signal.SIGSYS

    def test_x32_calls_are_unknown(self, confined: Confined) -> None:
        """They are answered as by a kernel without x32."""
        assert confined.errors((0x40000000 | 39,), (0x40000000 | 520, FAR, FAR, FAR)) == ["ENOSYS", "ENOSYS"]

    def test_x32_calls_go_by_a_profile_that_names_x32(self, tmp_path: Path) -> None:
        """Clients name x32 as well: its calls are those of the profile then, as far as the kernel has them."""
        names = default_profile(DEFAULT_CAPABILITIES)["architectures"]
        profile = default_profile(DEFAULT_CAPABILITIES) | {"architectures": [*names, "SCMP_ARCH_X32"]}
        found = Confined(tmp_path, profile).errors((0x40000000 | 168, FAR), (39,), ("cachestat", WRONG, FAR, FAR, 0))
        assert found == ["EPERM", "", "EBADF"]


@pytest.mark.parametrize(
    ("action", "status"),
    [("SCMP_ACT_KILL", -signal.SIGSYS), ("SCMP_ACT_KILL_PROCESS", -signal.SIGSYS), ("SCMP_ACT_TRAP", -signal.SIGSYS)],
)
def test_deadly_actions_end_the_process(tmp_path: Path, action: str, status: int) -> None:
    """A process that makes such a call dies of SIGSYS."""
    profile = ALLOW_ALL | {"syscalls": [{"names": ["mkdir", "mkdirat"], "action": action}]}
    assert Confined(tmp_path, profile).run(EXECUTE, "mkdir", str(tmp_path / "made")).returncode == status
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("action", "error"), [("SCMP_ACT_ERRNO", "ENETDOWN"), ("SCMP_ACT_TRACE", "ENOSYS"), ("SCMP_ACT_LOG", "EFAULT")]
)
def test_other_actions(tmp_path: Path, action: str, error: str) -> None:
    """An error of one's own; a tracer's business where there is no tracer; and a line in the log, but the call."""
    entry = {"names": ["swapoff"], "action": action} | ({"errnoRet": 100} if action == "SCMP_ACT_ERRNO" else {})
    assert Confined(tmp_path, ALLOW_ALL | {"syscalls": [entry]}).errors(("swapoff", FAR)) == [error]


@pytest.mark.parametrize(
    ("op", "value", "other", "refused"),
    [
        ("NE", 5, 0, {1, 4, 6, 2**40}),
        ("LT", 5, 0, {1, 4}),
        ("LE", 5, 0, {1, 4, 5}),
        ("EQ", 5, 0, {5}),
        ("GE", 5, 0, {5, 6, 2**40}),
        ("GT", 5, 0, {6, 2**40}),
        ("MASKED_EQ", 5, 4, {4, 6}),
        ("MASKED_EQ", 2**40, 2**40, {2**40}),
    ],
)
def test_arguments_are_compared(tmp_path: Path, op: str, value: int, other: int, refused: set[int]) -> None:
    """Each operator is true of the values that it should be true of, beyond 32 bits too."""
    condition = {"index": 0, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": other}
    entry = {"names": ["swapoff"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100, "args": [condition]}
    values = [1, 4, 5, 6, 2**40]
    found = Confined(tmp_path, ALLOW_ALL | {"syscalls": [entry]}).errors(*(("swapoff", each) for each in values))
    assert {each for each, error in zip(values, found, strict=True) if error == "ENETDOWN"} == refused


def test_flags_are_taken(tmp_path: Path) -> None:
    """The kernel takes a filter with each of the flags that a profile can name."""
    for flag in FLAGS:
        assert Confined(tmp_path, ALLOW_ALL | {"flags": [flag]}).errors(("getpid",)) == [""]


NOTIF_RECV, NOTIF_SEND, NOTIFICATION = 0xC0502100, 0xC0182101, 80
"""SECCOMP_IOCTL_NOTIF_RECV and _SEND with the size of ``struct seccomp_notif`` (linux/seccomp.h)."""

NOTIFIED = CHILD + """
import socket
with socket.socket(fileno=int(words[0])) as channel:
    socket.send_fds(channel, [b"x"], [listener])
os.close(listener)
try:
    os.mkdir(words[1])
except OSError as error:
    print(errno.errorcode[error.errno])
"""


def test_an_agent_is_told_of_calls_and_answers(tmp_path: Path) -> None:
    """NOTIFY gives a listener, through which another process learns of a call and says what it shall return."""
    call = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}
    flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
    profile = ALLOW_ALL | {"syscalls": [call], "listenerPath": "/run/agent", "flags": flags}
    confined = Confined(tmp_path, profile)
    ours, its = socket.socketpair()
    words = str(its.fileno()), str(tmp_path / "made")
    with ours, its, confined.start(NOTIFIED, *words, pass_fds=(its.fileno(),)) as child:
        ours.settimeout(20)
        listener = socket.recv_fds(ours, 1, 1)[1][0]
        try:
            told = array.array("B", bytes(NOTIFICATION))
            fcntl.ioctl(listener, NOTIF_RECV, told)
            identity, pid, _, called = struct.unpack_from("=QIIi", told)
            assert (pid, called in (number("mkdir"), number("mkdirat"))) == (child.pid, True)
            fcntl.ioctl(listener, NOTIF_SEND, struct.pack("=QqiI", identity, 0, -100, 0))
            assert child.communicate(timeout=20)[0] == "ENETDOWN\n"
        finally:
            os.close(listener)
            child.kill()
    assert not (tmp_path / "made").exists()


def test_a_filter_that_is_none_is_refused() -> None:
    """The kernel's refusal is an error of the caller's, and no filter is on it then."""
    with pytest.raises(OSError, match="Invalid argument"):
        seccomp.load(b"\0" * 8)
    assert "Seccomp:\t0" in Path("/proc/self/status").read_text()


def test_compiled_filters_are_kept(tmp_path: Path) -> None:
    """The second time the same profile is read, not compiled; a damaged file is replaced; another is another."""
    folder = str(tmp_path / "cache")
    profile = default_profile(DEFAULT_CAPABILITIES)

    def compiled(profile: dict[str, Any]) -> bytes:
        return profiles.compiled(profiles.filter_of(profiles.read(profile)), folder)

    first = compiled(profile)
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.read_bytes() == first
    mark = first[:-8]
    kept.write_bytes(mark)
    assert compiled(profile) == mark
    kept.write_bytes(first[:-3])
    assert compiled(profile) == first == kept.read_bytes()
    compiled(default_profile([]))
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_unknown_names_are_passed_over(tmp_path: Path) -> None:
    """A name that this libseccomp does not know takes nothing from the others."""
    entry = {"names": ["from_the_future", "swapoff", "also_unknown"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100}
    assert Confined(tmp_path, ALLOW_ALL | {"syscalls": [entry]}).errors(("swapoff", FAR)) == ["ENETDOWN"]


def test_a_rule_without_conditions_counts_for_all_that_others_do_not_name(tmp_path: Path) -> None:
    """Rules with and without conditions for one call stand in either order."""
    condition = {"index": 0, "op": "SCMP_CMP_EQ", "value": 5}
    entries = [
        {"names": ["swapoff"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100, "args": [condition]},
        {"names": ["swapoff"], "action": "SCMP_ACT_ERRNO", "errnoRet": 101},
    ]
    for order in (entries, entries[::-1]):
        found = Confined(tmp_path, ALLOW_ALL | {"syscalls": order}).errors(("swapoff", 5), ("swapoff", FAR))
        assert found[1] == "ENETUNREACH"


def test_a_profile_without_rules(tmp_path: Path) -> None:
    """An empty profile is a filter of one answer."""
    assert Confined(tmp_path, ALLOW_ALL).errors(("swapoff", FAR)) == ["EFAULT"]
    assert instructions(tmp_path / "filter") < 16


def test_a_program_longer_than_the_kernel_takes_is_refused_in_words() -> None:
    """A profile with too many conditions fails when it is compiled, with the length."""
    rules = [
        libseccomp.Rule("swapoff", libseccomp.ERRNO | 1, (libseccomp.Comparison(0, 4, each << 32, 0),))
        for each in range(3000)
    ]
    with pytest.raises(Failure, match="the kernel takes 4096"):
        libseccomp.compile_rules(libseccomp.ALLOW, [], rules)
