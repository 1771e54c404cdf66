# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The first process of a container that the OCI command line creates: forked, not a new interpreter.

It carries out the operations that :mod:`.operations` makes, which are those of :class:`.init.Init` and these. The
handshake, over one socket pair whose ends close with their processes, so that nobody waits for the dead:

==============================  ========================================
runtime (create)                first process
==============================  ========================================
fork into the pid namespace
…                               join cgroups
receive USERS                   a new user namespace: send USERS
write the id maps, send GO      become root of it
…                               join namespaces; unshare
receive CHILD, its pid          a user namespace: fork a sibling, send CHILD
send GO                         …
receive ENVIRONMENT             send ENVIRONMENT
write the state; hooks: prestart, createRuntime
send GO, with the state         …
…                               mounts, hooks createContainer, pivot, identity
receive READY                   send READY, or ERROR at any point
write the pid file, exit        listen at the socket ``start``
==============================  ========================================
runtime (start)
connect, remove the socket
send GO                         hooks startContainer, exec
read to the end: started        …or ERROR
==============================  ========================================
"""
from __future__ import annotations

import errno
import os
import stat
import sys

from ..errors import Failure, explain
from ..kernel import process_calls, seccomp, syscalls, trampoline
from ..kernel.trampoline import Trampoline
from ..lean import json, signal, socket
from ..typed import Any, NoReturn
from . import channel, init, stage_users, users
from .config_mounts import WITHIN_PROC
from .config_process import Hook
from .console import Console

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
"""Signals that end a process by default, but not pid 1 of a namespace, unless it asks for them."""


class Stage(stage_users.Users, Console):
    """What the operations keep for one another, besides the root filesystem's descriptor."""

    _within_proc = WITHIN_PROC

    def __init__(
        self,
        peer: socket.socket,
        listener: socket.socket | None,
        console: int,
        preserved: int,
        guarded: bool = False,
        lends: bool = False,
    ) -> None:
        super().__init__()
        self.peer, self.listener, self.console, self.preserved = peer, listener, console, preserved
        self.guarded, self.lends = guarded, lends
        self.trampoline: Trampoline | None = None
        self.state = b""
        self.asked: tuple[socket.socket, int, str] | None = None
        self.program = ""
        self.variables: dict[str, str] = {}

    def join_kind(self, path: str, kind: int) -> None:
        """Enter the namespace of this kind that a file stands for."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        syscalls.setns(descriptor, kind)
        os.close(descriptor)

    def enter(self, process: int, kinds: int) -> None:
        """Enter namespaces of the process behind a pidfd."""
        syscalls.setns(process, kinds)
        os.close(process)

    def environment(self) -> None:
        """Tell that the namespaces are there, lend them if asked to, and wait for the runtime to say the state."""
        channel.send(self.peer, channel.ENVIRONMENT)
        if self.lends:
            lent = [os.open(f"/proc/self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in ("net", "user")]
            socket.send_fds(self.peer, [channel.LENT], lent)
            for each in lent:
                os.close(each)
        kind, self.state = channel.receive(self.peer)
        if kind != channel.GO:
            os._exit(1)

    def keyring(self) -> None:
        """Let go of the caller's keys."""
        process_calls.new_session_keyring()

    def tree(self, path: str, propagation: int) -> None:
        """Take ``path`` as the root to be, as a mount of its own.

        First it is settled what mounts made here have to do with the host. pivot_root(2) wants neither the new root nor
        what it is mounted on to be shared. A copy from before a user namespace is mounted on "/", which is in reach.
        """
        syscalls.mount("none", "/", flags=propagation or syscalls.MS_REC | syscalls.MS_SLAVE)
        self.on_top = (path, True) in self.trees
        place = "/" if self.on_top else path
        above = os.path.realpath(place)
        while not _private(above):
            above = os.path.dirname(above)
        self.root = self.copy_of(path, True)
        syscalls.mount_setattr(self.root, 0, recursive=False, propagation=syscalls.MS_PRIVATE)
        target = os.open(place, os.O_PATH | os.O_CLOEXEC)
        syscalls.move_mount(self.root, target)
        os.close(target)

    def attach(self, source: str, target: str, deep: bool, attributes: Sequence[int], below: Sequence[int]) -> None:
        """Put a file or folder of the host, with what is mounted below it if ``deep``, at a place inside the root.

        ``attributes`` and ``below`` are what is set and cleared: on the mount itself, and on it and all below.
        """
        tree = self.copy_of(source, deep)
        if any(below):
            syscalls.mount_setattr(tree, below[0], clear=below[1])
        if any(attributes):
            syscalls.mount_setattr(tree, attributes[0], recursive=False, clear=attributes[1])
        self._move(tree, target)

    def filesystem(self, source: str, target: str, fstype: str, flags: int, options: str, attributes: int) -> None:
        """Mount a filesystem inside the root; attributes that mount(2) has no flags for come after."""
        self.mount(source, target, fstype, flags, options)
        if attributes:
            descriptor = self._existing(target)
            syscalls.mount_setattr(descriptor, attributes, recursive=False)
            os.close(descriptor)

    def propagate(self, target: str, flags: int) -> None:
        """Set the propagation of the mount at a place inside the root."""
        descriptor = self._existing(target)
        syscalls.mount("none", f"/proc/self/fd/{descriptor}", flags=flags)
        os.close(descriptor)

    def node(self, path: str, mode: int, number: int, uid: int, gid: int) -> None:
        """Make a device node or FIFO, in place of what is there, unless it is the same."""
        folder, _, name = path.rpartition("/")
        descriptor = self._place(folder)
        try:
            now = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if (stat.S_IFMT(now.st_mode), now.st_rdev) != (stat.S_IFMT(mode), number):
                raise OSError(errno.EEXIST, "something else is there", path)
        except FileNotFoundError:
            try:
                os.mknod(name, mode, number, dir_fd=descriptor)
            except PermissionError:
                # Without the right to make nodes, the host's own does.
                self.bind(path, path, 0)
                os.close(descriptor)
                return
        os.chown(name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
        os.chmod(name, stat.S_IMODE(mode), dir_fd=descriptor)
        os.close(descriptor)

    def link(self, content: str, target: str) -> None:
        """Make a symbolic link, unless something of that name is there."""
        try:
            self.symlink(content, target)
        except FileExistsError:
            return

    def standard(self, uid: int) -> None:
        """Give the standard streams to the user, who could not open them by /dev/stdout otherwise."""
        for descriptor in (0, 1, 2):
            now = os.fstat(descriptor)
            if now.st_uid != uid and not (stat.S_ISCHR(now.st_mode) and now.st_rdev == init.NULL):
                try:
                    os.fchown(descriptor, uid, -1)
                except OSError as error:
                    if error.errno not in (errno.EROFS, errno.EPERM, errno.EINVAL):
                        raise

    def scheduler(self, policy: int, nice: int, priority: int, flags: int, *times: int) -> None:
        """Set the scheduling policy."""
        process_calls.set_scheduler(policy, nice, priority, flags, (times[0], times[1], times[2]))

    def io_priority(self, value: int) -> None:
        """Set the I/O class and level."""
        process_calls.set_io_priority(value)

    def affinity(self, numbers: Sequence[int]) -> None:
        """Run on these CPUs only."""
        os.sched_setaffinity(0, numbers)

    def domain(self, number: int) -> None:
        """Set the execution domain."""
        process_calls.set_personality(number)

    def become_root(self, pivot: bool, propagation: int) -> None:
        """Make the root filesystem the root. With ``pivot`` the old one ends up on top of it and is taken off."""
        old = os.open("/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fchdir(self.root)
        if pivot:
            syscalls.pivot_root(".", ".")
            os.fchdir(old)
            # Else taking it off would spread to the host where "/" is shared.
            syscalls.mount("none", ".", flags=syscalls.MS_REC | syscalls.MS_SLAVE)
            syscalls.umount(".", syscalls.MNT_DETACH)
        else:
            if not self.on_top:
                syscalls.mount(".", "/", flags=syscalls.MS_MOVE)
            os.chroot(".")
        os.close(old)
        os.chdir("/")
        if propagation:
            syscalls.mount("none", "/", flags=propagation)

    def hooks(self, kind: str, hooks: Sequence[Hook]) -> None:
        """Run hooks in the container's namespaces."""
        from .hooks import run_hooks

        run_hooks(kind, hooks, self.state, os.environ)

    def agent(self, path: str, metadata: str) -> None:
        """Connect to who is to answer for system calls, and see which process this is in the host's eyes."""
        receiver = socket.socket(socket.AF_UNIX)
        receiver.connect(path)
        self.asked = receiver, int(os.readlink("/proc/self")), metadata

    def seccomp(self, program: bytes, flags: int) -> None:
        """Filter the system calls of all that follows; send the listener, if there is one, to who is to answer.

        With it goes the document of the specification (config-linux.md, "The Container Process State").
        """
        listener = seccomp.load(program, flags)
        if listener is None or self.asked is None:
            return
        receiver, pid, metadata = self.asked
        state = json.loads(self.state)
        about = {"ociVersion": state["ociVersion"], "fds": ["seccompFd"], "pid": pid, "metadata": metadata}
        with receiver:
            socket.send_fds(receiver, [json.dumps({**about, "state": state}).encode()], [listener])
        os.close(listener)

    def home(self, uid: int) -> None:
        """Find what HOME is to be where nothing is said: clients leave it to the runtime."""
        self.variables["HOME"] = users.home("/", uid)

    def find(self, name: str, search: str) -> None:
        """Look for the program while an error still reaches whoever creates the container."""
        self.program = init._executable(name, search)

    def ready(self) -> None:
        """Tell that all but exec is done."""
        channel.send(self.peer, channel.READY)

    def wait(self, before: str, after: str) -> None:
        """Wait for the start. Its errors go to whoever starts the container from now on."""
        if self.listener is None:
            raise OSError(errno.EINVAL, "there is no socket to be started by")
        self.peer.close()
        self.peer, _ = self.listener.accept()
        if channel.receive(self.peer).kind != channel.GO:
            os._exit(1)
        self.listener.close()
        # Its status is the first thing that a state document says.
        self.state = self.state.replace(before.encode(), after.encode(), 1)

    def become(self, arguments: Sequence[str], environment: Sequence[str]) -> NoReturn:
        """Close what is not the program's, and become it."""
        for descriptor in range(3, 3 + self.preserved):
            os.set_inheritable(descriptor, True)
        syscalls.close_from(3 + self.preserved, {self.peer.fileno(), *(self.trampoline or ())})
        syscalls.reset_signals()
        variables = {**dict(each.partition("=")[::2] for each in environment), **self.variables}
        if self.trampoline is None:
            os.execve(self.program, list(arguments), variables)
        os.dup2(self.peer.fileno(), self.trampoline.report)
        os.execve(self.trampoline.program, [self.program, *arguments], variables)


def _private(path: str) -> bool:
    """Take the mount at exactly this path out of its peer group; False if nothing is mounted there."""
    try:
        syscalls.mount("none", path, flags=syscalls.MS_PRIVATE)
    except OSError as error:
        if error.errno != errno.EINVAL or path == "/":
            raise
        return False
    return True


def run(program: Sequence[Sequence[Any]], stage: Stage, kept: set[int]) -> NoReturn:
    """In the child: carry out the operations; never return into the caller's code, whatever happens."""
    operation: Sequence[Any] = ("begin",)
    try:
        # Until exec this is the host's interpreter: nobody inside may open it through /proc (CVE-2019-5736).
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        if any(each[0] == "hooks" for each in program):
            from . import hooks  # noqa: F401 - it is imported while it can be
        # An import from here on would run what the container has at that path.
        sys.meta_path.clear()
        channels = {stage.peer.fileno(), stage.console, stage.listener.fileno() if stage.listener else -1}
        syscalls.close_from(3 + stage.preserved, kept | channels - {-1})
        stage.trampoline = trampoline.sealed() if stage.guarded else None
        for number in ENDING:
            signal.signal(number, lambda received, _: os._exit(128 + received))
        os.setsid()
        for operation in program:
            getattr(stage, operation[0])(*operation[1:])
    except BaseException as error:  # whatever it is, it is told to whoever waits, and no code of the caller's runs on
        _report(stage.peer, _describe(operation, error))
    finally:
        os._exit(1)


def _report(peer: socket.socket, said: str) -> None:
    try:
        channel.send(peer, channel.ERROR, said.encode(errors="backslashreplace"))
    except OSError:
        return


def _describe(operation: Sequence[Any], error: BaseException) -> str:
    if operation[0] in ("find", "become") and isinstance(error, OSError):
        said = error.strerror or ""
        return said if said.startswith("exec:") else f'exec: "{operation[1][0]}": {said.lower()}'
    if isinstance(error, Failure):
        return str(error)
    if not isinstance(error, OSError):
        return str(error) if operation[0] == "hooks" else f"{operation[0]}: {type(error).__name__}: {error}"
    # A descriptor's name in /proc tells nobody anything; the operation's own words do.
    where = "" if str(error.filename or "").startswith("/proc/self/fd/") else explain(error)
    words = [each for each in operation[:3] if isinstance(each, str)]
    return f"{' '.join(words)}: {where or error.strerror} (errno {error.errno})"
