# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes behind a system call filter: what calls give them, and how programs fare."""
from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from ctypes import CDLL
from pathlib import Path
from typing import Any

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import libseccomp, seccomp
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.seccomp import filter_of, read

UTILS = Path(__file__).parents[2] / "plugins/module_utils"

CHILD = f"""
import sys
sys.path.insert(0, {str(UTILS)!r})
from runtime.kernel import seccomp, syscalls
import ctypes, errno, json, os, resource
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
with open(sys.argv[1], "rb") as file:
    listener = seccomp.load(file.read(), int(sys.argv[2]))
words = sys.argv[4:]
"""
PROBE = CHILD + """
syscalls.libc.syscall.restype = ctypes.c_long
found = []
for number, arguments in json.loads(words[0]):
    ctypes.set_errno(0)
    result = syscalls.libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(each) for each in arguments))
    found.append(errno.errorcode[ctypes.get_errno()] if result < 0 else "")
print(json.dumps(found))
"""
EXECUTE = CHILD + """
os.execvp(words[0], words)
"""

# mov eax, edi; mov ebx, esi; int 0x80; ret: what a 32-bit program does.
OLD_ABI = CHILD + """
import mmap
code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("53 89f8 89f3 cd80 5b c3"))
address = ctypes.addressof(ctypes.c_char.from_buffer(code))
call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_int)(address)
print(json.dumps(call(int(words[0]), int(words[1]))))
"""


class Confined:
    """Processes that a profile's filter is put on, in a folder for the filter's file."""

    def __init__(self, folder: Path, profile: dict[str, Any]) -> None:
        checked = filter_of(read(profile))
        self.flags, self.file = checked.flags, folder / "filter"
        self.file.write_bytes(libseccomp.compile_rules(*checked[:3]))

    def start(self, script: str, *words: str, **more: Any) -> subprocess.Popen[str]:
        """Start a script of those above, or alike."""
        command = [sys.executable, "-I", "-S", "-c", script, str(self.file), str(self.flags), "", *words]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, **pipes, **more)

    def run(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a script to its end."""
        with self.start(script, *words) as process:
            try:
                said, complained = process.communicate(timeout=60)
            finally:
                process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, said, complained)

    def errors(self, *calls: Sequence[Any]) -> list[str]:
        """The errors that calls give, each by name or number and arguments; an empty text where one succeeds."""
        numbered = [(number(name), arguments) for name, *arguments in calls]
        done = self.run(PROBE, json.dumps(numbered))
        assert not done.stderr
        found: list[str] = json.loads(done.stdout)
        return found


def number(name: str | int) -> int:
    """A system call's number here."""
    if isinstance(name, int):
        return name
    found = CDLL("libseccomp.so.2").seccomp_syscall_resolve_name(name.encode())
    assert found >= 0, name
    return int(found)


def instructions(file: Path) -> int:
    """How many instructions a compiled filter has."""
    return file.stat().st_size // seccomp.INSTRUCTION
