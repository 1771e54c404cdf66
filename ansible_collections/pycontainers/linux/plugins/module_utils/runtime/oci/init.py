# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container's first process: carries out a program of set-up operations, the last of which is exec.

It runs as pid 1 of the new pid namespace, as ``python -I -S``, so every import here is paid at each start of a
container; a test holds the list of modules. The program is made by :mod:`.program` and read from a descriptor:

====  =======================================================================================
fd    what
====  =======================================================================================
0-2   the program's
3     the set-up operations, marshalled: a sequence of (operation, arguments…)
4     reports: READY when all but exec is done, one line if an operation fails; closed by exec
5     the barrier: it ends when the waiter has written down which process this is
7     the socket that the master of the program's terminal is sent over, if it has one
====  =======================================================================================

Paths inside the root filesystem are looked up by openat2(2) with RESOLVE_IN_ROOT and acted on through the
descriptor, so that a symbolic link in an image leads nowhere but into the container.
"""
from __future__ import annotations

import errno
import os
import stat

from ..kernel import process_calls, procfs, seccomp, security, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from ..kernel.trampoline import Trampoline

PROGRAM, REPORT, BARRIER, CONSOLE = 3, 4, 5, 7
READY = b"\0"
"""Reported before exec to whoever waits for the start: a first process that died on the way reports nothing."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
RESOLVE_PLAIN = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_SYMLINKS
NULL = os.makedev(1, 3)
ALONE = syscalls.MS_PRIVATE | syscalls.MS_REC
"""Mounts that spread neither way, nor do those below them."""

MOST_LINKS = 40
"""How many symbolic links the kernel follows in one path (linux/namei.h, MAXSYMLINKS)."""


