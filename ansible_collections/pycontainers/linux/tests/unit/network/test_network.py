# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.addresses import (
    SUBNET,
    SUBNET6,
    number,
    subnet_of,
    written,
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
DEAF, NO_IPV6 = "ipv6/conf/pyc-front/accept_ra=0", "ipv6/conf/pyc-front/disable_ipv6=1"
HEARING, FORWARD6 = "ipv6/conf/eth0/accept_ra=2", "ipv6/conf/all/forwarding=1"
SETTINGS = (LOCAL, DEAF, NO_IPV6, FORWARD)


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
        enable_ipv6=False,
        isolate=True,
        routes=(),
        labels=(),
        link="up",
        addresses=("10.88.1.1/24",),
        settings=SETTINGS,
        members=(),
        firewall=("bridges", "outbound", "rules", "same"),
        found=SETTINGS,
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
OF_BRIDGE = [
    "set net/ipv4/conf/pyc-front/route_localnet to 1",
    "set net/ipv6/conf/pyc-front/accept_ra to 0",
    "set net/ipv6/conf/pyc-front/disable_ipv6 to 1",
]
CREATION = [
    f"write network {RECORD}",
    "create bridge pyc-front",
    *OF_BRIDGE,
    "add address 10.88.1.1/24 on pyc-front",
    "bring pyc-front up",
    "set firewall of pyc-front: bridges, outbound, same",
    "set net/ipv4/ip_forward to 1",
]


