# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The OCI command line's own interpreter is out of a container's reach, and its caller notices nothing of that."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def test_a_script_run_by_proc_self_exe_holds_a_read_only_interpreter(oci: Oci) -> None:
    """CVE-2019-5736: at run and at exec such a script gets the host's interpreter, and can't write to it."""
    script = oci.rootfs / "entry"
    script.write_text(ITSELF)
    script.chmod(0o755)
    oci.configure("/entry", change=_with_interpreter)
    assert oci.ok("run", "once") == "read-only\n"
    oci.configure(change=_with_interpreter)
    oci.run("other")
    assert oci.ok("exec", "other", "/entry") == "read-only\n"


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
