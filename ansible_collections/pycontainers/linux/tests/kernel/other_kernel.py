# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another kernel for what this one was built without: User Mode Linux, a process on this machine's files.

It sees the root folder read-only, has memory for what tests write, and ends with them. Start as ``python FILE`` it
is the filter that the kernel is run under.
"""
from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

KERNEL = "/usr/bin/linux.uml"
MODULES = "/usr/lib/uml/modules"
FILESYSTEMS = ("quota_v2", "overlay", "loop")
REPOSITORY = Path(__file__).resolve().parents[5]

CGROUPS = {
    2: "mount -t cgroup2 cgroup /sys/fs/cgroup",
    1: "mount -t tmpfs tmp /sys/fs/cgroup; for each in memory cpu cpuacct pids freezer devices blkio; do "
    "mkdir /sys/fs/cgroup/$each; mount -t cgroup -o $each cgroup /sys/fs/cgroup/$each; done",
}
"""How cgroups are mounted, by their version."""

INIT = r"""#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME={home} TMPDIR=/run PYTHONDONTWRITEBYTECODE=1
# The registers that it does not keep for a process are not to be used by any.
without=-AVX,-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM,-XSAVE,-XSAVEC
export GLIBC_TUNABLES=glibc.cpu.hwcaps=$without
mount -t proc proc /proc
mount -t sysfs sys /sys
{cgroups}
mount -t tmpfs tmp /run
cd {repository}
{python} -c 'import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for path in sys.argv[1:]:
    module = os.open(path, os.O_RDONLY)
    assert libc.syscall(313, module, b"", 0) == 0, (path, ctypes.get_errno())
' {modules}
# Nor by an interpreter that is started without this environment, as those of containers are.
cp {interpreter} /run/interpreter
cat >/run/wrapper <<TEXT
#!/bin/bash
export GLIBC_TUNABLES=$GLIBC_TUNABLES
exec -a "\$0" /run/interpreter "\$@"
TEXT
chmod 755 /run/wrapper
mount --bind /run/wrapper {interpreter}
{command}
echo "ended with $?"
{python} -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'
"""


def missing() -> str:
    """What keeps it from running here, in words; empty if nothing does."""
    if os.uname().machine != "x86_64":
        return "User Mode Linux is for x86_64"
    return "" if os.path.exists(KERNEL) else f"there is no {KERNEL}: install user-mode-linux"


def is_it() -> bool:
    """Whether this is the other kernel."""
    return b"User Mode Linux" in Path("/proc/cpuinfo").read_bytes()


def _files(names: tuple[str, ...]) -> list[str]:
    """The files of modules, each after those that it depends on."""
    folder = Path(MODULES) / os.listdir(MODULES)[0]
    found: list[str] = []
    lines = dict(line.split(":") for line in (folder / "modules.dep").read_text().splitlines())
    by_name = {Path(file).stem: file for file in lines}
    for name in names:
        file = by_name[name]
        # The nearest that one depends on comes first there.
        found += [each for each in (*reversed(lines[file].split()), file) if each not in found]
    return [str(folder / each) for each in found]


def run(
    folder: Path, words: list[str], seconds: int, modules: tuple[str, ...] = FILESYSTEMS, version: int = 2
) -> tuple[int, str]:
    """Run a command in the other kernel, with these modules; its exit status and all that was written.

    ``version`` is that of cgroups.
    """
    init = folder / "init"
    command = shlex.join(words)
    loaded = " ".join(_files(modules))
    python = {"python": sys.executable, "interpreter": os.path.realpath(sys.executable)}
    given = {"repository": REPOSITORY, "modules": loaded, "command": command, "cgroups": CGROUPS[version], **python}
    init.write_text(INIT.format(home=Path.home(), **given))
    init.chmod(0o755)
    kernel = [KERNEL, "mem=1G", "rootfstype=hostfs", "root=98:0", "rootflags=/", "ro", f"init={init}", "quiet"]
    ran = subprocess.run(
        [sys.executable, __file__, *kernel, "con=null", "con0=fd:0,fd:1", f"uml_dir={folder}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False,
    )  # fmt: skip
    said = ran.stdout.decode(errors="replace").replace("\r", "")
    ended = [line.removeprefix("ended with ") for line in said.splitlines() if line.startswith("ended with ")]
    return int(ended[0]) if ended else -1, said


def _filtered() -> None:
    """Become the kernel, without the calls by which it would keep registers in less room than processors have by now.

    PTRACE_GETREGSET and PTRACE_SETREGSET fail with EIO, and it goes by the older ones.
    """
    import ctypes
    import struct

    def line(code: int, true: int, false: int, value: int) -> bytes:
        return struct.pack("=HBBI", code, true, false, value)

    program = (
        line(0x20, 0, 0, 0) + line(0x15, 0, 4, 101) + line(0x20, 0, 0, 16)
        + line(0x15, 1, 0, 0x4204) + line(0x15, 0, 1, 0x4205) + line(0x06, 0, 0, 0x50005) + line(0x06, 0, 0, 0x7FFF0000)
    )  # fmt: skip
    kept = ctypes.create_string_buffer(program)
    given = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(kept))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)
    if libc.prctl(22, 2, ctypes.create_string_buffer(given)) < 0:
        raise OSError(ctypes.get_errno(), "prctl")
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    _filtered()