class Init:
    """The operations, and what they keep for one another: the root filesystem's descriptor."""

    _within_proc: frozenset[str] = frozenset()
    """What may be mounted on below /proc."""

    def __init__(self) -> None:
        self.root = -1
        self.trampoline: Trampoline | None = None
        self.shared: dict[str, list[int]] = {}

    def cgroups(self, directories: Sequence[str]) -> None:
        """Join the container's cgroup in each hierarchy: ``0`` stands for the writer.

        Version 1 has ``tasks`` for a thread, and this process has one only: the kernel moves it at once. To move a
        whole process it waits until none is about to fork or end, some 10 ms (kernel/cgroup, cgroup_threadgroup_rwsem).
        """
        for directory in directories:
            path = f"{directory}/tasks"
            with open(path if os.path.exists(path) else f"{directory}/cgroup.procs", "wb", buffering=0) as file:
                file.write(b"0")

    def join(self, path: str) -> None:
        """Enter the namespace that a file stands for."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(descriptor)
        os.close(descriptor)

    def unshare(self, flags: int) -> None:
        """Leave the host's namespaces for new ones."""
        syscalls.unshare(flags)

    def source(self, path: str) -> None:
        """Copy what is to be bound while its mount is still one of the host's group, so mounts spread both ways."""
        self.shared.setdefault(path, []).append(syscalls.open_tree(path))

    def rootfs(self, path: str) -> None:
        """Take ``path`` as the root to be: a mount of its own, on which device nodes mean nothing.

        The whole tree becomes a slave first, so that nothing mounted here spreads to the host.
        """
        syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_SLAVE)
        tree = syscalls.open_tree(path)
        syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_NODEV, recursive=False, propagation=syscalls.MS_PRIVATE)
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
        syscalls.move_mount(tree, target)
        os.close(target)
        self.root = tree

    def mount(self, source: str, target: str, fstype: str, flags: int, options: str) -> None:
        """Mount a filesystem inside the root.

        Where /proc and /sys are, no symbolic link may be on the way: who can change it later would choose what is
        masked and made read-only in place of theirs (CVE-2019-19921, CVE-2023-28642).
        """
        descriptor = self._place(target)
        if fstype in ("proc", "sysfs"):
            self._no_link(target)
        self._beside_proc(descriptor, target, proc=fstype == "proc")
        syscalls.mount(source, f"/proc/self/fd/{descriptor}", fstype, flags, options)
        os.close(descriptor)

    def remount(self, target: str, flags: int) -> None:
        """Change the flags of what has been mounted at a place inside the root."""
        descriptor = self._place(target)
        syscalls.mount("none", f"/proc/self/fd/{descriptor}", flags=syscalls.MS_REMOUNT | syscalls.MS_BIND | flags)
        os.close(descriptor)

    def bind(self, source: str, target: str, attributes: int, propagation: int = ALONE) -> None:
        """Put a file or folder of the host, with what is mounted below it, at a place inside the root."""
        tree = self.shared[source].pop(0) if propagation & syscalls.MS_SHARED else syscalls.open_tree(source)
        if not propagation & syscalls.MS_REC:
            syscalls.mount_setattr(tree, 0, recursive=False, propagation=propagation)
            propagation = 0
        if attributes or propagation:
            syscalls.mount_setattr(tree, attributes, propagation=propagation & ~syscalls.MS_REC)
        self._move(tree, target)

    def _move(self, tree: int, target: str, plain: bool = False) -> None:
        """Put a copy of mounts at a place inside the root, ``plain`` if no symbolic link may lead there."""
        folder = stat.S_ISDIR(os.fstat(tree).st_mode)
        descriptor = self._place(target, folder)
        if plain:
            self._no_link(target)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) != folder:
            number = errno.ENOTDIR if folder else errno.EISDIR
            raise OSError(number, os.strerror(number), target)
        self._beside_proc(descriptor, target, tree)
        syscalls.move_mount(tree, descriptor)
        os.close(descriptor)
        os.close(tree)

    def folder(self, path: str) -> None:
        """Make a folder inside the root, unless it is there."""
        os.close(self._place(path))

    def symlink(self, content: str, target: str) -> None:
        """Make a symbolic link in a folder inside the root."""
        folder, _, name = target.rpartition("/")
        descriptor = self._place(folder)
        os.symlink(content, name, dir_fd=descriptor)
        os.close(descriptor)

    def mask(self, path: str, more: str = "") -> None:
        """Hide a path, if it exists: a folder behind an empty one, a file behind the host's /dev/null."""
        descriptor = self._existing(path)
        if descriptor < 0:
            return
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            flags = syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
            options = f"size=0k,nr_inodes=1,mode=555{more}"
            syscalls.mount("tmpfs", f"/proc/self/fd/{descriptor}", "tmpfs", flags, options)
        else:
            tree = syscalls.open_tree("/dev/null")
            now = os.fstat(tree)
            if not stat.S_ISCHR(now.st_mode) or now.st_rdev != NULL:
                raise OSError(errno.ENODEV, "the host's /dev/null is not the null device", "/dev/null")
            syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY, propagation=syscalls.MS_PRIVATE)
            syscalls.move_mount(tree, descriptor)
            os.close(tree)
        os.close(descriptor)

    def readonly(self, path: str) -> None:
        """Make a path, if it exists, and what is mounted below it read-only."""
        descriptor = self._existing(path)
        if descriptor >= 0:
            tree = syscalls.open_tree("", directory=descriptor)
            syscalls.mount_setattr(tree, syscalls.MOUNT_ATTR_RDONLY)
            syscalls.move_mount(tree, descriptor)
            os.close(tree)
            os.close(descriptor)

    def readonly_root(self) -> None:
        """Make the root filesystem's own mount read-only."""
        syscalls.mount_setattr(self.root, syscalls.MOUNT_ATTR_RDONLY, recursive=False)

    def pivot(self, spreads: bool = False) -> None:
        """Make the root filesystem the root. With both names the same folder, the old root ends up on top of it.

        Then no mount is a slave any more: what the host mounts below a volume later is not the container's business,
        unless it ``spreads``, as is asked for of some; the others were made private each by itself.
        """
        os.fchdir(self.root)
        syscalls.pivot_root(".", ".")
        syscalls.umount(".", syscalls.MNT_DETACH)
        os.chdir("/")
        syscalls.mount("none", "/", flags=syscalls.MS_PRIVATE | (0 if spreads else syscalls.MS_REC))

    def hostname(self, name: str) -> None:
        """Set the host name of the new UTS namespace."""
        syscalls.sethostname(name)

    def domainname(self, name: str) -> None:
        """Set the NIS domain name of the new UTS namespace."""
        syscalls.setdomainname(name)

    def setting(self, path: str, value: str) -> None:
        """Write a kernel setting of the new namespaces, while /proc is the host's."""
        procfs.write(f"sys/{path}", value)

    def out_of_memory(self, score: int) -> None:
        """Set how soon the kernel ends this process when memory runs out."""
        procfs.write("self/oom_score_adj", str(score))

    def limit(self, resource: int, soft: int, hard: int) -> None:
        """Set a resource limit."""
        process_calls.set_rlimit(resource, soft, hard)

    def umask(self, mask: int) -> None:
        """Set the file mode creation mask."""
        os.umask(mask)

    def streams(self, user: int) -> None:
        """Give the standard streams to the user, who could not open them by /dev/stdout otherwise."""
        for descriptor in (0, 1, 2):
            if stat.S_ISREG(os.fstat(descriptor).st_mode) or stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                os.fchown(descriptor, user, -1)

    def identity(self, user: int, group: int, groups: Sequence[int], capabilities: Sequence[int]) -> None:
        """Become the user, with exactly the capability sets (bounding, effective, permitted, inheritable, ambient).

        The bounding set needs CAP_SETPCAP and so goes first; a change to another user drops the permitted set
        unless it is asked to stay (PR_SET_KEEPCAPS).
        """
        bounding, effective, permitted, inheritable, ambient = capabilities
        security.limit_bounding(bounding)
        if user:
            syscalls.prctl(syscalls.PR_SET_KEEPCAPS, 1)
        self._set_groups(group, groups)
        os.setresgid(group, group, group)
        os.setresuid(user, user, user)
        security.set_capabilities(effective, permitted, inheritable, ambient)
        # Where fs.suid_dumpable is 1, the change of ids has made the process one that may be looked into.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)

    def _set_groups(self, group: int, groups: Sequence[int]) -> None:
        """Set the additional groups."""
        # Without its own group among them, a program with the set-group-ID bit would leave it (CVE-2022-36109).
        os.setgroups(sorted({group, *groups}))

    def no_new_privileges(self) -> None:
        """Let no program that is executed gain privileges."""
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)

    def seccomp(self, program: bytes, flags: int) -> None:
        """Filter the system calls of all that follows."""
        seccomp.load(program, flags)

    def chdir(self, path: str) -> None:
        """Enter the working directory, and make sure that it lies inside the root (CVE-2024-21626)."""
        os.chdir(path)
        if not os.getcwd().startswith("/"):
            raise OSError(errno.ENOENT, "it is outside of the root filesystem", path)

    def ready(self) -> None:
        """Report that only exec is left. Whoever waited for it may have been killed; the container goes on."""
        _report(READY)

    def execute(self, arguments: Sequence[str], environment: Sequence[str], by_trampoline: bool = False) -> NoReturn:
        """Close what is not the program's, and become it; :mod:`.first` has seen to the trampoline that it may want."""
        os.set_inheritable(REPORT, False)
        syscalls.close_from(PROGRAM, {REPORT, *(self.trampoline or ())})
        syscalls.reset_signals()
        variables = dict(each.partition("=")[::2] for each in environment)
        program = _executable(arguments[0], variables.get("PATH", ""))
        if self.trampoline is None:
            os.execve(program, list(arguments), variables)
        os.dup2(REPORT, self.trampoline.report)
        os.execve(self.trampoline.program, [program, *arguments], variables)

    def _existing(self, path: str) -> int:
        try:
            return syscalls.openat2(self.root, path, os.O_PATH, syscalls.RESOLVE_IN_ROOT)
        except FileNotFoundError:
            return -1

    def _no_link(self, path: str) -> None:
        try:
            os.close(syscalls.openat2(self.root, path, os.O_PATH, RESOLVE_PLAIN))
        except OSError as error:
            said = "a symbolic link leads there" if error.errno == errno.ELOOP else error.strerror
            raise OSError(error.errno, said, path) from error

    def _beside_proc(self, descriptor: int, target: str, tree: int = -1, proc: bool = False) -> None:
        """Refuse a mount that would change what is read and written in /proc, whatever its path says.

        At /proc there may be a procfs only, and as a whole. ``tree`` is what is to be mounted, unless that is a new
        filesystem, of which ``proc`` says whether it is a procfs.
        """
        proc = syscalls.on_proc(tree) if tree >= 0 else proc
        if _parts(target) == ["proc"]:
            if not proc or (tree >= 0 and os.fstat(tree).st_ino != syscalls.PROC_ROOT_INO):
                raise OSError(errno.EPERM, "only a whole procfs can be mounted there", target)
        elif syscalls.on_proc(descriptor) and (proc or target not in self._within_proc):
            raise OSError(errno.EPERM, "mounting there would change what is read and written in /proc", target)

    def _place(self, path: str, folder: bool = True) -> int:
        """The descriptor of a path inside the root; what is missing of it is made.

        Where a symbolic link leads to nothing, what it leads to is made. Parts are never looked up but by the
        kernel, from the root, so that ``..`` and links end where the container would find them.
        """
        parts, depth, links = _parts(path), 0, 0
        above = os.dup(self.root)
        while depth < len(parts):
            here = self._existing("/".join(parts[: depth + 1]))
            content = "" if here >= 0 else _link(above, parts[depth])
            if content:
                links += 1
                if links > MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
                before = [] if content.startswith("/") else parts[:depth]
                parts, depth = [*before, *_parts(content), *parts[depth + 1 :]], 0
                here = os.dup(self.root)
            else:
                if here < 0:
                    _make(above, parts[depth], folder or depth < len(parts) - 1)
                    here = syscalls.openat2(
                        self.root, "/".join(parts[: depth + 1]), os.O_PATH, syscalls.RESOLVE_IN_ROOT
                    )
                depth += 1
            os.close(above)
            above = here
        return above


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _link(above: int, name: str) -> str:
    """What the symbolic link of this name says; nothing where there is none."""
    try:
        return os.readlink(name, dir_fd=above)
    except OSError:
        return ""


