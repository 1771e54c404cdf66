# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The step that has a container receive and send no faster than it should."""
from __future__ import annotations

from collections.abc import Sequence

from ..core.layout import Layout
from ..core.plan import Step
from ..errors import Failure
from ..kernel import netlink
from ..lean.dataclasses import dataclass
from .attachments import Attachment
from .endpoint import observe_endpoint
from .rates import Rates, show_rate


@dataclass(frozen=True)
class SetRates:
    """Have a container receive and send no faster than this on all of its networks."""

    layout: Layout
    identity: str
    networks: Sequence[Attachment]
    before: Rates
    after: Rates

    def describe(self) -> str:
        """Both rates."""
        return f"set ingress_rate to {show_rate(self.after[0])} and egress_rate to {show_rate(self.after[1])}"

    def do(self) -> None:
        """Set the buckets; those that are right already stay as they are."""
        self._set(self.after)

    def undo(self) -> None:
        """Set them as they were."""
        self._set(self.before)

    def _set(self, wanted: Rates) -> None:
        namespace = self.layout.netns(self.identity)
        for each in observe_endpoint(self.layout, self.identity, self.networks).values():
            if each.host_interface and each.ingress != wanted[0]:
                self._hold(each.host_interface, None, wanted[0])
            if each.interface and each.egress != wanted[1]:
                self._hold(each.interface, namespace, wanted[1])

    def _hold(self, name: str, namespace: str | None, bits: int) -> None:
        try:
            netlink.set_rate(name, bits, namespace)
        except FileNotFoundError as error:
            reason = "the kernel has no token bucket filter"
            raise Failure(self.describe(), reason, "give it the module sch_tbf") from error


def rate_steps(
    layout: Layout, identity: str, networks: Sequence[Attachment], before: Rates, after: Rates
) -> tuple[Step, ...]:
    """Go from these rates to those; nothing where they are the same."""
    return () if before == after else (SetRates(layout, identity, networks, before, after),)
