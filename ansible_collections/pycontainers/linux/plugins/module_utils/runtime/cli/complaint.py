# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the command line says what went wrong: one line on stderr."""
from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable

from ..errors import Failure, explain


def to_each(words: Iterable[str], act: Callable[[str], None]) -> int:
    """Do something to each of what is named, print the names of those it is done to, and go on after a failure.

    Gives the exit status.
    """
    failed = 0
    for each in words:
        try:
            act(each)
            print(each)
        except BrokenPipeError:
            raise
        except (OSError, Failure) as error:
            complain(error)
            failed = 1
    return failed


def complain(error: OSError | Failure) -> None:
    """Say what went wrong, and who is not root, that root is needed."""
    refused = isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM)
    refused = refused or isinstance(error.__cause__, PermissionError)
    print(f"pycontainers: {explain(error)}{'; run it as root' if refused and os.geteuid() else ''}", file=sys.stderr)
