# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A step that goes wrong in place of another, for tests of what is left then."""
from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Step
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure


@dataclass(frozen=True)
class Broken:
    """A step that fails, or ends the process that acts, where another would be done."""

    step: Step
    killed: bool

    def describe(self) -> str:
        """What it stands for."""
        return self.step.describe()

    def do(self) -> None:
        """Fail, or end."""
        if self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        raise Failure(self.describe(), "it was made to fail")

    def undo(self) -> None:
        """Nothing has been done."""


BEYOND = 77
"""The status of a child that had no such step."""


def killed_in_child(run: Callable[[], bool]) -> bool:
    """Run in a child what says whether it had the step to be killed at; whether it was killed there."""
    child = os.fork()
    if not child:
        try:
            os._exit(0 if run() else BEYOND)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (BEYOND, -signal.SIGKILL)
    return code != BEYOND
