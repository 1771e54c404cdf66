# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx on two Alpine hosts, by the role host and the playbook deploy_nginx."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from ansible_collections.pycontainers.linux.molecule.shared.checks import CHECKS, Check, break_all
from ansible_collections.pycontainers.linux.molecule.shared.runs import mend


@pytest.mark.parametrize("check", CHECKS)
def test_it_is_as_the_playbook_says(hosts: list[Host], check: Check) -> None:
    """Each thing holds on each host."""
    assert len(hosts) == 2
    for host in hosts:
        check(host)


def test_what_somebody_breaks_is_seen_and_mended(hosts: list[Host]) -> None:
    """Each check fails once its thing is broken, and a run, foretold by a check, mends all."""
    host, _ = hosts
    break_all(host)
    mend("--limit", host.backend.get_hostname())
    for check in CHECKS:
        check(host)
