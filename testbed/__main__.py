# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: python3 -m testbed up|down|ssh|reboot|list|net."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from testbed import cgroups, guest, inventory, lifecycle, network
from testbed.instance import MOST_CONTAINERS, MOST_DEBIANS, MOST_VMS, Instance, lock, up_record
from testbed.shell import Failure


def _count(most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdigit() or int(text) > most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {most}")
        return int(text)

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="testbed", description="Real hosts on this machine.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="start hosts; those that run are kept")
    up.add_argument(
        "containers", metavar="N", nargs="?", type=_count(MOST_CONTAINERS), default=2, help="system containers"
    )
    too = {
        "--vm": ("vms", MOST_VMS, "virtual machines too"),
        "--debian": ("debians", MOST_DEBIANS, "system containers with Debian and systemd too"),
    }
    for option, (name, most, words) in too.items():
        up.add_argument(option, dest=name, metavar="N", nargs="?", type=_count(most), const=1, default=0, help=words)
    verbs.add_parser("down", help="end all hosts and remove all that they left")
    ssh = verbs.add_parser("ssh", help="log in to a host, or run a command on it")
    ssh.add_argument("name")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    reboot = verbs.add_parser("reboot", help="reboot a host and wait for it")
    reboot.add_argument("name")
    verbs.add_parser("list", help="show the hosts")
    net = verbs.add_parser("net", help="run a command in the hosts' network, as another machine there")
    net.add_argument("command", nargs=argparse.REMAINDER)
    return parser


def _ssh(instance: Instance, name: str, command: list[str]) -> None:
    _known(instance, name)
    os.execvp("ssh", ["ssh", "-F", f"{instance.state}/ssh_config", name, *command])


def _known(instance: Instance, name: str) -> None:
    names = inventory.hosts(instance)
    if name not in names:
        raise Failure(f"there is no host {name!r}: " + (f"there are {', '.join(names)}" if names else "run `up` first"))


def _list(instance: Instance) -> None:
    for name in inventory.hosts(instance):
        state = "running" if lifecycle.is_running(instance, name) else "off"
        print(f"{name:<10}{instance.address(name):<16}{state:<9}{guest.folder(instance, name)}")


def _net(instance: Instance, command: list[str]) -> None:
    if not command:
        raise Failure("`net` wants the command to run in the hosts' network")
    # In a cgroup of the testbed's, so that `down` ends what still runs in the network that it removes.
    groups = [top / cgroups.OUTSIDE for top in up_record(instance).tops]
    line = cgroups.entering(groups, *network.command(instance, *command))
    os.execvp(line[0], line)


def main() -> int:
    """Run one verb; return the exit status."""
    arguments = _parser().parse_args()
    try:
        instance = Instance.from_environment()
        if os.geteuid() != 0:
            raise Failure("the testbed is made of namespaces and mounts: run it as root")
        match arguments.verb:
            case "up":
                with lock(instance):
                    lifecycle.up(instance, arguments.containers, arguments.vms, arguments.debians)
            case "down":
                with lock(instance):
                    lifecycle.down(instance)
            case "ssh":
                _ssh(instance, arguments.name, arguments.command)
            case "reboot":
                _known(instance, arguments.name)
                lifecycle.reboot(instance, arguments.name)
            case "list":
                _list(instance)
            case "net":
                _net(instance, arguments.command)
    except (Failure, OSError) as error:
        print(f"testbed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("testbed: interrupted; `down` removes what is there", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
