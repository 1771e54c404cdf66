#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``volume``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: volume
short_description: Have volumes on a plain Linux host
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Declares a volume; a directory of the host that containers share by its name and that outlives them, or what is
    mounted there while containers use it.
  - An option that is left out is not managed. An existing volume keeps what it has.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The volume's name.
      - It starts with a letter or digit and goes on with letters, digits, C(_), C(.) and C(-), at most 128 in all.
    type: str
    required: true
  state:
    description:
      - V(present) makes the volume, and brings it to what is declared. What is in it stays.
      - V(absent) removes it with all that is in its directory; what was only mounted there stays where it is. Fails if
        containers use it, be they running or not.
    type: str
    default: present
    choices: [absent, present]
  driver:
    description: What makes it. There is only V(local).
    type: str
    choices: [local]
  driver_options:
    description:
      - What is mounted in the volume when the first container that uses it starts, and is unmounted after the last;
        C(type), C(device) and C(o) as mount(8) takes them. With C(bind) in C(o) it is a path of the host.
      - With a dictionary that is empty the volume is a directory of its own.
      - Can't be changed while it is mounted.
      - For a new volume the default is none.
    type: dict
  labels:
    description:
      - Labels by name. Values must be strings.
      - For a new volume the default is none.
    type: dict
seealso:
  - module: pycontainers.linux.volume_info
  - module: pycontainers.linux.container
"""

EXAMPLES = r"""
- name: Have a volume for the files of a database
  pycontainers.linux.volume:
    name: db-files
    labels:
      backup: daily

- name: Have one in memory
  pycontainers.linux.volume:
    name: scratch
    driver_options:
      type: tmpfs
      o: size=64m,mode=1777

- name: Have one on a server
  pycontainers.linux.volume:
    name: media
    driver_options:
      type: nfs
      device: ":/export/media"
      o: addr=10.20.30.40,ro,vers=4

- name: Remove a volume with all that is in it
  pycontainers.linux.volume:
    name: db-files
    state: absent
"""

RETURN = r"""
volume:
  description:
    - The volume after the task, in the shape of C(docker volume inspect). In check mode it is as it is now.
    - Empty if there is none.
  returned: success
  type: dict
  contains:
    Name:
      description: The volume's name.
      returned: success
      type: str
      sample: db-files
    Driver:
      description: Always V(local).
      returned: success
      type: str
      sample: local
    Mountpoint:
      description: The directory of the host that containers see.
      returned: success
      type: str
      sample: /var/lib/pycontainers/volumes/db-files/_data
    CreatedAt:
      description: When it was made.
      returned: success
      type: str
      sample: "2026-01-31T12:00:00.000Z"
    Labels:
      description: Its labels by name.
      returned: success
      type: dict
      sample: {"backup": "daily"}
    Options:
      description: What is mounted in it.
      returned: success
      type: dict
      sample: {}
    Scope:
      description: Always V(local).
      returned: success
      type: str
      sample: local
    Anonymous:
      description: Whether it was made for a container that gave it no name.
      returned: success
      type: bool
      sample: false
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["make volume db-files"]
changes:
  description: The options that differ. Empty if none does.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: The option's name, or C(folder) where the volume's own is missing.
      returned: success
      type: str
      sample: labels
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: {"backup": "daily"}
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: {"backup": "hourly"}
    effect:
      description: What the change costs containers that use it; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: live
  sample:
    - option: labels
      before: {"backup": "daily"}
      after: {"backup": "hourly"}
      effect: live
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: volume db-files
    after_header: volume db-files
    before: "labels.backup: daily\n"
    after: "labels.backup: hourly  # live\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.volume import VOLUME


def main() -> None:
    """Converge the volume that the task declares."""
    resource_module.run(VOLUME)


if __name__ == "__main__":
    main()
