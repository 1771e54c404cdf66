#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``prune``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: prune
short_description: Remove what is of no use any more
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Removes stopped containers, images that no container uses, layers that no image uses, and networks and volumes
    that no container uses. Nothing is removed that is not asked for.
  - What is of no use is found in this order, so what only a container used that goes now goes with it.
  - A check tells exactly what the run after it removes, and the room that this frees.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  containers:
    description: Whether to remove containers that do not run. Those that wait for a restart are left alone.
    type: bool
    default: false
  containers_filters:
    description:
      - Which containers. All that is given must hold.
      - V(until) is a duration such as V(24h), or a time; it chooses what was made before. V(label) and V(label!) are
        labels that it has or has not, each as C(name) or C(name=value), one or a list.
    type: dict
    default: {}
  images:
    description:
      - Whether to remove layers and other content that no image and no container leads to. With V(dangling=false)
        in O(images_filters) also the names of images that no container uses.
    type: bool
    default: false
  images_filters:
    description:
      - Which images, as in O(containers_filters). V(until) is about when an image was built.
      - V(dangling) is true if left out. The other filters choose among images that have a name, and need
        V(dangling=false).
    type: dict
    default: {}
  networks:
    description: Whether to remove networks that no container is on, be it running or not.
    type: bool
    default: false
  networks_filters:
    description: Which networks, by C(label) and C(label!). They keep no time of their making, so C(until) is an error.
    type: dict
    default: {}
  volumes:
    description: Whether to remove volumes without a name that no container uses, be it running or not.
    type: bool
    default: false
  volumes_filters:
    description:
      - Which volumes, as in O(containers_filters).
      - With V(all=true) volumes that have a name are removed too if no container uses them.
    type: dict
    default: {}
seealso:
  - module: pycontainers.linux.container
  - module: pycontainers.linux.image
"""

EXAMPLES = r"""
- name: Remove stopped containers, and all images that then no container uses
  pycontainers.linux.prune:
    containers: true
    images: true
    images_filters:
      dangling: false

- name: Remove containers that were made a week ago and do not run, but those that are to be kept
  pycontainers.linux.prune:
    containers: true
    containers_filters:
      until: 168h
      label!: keep

- name: Remove content that nothing leads to
  pycontainers.linux.prune:
    images: true

- name: Remove all volumes that no container uses, whatever is in them
  pycontainers.linux.prune:
    volumes: true
    volumes_filters:
      all: true

- name: Remove networks without containers
  pycontainers.linux.prune:
    networks: true
"""

RETURN = r"""
containers:
  description: The ids of the containers that were removed, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: ["4f1c7a0e9d2b8f3a6c5e4d7b8a9f0c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f6a7b"]
containers_space_reclaimed:
  description: The bytes that these took on the disk.
  returned: success
  type: int
  sample: 1048576
images:
  description: The names that were taken away from images.
  returned: success
  type: list
  elements: str
  sample: ["docker.io/library/nginx:1.26"]
layers:
  description: The unpacked layers that were removed, by their digests.
  returned: success
  type: list
  elements: str
  sample: ["sha256:9a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"]
images_space_reclaimed:
  description: The bytes that layers, blobs and what was left half done took on the disk.
  returned: success
  type: int
  sample: 72950432
networks:
  description: The names of the networks that were removed.
  returned: success
  type: list
  elements: str
  sample: ["old"]
volumes:
  description: The names of the volumes that were removed.
  returned: success
  type: list
  elements: str
  sample: ["old-files"]
volumes_space_reclaimed:
  description: The bytes that these took on the disk.
  returned: success
  type: int
  sample: 1048576
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["remove container old (4f1c7a0e9d2b)"]
changes:
  description: What there was to remove, by kind. Empty if there was nothing.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description:
        - What it is; C(unused_containers), C(unused_images), C(unused_layers), C(unused_networks) or C(unused_volumes).
      returned: success
      type: str
      sample: unused_networks
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: ["old"]
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: []
    effect:
      description: What the change costs something that runs; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: recreate
  sample:
    - option: unused_networks
      before: ["old"]
      after: []
      effect: recreate
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: prune
    after_header: prune
    before: "unused_networks: [\"old\"]\n"
    after: "unused_networks: []\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.prune import PRUNE


def main() -> None:
    """Remove what the task asks for."""
    resource_module.run(PRUNE)


if __name__ == "__main__":
    main()
