# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources that only tell: a question is what is wanted, and there is nothing to do, ever."""
from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Generic, TypeVar

from .layout import Layout
from .plan import Plan

M = TypeVar("M")


class Question(Generic[M]):
    """What all of them share of :class:`.plan.Resource`: all but the answer, which is ``facts``."""

    model: type[M]

    def lock(self, layout: Layout, want: M) -> AbstractContextManager[object]:
        """None: files are replaced by rename, so that each is read whole."""
        return nullcontext()

    def observe(self, layout: Layout, want: M) -> M | None:
        """What is asked."""
        return want

    def resolve(self, layout: Layout, want: M, have: M | None) -> M:
        """Nothing to fill in."""
        return want

    def plan(self, layout: Layout, want: M, have: M | None) -> Plan:
        """Nothing."""
        return Plan()