@pytest.mark.parametrize(
    ("want", "have", "lines"),
    [
        (network(found=("ipv4/ip_forward=0",)), None, CREATION),
        (network(), observed(), []),
        (
            network(found=(FORWARD,), members=("vaaaa",)),
            observed(**GONE),
            [*CREATION[1:7], "connect vaaaa to bridge pyc-front"],
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
                *OF_BRIDGE,
                "add address 10.9.0.1/16 on pyc-front",
                "bring pyc-front up",
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
        (
            network(
                enable_ipv6=True,
                ipv6_subnet=subnet_of("fd00::/64"),
                ipv6_gateway="fd00::1",
                addresses=("10.88.1.1/24", "fd00::1/64"),
                settings=(LOCAL, DEAF, NO_IPV6.replace("=1", "=0"), FORWARD, HEARING, FORWARD6),
            ),
            observed(),
            [
                f"write network {RECORD}",
                "set net/ipv6/conf/pyc-front/disable_ipv6 to 0",
                "add address fd00::1/64 on pyc-front",
                "set net/ipv6/conf/eth0/accept_ra to 2",
                "set net/ipv6/conf/all/forwarding to 1",
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
        ("fd00::/64", "it is not of IPv4, for which this option is"),
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


@some.composite
def interfaces(draw: some.DrawFn) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    """An address of either family with the length of a prefix; none that stands for one of the other family."""
    families: list[Literal[4, 6]] = [4, 6]
    family = draw(some.sampled_from(families))
    address = draw(some.ip_addresses(v=family))
    assume(not isinstance(address, ipaddress.IPv6Address) or address.ipv4_mapped is None)
    return ipaddress.ip_interface(f"{address}/{draw(some.integers(0, 32 if family == 4 else 128))}")


@given(interfaces(), interfaces())
def test_subnets_are_those_of_the_standard_library(
    one: ipaddress.IPv4Interface | ipaddress.IPv6Interface, two: ipaddress.IPv4Interface | ipaddress.IPv6Interface
) -> None:
    """Base, last address and overlap are what ``ipaddress`` says."""
    mine, theirs = subnet_of(str(one)), subnet_of(str(two))
    assert ipaddress.ip_network(str(mine)) == one.network
    assert written(mine.last, mine.bits) == _normal(one.network[-1])
    assert mine.overlaps(theirs) == (one.version == two.version and one.network.overlaps(two.network))
    assert mine.within(theirs) == (one.version == two.version and one.network.subnet_of(two.network))  # type: ignore[arg-type]
    assert number(str(one.ip)) == int(one.ip)


def _normal(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return written(int(address), address.max_prefixlen)


@given(interfaces())
def test_parsing_what_was_shown_gives_the_same_subnet(
    one: ipaddress.IPv4Interface | ipaddress.IPv6Interface
) -> None:
    """A subnet that is one for containers is read back as it was."""
    kind, subnet = SUBNET if one.version == 4 else SUBNET6, subnet_of(str(one))
    with suppress(ValueError):
        assert kind.parse(str(subnet)) == subnet
        assert kind.parse(kind.show(subnet)) == subnet


@pytest.mark.parametrize(
    ("subnet", "reason"),
    [
        ("10.0.0.0/24", "it is not of IPv6, for which this option is"),
        ("fd00::5/64", "the network itself is fd00::/64"),
        ("fd00::/127", "is not between 16 and 126"),
        ("fe80::/64", "no container can have addresses of this range"),
        ("ff02::/64", "no container can have addresses of this range"),
        ("::/64", "no container can have addresses of this range"),
        ("fd00::", "such as fd00::/64"),
        ("fd00::/129", "such as fd00::/64"),
        ("fd00:/64", "'fd00:' is not an IPv6 address"),
    ],
)
def test_what_is_no_subnet_of_ipv6_is_refused_with_the_reason(subnet: str, reason: str) -> None:
    """The same for the other family."""
    with pytest.raises(InvalidValue) as refused:
        parse(Network, {"name": "front", "ipv6_subnet": subnet})
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ipv6_subnet": "fd00::/64", "ipv6_gateway": "fd01::1"}, "no interface can have it in the subnet fd00::/64"),
        ({"ipv6_gateway": "fd00::1"}, "the network has no subnet of IPv6"),
        ({"ipv6_range": "fd00::/80"}, "the network has no subnet of IPv6"),
        ({"ipv6_subnet": "fd00::/64", "ipv6_range": "fd01::/80"}, "it is not within the subnet fd00::/64"),
        ({"routes": [{"destination": "10.2.0.0/16", "gateway": "10.89.0.1"}]}, "it is no address on the network"),
        ({"routes": [{"destination": "fd01::/64", "gateway": "fd00::1"}]}, "it is no address on the network"),
        ({"ip_range": "10.88.0.0/23"}, r"it is not within the subnet 10\.88\.1\.0/24"),
        ({"ipv6_subnet": "fd00::/64", "mtu": 1279}, "IPv6 takes no links whose packets are smaller than 1280 bytes"),
        ({"ipv6_subnet": "fd00::/64", "enable_ipv6": False}, "enable_ipv6 is false; leave out one of the two"),
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any], reason: str) -> None:
    """Addresses outside of their subnet, and those of a family that the network does not have."""
    want = parse(Network, {"name": "front", "subnet": "10.88.1.0/24", **options})
    with pytest.raises(InvalidValue, match=reason):
        NETWORK.resolve(LAYOUT, want, None)


@pytest.mark.parametrize(
    ("routes", "reason"),
    [
        ({}, "it is not a list"),
        (["10.0.0.0/8"], "is not a dictionary with destination and gateway"),
        ([{"destination": "10.1.0.0/16"}], "it is not text"),
        ([{"destination": "10.1.0.0/16", "gateway": "10.0.0.9", "via": "x"}], "'via' is not known of a route"),
        ([{"destination": "10.1.0.1/16", "gateway": "10.0.0.9"}], "the network itself is 10.1.0.0/16"),
        ([{"destination": "10.1.0.0/16", "gateway": "fd00::9"}], "fd00::9 is not of the family of 10.1.0.0/16"),
        ([{"destination": "0.0.0.0/0", "gateway": "10.0.0.9"}], "a route has a narrower destination"),
        ([{"destination": "10.1.0.0/16", "gateway": "10.0.0.9", "metric": -1}], "is not between 0 and 4294967295"),
        ([{"destination": "10.1.0.0/16", "gateway": f"10.0.0.{n}"} for n in (8, 9)], "two routes to 10.1.0.0/16"),
        (
            [{"destination": "10.1.0.0/16", "gateway": f"10.0.0.{n}", "metric": n % 2} for n in (7, 8, 9)],
            "two routes to 10.1.0.0/16",
        ),
        (
            [{"destination": "fd01::/48", "gateway": f"fd00::{n}", "metric": n} for n in (0, 1024)],
            "two routes to fd01::/48",
        ),
    ],
)
def test_what_is_no_route_is_refused_with_the_reason(routes: Any, reason: str) -> None:
    """A route has a destination that is a subnet, and a gateway of its family."""
    with pytest.raises(InvalidValue) as refused:
        parse(Network, {"name": "front", "routes": routes})
    assert reason in str(refused.value)
