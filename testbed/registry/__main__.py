# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: `python3 -m testbed.registry up | down | image`."""

from __future__ import annotations

import argparse
import signal
import sys

from testbed.instance import Instance
from testbed.shell import Failure

from . import standing
from .errors import RegistryFailure
from .images import images


def main() -> int:
    """Run one verb; the exit code is 0, or 1 with one sentence on standard error."""
    try:
        instance = Instance.from_environment()
    except Failure as error:
        print(f"registry: {error}", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(prog="python3 -m testbed.registry", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up", help="run the registry of the testbed, filled with its images")
    up.add_argument("--netns", default=instance.tag, help='network namespace; "" for this one (default: %(default)s)')
    up.add_argument("--listen", default=standing.address(instance), metavar="ADDR:PORT", help="default: %(default)s")
    verbs.add_parser("down", help="end it; its storage stays until the hosts are taken down")
    verbs.add_parser("image", help="build the images only, and list them")
    options = parser.parse_args()
    home = standing.home(instance)
    # As an exception, so that a build that is told to end removes what it has begun.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        if options.verb == "up":
            record, new = standing.up(netns=options.netns, listen=options.listen, directory=home)
            print(f"registry {'up' if new else 'is up already'} at {record.address}, pid {record.pid}")
        elif options.verb == "down":
            gone = standing.down(directory=home)
            print(f"registry at {gone.address} ended" if gone else "no registry was running")
        else:
            built = images()
            print(built.directory)
            for name, digest in built.tags.items():
                print(f"{name:<16} {digest}")
    except (RegistryFailure, OSError) as error:
        print(f"registry: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
