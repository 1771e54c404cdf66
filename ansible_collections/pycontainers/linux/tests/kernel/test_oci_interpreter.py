# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI command line's own interpreter is out of a container's reach, and its caller notices nothing of that."""
from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci

ITSELF = """#!/proc/self/exe
import os
print("read-only" if os.statvfs("/proc/self/exe").f_flag & os.ST_RDONLY else "writable", flush=True)
"""


def _with_interpreter(document: dict[str, Any]) -> None:
    """What the interpreter needs to run inside; a hostile image would bring a loader of its own."""
    for path in dict.fromkeys(("/usr", "/lib", "/lib64", sys.base_prefix)):
        mount = {"destination": path, "type": "bind", "source": path, "options": ["rbind", "ro"]}
        document["mounts"].append(mount)
    document["process"]["env"] += [f"PYTHONHOME={sys.base_prefix}"]


def _entry(oci: Oci) -> None:
    script = oci.rootfs / "entry"
    script.write_text(ITSELF)
    script.chmod(0o755)


def test_a_script_run_by_proc_self_exe_gets_no_interpreter(oci: Oci) -> None:
    """CVE-2019-5736: as a container's program such a script gets the few bytes that executed it, and they end."""
    _entry(oci)
    oci.configure("/entry", change=_with_interpreter)
    done = oci.call("run", "once")
    assert (done.returncode, done.stdout, done.stderr) == (126, "", "")


def _no_execveat(document: dict[str, Any]) -> None:
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["execveat"], "action": "SCMP_ACT_ERRNO"}]}
    document["linux"]["seccomp"] = profile


def _host_pids(document: dict[str, Any]) -> None:
    document["linux"]["namespaces"] = [each for each in document["linux"]["namespaces"] if each["type"] != "pid"]


@pytest.mark.parametrize("change", [_no_execveat, _host_pids])
def test_where_those_do_not_fit_the_interpreter_is_read_only(
    oci: Oci, change: Callable[[dict[str, Any]], None]
) -> None:
    """CVE-2019-5736: among other processes, or behind a narrow filter, it is Python, which can't be written to."""
    _entry(oci)

    def changed(document: dict[str, Any]) -> None:
        _with_interpreter(document)
        change(document)

    oci.configure("/entry", change=changed)
    assert oci.ok("run", "once") == "read-only\n"


def test_exec_of_such_a_script_holds_a_read_only_interpreter(oci: Oci) -> None:
    """CVE-2019-5736: exec comes among the container's processes, and they find an interpreter that is read-only."""
    _entry(oci)
    oci.configure(change=_with_interpreter)
    oci.run("other")
    assert oci.ok("exec", "other", "/entry") == "read-only\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [("no program\n", "exec format error"), ("#!/nowhere/sh\n", "no such file or directory")],
)
def test_what_can_not_be_executed_is_told_at_the_start(oci: Oci, content: str, said: str) -> None:
    """A program that is found, and refused by the kernel, is an error of start in its words, and nothing is left."""
    (oci.rootfs / "entry").write_text(content)
    (oci.rootfs / "entry").chmod(0o755)
    oci.configure("/entry")
    oci.create()
    done = oci.call("start", "c")
    assert (done.returncode, done.stderr) == (1, f'cannot start container c: exec: "/entry": {said}\n')
    oci.ok("delete", "--force", "c")


def test_hooks_of_the_runtime_run_where_the_caller_is(oci: Oci, tmp_path: Path) -> None:
    """The caller's mount namespace and working directory are the ones of prestart, createRuntime and poststart."""
    said = tmp_path / "said"
    tell = ["sh", "-c", f"readlink /proc/self/ns/mnt >> {said}; pwd >> {said}; env | grep PYCONTAINERS >> {said}; true"]

    def hooks(document: dict[str, Any]) -> None:
        hook = {"path": "/bin/sh", "args": tell}
        document["hooks"] = {"prestart": [hook], "createRuntime": [hook], "poststart": [hook]}

    oci.configure("true", change=hooks)
    oci.ok("run", "c")
    here = [os.readlink("/proc/self/ns/mnt"), str(oci.bundle)]
    assert said.read_text().split() == here * 3


def test_it_runs_in_a_changed_root(oci: Oci, tmp_path: Path) -> None:
    """A caller that has changed its root finds its files by that root, not by the one of its mount namespace."""
    root = tmp_path / "root"
    root.mkdir()
    oci.configure("echo", "ran")
    script = f"""
        mount --rbind / {root} && mount --bind {oci.bundle} {root}/mnt
        exec chroot {root} {COMMAND} --root {oci.root} run --bundle /mnt c
    """
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("ran\n", "")
