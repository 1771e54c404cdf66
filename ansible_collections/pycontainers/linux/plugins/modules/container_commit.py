#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``container_commit``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_commit
short_description: Make an image of what a container has written
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Makes an image of one more layer on top of the image that a container was made from. The layer has what the
    container has added and changed in its root filesystem, and says what it has deleted. Volumes are not part of it.
  - Nothing is changed of the container.
  - The image is said to be created when the container last changed a file. So a container that has written nothing
    since becomes the same image again, and the task changes nothing.
  - All that the container has written is read at each run.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  container:
    description: The container's name. It has to have been started once.
    type: str
    required: true
  image:
    description:
      - The new image's name, as in O(pycontainers.linux.image#module:name). It is needed, and is taken from the
        image that it stands for.
    type: str
  changes:
    description:
      - What the new image's configuration says otherwise than the container's, as instructions of a Dockerfile. C(CMD),
        C(ENTRYPOINT), C(ENV), C(EXPOSE), C(HEALTHCHECK), C(LABEL), C(STOPSIGNAL), C(USER), C(VOLUME) and C(WORKDIR)
        are known.
    type: list
    elements: str
  author:
    description: Who made the image, for its history.
    type: str
    default: ""
  comment:
    description: What was done, for the image's history.
    type: str
    default: ""
  pause:
    description:
      - Whether to hold a running container still while it is read. If not, and if it writes meanwhile, the
        task can fail.
    type: bool
    default: true
seealso:
  - module: pycontainers.linux.container
  - module: pycontainers.linux.image_export
"""

EXAMPLES = r"""
- name: Keep what was changed in a container as an image
  pycontainers.linux.container_commit:
    container: web
    image: registry.example.com/team/web:tuned
    comment: Tuned by hand on 3 November
    changes:
      - LABEL tuned=yes
"""

RETURN = r"""
image:
  description:
    - The image after the task, in the shape of C(docker image inspect). In check mode it is as it is now.
  returned: if the image is in the store
  type: dict
  contains:
    Id:
      description: The digest of the image's configuration.
      returned: success
      type: str
      sample: sha256:6b7a3f5c0d6e1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3
    RepoTags:
      description: The image's names with a tag.
      returned: success
      type: list
      elements: str
      sample: ["docker.io/library/nginx:1.27"]
    RepoDigests:
      description: The image's names with the digest that registries know it by.
      returned: success
      type: list
      elements: str
      sample: ["docker.io/library/nginx@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"]
    Architecture:
      description: The processor's architecture, in Go's words.
      returned: success
      type: str
      sample: amd64
    Os:
      description: The operating system.
      returned: success
      type: str
      sample: linux
    Size:
      description: Bytes of all layers, as they were transferred.
      returned: success
      type: int
      sample: 72950432
    Created:
      description: When the image was built, as RFC 3339 has it.
      returned: success
      type: str
      sample: "2025-11-03T09:12:44Z"
    Config:
      description: What a container of the image runs by default (OCI image configuration, C(config)).
      returned: success
      type: dict
      sample: {"Cmd": ["nginx", "-g", "daemon off;"], "StopSignal": "SIGQUIT"}
    RootFS:
      description: The digests of the unpacked layers, lowest first.
      returned: success
      type: dict
      sample: {"Type": "layers", "Layers": ["sha256:9a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"]}
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["commit container web as image registry.example.com/team/web:tuned"]
changes:
  description: What differs of the image that the name stands for. Empty if it is the same.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: C(id) of the image, and if there was none under the name C(container) and C(image).
      returned: success
      type: str
      sample: id
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: null
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: sha256:6b7a3f5c0d6e1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3
    effect:
      description: What the change costs something that runs; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: recreate
  sample:
    - option: id
      before: null
      after: sha256:6b7a3f5c0d6e1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3
      effect: recreate
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: container_commit web
    after_header: container_commit web
    before: ""
    after: "id: sha256:6b7a…\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.container_commit import CONTAINER_COMMIT


def main() -> None:
    """Make the image that the task names."""
    resource_module.run(CONTAINER_COMMIT)


if __name__ == "__main__":
    main()
