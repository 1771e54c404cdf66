#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``container_copy_into``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_copy_into
short_description: Copy files into a container
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Copies a file, a link or a directory into a container, whether that runs or not. What is there already is compared,
    and only what differs in content, mode, owner or in what a link leads to is replaced. A program in the
    container sees the old file or the new one, and never a part.
  - Of a directory all below it is copied, and what is in the container besides stays. Mode and owner of directories
    that are there stay as they are. Devices, sockets and pipes are left out.
  - Links in the container lead into the container, whatever its programs do to them meanwhile.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  container:
    description: The container's name.
    type: str
    required: true
  path:
    description:
      - What to copy, on the controller, or on the host with O(remote_src=true).
      - Exactly one of O(path) and O(content) is needed.
    type: str
  content:
    description: The content of the file. O(mode) is needed with it.
    type: str
  content_is_b64:
    description: Whether O(content) is in Base64, as what is no text must be.
    type: bool
    default: false
  container_path:
    description: The path in the container, always of the very file or directory. It is needed.
    type: str
  remote_src:
    description: Whether O(path) is on the host.
    type: bool
    default: false
  follow:
    description: Whether a link at O(container_path) stays, and what it leads to is replaced.
    type: bool
    default: false
  local_follow:
    description: Whether to copy what a link at O(path) leads to. Links below a directory are always copied as links.
    type: bool
    default: true
  owner_id:
    description: The user id of all that is copied. Left out, it is the user that the container's program runs as.
    type: int
  group_id:
    description: The group id of all that is copied. It goes with O(owner_id).
    type: int
  mode:
    description:
      - The mode of files, octal digits in quotes, or a number. Left out, it is that of each file at the source.
      - New directories have the mode that they have at the source.
    type: raw
  force:
    description:
      - Whether to copy also what does not differ.
      - If V(false), nothing is copied where anything is there at O(container_path).
    type: bool
attributes:
  idempotent:
    support: partial
    details:
      - With O(force=true) all is copied each time.
seealso:
  - module: pycontainers.linux.container
  - module: pycontainers.linux.container_copy_out
  - module: pycontainers.linux.container_exec
"""

EXAMPLES = r"""
- name: Copy a configuration from the controller
  pycontainers.linux.container_copy_into:
    container: web
    path: nginx.conf
    container_path: /etc/nginx/nginx.conf

- name: Write a file
  pycontainers.linux.container_copy_into:
    container: web
    content: "{{ secret }}"
    container_path: /run/key
    mode: "0400"
    owner_id: 101
    group_id: 101

- name: Copy a directory of the host
  pycontainers.linux.container_copy_into:
    container: web
    path: /srv/pages
    remote_src: true
    container_path: /usr/share/nginx/html
"""

RETURN = r"""
container_path:
  description: The path in the container; with O(follow=true) that of what a link there leads to.
  returned: success
  type: str
  sample: /etc/nginx/nginx.conf
files:
  description:
    - What there is now at each path that was to be; a line of kind, mode, owner and group, and of a file size and
      digest, or what a link leads to. In check mode it is as it is before the task.
  returned: success
  type: dict
  sample:
    /etc/nginx/nginx.conf: "file 0644 0:0 12 bytes sha256:a948904f2f0f479b…"
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["copy nginx.conf to web:/etc/nginx/nginx.conf"]
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
    before_header: container_copy_into web
    after_header: container_copy_into web
    before: "text: |\n  old\n"
    after: "text: |  # live\n  new\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.container_files import CONTAINER_COPY_INTO


def main() -> None:
    """Copy what the task names."""
    resource_module.run(CONTAINER_COPY_INTO)


if __name__ == "__main__":
    main()
