# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of a container of the OCI command line by slirp4netns or pasta: ours, no client asks for it.

The first process lends the runtime its namespaces, which nobody else than root could open: it can't be traced. The
program is started when it waits to be started itself, so that a runtime that is killed before has started none. It is
kept in the container's folder, and ends with ``delete`` at the latest.
"""
from __future__ import annotations

import os

from ..errors import Failure, InvalidValue
from ..kernel import programs, syscalls
from ..typed import NamedTuple
from . import mappings, user_network, user_network_program
from .config import Config
from .user_network import PACKAGES, Forward, UserNetwork
from .user_network_program import NETWORK, USERS, Loan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

LOG = "network.log"


class Wanted(NamedTuple):
    """What ``--network`` and ``--publish`` ask for."""

    network: UserNetwork
    forwards: tuple[Forward, ...]


def check(config: Config, wanted: Wanted) -> None:
    """Refuse a network that there is no place or program for. Raises :class:`InvalidValue`."""
    network = wanted.network
    if not config.namespaces.new & syscalls.CLONE_NEWNET:
        reason = "the configuration has no new network namespace"
        raise InvalidValue("--network", str(network), reason, "add one of the type network, without a path")
    if os.geteuid() and not config.namespaces.new & syscalls.CLONE_NEWPID:
        reason = "the program is the user's, as root inside is, who could take hold of it by its pid"
        raise InvalidValue("--network", str(network), reason, "add a new namespace of the type pid")
    if programs.find(network.program) is None:
        reason = f"there is no program {network.program} in PATH"
        raise InvalidValue("--network", str(network), reason, f"install the package {PACKAGES[network.program]}")


def start(folder: str, config: Config, wanted: Wanted, pid: int, lent: Sequence[int]) -> None:
    """Start the program for the namespaces behind descriptors, network and user. Raises :class:`Failure`.

    ``pid`` is the first process's, a child's. slirp4netns ends when that has ended and its status was taken, where the
    kernel lets a pidfd hang up then.
    """
    if len(lent) != 2:
        raise Failure(f"start {wanted.network.program}", "the first process has lent no namespaces")
    users = mappings.has_users(config)
    watched = os.pidfd_open(pid)
    loan = Loan(lent[0], lent[1] if users else -1, watched)
    # Who is not root enters the user namespace before.
    places = (f"{folder}/{NETWORK}", f"{folder}/{USERS}" if users and not os.geteuid() else "")
    try:
        user_network_program.start(wanted.network, folder, f"{folder}/{LOG}", places, wanted.forwards, loan=loan)
        if wanted.network.program == user_network.SLIRP and wanted.forwards:
            user_network_program.lead(folder, wanted.forwards)
    finally:
        os.close(watched)
