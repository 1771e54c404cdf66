# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true of the runs of every scenario, by what their tasks have said."""

from __future__ import annotations

from ansible_collections.pycontainers.linux.molecule.shared.runs import (
    assert_foretold,
    ephemeral,
    pairs,
    recorded,
    warnings,
)


def test_a_check_foretells_what_the_run_does() -> None:
    """The run after a check makes the changes that it told, and others only in tasks that the check left out."""
    told = [(check, run) for check, run in pairs() if check.check and not run.check]
    assert told
    for check, run in told:
        assert_foretold(check, run)


def test_after_a_run_there_is_nothing_to_do() -> None:
    """The next run changes nothing, and a check foretells nothing."""
    assert recorded()
    for run, after in pairs():
        if not run.check:
            assert after.changes == {}


def test_ansible_has_warned_of_nothing() -> None:
    """No run of any playbook has brought a warning, of what is deprecated neither."""
    log = (ephemeral() / "ansible.log").read_text()
    assert "PLAY RECAP" in log
    assert warnings(log) == []
