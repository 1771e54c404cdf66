# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of seccomp profiles and the kernel's numbers for them (linux/seccomp.h, libseccomp's seccomp.h)."""
from __future__ import annotations

from . import libseccomp, seccomp

ACTIONS = {
    "SCMP_ACT_KILL": libseccomp.KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": libseccomp.KILL_PROCESS,
    "SCMP_ACT_KILL_THREAD": libseccomp.KILL_THREAD,
    "SCMP_ACT_TRAP": libseccomp.TRAP,
    "SCMP_ACT_ERRNO": libseccomp.ERRNO,
    "SCMP_ACT_TRACE": libseccomp.TRACE,
    "SCMP_ACT_ALLOW": libseccomp.ALLOW,
    "SCMP_ACT_LOG": libseccomp.LOG,
    "SCMP_ACT_NOTIFY": libseccomp.NOTIFY,
}
"""Actions as what a filter returns; an errno goes into the lower 16 bits."""

SECCOMP_RET_ACTION_FULL = 0xFFFF0000
KERNEL_NAMES = {
    libseccomp.KILL_PROCESS: "kill_process",
    libseccomp.KILL_THREAD: "kill_thread",
    libseccomp.TRAP: "trap",
    libseccomp.ERRNO: "errno",
    libseccomp.NOTIFY: "user_notif",
    libseccomp.TRACE: "trace",
    libseccomp.LOG: "log",
    libseccomp.ALLOW: "allow",
}
"""The mask of an action without its errno, and actions as /proc/sys/kernel/seccomp/actions_avail has them."""

OPERATORS = {
    f"SCMP_CMP_{name}": number for number, name in enumerate("NE LT LE EQ GE GT MASKED_EQ".split(), start=1)
}
"""Comparisons by libseccomp's numbers (enum scmp_compare)."""

FLAGS = {
    # The first process has one thread, and exec leaves none but its caller's: there is nothing to synchronize.
    "SECCOMP_FILTER_FLAG_TSYNC": 0,
    "SECCOMP_FILTER_FLAG_LOG": seccomp.SECCOMP_FILTER_FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": seccomp.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": seccomp.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
}
"""Flags of seccomp(2) that a profile may ask for."""

ARCHITECTURES = tuple(
    f"SCMP_ARCH_{name}"
    for name in (
        "X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X "
        "PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB"
    ).split()
)

MAX_ERRNO = 4095
MOST_ARGUMENTS = 6
"""The largest errno that can be returned, and how many arguments a system call has."""
