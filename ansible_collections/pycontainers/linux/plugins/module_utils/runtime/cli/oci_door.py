# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where ``pycontainers-oci`` begins: what must be so before anything else is imported, which is then done once only."""
from __future__ import annotations

import gc
import os
import sys

from ..kernel.security import shield_interpreter

SHIELDED = {"create", "run", "exec"}
"""The verbs that fork a process which becomes one of a container's."""


def main() -> int:
    """Run the verb of the command line; see :func:`.oci.main`."""
    # There is no garbage in so short a life, and looking for it while modules are imported takes 4 ms.
    gc.disable()
    _open_standard()
    # An option's value may be such a word too, and costs a start of the interpreter then. Who is not root can't write
    # to the host's interpreter, nor has the right to shield it.
    if SHIELDED & set(sys.argv[1:]) and not os.geteuid():
        shield_interpreter(come_back=True)
    from .oci import main as run

    return run()


def _open_standard() -> None:
    """Give the standard streams that the caller has closed to /dev/null, lest something of ours gets their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
