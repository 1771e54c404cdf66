# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime on the host: what waiters and the boot service call.

A module runs from Ansible's archive, which is gone when the task ends. So the first task that needs it installs
the runtime it carries: a folder named by the digest of its content, and the link ``current`` to it, switched by
rename. What still runs from an older folder goes on.
"""
from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ..core import store
from ..core.kinds import PATH, TEXT
from ..core.layout import Layout
from ..core.model import Effect, option
from ..core.plan import Plan
from ..errors import Failure, InvalidValue
from ..kernel.process import process
from ..lean.bundle import Bundle, tasks
from ..lean.dataclasses import dataclass, replace

PACKAGE = "runtime"
"""What the package is called on hosts."""

TASKS = "ansible_collections.pycontainers.linux.plugins.module_utils.runtime"
"""What it is called in tasks."""

LAUNCHERS = {
    "pycontainers": ("cli.main", 'sys.exit(main(prog="pycontainers"))'),
    "pycontainers-init": ("oci.first", "main()"),
    "pycontainers-oci": ("cli.oci_door", "main()"),
}
"""The programs in an installed runtime: the module that each starts, and how."""

_LAUNCHER = """\
#!{python} -I
import sys
sys.path.insert(0, "{folder}")
from {package}.{module} import main
{call}
"""


COMMAND = "/usr/local/bin/pycontainers"
"""Where people find the command line."""


def carried() -> dict[str, bytes]:
    """The runtime's own source files, by path below the package: from a folder, or from Ansible's archive."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    loader = globals()["__loader__"]
    archive = getattr(loader, "archive", None)
    if archive is None:
        return _in_folder(here)
    import zipfile

    inside = os.path.relpath(here, archive) + "/"
    with zipfile.ZipFile(archive) as file:
        names = [name for name in file.namelist() if name.startswith(inside) and name.endswith(".py")]
        return {name.removeprefix(inside): file.read(name) for name in names}


def _whole() -> None:
    """Never called. Ansible's archive holds what a module imports, seen without running it: so this names the rest.

    The command line leads to everything but the first process, which only the launcher imports, and what tasks return.
    """
    from ..cli import container_group, doctor, events, health, image_group, info, main, oci_door, volumes  # noqa: F401
    from ..cli import service as verbs  # noqa: F401
    from ..core import report  # noqa: F401
    from ..oci import default_seccomp, first  # noqa: F401
    from . import cgroup_limit, container_exec, container_files, container_info, container_stats, rootfs  # noqa: F401


def _module(file: str) -> str:
    """What tasks call the module of a file of the package."""
    return ".".join([TASKS, *file.removesuffix(".py").removesuffix("__init__").strip("/").split("/")]).rstrip(".")


def _in_folder(folder: str) -> dict[str, bytes]:
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(parent, name)
                found[os.path.relpath(path, folder)] = store.read(path) or b""
    return found


def digest(files: Mapping[str, bytes]) -> str:
    """The name of a runtime with these files."""
    from hashlib import sha256

    total = sha256()
    for name in sorted(files):
        total.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return total.hexdigest()[:16]


def installed(layout: Layout) -> str:
    """The name of the runtime that ``current`` points to, or the empty text."""
    try:
        return os.readlink(f"{layout.runtimes}/current")
    except FileNotFoundError:
        return ""


