# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps that take and give back addresses."""
from __future__ import annotations

import os
from contextlib import suppress

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..lean.dataclasses import dataclass
from . import leases


@dataclass(frozen=True)
class Lease:
    """The step that gives a container its addresses. ``before`` are those it has, ``wanted`` those it must have."""

    layout: Layout
    network: str
    identity: str
    before: tuple[str, ...]
    wanted: tuple[str, ...] = ()

    def describe(self) -> str:
        """The network."""
        if self.wanted:
            return f"lease {' and '.join(self.wanted)} on network {self.network}"
        return f"lease an address on network {self.network}"

    def do(self) -> None:
        """Take the lowest free ones; which they are shows only now, as others may take theirs meanwhile."""
        leases.take(self.layout, self.network, self.identity, self.wanted)

    def undo(self) -> None:
        """Give new ones back, keep old ones."""
        leases.put_back(self.layout, self.network, self.identity, self.before)


@dataclass(frozen=True)
class Release:
    """The step that takes a container's addresses back."""

    layout: Layout
    network: str
    identity: str
    addresses: tuple[str, ...]

    def describe(self) -> str:
        """Addresses and network."""
        return f"release {' and '.join(self.addresses)} on network {self.network}"

    def do(self) -> None:
        """Let go of the addresses."""
        leases.put_back(self.layout, self.network, self.identity, ())

    def undo(self) -> None:
        """Take the same addresses again."""
        leases.put_back(self.layout, self.network, self.identity, self.addresses)


@dataclass(frozen=True)
class RemoveLeases:
    """The step that removes a network's file of leases, which has to be empty by now."""

    layout: Layout
    network: str

    def describe(self) -> str:
        """The file."""
        return f"remove leases {self.layout.leases(self.network)}"

    def do(self) -> None:
        """Remove the file, unless a container has come meanwhile."""
        with store.lock(leases.lock_path(self.layout, self.network)):
            taken = leases.read(self.layout, self.network)
            if taken:
                reason = f"containers are connected: {', '.join(sorted(set(taken.values())))}"
                raise Failure(f"remove the network {self.network}", reason)
            store.remove(self.layout.leases(self.network))
            with suppress(OSError):  # It holds the leases of other networks, or was never made.
                os.rmdir(os.path.dirname(self.layout.leases(self.network)))

    def undo(self) -> None:
        """Nothing to put back: no file says what an empty one does."""
