# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands on a host, over the connection and as the user that the host's own variables say."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.play_context import PlayContext
from ansible.plugins.become import BecomeBase
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import become_loader, connection_loader

MADE_WITH = ("new_stdin", "task_uuid", "ansible_playbook_pid")
"""What connections are made with, besides the context of the play."""


class HostConnection:
    """A host by its own connection. ``become`` is how its user becomes root there, None if that need not be.

    ``variables`` are those of the host, templated; ``made_with`` is what connections of this run are made with.
    ``becoming`` says whether to become root, None if the host's ``ansible_become`` does. ``apart`` is a text by which
    this connection is told from others to the same host that are used at the same time.
    """

    def __init__(
        self,
        name: str,
        variables: Mapping[str, Any],
        play_context: PlayContext,
        made_with: Mapping[str, Any],
        becoming: bool | None = None,
        apart: str = "",
    ) -> None:
        self.name = name
        self.connection = _connection(name, variables, play_context, made_with)
        if apart:
            _set_apart(self.connection, name, apart)
        wanted = becoming if becoming is not None else boolean(variables.get("ansible_become", False), strict=False)
        self.become = _become(name, variables, play_context) if wanted else None
        if self.become and _is_user(self.connection, self.become.get_option("become_user")):
            self.become = None
        self.connection.set_become_plugin(self.become)

    def run(
        self, words: Sequence[str], stdin: bytes | None = None, inner: BecomeBase | None = None
    ) -> tuple[int, bytes, bytes]:
        """Run a command and return its status and what it wrote. Raises :class:`AnsibleConnectionFailure`.

        ``inner`` is how the command itself becomes another user, if it does: who it asks for a password is us.
        """
        command = shlex.join(words)
        if self.become:
            if inner and inner.expect_prompt():
                reason = f"a password is asked for on host {self.name} and in its container, and only one can be given"
                raise AnsibleConnectionFailure(f"cannot become another user: {reason}")
            command = self.become.build_become_command(command, self.connection._shell)
        else:
            self.connection.set_become_plugin(inner)
        done = self.connection.exec_command(command, in_data=stdin, sudoable=bool(self.become or inner))
        return int(done[0]), bytes(done[1]), bytes(done[2])


def of_plugin(kind: str, plugin: Any, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a host's variables that a plugin has options for."""
    names: Iterable[str] = constants.config.get_plugin_vars(kind, plugin._load_name)
    return {each: variables[each] for each in names if each in variables}


def _connection(
    name: str, variables: Mapping[str, Any], play_context: PlayContext, made_with: Mapping[str, Any]
) -> ConnectionBase:
    kind = str(variables.get("ansible_connection") or constants.DEFAULT_TRANSPORT).replace("smart", "ssh")
    own = play_context.copy()
    own.connection = kind
    own.remote_addr = variables.get("ansible_host", name)
    own.port = variables.get("ansible_port")
    own.remote_user = variables.get("ansible_user") or context.CLIARGS.get("remote_user")
    own.shell = variables.get("ansible_shell_type")
    own.executable = variables.get("ansible_shell_executable", constants.DEFAULT_EXECUTABLE)
    found = connection_loader.get(kind, own, **{key: made_with.get(key) for key in MADE_WITH})
    if found is None:
        raise AnsibleConnectionFailure(f"cannot reach host {name}: there is no connection plugin {kind}")
    keys = {"timeout": own.timeout, "password": own.password, "remote_user": context.CLIARGS.get("remote_user")}
    given = {key: value for key, value in keys.items() if value}
    found.set_options(task_keys=given, var_options=of_plugin("connection", found, variables))
    # A terminal would mangle what is copied, and what is read there comes by a pipe always.
    for option, value in (("use_tty", False), ("pipelining", True)):
        if found.has_option(option):
            found.set_option(option, value)
    return found


def _set_apart(connection: ConnectionBase, name: str, text: str) -> None:
    """Have ssh share a connection of its own.

    Many commands at the same time over one are more than servers take: OpenSSH's ten (sshd_config(5), MaxSessions), and
    dropbear forgets to tell the exit status of one of two that end at the same moment.
    """
    if connection.has_option("control_path") and not connection.get_option("control_path"):
        # What ssh connects to and as whom, wherever that was said.
        told = [str(connection.get_option(option)) for option in ("host", "port", "remote_user")]
        digest = hashlib.sha256("-".join((name, *told, text)).encode()).hexdigest()
        # As short as Ansible's own: the path of a socket has 107 bytes at most (unix(7)).
        connection.set_option("control_path", f"%(directory)s/{digest[:10]}")


def _become(name: str, variables: Mapping[str, Any], play_context: PlayContext) -> BecomeBase:
    method = str(variables.get("ansible_become_method") or constants.DEFAULT_BECOME_METHOD)
    found = become_loader.get(method)
    if found is None:
        raise AnsibleConnectionFailure(f"cannot become root on host {name}: there is no become plugin {method}")
    given = {"become_pass": play_context.become_pass} if play_context.become_pass else {}
    found.set_options(task_keys=given, var_options=of_plugin("become", found, variables))
    return found


def _is_user(connection: ConnectionBase, user: str | None) -> bool:
    """Whether a connection's user is that one already."""
    own = connection.get_option("remote_user") if connection.has_option("remote_user") else connection.default_user
    return bool(own) and own == user and not constants.BECOME_ALLOW_SAME_USER
