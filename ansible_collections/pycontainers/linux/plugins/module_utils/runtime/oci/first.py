# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the launcher of a container's first process calls: read the program, and carry it out."""
from __future__ import annotations

import marshal
import os
import sys

from ..kernel import security, syscalls
from .init import BARRIER, PROGRAM, Init, run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from ..kernel.trampoline import Trampoline


def main() -> NoReturn:
    """Read the program and carry it out."""
    with os.fdopen(os.dup(PROGRAM), "rb") as file:
        program = marshal.load(file)
    os.lseek(PROGRAM, 0, os.SEEK_SET)
    trampoline = _trampoline(program)
    if trampoline is None:
        # What is shared with the host's mounts is copied where they are the host's own still.
        security.shield_interpreter(come_back=any(each[0] == "source" for each in program))
    # Until exec this is the host's interpreter: nobody inside may open it through /proc (CVE-2019-5736).
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    setup = _with_terminal() if any(each[0] == "terminal" for each in program) else Init()
    setup.trampoline = trampoline
    # An import after the pivot would run what the container has at that path.
    sys.meta_path.clear()
    os.read(BARRIER, 1)
    os.setsid()
    run(program, setup)


def _trampoline(program: Sequence[Sequence[Any]]) -> Trampoline | None:
    """The trampoline, where it will do and somebody waits for the start, whom it can tell of its failure."""
    if program[-1][3:] != (True,) or not any(each[0] == "ready" for each in program):
        return None
    from ..kernel.trampoline import sealed

    return sealed()


def _with_terminal() -> Init:
    """The operations with those of a terminal, whose imports are paid for by programs that have one."""
    from .console import Console

    return Console()
