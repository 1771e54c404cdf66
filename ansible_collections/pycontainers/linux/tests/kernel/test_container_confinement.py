# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every container has unasked: the filter of its system calls, and the rules about its devices."""
from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import cgroups, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.cgroups import V1
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import limit_steps
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, proc_status
from ansible_collections.pycontainers.linux.tests.kernel.seccomp_bench import number

INTERPRETER = [
    f"{each}:{each}:ro" for each in dict.fromkeys(("/usr", "/lib", "/lib64", sys.base_prefix)) if os.path.exists(each)
]
"""Volumes that let the host's Python run in a container of another image."""

CALLS: dict[tuple[Any, ...], str] = {
    ("mount", 1, 1, 1, 0, 0): "EPERM",
    ("unshare", 0x00020000): "EPERM",
    ("unshare", 0x10000000): "EPERM",
    ("setns", 0xFFFFFFFF, 0): "EPERM",
    ("bpf", 0xFFFFFFFF, 0, 0): "EPERM",
    ("keyctl", 9999): "EPERM",
    ("clone3", 1, 0): "ENOSYS",
    ("getpid",): "",
    ("unshare", 0x200): "",
}
"""System calls and the errors that they give: the new user namespace (0x10000000), the key ring's operation that is
none and clone3 would fare otherwise without the filter, whatever the capabilities."""

PROBE = """
import ctypes, errno, json, sys
call = ctypes.CDLL(None, use_errno=True).syscall
call.restype = ctypes.c_long
for number, *words in json.loads(sys.argv[1]):
    result = call(ctypes.c_long(number), *map(ctypes.c_ulong, words))
    print(errno.errorcode[ctypes.get_errno()] if result < 0 else "")
"""
OPEN = """
import errno, os, sys
folders, paths = (each.split(":") for each in sys.argv[1:])
for each in folders:
    with open(f"{each}/cgroup.procs", "w") as file:
        file.write("0")
for path in paths:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        print()
    except OSError as error:
        print(errno.errorcode[error.errno])
"""


def probe() -> list[str]:
    """The command that makes the calls and prints their errors, in a container with the interpreter."""
    numbered = json.dumps([(number(name), *arguments) for name, *arguments in CALLS])
    return [os.path.realpath(sys.executable), "-I", "-S", "-c", PROBE, numbered]


def answers(said: str) -> dict[tuple[Any, ...], str]:
    """The calls with the errors that have been printed."""
    return dict(zip(CALLS, said.split("\n")[:-1], strict=True))


