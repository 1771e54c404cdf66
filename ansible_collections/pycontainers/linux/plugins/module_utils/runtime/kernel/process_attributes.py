# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process can be given before exec, as names and numbers: limits, scheduling, priorities, execution domain."""
from __future__ import annotations

RLIMITS = {
    f"RLIMIT_{name}": number
    for number, name in enumerate(
        "CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME".split()
    )
}
"""Resource limits (asm-generic/resource.h, prlimit(2))."""

RLIM_INFINITY = 2**64 - 1

SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_IDLE, SCHED_DEADLINE = 0, 1, 2, 3, 5, 6
POLICIES = {
    "SCHED_OTHER": SCHED_OTHER,
    "SCHED_FIFO": SCHED_FIFO,
    "SCHED_RR": SCHED_RR,
    "SCHED_BATCH": SCHED_BATCH,
    "SCHED_IDLE": SCHED_IDLE,
    "SCHED_DEADLINE": SCHED_DEADLINE,
}
"""Scheduling policies (linux/sched.h). ``SCHED_ISO`` is reserved and was never implemented."""

SCHED_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 0x01,
    "SCHED_FLAG_RECLAIM": 0x02,
    "SCHED_FLAG_DL_OVERRUN": 0x04,
    "SCHED_FLAG_KEEP_POLICY": 0x08,
    "SCHED_FLAG_KEEP_PARAMS": 0x10,
    "SCHED_FLAG_UTIL_CLAMP_MIN": 0x20,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 0x40,
}
"""Flags of sched_setattr(2)."""

SHORTEST_DEADLINE = 1024
"""Nanoseconds of run time that SCHED_DEADLINE asks for at least (sched(7))."""

IOPRIO_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}
IOPRIO_CLASS_SHIFT = 13
IOPRIO_NR_LEVELS = 8
"""I/O classes, and the levels in one: ``class << IOPRIO_CLASS_SHIFT | level`` (linux/ioprio.h)."""

PER_LINUX, PER_LINUX32 = 0x0000, 0x0008
"""Execution domains (linux/personality.h)."""

MOST_CPUS = 8192
"""The most that a kernel can be configured for (CONFIG_NR_CPUS)."""

NGROUPS_MAX = 65536
MAX_ARG_STRLEN = 131072
"""Supplementary groups, and bytes of one argument or variable with its NUL (linux/limits.h, linux/binfmts.h)."""

UTS_LENGTH = 64
"""Bytes of a host or domain name (__NEW_UTS_LEN in linux/utsname.h)."""

OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX = -1000, 1000