def _make(above: int, name: str, folder: bool) -> None:
    if folder:
        os.mkdir(name, 0o755, dir_fd=above)
    else:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644, dir_fd=above))


def _executable(name: str, search: str) -> str:
    """The file that a command's first word means, found as execvp(3) does; raises ``OSError`` as runtimes word it."""
    if "/" in name:
        if not os.path.exists(name):
            raise FileNotFoundError(errno.ENOENT, f'exec: "{name}": stat {name}: no such file or directory')
        if os.path.isdir(name) or not os.access(name, os.X_OK):
            raise PermissionError(errno.EACCES, f'exec: "{name}": permission denied')
        return name
    for folder in search.split(":"):
        path = f"{folder or '.'}/{name}"
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(errno.ENOENT, f'exec: "{name}": executable file not found in $PATH')


def run(program: Sequence[Sequence[Any]], setup: Init) -> NoReturn:
    """Carry out the operations; on failure report the one that failed and exit as runtimes do."""
    operation: Sequence[Any] = ()
    try:
        for operation in program:
            getattr(setup, operation[0])(*operation[1:])
        raise OSError(errno.EINVAL, "the program does not end in execute")
    except Exception as error:  # whatever it is, it is told to whoever waits, and no code of the caller's runs on
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
        _report(f"{_describe(operation, error)}\n".encode(errors="backslashreplace"))
        os._exit(code if operation and operation[0] == "execute" else 1)


def _report(said: bytes) -> None:
    try:
        os.write(REPORT, said)
    except BrokenPipeError:
        return


def _describe(operation: Sequence[Any], error: Exception) -> str:
    if not isinstance(error, OSError):
        return f"{operation[0]}: {type(error).__name__}: {error}"
    if operation[0] == "execute":
        # Its own messages begin with "exec:"; what execve(2) itself refuses is worded alike.
        said = error.strerror or ""
        return said if said.startswith("exec:") else f'exec: "{operation[1][0]}": {said.lower()}'
    words = " ".join(str(each) for each in operation[1:3] if not isinstance(each, bytes))
    where = f" ({error.filename})" if error.filename and str(error.filename) not in words else ""
    return f"{operation[0]} {words}: {error.strerror}{where}"
