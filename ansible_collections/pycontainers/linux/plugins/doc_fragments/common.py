# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation of all modules has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """The options, attributes and requirements of every module."""

    DOCUMENTATION = r"""
requirements:
  - Python 3.11 or later on the host, and nothing else, unless stated otherwise below.
  - The user C(root) on the host, for example by C(become).
options:
  root:
    description:
      - The directory on the host for what is kept across reboots; an absolute path.
      - Several of them can be used side by side. Only the default one is started at boot.
    type: str
    default: /var/lib/pycontainers
  run:
    description:
      - The directory on the host for what is gone after a reboot, such as locks and the state of processes;
        an absolute path, on a tmpfs.
      - A O(root) other than the default one needs a directory of its own here.
    type: str
    default: /run/pycontainers
attributes:
  action_group:
    description: Use C(group/pycontainers.linux.all) in C(module_defaults) to set options of all modules at once.
    support: full
    membership: [pycontainers.linux.all]
  check_mode:
    description: Can run in C(check_mode) and return what would be changed, without changing anything on the host.
    support: full
  diff_mode:
    description:
      - Returns the options that differ, and what changing each costs something that runs.
        C(live) means that it goes on undisturbed, C(restart) that it is started anew,
        C(recreate) that it is replaced.
    support: full
  idempotent:
    description:
      - The same task, run again, reports no change and does nothing, as long as nobody else changes what it is about.
    support: full
  platform:
    description: The systems that the module works on.
    support: full
    platforms: linux
"""
