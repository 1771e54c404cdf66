# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is the host's and stays as it is: its interpreter, its device nodes."""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure
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


@pytest.fixture
def itself(tmp_path: Path) -> dict[str, Any]:
    """Options of a container with such a script, and with what the interpreter needs to run inside.

    A hostile image would bring a loader of its own.
    """
    script = tmp_path / "entry"
    script.write_text(ITSELF)
    script.chmod(0o755)
    needs = [f"{path}:{path}:ro" for path in dict.fromkeys(("/usr", "/lib", "/lib64", sys.base_prefix)) if path]
    return {"volumes": [f"{script}:/entry:ro", *needs], "env": {"PYTHONHOME": sys.base_prefix, "PATH": "/bin"}}


def test_a_script_run_by_proc_self_exe_gets_no_interpreter(host: Host, itself: dict[str, Any]) -> None:
    """CVE-2019-5736: as a container's program such a script gets the few bytes that executed it, and they end."""
    container = host.run(["/entry"], **itself)
    assert (host.ended(container).exit_code, host.log(container)) == (126, "")


NO_EXECVEAT = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["execveat"], "action": "SCMP_ACT_ERRNO"}]}


@pytest.mark.parametrize(
    "more",
    [
        {"pid_mode": "host"},
        {"cap_add": ["SYS_PTRACE"]},
        {"security_opts": ["seccomp=/tmp/profile.json"]},
        {"restart_policy": "on-failure", "restart_retries": 1},
    ],
    ids=["pids", "trace", "filter", "restart"],
)
def test_where_those_do_not_fit_the_interpreter_is_read_only(
    host: Host, itself: dict[str, Any], tmp_path: Path, more: dict[str, Any]
) -> None:
    """CVE-2019-5736: among other processes, behind a narrow filter, and where nobody waits for what they report."""
    if "security_opts" in more:
        profile = tmp_path / "profile.json"
        profile.write_text(json.dumps(NO_EXECVEAT))
        more = {"security_opts": [f"seccomp={profile}"]}
    container = host.run(["/entry"], **itself, **more)
    wait(lambda: host.log(container) != "")
    assert host.log(container) == "read-only\n"


def test_exec_of_such_a_script_holds_a_read_only_interpreter(host: Host, itself: dict[str, Any]) -> None:
    """CVE-2019-5736: exec comes among the container's processes, and they find an interpreter that is read-only."""
    host.run(**itself)
    assert host.ok("exec", "c", "/entry").strip() == "read-only"


@pytest.mark.parametrize(
    ("content", "said"),
    [("no program\n", "exec format error"), ("#!/nowhere/sh\n", "no such file or directory")],
    ids=["format", "interpreter"],
)
def test_what_the_kernel_refuses_to_execute_is_told(host: Host, tmp_path: Path, content: str, said: str) -> None:
    """It is found out when all of the runtime is gone but a few bytes, and nothing of the container runs on."""
    script = tmp_path / "entry"
    script.write_text(content)
    script.chmod(0o755)
    with pytest.raises(Failure) as caught:
        host.run(["/entry"], volumes=[f"{script}:/entry:ro"])
    assert f'exec: "/entry": {said}' in str(caught.value)
    assert host.pid() == 0


def test_device_nodes_can_be_used_and_not_changed(host: Host) -> None:
    """The nodes are the host's own: writing to a device works, changing the node's mode or owner does not."""
    script = "echo x > /dev/null && echo written; chmod 666 /dev/urandom 2>&1; chown 0 /dev/tty 2>&1"
    said = host.said(script)
    assert "written" in said
    assert said.count("Read-only file system") == 2
