# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signal that an image asks to be stopped by, as an image of any origin may say it."""
from __future__ import annotations

import signal

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel.process import signal_number


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("SIGQUIT", signal.SIGQUIT),
        ("quit", signal.SIGQUIT),
        ("3", 3),
        ("SIGRTMIN+3", signal.SIGRTMIN + 3),
        ("RTMAX-1", signal.SIGRTMAX - 1),
        ("", signal.SIGTERM),
        ("99999", signal.SIGTERM),
        ("0", signal.SIGTERM),
        ("SIG_IGN", signal.SIGTERM),
        ("RTMIN+99", signal.SIGTERM),
        ("²", signal.SIGTERM),
        ("nonsense", signal.SIGTERM),
    ],
)
def test_stop_signals(said: str, number: int) -> None:
    """Names, numbers and real-time signals count; what is none of them is SIGTERM, so that a stop always works."""
    assert signal_number(said) == number