@dataclass(frozen=True)
class InstallRuntime:
    """The step that installs the carried runtime and makes it the current one."""

    layout: Layout
    name: str
    before: str

    def describe(self) -> str:
        """Which runtime goes where."""
        return f"install runtime {self.name} in {self.layout.runtimes}"

    def do(self) -> None:
        """Write the folder aside, compile it, rename it into place, switch the link."""
        folder = f"{self.layout.runtimes}/{self.name}"
        self._clear()
        if not os.path.isdir(folder):
            aside = f"{folder}.{os.getpid()}.new"
            self._write(aside, folder)
            try:
                os.rename(aside, folder)
            except OSError:
                self._drop(aside, folder)
        self._switch(self.name)

    def _clear(self) -> None:
        """Remove what installs that were killed have left: their folders are named by their process."""
        import shutil

        there = os.listdir(self.layout.runtimes) if os.path.isdir(self.layout.runtimes) else []
        for name in there:
            digits, _, rest = name.partition(".")
            pid = rest.removesuffix(".new")
            if digits and rest.endswith(".new") and pid.isdigit() and process(int(pid)) is None:
                shutil.rmtree(f"{self.layout.runtimes}/{name}", ignore_errors=True)

    def _drop(self, aside: str, folder: str) -> None:
        """Let go of what another task has installed at the same moment; it is the same."""
        import shutil

        shutil.rmtree(aside)
        if not os.path.isdir(folder):
            raise Failure(self.describe(), f"{folder} is not a directory", "remove it")

    def undo(self) -> None:
        """Point the link to the runtime before. The folder stays: a waiter may have been started from it."""
        if self.before:
            self._switch(self.before)
        else:
            store.remove(f"{self.layout.runtimes}/current")

    def _write(self, aside: str, folder: str) -> None:
        import py_compile
        import sys
        from zlib import crc32

        for name, content in carried().items():
            store.write(f"{aside}/{PACKAGE}/{name}", content, 0o644)
            # Compiled here and never checked again: the folder's content is what its name says.
            py_compile.compile(
                f"{aside}/{PACKAGE}/{name}",
                dfile=f"{folder}/{PACKAGE}/{name}",
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        # By these a task tells that the runtime it carries is the installed one, and takes that (see the package).
        manifest = {name: [len(content), crc32(content)] for name, content in carried().items()}
        places = {_module(name): (f"{aside}/{PACKAGE}/{name}", f"{folder}/{PACKAGE}/{name}") for name in manifest}
        Bundle(tasks(f"{aside}/{PACKAGE}")).fill(places)
        store.write_json(f"{aside}/manifest.json", manifest, 0o644)
        for parent, _, _ in os.walk(aside):
            # Whoever is not root is to be told so by the command line, not by an interpreter that can't read it.
            os.chmod(parent, 0o755)
        for name, (module, call) in LAUNCHERS.items():
            text = _LAUNCHER.format(python=sys.executable, folder=folder, package=PACKAGE, module=module, call=call)
            store.write(f"{aside}/{name}", text.encode(), 0o755)

    def _switch(self, name: str) -> None:
        aside = f"{self.layout.runtimes}/.current.new"
        # Not the lock of the resource, which whoever converges that holds already.
        with store.lock(self.layout.lock("runtime-switch")):
            store.remove(aside)
            os.symlink(name, aside)
            os.rename(aside, f"{self.layout.runtimes}/current")
        store.sync(self.layout.runtimes)


def install_steps(layout: Layout) -> tuple[InstallRuntime, ...]:
    """The step that brings the host's runtime to the carried one; none if it is that already."""
    name, before = digest(carried()), installed(layout)
    return () if name == before else (InstallRuntime(layout, name, before),)


@dataclass(frozen=True)
class ForgetRuntimes:
    """The step that removes installed runtimes but two: what started from the one before may still import from it."""

    layout: Layout
    kept: tuple[str, str]

    def describe(self) -> str:
        """From where."""
        return f"remove older runtimes from {self.layout.runtimes}"

    def do(self) -> None:
        """Remove their folders."""
        import shutil

        for name in os.listdir(self.layout.runtimes):
            # The names of folders that are being written have a dot, and so have locks.
            if name.isalnum() and name not in (*self.kept, "current"):
                shutil.rmtree(f"{self.layout.runtimes}/{name}", ignore_errors=True)

    def undo(self) -> None:
        """Nothing can bring them back, and nobody needs them."""
        raise Failure(f"bring back runtimes in {self.layout.runtimes}", "their files are gone")


@dataclass(frozen=True)
class PointCommand:
    """The step that makes a link to the installed command line. ``before`` is where it points now, "" if nowhere."""

    link: str
    target: str
    before: str

    def describe(self) -> str:
        """Which link."""
        return f"link {self.link} to {self.target}" if self.target else f"remove link {self.link}"

    def do(self) -> None:
        """Make the link aside and rename it into place; or remove it."""
        self._point(self.target)

    def undo(self) -> None:
        """Point it to where it pointed."""
        self._point(self.before)

    def _point(self, target: str) -> None:
        if not target:
            store.remove(self.link)
            return
        os.makedirs(os.path.dirname(self.link), mode=0o755, exist_ok=True)
        folder, name = os.path.split(self.link)
        aside = f"{folder}/.{name}.new"
        store.remove(aside)
        os.symlink(target, aside)
        os.rename(aside, self.link)


@dataclass(frozen=True)
class RemoveRuntimes:
    """The step that removes all installed runtimes. Waiters of running containers would be lost without them."""

    layout: Layout

    def describe(self) -> str:
        """From where."""
        return f"remove {self.layout.runtimes}"

    def do(self) -> None:
        """Remove the folder."""
        import shutil

        shutil.rmtree(self.layout.runtimes)

    def undo(self) -> None:
        """The runtime that was there is not known any more; the next task that needs one installs it."""
        raise Failure("bring back the removed runtimes", "their files are gone", "run the task with state=present")


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The rows of the runtime on a host. ``version`` is the digest of what is installed."""

    state: str = option(TEXT, Effect.LIVE, default="present", choices=("absent", "present"))
    link: str = option(PATH, Effect.LIVE, default=COMMAND)
    version: str | None = option(TEXT, Effect.LIVE, internal=True)


class RuntimeResource:
    """The installed runtime and the link that people call it by."""

    model = Runtime

    def lock(self, layout: Layout, want: Runtime) -> AbstractContextManager[None]:
        """One lock for the installation."""
        return store.lock(layout.lock("runtime"))

    def observe(self, layout: Layout, want: Runtime) -> Runtime | None:
        """What ``current`` and the link point to."""
        version = installed(layout)
        linked = _target(want.link) == _command(layout)
        if not version and not linked:
            return None
        return Runtime(link=want.link if linked else "", version=version or None)

    def resolve(self, layout: Layout, want: Runtime, have: Runtime | None) -> Runtime:
        """The version that is carried here. A file of someone else's at the link's place is left alone."""
        if want.state == "absent":
            _refuse_running(layout)
            return want
        if os.path.lexists(want.link) and not _target(want.link).endswith("/runtime/current/pycontainers"):
            raise InvalidValue("link", want.link, "something else is there", "remove it, or give another path")
        return replace(want, version=digest(carried()))

    def plan(self, layout: Layout, want: Runtime, have: Runtime | None) -> Plan:
        """Install and link, or take both away."""
        version, link = (have.version or "", have.link) if have else ("", "")
        if want.state == "absent":
            unlink = (PointCommand(want.link, "", _command(layout)),) if link else ()
            return Plan(unlink, (RemoveRuntimes(layout),) if version else ())
        install = () if version == want.version else (InstallRuntime(layout, want.version or "", version),)
        point = () if link == want.link else (PointCommand(want.link, _command(layout), ""),)
        forget = (ForgetRuntimes(layout, (want.version or "", version)),) if install and version else ()
        return Plan((*install, *point), forget)

    def facts(self, layout: Layout, have: Runtime | None) -> Mapping[str, Any]:
        """Which version is installed, and how it is called."""
        found = {"version": have.version, "link": have.link, "path": f"{layout.runtimes}/current"} if have else {}
        return {"runtime": found}


def _command(layout: Layout) -> str:
    return f"{layout.runtimes}/current/pycontainers"


def _target(link: str) -> str:
    try:
        return os.readlink(link)
    except OSError:
        return ""


def _refuse_running(layout: Layout) -> None:
    """A running container's waiter calls the runtime when the container ends: it can't be taken away under it."""
    run = layout.running("")
    # The waiter's file, and not init's: between two runs there is only that.
    there = os.listdir(run) if os.path.isdir(run) else []
    running = [each for each in there if os.path.exists(f"{run}/{each}/waiter.json")]
    if running:
        reason = f"{len(running)} containers run ({', '.join(each[:12] for each in running[:3])})"
        raise Failure("remove the runtime", reason, "stop or remove them first")


RUNTIME = RuntimeResource()
