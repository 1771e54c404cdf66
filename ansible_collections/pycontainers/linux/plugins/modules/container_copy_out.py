#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``container_copy_out``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_copy_out
short_description: Copy files out of a container
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Copies a file, a link or a directory of a container, whether that runs or not, to its host. What is there already is
    compared, and only what differs in content, mode, owner or in what a link leads to is replaced.
  - Of a directory all below it is copied, and what is on the host besides stays. Mode and owner of directories that
    are there stay as they are. Devices, sockets and pipes are left out.
  - All that is copied belongs to the user of the task. Set-user-ID and set-group-ID bits are left out, unless O(mode)
    has them.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  container:
    description: The container's name.
    type: str
    required: true
  container_path:
    description: What to copy, an absolute path in the container. It is needed.
    type: str
  path:
    description: The path on the host, always of the very file or directory. It is needed.
    type: str
  follow:
    description: Whether to copy what a link at O(container_path) leads to, instead of the link.
    type: bool
    default: false
  mode:
    description: The mode of files, octal digits in quotes, or a number. Left out, it is that of each in the container.
    type: raw
seealso:
  - module: pycontainers.linux.container
  - module: pycontainers.linux.container_copy_into
"""

EXAMPLES = r"""
- name: Keep what a container has written
  pycontainers.linux.container_copy_out:
    container: db
    container_path: /data/dump.sql
    path: /srv/backup/dump.sql
    mode: "0600"
"""

RETURN = r"""
path:
  description: The path on the host.
  returned: success
  type: str
  sample: /srv/backup/dump.sql
files:
  description:
    - What there is now at each path that was to be; a line of kind, mode, owner and group, and of a file size and
      digest, or what a link leads to. In check mode it is as it is before the task.
  returned: success
  type: dict
  sample:
    /srv/backup/dump.sql: "file 0644 0:0 12 bytes sha256:a948904f2f0f479b…"
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["copy db:/data/dump.sql to /srv/backup/dump.sql"]
changes:
  description: What differs. Empty if nothing does.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: C(files), and C(text) for the content of one file of text, if it is not longer than 64 kB.
      returned: success
      type: str
      sample: text
    before:
      description: Its value before the task. Nothing if there was none.
      returned: success
      type: raw
      sample: "old\n"
    after:
      description: Its value after the task.
      returned: success
      type: raw
      sample: "new\n"
    effect:
      description: What the change costs something that runs; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: live
  sample:
    - option: text
      before: "old\n"
      after: "new\n"
      effect: live
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: container_copy_out web
    after_header: container_copy_out web
    before: "text: |\n  old\n"
    after: "text: |  # live\n  new\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.container_files import CONTAINER_COPY_OUT


def main() -> None:
    """Copy what the task names."""
    resource_module.run(CONTAINER_COPY_OUT)


if __name__ == "__main__":
    main()
