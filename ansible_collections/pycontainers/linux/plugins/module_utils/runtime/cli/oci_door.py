# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where ``pycontainers-oci`` begins: what must be so before anything else is imported, which is then done once only."""
from __future__ import annotations

import gc
import os
import sys

from ..lean.bundle import Bundle

BUNDLE = Bundle(f"{os.path.dirname(__file__)}/__pycache__/oci.{sys.implementation.cache_tag}.bundle")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

SHIELDED = "exec"
"""The verb whose process comes among those of a container; create and run see for themselves what they need."""


def main() -> NoReturn:
    """Run the verb of the command line and end the process; see :func:`.oci.main`."""
    # There is no garbage in so short a life, and looking for it while modules are imported takes 4 ms.
    gc.disable()
    _open_standard()
    BUNDLE.use()
    # What is imported before that is not found in it.
    from ..kernel.security import shield_interpreter

    # An option's value may be that word too, and costs a start of the interpreter then. Who is not root can't write
    # to the host's interpreter, nor has the right to shield it.
    if SHIELDED in sys.argv[1:] and not os.geteuid():
        shield_interpreter(come_back=True)
    from .oci import main as run

    _end(run())


def _end(status: int) -> NoReturn:
    """End at once: to take all modules apart before takes a millisecond, and leaves nothing that stays otherwise."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        # Whoever was to read it is gone.
        status = status or 1
    BUNDLE.keep()
    os._exit(status)


def _open_standard() -> None:
    """Give the standard streams that the caller has closed to /dev/null, lest something of ours gets their numbers."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
