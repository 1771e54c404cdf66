# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx on Debian with systemd, by the role host and the playbook deploy_nginx."""

from __future__ import annotations

import pytest
from testinfra.host import Host

from ansible_collections.pycontainers.linux.molecule.shared.checks import CHECKS, Check, break_all
from ansible_collections.pycontainers.linux.molecule.shared.runs import mend

UNIT = "/etc/systemd/system/pycontainers.service"


def systemd_is_content(host: Host) -> None:
    """It is pid 1, has nothing to say of the unit that the role has written, and no unit of it has failed."""
    assert host.file("/proc/1/comm").content_string.strip() == "systemd"
    assert host.run(f"systemd-analyze verify --man=no {UNIT}").stderr == ""
    assert host.check_output("systemctl --failed --plain --no-legend") == ""


ALL = (*CHECKS, systemd_is_content)


@pytest.mark.parametrize("check", ALL)
def test_it_is_as_the_playbook_says(hosts: list[Host], check: Check) -> None:
    """Each thing holds."""
    (host,) = hosts
    check(host)


def test_what_somebody_breaks_is_seen_and_mended(hosts: list[Host]) -> None:
    """Each check fails once its thing is broken, and a run, foretold by a check, mends all."""
    (host,) = hosts
    break_all(host)
    host.check_output(f"echo Nonsense=yes >> {UNIT}")
    with pytest.raises(AssertionError):
        systemd_is_content(host)
    mend()
    for check in ALL:
        check(host)
