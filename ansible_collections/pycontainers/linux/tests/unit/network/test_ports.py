# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import (
    PORTS,
    PROTOCOLS,
    Port,
    parse_ports,
)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (["8080:80"], [Port("tcp", "", 8080, 80)]),
        (["8080:80/tcp"], [Port("tcp", "", 8080, 80)]),
        (["0.0.0.0:8080:80"], [Port("tcp", "0.0.0.0", 8080, 80)]),
        (["127.0.0.1:53:5353/UDP"], [Port("udp", "127.0.0.1", 53, 5353)]),
        (["1:65535", "65535:1"], [Port("tcp", "", 1, 65535), Port("tcp", "", 65535, 1)]),
        (
            ["8000-8002:9000-9002"],
            [Port("tcp", "", 8000 + n, 9000 + n) for n in range(3)],
        ),
        (["53:53/udp", "53:53"], [Port("tcp", "", 53, 53), Port("udp", "", 53, 53)]),
        (["127.0.0.2:80:80", "127.0.0.1:80:80"], [Port("tcp", f"127.0.0.{n}", 80, 80) for n in (1, 2)]),
        (["[::]:80:80", "0.0.0.0:80:80"], [Port("tcp", "0.0.0.0", 80, 80), Port("tcp", "::", 80, 80)]),
        (["[2001:DB8::01]:80-81:90-91/sctp"], [Port("sctp", "2001:db8::1", 80 + n, 90 + n) for n in range(2)]),
        (["80"], [Port("tcp", "", 0, 80)]),
        ([80, "80/tcp", "80-81"], [Port("tcp", "", 0, 80), Port("tcp", "", 0, 81)]),
        (["127.0.0.1::80-81/udp"], [Port("udp", "127.0.0.1", 0, 80), Port("udp", "127.0.0.1", 0, 81)]),
        (["[fd00::1]::80", "80", "8080:80"],
         [Port("tcp", "", 0, 80), Port("tcp", "", 8080, 80), Port("tcp", "fd00::1", 0, 80)]),
        ([], []),
    ],
)
def test_ports_have_one_normal_form(said: list[str], found: list[Port]) -> None:
    """Each way to write a port gives the same sorted ports."""
    assert parse_ports(said) == tuple(found)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("8080:80", "it is not a list"),
        ([None], "it is not text"),
        ([""], "'' in '' is neither a port nor a range"),
        (["0"], "port 0 in '0' is not between 1 and 65535"),
        ([":80"], "'' in ':80' is neither a port nor a range"),
        (["::80"], "'' is not an IPv4 address"),
        (["127.0.0.1:80"], "'127.0.0.1' in '127.0.0.1:80' is neither a port nor a range"),
        (["8080:"], "'' in '8080:' is neither a port nor a range"),
        (["0:80"], "port 0 in '0:80' is not between 1 and 65535"),
        (["8080:70000"], "port 70000 in '8080:70000' is not between 1 and 65535"),
        (["999999:80"], "'999999' in '999999:80' is neither a port"),
        (["-1:80"], "'-1' in '-1:80' is neither a port"),
        (["٣:80"], "is neither a port"),
        (["8000-8010:9000-9009"], "differ in length: 11 ports of the host, 10 of the container"),
        (["8000-8010:80"], "differ in length"),
        (["8010-8000:9010-9000"], "ends before it begins"),
        (["8080:80/icmp"], "the protocol 'icmp' in '8080:80/icmp' is unknown; protocols are tcp, udp and sctp"),
        (["8080:80/"], "the protocol '' in"),
        (["localhost:8080:80"], "'localhost' is not an IPv4 address"),
        (["127.0.0.256:8080:80"], "'127.0.0.256' is not an IPv4 address"),
        (["127.0.0.01:8080:80"], "'127.0.0.01' is not an IPv4 address"),
        (["1:2:3:4"], "is not of the form"),
        (["[::1]:8080:80"], "the kernel leads nothing from ::1 to a container; use 127.0.0.1"),
        (["[::g]:8080:80"], "'::g' is not an IPv6 address"),
        (["[fe80::1%eth0]:8080:80"], "is not an IPv6 address"),
        (["[::ffff:10.0.0.1]:8080:80"], "'::ffff:10.0.0.1' stands for an IPv4 address: write that"),
        (["fd00::1:8080:80"], "is not of the form"),
        (["[::]:8080:80", "[fd00::1]:8080:81"], "[::]:8080:80 and [fd00::1]:8080:81 ask for the same port"),
        (["8080:80", "[fd00::1]:8080:81"], "8080:80 and [fd00::1]:8080:81 ask for the same port"),
        (["8080:80", "8080:80"], "8080:80 and 8080:80 ask for the same port of the host"),
        (["8080:80", "8080:81"], "ask for the same port of the host"),
        (["8080:80", "127.0.0.1:8080:80"], "8080:80 and 127.0.0.1:8080:80 ask for the same port of the host"),
        (["8000-8010:8000-8010", "8005:80"], "ask for the same port of the host"),
    ],
)
def test_what_is_no_port_is_refused_with_the_reason(said: Any, reason: str) -> None:
    """A port that can't be is named, with what is wrong with it."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        parse_ports(said)


numbers = some.integers(1, 65535)
addresses = some.sampled_from(["", "0.0.0.0", "::", "fd00::1", "2001:db8::"]) | some.ip_addresses(v=4).map(str)
ports = some.builds(Port, some.sampled_from(PROTOCOLS), addresses, numbers | some.just(0), numbers)


@given(some.lists(ports, max_size=20, unique_by=lambda port: (port.protocol, port.host_port)))
def test_parsing_what_was_shown_gives_the_same_ports(wanted: list[Port]) -> None:
    """Shown ports, in whatever order, are read back as they were."""
    normal = tuple(sorted(wanted))
    assert parse_ports(PORTS.show(normal)) == normal
    assert parse_ports(PORTS.show(tuple(wanted))) == normal


@given(some.lists(some.text("0123456789.:-/tcpud[] ", max_size=24), max_size=3))
def test_no_text_breaks_the_grammar(said: list[str]) -> None:
    """Whatever is said is either refused with a reason or has a normal form that holds."""
    with suppress(ValueError):
        found = parse_ports(said)
        assert parse_ports(PORTS.show(found)) == found


@given(ports, ports)
def test_meeting_is_mutual(one: Port, other: Port) -> None:
    """Two ports ask for the same port of the host whichever is asked first; one that asks for any meets none."""
    assert one.meets(other) == other.meets(one)
    assert one.meets(one) == (one.host_port != 0)
