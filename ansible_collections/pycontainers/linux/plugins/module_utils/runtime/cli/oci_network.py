# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``--network`` and ``--publish`` of create and run: what is asked for, in the words of the module ``container``."""
from __future__ import annotations

from ..errors import InvalidValue
from ..oci.lent_network import Wanted
from ..oci.user_network import asked
from ..resources import user_network
from ..resources.listeners import check_unheard
from ..resources.ports import all_named, parse_ports
from .options import Chosen

NONE = "none"


def wanted(chosen: Chosen) -> Wanted | None:
    """The network that is asked for, if one is. Raises :class:`InvalidValue`."""
    mode, said = chosen.text("network", NONE), chosen.texts("publish")
    try:
        network = asked(mode)
    except ValueError as error:
        raise InvalidValue("--network", mode, str(error)) from error
    if network is None:
        if mode != NONE:
            raise InvalidValue("--network", mode, "it is not one of none, slirp4netns and pasta")
        if said:
            raise InvalidValue("--publish", said[0], "the container has no network", "give it one with --network")
        return None
    try:
        ports = parse_ports(said)
    except ValueError as error:
        raise InvalidValue("--publish", said, str(error)) from error
    if not all_named(ports):
        # There is no record here in which one that we choose could be kept, nor a verb that would tell of it.
        raise InvalidValue("--publish", said, "one names no port of the host", "write host_port:container_port")
    user_network.check_ports(ports, network, "--publish")
    check_unheard(ports, "--publish")
    return Wanted(network, user_network.forwards(network, ports))
