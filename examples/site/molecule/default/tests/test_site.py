# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role is there for, as a visitor of the host sees it."""

from __future__ import annotations

import json

import pytest
from testinfra.host import Host


def page_is_served(host: Host) -> None:
    """The page is what the inventory says."""
    assert "<h1>Greetings from Alpine</h1>" in host.run("wget -q -T 2 -O - http://127.0.0.1:8080/").stdout


def memory_is_limited(host: Host) -> None:
    """The container has no more memory than the role gives it."""
    (container,) = json.loads(host.check_output("pycontainers inspect site"))
    assert container["HostConfig"]["Memory"] == 64 << 20


def test_the_page_is_served(host: Host) -> None:
    """It is there after the role has run, and not while the container is stopped."""
    page_is_served(host)
    host.check_output("pycontainers stop site")
    with pytest.raises(AssertionError):
        page_is_served(host)
    host.check_output("pycontainers start site")
    page_is_served(host)


def test_memory_is_limited(host: Host) -> None:
    """The limit is the role's, and one that somebody has changed is seen."""
    memory_is_limited(host)
    host.check_output("pycontainers update --memory 96m site")
    with pytest.raises(AssertionError):
        memory_is_limited(host)
    host.check_output("pycontainers update --memory 64m site")
    memory_is_limited(host)
