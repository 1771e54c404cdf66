# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file or folder on the controller, of which a module's host gets a copy for as long as the task lasts."""

from __future__ import annotations

import os
import stat
import tarfile
import tempfile
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as Normal

from .controller_archive import renamed


class FilesFromController(Normal):
    """The action of a module whose ``path`` is on the controller unless ``remote_src`` is true."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module on the host, as ever, or with a copy there of what is on the controller."""
        arguments = dict(self._task.args)
        said = arguments.get("path")
        if boolean(arguments.get("remote_src", False), strict=False) or not isinstance(said, str) or not said:
            return dict(super().run(tmp, task_vars))
        result = dict(ActionBase.run(self, tmp, task_vars))
        try:
            path = self._find_needle("files", os.path.expanduser(said)).rstrip("/")
        except AnsibleError as error:
            raise AnsibleActionFail(to_text(error)) from error
        followed = os.path.realpath(path) if boolean(arguments.get("local_follow", True), strict=False) else path
        remote = self._shipped(followed)
        if stat.S_ISREG(os.lstat(followed).st_mode) and arguments.get("mode") is None:
            arguments["mode"] = f"{stat.S_IMODE(os.lstat(followed).st_mode):04o}"
        arguments |= {"path": remote, "remote_src": True, "local_follow": False}
        done = self._execute_module(module_args=arguments, task_vars=task_vars)
        result |= dict(renamed(dict(done), remote, path))
        result.pop("invocation", None)
        return result

    def _shipped(self, path: str) -> str:
        """Where on the host the copy is. A folder gets there as tar, with its modes and links."""
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        remote = str(shell.join_path(shell.tmpdir, "source"))
        if stat.S_ISREG(os.lstat(path).st_mode):
            self._transfer_file(path, remote)
            self._fixup_perms2((shell.tmpdir, remote))
            return remote
        packed = shell.join_path(shell.tmpdir, "source.tar")
        with tempfile.NamedTemporaryFile(dir=constants.DEFAULT_LOCAL_TMP) as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.add(path, "source")
            file.flush()
            self._transfer_file(file.name, packed)
        self._fixup_perms2((shell.tmpdir, packed))
        words = ("tar", "-xpf", packed, "-C", shell.tmpdir)
        done = self._low_level_execute_command(" ".join(map(shell.quote, words)))
        if done["rc"]:
            raise AnsibleActionFail(f"cannot unpack {path} on the host: {done['stderr'].strip()}")
        return remote
