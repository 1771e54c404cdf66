# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a network by slirp4netns or pasta is asked for, and the words that the programs are started with."""
from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.user_network import (
    Forward,
    UserNetwork,
    asked,
    command,
)
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import user_network
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.ports import parse_ports

HELP = "#!/bin/sh\necho '--enable-sandbox --enable-seccomp'\n"


@pytest.mark.parametrize(
    ("said", "normal"),
    [
        ("slirp4netns", "slirp4netns"),
        ("slirp4netns:mtu=65520,cidr=10.0.2.0/24,allow_host_loopback=false,enable_ipv6=true", "slirp4netns"),
        ("slirp4netns:mtu=1500,allow_host_loopback=true", "slirp4netns:allow_host_loopback=true,mtu=1500"),
        ("slirp4netns:enable_ipv6=false,cidr=10.7.0.0/16", "slirp4netns:cidr=10.7.0.0/16,enable_ipv6=false"),
        ("pasta:--mtu,65520", "pasta"),
        ("pasta:--mtu,01500,--map-gw,-4", "pasta:--ipv4-only,--map-gw,--mtu,1500"),
        ("pasta:-m,1500", "pasta:--mtu,1500"),
    ],
)
def test_the_same_is_written_the_same_way(said: str, normal: str) -> None:
    """Whatever order options are in, and whether what is default is said."""
    assert str(asked(said)) == normal
    assert str(asked(normal)) == normal


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("slirp4netns:", "no options behind slirp4netns:"),
        ("slirp4netns:mtu=1279", "'1279' is not from 1280 to 65520"),
        ("slirp4netns:mtu=", "'' is not from"),
        ("slirp4netns:mtu=9999999999999", "is not from"),
        ("slirp4netns:cidr=10.0.2.0/26", "no prefix from 1 to 25"),
        ("slirp4netns:cidr=10.0.2.0", "no prefix from 1 to 25"),
        ("slirp4netns:cidr=10.0.2.1/24", "has host bits set"),
        ("slirp4netns:cidr=fd00::/64", "no network of IPv4"),
        ("slirp4netns:allow_host_loopback", "neither true nor false"),
        ("slirp4netns:enable_ipv6=yes", "neither true nor false"),
        ("slirp4netns:port_handler=rootlesskit", "no option of slirp4netns here; options are mtu=BYTES"),
        ("pasta:--mtu", "'' is not from"),
        ("pasta:-T,5432", "'-T' is no option of pasta here; options are --mtu,BYTES"),
        ("pasta:mtu=1500", "no option of pasta here"),
    ],
)
def test_other_options_are_refused(said: str, reason: str) -> None:
    """With those that there are."""
    with pytest.raises(ValueError, match=reason):
        asked(said)


@pytest.mark.parametrize("said", ["", "none", "private", "slirp", "slirp4netns2", "pasta2:--mtu,1500"])
def test_other_modes_are_none_of_these(said: str) -> None:
    """They have a meaning of their own, or none."""
    assert asked(said) is None


def test_places_follow_from_the_network() -> None:
    """As slirp4netns(1) has them; pasta's are those of the host."""
    default, pasta = asked("slirp4netns"), asked("pasta")
    other = asked("slirp4netns:cidr=10.7.0.0/16,enable_ipv6=false")
    assert default is not None
    assert other is not None
    assert pasta is not None
    assert (default.gateway, default.guest, default.resolvers) == ("10.0.2.2", "10.0.2.100", ("10.0.2.3", "fd00::3"))
    assert (other.gateway, other.guest, other.resolvers) == ("10.7.0.2", "10.7.0.100", ("10.7.0.3",))
    assert (pasta.gateway, pasta.guest) == ("", "")


def test_slirp4netns_is_kept_from_the_host(tmp_path: Path) -> None:
    """It gets no way to the host's loopback unless that is asked for, and the sandbox that its version has."""
    program = tmp_path / "slirp4netns"
    program.write_text(HELP)
    program.chmod(0o755)
    words = command(UserNetwork("slirp4netns"), str(program), ("/run/netns/a", ""), ())
    assert {"--disable-host-loopback", "--enable-seccomp", "--enable-ipv6", "--netns-type=path"} <= set(words)
    assert words[-2:] == ["/run/netns/a", "tap0"]
    program.write_text("#!/bin/sh\n")
    open_network = UserNetwork("slirp4netns", host_loopback=True, ipv6=False)
    words = command(open_network, str(program), ("/run/netns/a", "/run/userns/a"), ())
    assert not {"--disable-host-loopback", "--enable-seccomp", "--enable-sandbox", "--enable-ipv6"} & set(words)
    assert "--userns-path=/run/userns/a" in words


def test_pasta_is_told_of_ports_and_of_nothing_else() -> None:
    """Of its own accord it would lead every port on which somebody listens, in both directions."""
    none = command(UserNetwork("pasta"), "/bin/pasta", ("/run/netns/a", ""), ())
    assert [none[none.index(letter) + 1] for letter in ("-t", "-u", "-T", "-U")] == ["none"] * 4
    led = [Forward("tcp", "", 8080, 80), Forward("tcp", "::1", 8081, 81), Forward("udp", "127.0.0.1", 53, 53)]
    words = command(UserNetwork("pasta", host_loopback=True), "/bin/pasta", ("/run/netns/a", ""), led)
    pairs = set(pairwise(words))
    assert {("-t", "8080:80"), ("-t", "::1/8081:81"), ("-u", "127.0.0.1/53:53")} <= pairs
    assert "--no-map-gw" in none
    assert "--no-map-gw" not in words


def test_every_address_is_every_one_of_ipv4_for_slirp4netns() -> None:
    """It has no other; pasta tells them apart."""
    ports = parse_ports(["0.0.0.0:80:80", "81:81"])
    told = user_network.forwards(UserNetwork("slirp4netns"), ports)
    assert [each.address for each in told] == ["", ""]
    assert {each.address for each in user_network.forwards(UserNetwork("pasta"), ports)} == {"", "0.0.0.0"}
