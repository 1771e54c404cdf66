# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seccomp profile that a container gets unless it brings its own.

What is not named is refused with EPERM; what is newer than the newest name with ENOSYS (:mod:`..kernel.libseccomp`).
The lists go by what system calls are for (syscalls(2)); those that the kernel itself allows to a capability only, or
whose subject has no namespace, come with that capability, as docker has it. Names of all architectures stand
together, since an architecture passes over those that it lacks.
"""
from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection

from ..typed import Any

ALLOWED = {
    "files": """
        open openat openat2 creat close close_range dup dup2 dup3 fcntl fcntl64 flock access faccessat faccessat2
        read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek _llseek
        truncate truncate64 ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 readahead copy_file_range
        sendfile sendfile64 splice tee vmsplice sync syncfs fsync fdatasync sync_file_range cachestat ioctl
        stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx
        statfs statfs64 fstatfs fstatfs64 chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat
        lchown lchown32 utime utimes utimensat utimensat_time64 futimesat umask file_getattr file_setattr
        getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr setxattrat
        listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat""",
    "names of files": """
        getdents getdents64 readdir getcwd chdir fchdir mkdir mkdirat rmdir mknod mknodat link linkat symlink symlinkat
        readlink readlinkat unlink unlinkat rename renameat renameat2 name_to_handle_at statmount listmount
        inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark""",
    "pipes, sockets and waiting for them": """
        pipe pipe2 socketpair socketcall bind listen accept accept4 connect shutdown getsockname getpeername getsockopt
        setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
        select _newselect pselect6 pselect6_time64 poll ppoll ppoll_time64 epoll_create epoll_create1 epoll_ctl
        epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4
        io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64""",
    "memory": """
        brk mmap mmap2 munmap mremap mprotect msync mincore madvise mlock mlock2 mlockall munlock munlockall mseal
        remap_file_pages memfd_create memfd_secret membarrier pkey_alloc pkey_free pkey_mprotect map_shadow_stack""",
    "processes and threads": """
        fork vfork execve execveat exit exit_group wait4 waitid waitpid kill tkill tgkill pidfd_open pidfd_send_signal
        process_mrelease getpid getppid gettid getpgid setpgid getpgrp getsid setsid set_tid_address
        futex futex_time64 futex_waitv futex_wait futex_wake futex_requeue set_robust_list get_robust_list rseq
        prctl seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self restart_syscall
        get_thread_area set_thread_area uname sysinfo times getrusage getcpu uretprobe uprobe""",
    "users and capabilities": """
        getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid getresgid32
        getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32
        setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32
        capget capset""",
    "signals": """
        rt_sigaction rt_sigprocmask rt_sigpending rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_sigqueueinfo
        rt_tgsigqueueinfo rt_sigreturn sigaction sigprocmask sigpending sigsuspend sigreturn sigaltstack signal
        pause""",
    "priorities and limits": """
        getpriority setpriority sched_yield sched_getscheduler sched_setscheduler sched_getparam sched_setparam
        sched_getattr sched_setattr sched_getaffinity sched_setaffinity sched_get_priority_max sched_get_priority_min
        sched_rr_get_interval sched_rr_get_interval_time64 ioprio_get ioprio_set getrlimit ugetrlimit setrlimit
        prlimit64""",
    "time": """
        time gettimeofday clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep
        clock_nanosleep_time64 nanosleep alarm getitimer setitimer timer_create timer_delete timer_getoverrun
        timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
        timerfd_settime timerfd_settime64 adjtimex clock_adjtime clock_adjtime64""",
    "System V and POSIX messages, semaphores and shared memory": """
        ipc msgget msgctl msgsnd msgrcv semget semctl semop semtimedop semtimedop_time64 shmget shmctl shmat shmdt
        mq_open mq_unlink mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64 mq_notify
        mq_getsetattr""",
    "random numbers": "getrandom",
}
"""What any container may call: it acts on its own processes and namespaces, or the kernel checks all that it does.

