# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks in a container of a host: each command is one of the host's runtime, which enters the container.

Whatever is copied passes through a program in the container, so no link of the container's leads out of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from itertools import count
from typing import Any

from ansible import context
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.playbook.play_context import PlayContext
from ansible.plugins.become import BecomeBase
from ansible.plugins.connection import ConnectionBase

from ..module_utils.runtime.core.layout import Layout
from ..module_utils.runtime.errors import explain
from .host_connection import MADE_WITH, HostConnection
from .host_runtime import complaint, missing, verb

BLOCK = 1 << 20
PIECE = 32 * BLOCK
"""How much of a file is copied by one command: what that reads or writes is in memory here."""

FAILED = 125
"""The exit status of the runtime's command line when a program could not be tried, as Docker has it."""

NO_PYTHON = re.compile(rb"(\S*python[\d.]*): (?:command )?(?:not found|No such file)")
NO_FILE = re.compile(rb"no such file", re.IGNORECASE)


class InContainer(ConnectionBase):
    """The connection to a container, over that to its host."""

    transport = "pycontainers.linux.container"
    has_pipelining = True

    def __init__(self, play_context: PlayContext, *args: Any, **kwargs: Any) -> None:
        super().__init__(play_context, *args, **kwargs)
        self._made_with = {key: kwargs.get(key) for key in MADE_WITH}
        self._hostvars: Mapping[str, Any] = {}
        self._host: HostConnection | None = None

    def _resolve_option_variables(self, variables: Mapping[str, Any], templar: Any) -> dict[str, Any]:
        """The container's variables that are options here; those of all hosts are kept, as its host's will be needed.

        An ``ansible_user`` that the host has too, from a group of both, is who logs in there.
        """
        self._hostvars = variables.get("hostvars") or {}
        found = dict(super()._resolve_option_variables(variables, templar))
        name = found.get("ansible_pycontainers_host") or "localhost"
        inherited = self._hostvars[name].get("ansible_user") if name in self._hostvars else None
        return {key: value for key, value in found.items() if key != "ansible_user" or value != inherited}

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        """Take the options. Whom the command line or the configuration says is who logs in to hosts."""
        keys = dict(task_keys or {})
        if keys.get("remote_user") == context.CLIARGS.get("remote_user"):
            keys.pop("remote_user", None)
        super().set_options(task_keys=keys, var_options=var_options, direct=direct)

    def _connect(self) -> InContainer:
        """Have the connection to the host, which connects when it is used."""
        if self._host is None:
            name = str(self.get_option("host"))
            if name not in self._hostvars:
                reason = f"there is no host {name} in the inventory; correct ansible_pycontainers_host"
                raise AnsibleConnectionFailure(f"cannot reach {self._place}: {reason}")
            becoming = self.get_option("host_become")
            variables = self._hostvars[name]
            self._host = HostConnection(
                name, variables, self._play_context, self._made_with, becoming, apart=self._name
            )
        return self

    @property
    def _name(self) -> str:
        """The container's name. What it is called in the inventory the context says: a task may be delegated to it."""
        return str(self.get_option("container") or self._play_context.remote_addr)

    @property
    def _place(self) -> str:
        return f"container {self._name} of host {self.get_option('host')}"

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a shell command in the container."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        status, out, err = self._enter(cmd, in_data, self.become if sudoable else None)
        found = NO_PYTHON.search(err) if status == 127 and (in_data or "AnsiballZ_" in cmd) else None
        if found:
            reason = f"it has no {found[1].decode(errors='replace')}"
            fix = "have Python in its image, or say where it is with ansible_python_interpreter"
            raise AnsibleConnectionFailure(f"cannot run modules in {self._place}: {reason}; {fix}")
        return status, out, err

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the controller into the container."""
        super().put_file(in_path, out_path)
        try:
            with open(in_path, "rb") as file:
                for number in count():
                    piece = file.read(PIECE)
                    if piece or not number:
                        self._copy(f"cat {'>>' if number else '>'} {shlex.quote(out_path)}", in_path, out_path, piece)
                    if len(piece) < PIECE:
                        return
        except FileNotFoundError as error:
            raise AnsibleFileNotFound(f"cannot copy {in_path} to {self._place}: {explain(error)}") from error
        except OSError as error:
            raise AnsibleError(f"cannot copy {in_path} to {self._place}: {explain(error)}") from error

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file of the container to the controller."""
        super().fetch_file(in_path, out_path)
        try:
            with open(out_path, "wb") as file:
                for number in count():
                    skip = f"dd bs={BLOCK} skip={number * PIECE // BLOCK} count=0 2>/dev/null; " if number else ""
                    command = f"({skip}head -c {PIECE}) < {shlex.quote(in_path)}"
                    piece = self._copy(command, in_path, out_path)
                    file.write(piece)
                    if len(piece) < PIECE:
                        return
        except OSError as error:
            raise AnsibleError(f"cannot copy {in_path} from {self._place}: {explain(error)}") from error

    def reset(self) -> None:
        """Connect anew to the host."""
        self._connect()
        if self._host:
            self._host.connection.reset()
        self.close()

    def close(self) -> None:
        """Let go of the host."""
        if self._host:
            self._host.connection.close()
        self._host = None
        self._connected = False

    def _copy(self, command: str, source: str, target: str, data: bytes | None = None) -> bytes:
        status, out, err = self._enter(command, data)
        if status:
            said = err.decode(errors="replace").strip()
            kind = AnsibleFileNotFound if NO_FILE.search(err) else AnsibleError
            raise kind(f"cannot copy {source} to {target} ({self._place}): {said or f'exit status {status}'}")
        return out

    def _enter(self, command: str, data: bytes | None, become: BecomeBase | None = None) -> tuple[int, bytes, bytes]:
        """Run a shell command in the container; what can't be entered is unreachable."""
        self._connect()
        if self._host is None:
            raise AnsibleConnectionFailure(f"cannot reach {self._place}")
        layout = Layout(self.get_option("root"), self.get_option("run"))
        options = ["-i"] if data or (become and become.expect_prompt()) else []
        options += ["-u", self.get_option("remote_user")]
        shell = self._play_context.executable or "/bin/sh"
        words = verb(layout, "exec", *options, self._name, shell, "-c", command)
        status, out, err = self._host.run(words, data, become)
        problem = complaint(self._host, err) if status == FAILED else missing(self._host, layout, status, err)
        if problem:
            raise AnsibleConnectionFailure(problem)
        if status == 127 and err.startswith(f'exec: "{shell}"'.encode()):
            raise AnsibleConnectionFailure(f"cannot run a command in {self._place}: it has no {shell}")
        return status, out, err
