# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.resolvers import resolvers

STUB = "# by systemd-resolved\nnameserver 127.0.0.53\noptions edns0\nsearch lan\n"
BEHIND = "nameserver 192.0.2.53\nsearch lan\n"


def given(folder: Path, host: str | None, behind: str | None = None) -> str:
    """What a container gets on a host with these files."""
    for name, text in (("host", host), ("behind", behind)):
        if text is not None:
            (folder / name).write_text(text)
    return resolvers(host=str(folder / "host"), behind_stub=str(folder / "behind"))


def test_servers_that_can_be_reached_are_kept(tmp_path: Path) -> None:
    """A file that names other machines is given as it is, whatever systemd keeps beside it."""
    text = "search lan\nnameserver 192.0.2.1\nnameserver 2001:db8::1\noptions ndots:2\n"
    assert given(tmp_path, text, BEHIND) == text


def test_behind_a_stub_are_the_servers(tmp_path: Path) -> None:
    """Where the host asks only itself, the container gets the servers that systemd-resolved asks."""
    assert given(tmp_path, STUB, BEHIND) == BEHIND


@pytest.mark.parametrize("server", ["127.0.0.53", "127.0.0.1", "::1", "0.0.0.0"])
def test_the_hosts_own_servers_are_left_out(tmp_path: Path, server: str) -> None:
    """Among others, and where nothing is known of what is behind them, the rest of the file stays."""
    assert given(tmp_path, f"nameserver {server}\nsearch lan\n") == "search lan\n"
    text = f"nameserver {server}\nnameserver 192.0.2.1\nsearch lan\n"
    assert given(tmp_path, text, BEHIND) == "nameserver 192.0.2.1\nsearch lan\n"


def test_a_forwarder_comes_before_the_hosts_servers(tmp_path: Path) -> None:
    """That of a family which the host asks, wherever its servers are; none where it has none, or others are given."""
    own = ("10.0.2.3", "fd00::3")

    def told(text: str, *servers: str) -> str:
        (tmp_path / "host").write_text(text)
        return resolvers(servers, forwarders=own, host=str(tmp_path / "host"), behind_stub=str(tmp_path / "no"))

    assert told(STUB) == "nameserver 10.0.2.3\n# by systemd-resolved\noptions edns0\nsearch lan\n"
    assert told("nameserver ::1\n") == "nameserver fd00::3\n"
    assert told("nameserver 192.0.2.1\n") == "nameserver 10.0.2.3\nnameserver 192.0.2.1\n"
    assert told("search lan\n") == "search lan\n"
    assert told(STUB, "192.0.2.7").endswith("search lan\nnameserver 192.0.2.7\n")
    assert "10.0.2.3" not in told(STUB, "192.0.2.7")


def test_a_host_without_resolvers_gives_none(tmp_path: Path) -> None:
    """No file and one without servers are nothing to replace."""
    assert given(tmp_path, None, BEHIND) == ""
    assert given(tmp_path, "search lan\n", BEHIND) == "search lan\n"


def test_what_is_given_takes_the_place_of_the_hosts_lines(tmp_path: Path) -> None:
    """Line by line: what nothing is given for stays the host's; a dot takes the search domains away."""
    lines = ["domain old", "nameserver 192.0.2.1", "search a.test", "options rotate", "sortlist 192.0.2.0"]
    (tmp_path / "host").write_text("\n".join(lines))
    host = str(tmp_path / "host")
    kept = [line for line in lines if "nameserver" not in line]
    found = resolvers(("::1", "192.0.2.7"), host=host).splitlines()
    assert found == [*kept, "nameserver ::1", "nameserver 192.0.2.7"]
    assert "search b.test c.test\n" in resolvers((), ("b.test", "c.test"), host=host)
    assert "old" not in resolvers((), ("b.test",), host=host)
    assert "search" not in resolvers((), (".",), host=host)
    assert resolvers((), (), ("ndots:2",), host=host).endswith("options ndots:2\n")
