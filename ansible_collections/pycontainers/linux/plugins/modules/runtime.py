#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``runtime``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: runtime
short_description: Install what runs containers on a host
version_added: 0.1.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Declares that the runtime of this collection is installed on the host, and the command C(pycontainers).
  - Every task that makes a container installs the runtime by itself. This module is for having the command there
    before, for the service that starts containers at boot, and for removing both. The role
    P(pycontainers.linux.host#role) uses it.
  - The runtime is installed by content in a directory of its own below O(root) and switched to at once. Containers
    that run go on undisturbed.
  - What it needs of the host's packages it does not install, C(s6-log) for time stamps in containers' logs among them;
    the role does.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  state:
    description:
      - V(present) installs the runtime that this version of the collection carries.
      - V(absent) removes it, and the command. Fails while containers run.
    type: str
    default: present
    choices: [absent, present]
  link:
    description:
      - Where the command is, as a symbolic link to the installed runtime; an absolute path. Fails if something else is
        there.
    type: str
    default: /usr/local/bin/pycontainers
seealso:
  - module: pycontainers.linux.container
"""

EXAMPLES = r"""
- name: Install the runtime and the command
  pycontainers.linux.runtime:

- name: Install them with the command elsewhere
  pycontainers.linux.runtime:
    link: /opt/bin/pycontainers

- name: Remove them
  pycontainers.linux.runtime:
    state: absent
"""

RETURN = r"""
runtime:
  description:
    - The runtime after the task. In check mode it is as it is now.
    - Empty if there is none.
  returned: success
  type: dict
  contains:
    version:
      description: The digest of the installed files.
      returned: if it is installed
      type: str
      sample: 9f86d081884c7d65
    link:
      description: Where the command is.
      returned: if it is installed
      type: str
      sample: /usr/local/bin/pycontainers
    path:
      description: Where the installed files are.
      returned: if it is installed
      type: str
      sample: /var/lib/pycontainers/runtime/current
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["install runtime 9f86d081884c7d65 in /var/lib/pycontainers/runtime"]
changes:
  description: The options that differ. Empty if none does.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: The option's name, or that of a fact that the host decides, such as an image's C(id).
      returned: success
      type: str
      sample: link
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: null
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: /usr/local/bin/pycontainers
    effect:
      description: What the change costs what runs; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: none
  sample:
    - option: link
      before: null
      after: /usr/local/bin/pycontainers
      effect: none
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: runtime
    after_header: runtime
    before: ""
    after: "link: /usr/local/bin/pycontainers\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.service import RUNTIME


def main() -> None:
    """Converge the runtime that the task declares."""
    resource_module.run(RUNTIME)


if __name__ == "__main__":
    main()
