# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive of images on the controller, of which a host gets what it lacks.

First the host gets the documents only, some kilobytes, with which its module can tell whether there is anything to
do. If there is, and if layers are missing for it, the module says which, and gets these. A check ends before that.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as Normal

from ..module_utils.runtime.errors import Failure
from ..module_utils.runtime.image import archive
from . import partial_archive


class FromController(Normal):
    """The action of a module whose ``path`` is on the controller where ``remote_src`` is false."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module on the host, as ever, or with as much of the archive as it needs."""
        arguments = dict(self._task.args)
        if boolean(arguments.get("remote_src", True), strict=False):
            return dict(super().run(tmp, task_vars))
        result = dict(ActionBase.run(self, tmp, task_vars))
        said = arguments.get("path")
        if not isinstance(said, str) or not said:
            raise AnsibleActionFail("path is required, the archive on the controller")
        try:
            path = self._find_needle("files", os.path.expanduser(said))
        except AnsibleError as error:
            raise AnsibleActionFail(to_text(error)) from error
        try:
            with archive.opened(path) as source:
                result |= self._loaded(source, arguments, task_vars)
        except Failure as failure:
            raise AnsibleActionFail(str(failure)) from failure
        return result

    def _loaded(
        self, source: archive.Archive, arguments: dict[str, Any], task_vars: dict[str, Any] | None
    ) -> dict[str, Any]:
        documents = partial_archive.documents(source)
        result = self._module(source, documents, arguments, task_vars)
        if result.get("failed") and result.get("missing"):
            result = self._module(source, [*documents, *map(str, result["missing"])], arguments, task_vars)
        result.pop("invocation", None)
        return result

    def _module(
        self,
        source: archive.Archive,
        names: Iterable[str],
        arguments: dict[str, Any],
        task_vars: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """Send a part of the archive and run the module with it; its result names the archive as the task does."""
        shell = self._connection._shell
        if not shell.tmpdir:
            self._make_tmp_path()
        remote = shell.join_path(shell.tmpdir, "images.tar")
        with tempfile.NamedTemporaryFile(dir=constants.DEFAULT_LOCAL_TMP) as part:
            partial_archive.write(source, names, part)
            part.flush()
            self._transfer_file(part.name, remote)
        self._fixup_perms2((shell.tmpdir, remote))
        result = self._execute_module(module_args={**arguments, "path": remote}, task_vars=task_vars)
        return dict(renamed(dict(result), remote, source.path))


def renamed(value: Any, old: str, new: str) -> Any:
    """A result with one path in the place of another, wherever it is in there."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, dict):
        return {key: renamed(each, old, new) for key, each in value.items()}
    return [renamed(each, old, new) for each in value] if isinstance(value, list) else value
