#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``image_load``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_load
short_description: Load images from an archive
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Brings the images of an archive, on the host or on the controller, into the host's store, under the names that they
    have in the archive.
  - An archive is an OCI image layout, as a directory or packed with tar, or what C(docker save) writes; packed ones may
    be compressed with gzip. Its form is seen by its content.
  - All content is verified by its digest before it is used. Images are compared by their ids, so an archive is
    loaded once.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  path:
    description: The archive; on the host an absolute path.
    type: str
    required: true
  name:
    description:
      - The one image to load, as in O(pycontainers.linux.image#module:name). It is the archive's image of this name, or
        the only one of the archive, which then gets this name.
      - Left out, all images of the archive are loaded, and each needs a name there.
    type: str
  remote_src:
    description:
      - Whether O(path) is on the host. If not, it is an archive on the controller, where it is looked for as the
        C(src) of M(ansible.builtin.copy) is, for example in the C(files) of a role.
      - Of an archive on the controller only those layers are transferred that the host lacks, and in check mode none.
    type: bool
    default: true
seealso:
  - module: pycontainers.linux.image
  - module: pycontainers.linux.image_export
"""

EXAMPLES = r"""
- name: Load all images of an archive
  pycontainers.linux.image_load:
    path: /srv/images/web.tar

- name: Load the one image of an OCI layout, and give it a name
  pycontainers.linux.image_load:
    path: /srv/images/web
    name: example.com/web:1.0

- name: Load the images of an archive on the controller
  pycontainers.linux.image_load:
    path: /srv/builds/web.tar
    remote_src: false
"""

RETURN = r"""
image_names:
  description: The names that the archive's images have in the store, or in check mode would have.
  returned: success
  type: list
  elements: str
  sample: ["docker.io/library/nginx:1.27"]
images:
  description:
    - The images that the archive holds and the store has after the task, as M(pycontainers.linux.image_info) shows
      them.
  returned: success
  type: list
  elements: dict
  sample:
    - Id: sha256:6b7a3f5c0d6e1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3
      RepoTags: ["docker.io/library/nginx:1.27"]
      RepoDigests: []
      Architecture: amd64
      Os: linux
      Size: 72950432
      Created: "2025-11-03T09:12:44Z"
      Config: {"Cmd": ["nginx", "-g", "daemon off;"]}
      RootFS: {"Type": "layers", "Layers": ["sha256:9a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"]}
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["load image docker.io/library/nginx:1.27 (sha256:6b7a3f5c0d6e) from /srv/web.tar"]
changes:
  description: The names that are not yet there or stand for another image. Empty if there are none.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: Always C(images), which are names, each with the id of its image.
      returned: success
      type: str
      sample: images
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: []
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: ["docker.io/library/nginx:1.27 sha256:6b7a3f5c0d6e1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3"]
    effect:
      description: What the change costs something that runs; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: recreate
  sample:
    - option: images
      before: []
      after: ["docker.io/library/nginx:1.27 sha256:6b7a3f5c0d6e1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3"]
      effect: recreate
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: image_load /srv/web.tar
    after_header: image_load /srv/web.tar
    before: "images: []\n"
    after: "images: [\"docker.io/library/nginx:1.27 sha256:6b7a…\"]\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.image_load import IMAGE_LOAD


def main() -> None:
    """Load what the task names."""
    resource_module.run(IMAGE_LOAD)


if __name__ == "__main__":
    main()
