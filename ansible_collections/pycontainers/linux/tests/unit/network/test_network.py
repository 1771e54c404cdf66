# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.addresses import (
    SUBNET,
    dotted,
    number,
    subnet_of,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network import NETWORK
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.network_model import (
    Network,
    bridge_name,
    declared,
    host_interface,
    interface,
    mac,
)

LAYOUT = Layout("/nowhere/root", "/nowhere/run")
RECORD = "/nowhere/root/networks/front.json"
FORWARD, LOCAL = "ipv4/ip_forward=1", "ipv4/conf/pyc-front/route_localnet=1"


def network(**options: Any) -> Network:
    """The network "front" as it is when all is well."""
    well = Network(
        name="front",
        subnet=subnet_of("10.88.1.0/24"),
        gateway="10.88.1.1",
        bridge_name="pyc-front",
        mtu=1500,
        masquerade=True,
        internal=False,
        link="up",
        addresses=("10.88.1.1/24",),
        settings=(FORWARD, LOCAL),
        members=(),
        firewall=("bridges", "outbound", "rules", "same"),
        found=(FORWARD, LOCAL),
    )
    return replace(well, **options)


def observed(**options: Any) -> Network:
    """The same, as it is read back."""
    well = network()
    return replace(well, stored=_text(well), found=None, **options)


def _text(of: Network) -> str:
    record = NETWORK.plan(LAYOUT, of, None).steps[0]
    return bytes(record.content).decode()  # type: ignore[attr-defined]


GONE: dict[str, Any] = {"link": "missing", "addresses": (), "mtu": None, "members": (), "settings": (FORWARD,)}
CREATION = [
    f"write network {RECORD}",
    "create bridge pyc-front",
    "add address 10.88.1.1/24 on pyc-front",
    "bring pyc-front up",
    "set net/ipv4/ip_forward to 1",
    "set net/ipv4/conf/pyc-front/route_localnet to 1",
    "set firewall of pyc-front: bridges, outbound, same",
]


@pytest.mark.parametrize(
    ("want", "have", "lines"),
    [
        (network(found=("ipv4/ip_forward=0",)), None, CREATION),
        (network(), observed(), []),
        (
            network(found=(FORWARD,), members=("vaaaa",)),
            observed(**GONE),
            [*CREATION[1:4], CREATION[5], "connect vaaaa to bridge pyc-front"],
        ),
        (network(), observed(mtu=1300), ["set mtu of pyc-front from 1300 to 1500"]),
        (network(), observed(link="down"), ["bring pyc-front up"]),
        (
            network(),
            observed(addresses=("10.88.1.1/16", "10.88.1.1/24")),
            ["remove address 10.88.1.1/16 from pyc-front", "keep address 10.88.1.1/24 on pyc-front"],
        ),
        (network(), observed(firewall=("outbound", "rules")), ["set firewall of pyc-front: bridges, outbound, same"]),
        (
            network(internal=True, firewall=("bridges", "internal", "rules", "same")),
            observed(),
            [f"write network {RECORD}", "set firewall of pyc-front: bridges, internal, same"],
        ),
        (
            network(subnet=subnet_of("10.9.0.0/16"), gateway="10.9.0.1", addresses=("10.9.0.1/16",)),
            observed(),
            [
                f"write network {RECORD}",
                "take pyc-front out of the firewall",
                "delete bridge pyc-front",
                "create bridge pyc-front",
                "add address 10.9.0.1/16 on pyc-front",
                "bring pyc-front up",
                "set net/ipv4/conf/pyc-front/route_localnet to 1",
                "set firewall of pyc-front: bridges, outbound, same",
            ],
        ),
        (
            Network(name="front", state="absent"),
            observed(),
            [
                "remove leases /nowhere/root/networks/leases/front.json",
                "take pyc-front out of the firewall",
                "delete bridge pyc-front",
                f"remove network {RECORD}",
            ],
        ),
        (Network(name="front", state="absent"), None, []),
    ],
)
def test_a_plan_is_made_of_what_differs(want: Network, have: Network | None, lines: list[str]) -> None:
    """From a network wanted and one observed follow the steps between them, without touching anything."""
    assert NETWORK.plan(LAYOUT, want, have).describe() == lines


def test_a_record_keeps_what_was_declared() -> None:
    """A record has the options and none of the kernel's readings, and is read back as it was."""
    kept = declared(network())
    assert kept == {
        "name": "front",
        "state": "present",
        "subnet": "10.88.1.0/24",
        "gateway": "10.88.1.1",
        "bridge_name": "pyc-front",
        "mtu": 1500,
        "masquerade": True,
        "internal": False,
    }
    assert declared(parse(Network, kept)) == kept


