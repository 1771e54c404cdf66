# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of :mod:`signal` is needed, without its enumerations."""
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from signal import *  # noqa: F403
else:
    import _signal
    from _signal import *  # noqa: F403

NAMES: dict[str, int] = {
    name: number for name, number in vars(_signal).items() if name.startswith("SIG") and "_" not in name
}
"""The number of each signal by its name, SIGRTMIN and SIGRTMAX among them."""
