# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other processes can open of a first process that is still the host's interpreter (CVE-2019-5736)."""
from __future__ import annotations

import os
import signal
import socket
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import security, syscalls
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import channel, stage_users
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import Oci


def _tracing(document: dict[str, Any]) -> None:
    for kind in ("bounding", "effective", "permitted"):
        document["process"]["capabilities"][kind].append("CAP_SYS_PTRACE")


def test_exec_before_the_start_finds_a_read_only_interpreter(oci: Oci) -> None:
    """In a container whose programs may trace, exec before the start reaches an interpreter that is read-only."""
    oci.configure("sleep", "100", change=_tracing)
    pid = oci.create()
    assert oci.ok("exec", "c", "head", "-c", "4", "/proc/1/exe") == "\x7fELF"
    assert os.statvfs(f"/proc/{pid}/exe").f_flag & os.ST_RDONLY


def test_exec_before_the_start_may_not_trace_more_than_the_container(oci: Oci) -> None:
    """Where the container may trace nobody, exec can't open the waiting interpreter, nor get the right to."""
    oci.configure("sleep", "100")
    oci.create()
    assert "ermission denied" in oci.call("exec", "c", "head", "-c", "4", "/proc/1/exe").stderr
    done = oci.call("exec", "--cap", "CAP_SYS_PTRACE", "c", "head", "-c", "4", "/proc/1/exe")
    assert (done.returncode, done.stdout) == (255, "")
    assert "start it first" in done.stderr
    oci.ok("start", "c")
    assert oci.call("exec", "--cap", "CAP_SYS_PTRACE", "c", "true").returncode == 0


def test_on_the_way_into_a_user_namespace_nobody_opens_it() -> None:
    """While the ids are mapped, root without the right to trace, as containers have it, can't open the interpreter."""
    ours, theirs = socket.socketpair()
    first = os.fork()
    if not first:
        try:
            syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
            stage = stage_users.Users()
            stage.peer = theirs
            stage.users()
        finally:
            os._exit(1)
    theirs.close()
    try:
        channel.expect("map", ours, channel.USERS)
        other = os.fork()
        if not other:
            rights = security.mask(security.DEFAULT_CAPABILITIES)
            security.set_capabilities(rights, rights, 0, 0)
            try:
                os.open(f"/proc/{first}/exe", os.O_RDONLY)
            except PermissionError:
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(other, 0)[1] == 0
    finally:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        ours.close()