@pytest.mark.parametrize(
    ("subnet", "reason"),
    [
        ("10.0.0.5/24", "it is an address within a network; the network itself is 10.0.0.0/24"),
        ("10.0.0.0", "not an address with the length of its prefix"),
        ("10.0.0.0/33", "not an address with the length of its prefix"),
        ("10.0.0.0/-1", "not an address with the length of its prefix"),
        ("10.0.0.0/255.0.0.0", "not an address with the length of its prefix"),
        ("10.0.0.0/31", "is not between 8 and 30"),
        ("0.0.0.0/0", "is not between 8 and 30"),
        ("10.0.0/24", "'10.0.0' is not an IPv4 address"),
        ("fd00::/64", "networks have IPv4 subnets only"),
        ("127.0.0.0/24", "no interface can have addresses of this range"),
        ("224.0.0.0/24", "no interface can have addresses of this range"),
        (["10.0.0.0/24"], "it is not text"),
    ],
)
def test_what_is_no_subnet_is_refused_with_the_reason(subnet: Any, reason: str) -> None:
    """A subnet that can't be one is named, with what is wrong with it."""
    with pytest.raises(InvalidValue) as refused:
        parse(Network, {"name": "front", "subnet": subnet})
    assert reason in str(refused.value)


@pytest.mark.parametrize("gateway", ["10.88.1.0", "10.88.1.255", "10.88.2.1"])
def test_a_gateway_outside_its_subnet_is_refused(gateway: str) -> None:
    """A gateway is an address of the subnet that an interface can have."""
    want = parse(Network, {"name": "front", "subnet": "10.88.1.0/24", "gateway": gateway})
    with pytest.raises(InvalidValue, match=r"in the subnet 10\.88\.1\.0/24; such as 10\.88\.1\.1"):
        NETWORK.resolve(LAYOUT, want, None)


@pytest.mark.parametrize("name", ["sixteen-letters-", "", "a/b", "a b", ".", "-a", "ä"])
def test_what_the_kernel_takes_for_no_interface_is_refused(name: str) -> None:
    """A bridge's name is at most 15 characters, without slashes and spaces."""
    with pytest.raises(ValueError, match="15 characters at most"):
        interface(name)


@given(some.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}", fullmatch=True))
def test_each_network_name_gives_a_bridge_name(name: str) -> None:
    """However long a network's name is, its bridge's name is one that the kernel takes, and always the same."""
    assert interface(bridge_name(name)) == bridge_name(name)


def test_long_names_that_begin_alike_have_different_bridges() -> None:
    """A cut name is told apart by a checksum of the whole."""
    assert bridge_name("production-frontend") != bridge_name("production-backend")
    assert bridge_name("frontend") == "pyc-frontend"


@given(some.ip_addresses(v=4), some.text("0123456789abcdef", min_size=1, max_size=64))
def test_names_follow_from_addresses(address: ipaddress.IPv4Address, identity: str) -> None:
    """The host's end of an interface has a name that the kernel takes, and a MAC address that is nobody's."""
    assert interface(host_interface(identity, str(address)))
    first = int(mac(str(address)).split(":")[0], 16)
    assert (first & 1, first & 2) == (0, 2), "unicast, locally administered"


@given(some.ip_addresses(v=4), some.integers(0, 32), some.ip_addresses(v=4), some.integers(0, 32))
def test_subnets_are_those_of_the_standard_library(
    address: ipaddress.IPv4Address, prefix: int, other: ipaddress.IPv4Address, length: int
) -> None:
    """Base, last address and overlap are what ``ipaddress`` says."""
    one, two = (ipaddress.ip_network(f"{a}/{p}", strict=False) for a, p in ((address, prefix), (other, length)))
    mine, theirs = subnet_of(f"{address}/{prefix}"), subnet_of(f"{other}/{length}")
    assert str(mine) == str(one)
    assert dotted(mine.last) == str(one[-1])
    assert mine.overlaps(theirs) == one.overlaps(two)
    assert number(str(address)) == int(address)


@given(some.ip_addresses(v=4), some.integers(8, 30))
def test_parsing_what_was_shown_gives_the_same_subnet(address: ipaddress.IPv4Address, prefix: int) -> None:
    """A subnet is read back as it was."""
    subnet = subnet_of(f"{address}/{prefix}")
    assume(subnet.base >> 24 not in (0, 127) and subnet.base >> 28 < 14)
    assert SUBNET.parse(SUBNET.show(subnet)) == subnet