adjtimex and clock_adjtime are here since they also read the clock; the kernel lets only CAP_SYS_TIME change it.
"""

OF_MACHINE = {
    "x86_64": "arch_prctl modify_ldt",
    "aarch64": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "armv7l": "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
    "ppc64le": "sync_file_range2 swapcontext",
    "riscv64": "riscv_flush_icache riscv_hwprobe",
    "s390x": "s390_guarded_storage s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr s390_sthyi",
}
"""What an architecture alone has, and any container may call on it."""

BY_CAPABILITY = {
    "CAP_BPF": "bpf",
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYS_ADMIN": """
        mount umount umount2 pivot_root mount_setattr open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick
        clone clone3 unshare setns sethostname setdomainname quotactl quotactl_fd fanotify_init lookup_dcookie
        bpf perf_event_open syslog""",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "init_module finit_module delete_module",
    "CAP_SYS_NICE": "mbind get_mempolicy set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": "ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_getfd",
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "settimeofday clock_settime clock_settime64 stime",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYSLOG": "syslog",
}

DEBUGGING = "ptrace process_vm_readv process_vm_writev"
DEBUGGING_SINCE = (4, 8)
"""From when on a tracer can't make its tracee's calls past the filter (ptrace(2)): any container may debug its own."""

PERSONALITIES = (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)
"""PER_LINUX, PER_LINUX32, both with UNAME26, and the question; others take protection away (personality(2))."""

NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET: clone(2) knows all of the lower 32 bits."""

OWN_THREAD = 0x00050F00
"""CLONE_VM, FS, FILES, SIGHAND, THREAD and SYSVSEM: what unshare(2) may part from the other threads (samba does)."""

AF_VSOCK = 40
"""Sockets to the hypervisor and its other guests, which no network namespace holds back (vsock(7))."""


def default_profile(capabilities: Collection[str], machine: str = "", kernel: str = "") -> dict[str, Any]:
    """The ``linux.seccomp`` of a container with these capabilities (``CAP_…``), by default for this machine.

    ``machine`` and ``kernel`` are what uname(2) says.
    """
    host = os.uname()
    machine = machine or host.machine
    names = {name for words in ALLOWED.values() for name in words.split()}
    names.update(OF_MACHINE.get(machine, "").split())
    for capability in capabilities:
        names.update(BY_CAPABILITY.get(capability, "").split())
    if _version(kernel or host.release) >= DEBUGGING_SINCE:
        names.update(DEBUGGING.split())
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.EPERM,
        "architectures": [f"SCMP_ARCH_{name}" for name in _architectures(machine)],
        "syscalls": [_entry(*sorted(names)), *_conditional("CAP_SYS_ADMIN" in capabilities, machine)],
    }


def _conditional(administrator: bool, machine: str) -> list[dict[str, Any]]:
    """The calls that depend on their arguments."""
    found = [_entry("personality", index=0, op="EQ", value=each) for each in PERSONALITIES]
    found.append(_entry("socket", index=0, op="NE", value=AF_VSOCK))
    if not administrator:
        flags = 1 if machine == "s390x" else 0
        found.append(_entry("clone", index=flags, op="MASKED_EQ", value=NEW_NAMESPACES))
        found.append(_entry("unshare", index=0, op="MASKED_EQ", value=2**64 - 1 & ~OWN_THREAD))
        # Its flags are in memory, where a filter can't look; the C libraries take clone when there is no clone3.
        found.append(_entry("clone3", action="SCMP_ACT_ERRNO") | {"errnoRet": errno.ENOSYS})
    return found


def _entry(*names: str, action: str = "SCMP_ACT_ALLOW", op: str = "", index: int = 0, value: int = 0) -> dict[str, Any]:
    arguments = [{"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": 0}] if op else []
    return {"names": list(names), "action": action, "args": arguments}


def _architectures(machine: str) -> tuple[str, ...]:
    """The machine's own architecture, and the 32-bit one whose programs it runs; not x32, which nobody uses."""
    return {"x86_64": ("X86_64", "X86"), "aarch64": ("AARCH64", "ARM")}.get(machine, ())


def _version(release: str) -> tuple[int, ...]:
    found = re.match(r"(\d+)\.(\d+)", release)
    return tuple(int(each) for each in found.groups()) if found else (0, 0)
