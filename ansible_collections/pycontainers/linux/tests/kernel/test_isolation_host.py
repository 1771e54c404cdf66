# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is the host's and stays as it is: its interpreter, its device nodes."""
from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host, wait

ROOT = Path(__file__).resolve().parents[5]

HOLD_AND_WRITE = """
import os
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.security import shield_interpreter
shield_interpreter()
held = os.open("/proc/self/exe", os.O_RDONLY)
os.set_inheritable(held, True)
os.execv("/bin/sh", ["sh", "-c", f"echo owned >> /proc/self/fd/{held}"])
"""


def test_who_holds_the_interpreter_can_not_write_to_it(tmp_path: Path) -> None:
    """CVE-2019-5736: a program that got hold of the interpreter by /proc/self/exe finds it on a read-only mount."""
    copy = tmp_path / "python3"
    shutil.copy(os.path.realpath(sys.executable), copy)
    before = copy.stat().st_size
    environment = {**os.environ, "PYTHONHOME": sys.base_prefix}
    done = subprocess.run(
        [str(copy), "-c", HOLD_AND_WRITE], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert "Read-only file system" in done.stderr
    assert copy.stat().st_size == before


ITSELF = """#!/proc/self/exe
import os
print("read-only" if os.statvfs("/proc/self/exe").f_flag & os.ST_RDONLY else "writable", flush=True)
"""


def test_a_script_run_by_proc_self_exe_holds_a_read_only_interpreter(host: Host, tmp_path: Path) -> None:
    """CVE-2019-5736: at start and at exec such a script gets the host's interpreter, and can't write to it."""
    script = tmp_path / "entry"
    script.write_text(ITSELF)
    script.chmod(0o755)
    # What the interpreter needs to run inside; a hostile image would bring a loader of its own.
    needs = [f"{path}:{path}:ro" for path in dict.fromkeys(("/usr", "/lib", "/lib64", sys.base_prefix)) if path]
    environment = {"PYTHONHOME": sys.base_prefix, "PATH": "/bin"}
    container = host.run(["/entry"], volumes=[f"{script}:/entry:ro", *needs], env=environment)
    wait(lambda: host.log(container) != "")
    assert host.log(container) == "read-only\n"
    host.run(name="other", volumes=[f"{script}:/entry:ro", *needs], env=environment)
    assert host.ok("exec", "other", "/entry").strip() == "read-only"


def test_device_nodes_can_be_used_and_not_changed(host: Host) -> None:
    """The nodes are the host's own: writing to a device works, changing the node's mode or owner does not."""
    script = "echo x > /dev/null && echo written; chmod 666 /dev/urandom 2>&1; chown 0 /dev/tty 2>&1"
    said = host.said(script)
    assert "written" in said
    assert said.count("Read-only file system") == 2
