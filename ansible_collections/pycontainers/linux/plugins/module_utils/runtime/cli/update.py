# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb update: limits and restart policy of containers, changed while these run."""
from __future__ import annotations

import argparse
from typing import Any

from ..core.layout import Layout
from ..core.model import parse, rows
from ..core.plan import Plan, apply, converge
from ..errors import Failure, InvalidValue
from ..lean.dataclasses import replace
from ..resources import container_state
from ..resources.cgroup_limit import CGROUP_LIMIT, CgroupLimit
from ..resources.container_model import Container
from ..resources.limits import Limits
from . import run_options
from .complaint import to_each


def add(verbs: Any) -> None:
    """Declare the verb."""
    more = "Limits are those of the module cgroup_limit, where they are explained (ansible-doc); max or -1 clears one."
    verb = verbs.add_parser("update", help="change limits and restart policy of containers, live", epilog=more)
    for row in rows(Limits):
        run_options.declare(verb, row, both=True)
    verb.add_argument("--restart", default="", metavar="POLICY[:RETRIES]", help="when it is started again")
    verb.add_argument("containers", nargs="+", metavar="CONTAINER")
    verb.set_defaults(verb=update)


def update(layout: Layout, chosen: argparse.Namespace) -> int:
    """Change each container, name those it is done with, and go on after a failure. Bad values change none."""
    given = {name: value for name, value in run_options.values(chosen, rows(Limits)).items() if value is not None}
    if not given and not chosen.restart:
        fix = "give one, such as --memory 64m; see pycontainers update --help"
        raise Failure(f"update {', '.join(chosen.containers)}", "no option says what to change", fix)
    limits = parse(CgroupLimit, {"name": "any", **given})
    policy = parse(Container, {"name": "any", **run_options.policy(chosen.restart)}) if chosen.restart else None

    def act_on(wanted: str) -> None:
        found = container_state.find(layout, wanted)
        if found.auto_remove and policy and policy.restart_policy != "no":
            raise InvalidValue("--restart", chosen.restart, f"container {found.name} is removed when it ends")
        if given:
            converge(CGROUP_LIMIT, layout, replace(limits, name=found.name), check=False)
        if policy:
            _keep_policy(layout, found, policy)

    return to_each(chosen.containers, act_on)


def _keep_policy(layout: Layout, found: Container, policy: Container) -> None:
    """Write the record: what it says counts when the program ends."""
    with container_state.lock(layout, found.name):
        kept = container_state.find(layout, found.id or "")
        new = replace(kept, restart_policy=policy.restart_policy, restart_retries=policy.restart_retries or 0)
        if new != kept:
            apply(Plan((container_state.record_step(layout, new, kept),)))