def opened(cgroup: str, *paths: str) -> list[str]:
    """The errors that a process of the host in a cgroup gets when it opens files; empty where it succeeds."""
    folders = ":".join(cgroups.cgroups().directories(cgroup))
    command = [sys.executable, "-I", "-S", "-c", OPEN, folders, ":".join(paths)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split("\n")[:-1]


@contextmanager
def without_libseccomp() -> Iterator[None]:
    """A host on which no program can load libseccomp from now on."""
    CDLL("libseccomp.so.2")
    maps = Path("/proc/self/maps").read_text().split()
    files = {os.path.realpath(each) for each in maps if "/libseccomp.so.2" in each}
    try:
        for each in files:
            syscalls.mount("/dev/null", each, flags=syscalls.MS_BIND)
        yield
    finally:
        for each in files:
            with suppress(OSError):
                syscalls.umount(each)


def test_every_process_of_a_container_is_filtered(host: Host) -> None:
    """The program, root or not, and what is executed beside it, have the filter: once, and no more."""
    host.run(name="root")
    host.converge(
        "nobody", image=host.image("as-nobody", {"User": "nobody"}), command=["sleep", "1000"], stop_timeout=0
    )
    shown = ["grep", "^Seccomp", "/proc/self/status"]
    for name in ("root", "nobody"):
        of_init = proc_status(host.pid(name))
        assert (of_init["Seccomp"], of_init["Seccomp_filters"]) == ("2", "1")
        for user in ([], ["-u", "nobody"], ["-u", "root"]):
            assert host.ok("exec", *user, name, *shown).split() == ["Seccomp:", "2", "Seccomp_filters:", "1"]


def test_a_container_s_program_is_refused_what_harms_the_host(host: Host) -> None:
    """Mounts, new namespaces, programs for the kernel and its key rings are refused, and clone3 is unknown."""
    container = host.run(probe(), volumes=INTERPRETER)
    assert host.ended(container).exit_code == 0
    assert answers(host.log(container)) == CALLS


def test_an_executed_program_is_refused_the_same(host: Host) -> None:
    """What exec starts, for root and for another user, is filtered as the container's own program is."""
    host.run(volumes=INTERPRETER)
    for user in ("root", "nobody"):
        # The interpreter may lie where only root looks.
        if user == "root" or not sys.base_prefix.startswith("/root"):
            assert answers(host.ok("exec", "-u", user, "c", *probe())) == CALLS


def test_a_shell_s_own_words_are_refused(host: Host) -> None:
    """Mount and unshare, as the image has them, say that they are not permitted."""
    said = host.said("mount -t tmpfs none /mnt 2>&1; unshare -m true 2>&1; unshare -U true 2>&1")
    refused = "Operation not permitted"
    assert [line.rpartition(": ")[2] for line in said.splitlines()] == [
        "permission denied (are you root?)", refused, refused
    ]  # fmt: skip


def test_ordinary_programs_do_not_notice(host: Host) -> None:
    """Pipes, jobs, users, archives, time, and the host's Python with threads and child processes work."""
    script = """
    set -e
    seq 100 | sort -n | tail -1
    (sleep 0.01; echo job) & wait
    su -s /bin/sh nobody -c 'id -u'
    touch /tmp/f; chown 33:33 /tmp/f; tar -C /tmp -cf - f | tar -tf -
    date -u +%Y >/dev/null; ping -c1 -w2 127.0.0.1 >/dev/null && echo pinged
    """
    assert host.said(script) == "100\njob\n65534\nf\npinged\n"
    code = (
        "import subprocess, threading; t = threading.Thread(target=print, args=('thread',)); t.start(); t.join();"
        "print(subprocess.run(['/bin/echo', 'child'], capture_output=True, text=True).stdout.strip())"
    )
    container = host.run([os.path.realpath(sys.executable), "-I", "-S", "-c", code], volumes=INTERPRETER)
    assert host.ended(container).exit_code == 0
    assert host.log(container) == "thread\nchild\n"


def test_a_filter_is_compiled_once(host: Host) -> None:
    """The second container with the same profile takes the program that the first has left."""
    host.run(name="one")
    (kept,) = Path(host.layout.filters).iterdir()
    before = kept.stat().st_ino
    host.run(name="two")
    assert [each.stat().st_ino for each in Path(host.layout.filters).iterdir()] == [before]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_without_libseccomp_nothing_starts(host: Host) -> None:
    """It is told which package is missing; what runs goes on, but nothing new is executed in it."""
    host.run(name="running")
    host.converge("other", image=host.busybox, command=["sleep", "1000"], state="stopped")
    with without_libseccomp():
        assert "libseccomp is missing on this host; install the package libseccomp" in host.failure("start", "other")
        assert "libseccomp is missing on this host" in host.failure("exec", "running", "true", code=125)
        assert host.pid("running")
        assert host.pid("other") == 0
    host.ok("start", "other")
    assert host.pid("other")
    host.converge("other", state="stopped", stop_timeout=0)


def test_a_replacement_without_libseccomp_leaves_the_old_container_alone(host: Host) -> None:
    """A container that is to be replaced was never stopped for one that can't be started."""
    host.run(env={"A": "1"})
    pid = host.pid()
    program = (
        "import sys, json; from ansible_collections.pycontainers.linux.tests.kernel.container_bench import *\n"
        "given = json.loads(sys.argv[1])\n"
        "converge(CONTAINER, Layout(*sys.argv[2:]), parse(Container, given), False)"
    )
    given = {"name": "c", "image": host.busybox, "command": ["sleep", "1000"], "env": {"A": "2"}}
    command = [sys.executable, "-c", program, json.dumps(given), host.layout.root, host.layout.run]
    with without_libseccomp():
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "Failure" in done.stderr
    assert "libseccomp is missing on this host" in done.stderr
    assert host.pid() == pid
    assert dict(host.observed().env or ()) == {"A": "1"}


@pytest.fixture
def kmsg(tmp_path: Path) -> str:
    """A node of the kernel's log, made elsewhere."""
    path = tmp_path / "kmsg"
    os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 11))
    return str(path)


def test_a_container_s_cgroup_has_device_rules(host: Host, kmsg: str) -> None:
    """Without the mounts' protection, too, a process in the cgroup can open the default devices, and no others."""
    container = host.run()
    found = opened(f"pycontainers/{container.id}", kmsg, "/dev/kmsg", "/dev/null", "/dev/urandom", "/dev/ptmx")
    assert found == ["EPERM", "EPERM", "", "", ""]


def test_device_rules_outlive_a_restart(host: Host, kmsg: str) -> None:
    """After a stop and a start the rules are there again."""
    container = host.run()
    host.ok("stop", "-t", "0", "c")
    host.ok("start", "c")
    assert opened(f"pycontainers/{container.id}", kmsg, "/dev/null") == ["EPERM", ""]


def test_a_removed_cgroup_comes_back_with_its_device_rules(kmsg: str) -> None:
    """Undoing the removal of a cgroup puts the rules on it, as making it did; what is there already gets them too."""
    path = f"pycontainers/rules-{os.getpid()}"
    step = limit_steps.MakeCgroup(path)
    try:
        step.do()
        step.do()
        assert opened(path, kmsg, "/dev/null") == ["EPERM", ""]
        removal = limit_steps.RemoveCgroup(path)
        removal.do()
        removal.undo()
        assert opened(path, kmsg, "/dev/null") == ["EPERM", ""]
    finally:
        step.undo()


def test_a_cgroup_that_can_not_have_its_rules_is_not_left(kmsg: str) -> None:
    """Where the group above allows less than the default devices, the kernel's refusal is told and nothing is left."""
    groups = cgroups.cgroups()
    if not isinstance(groups, V1):
        pytest.skip("version 2 has no rules that a group above could refuse")
    parent = f"pycontainers-tests-narrow-{os.getpid()}"
    groups.create(parent)
    try:
        cgroups.write_file(groups.file(parent, "devices/devices.deny"), "a")
        with pytest.raises(OSError, match=r"writing 'c \*:\* m'") as caught:
            limit_steps.MakeCgroup(f"{parent}/c").do()
        assert caught.value.errno == errno.EPERM
        assert not any(map(os.path.exists, groups.directories(f"{parent}/c")))
    finally:
        cgroups.remove(groups, parent)
