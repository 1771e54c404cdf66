#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``image_export``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_export
short_description: Export images to an archive
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Writes images of the host's store to an archive on the host, which other programs and
    M(pycontainers.linux.image_load) read.
  - An archive that holds just these images already, by their ids and names, is left alone. Else it is replaced as a
    whole, and never there half written.
  - The same images give the same bytes.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  path:
    description:
      - The archive; an absolute path. The directory that it is in must exist.
      - Fails if there is something there that is no archive of images.
    type: str
    required: true
  names:
    description: The images, each as in O(pycontainers.linux.image#module:name). At least one is needed.
    type: list
    elements: str
    default: []
  format:
    description:
      - V(oci-archive) is an OCI image layout packed with tar, V(oci-dir) one as a directory, V(docker-archive) what
        C(docker load) reads in all its versions.
    type: str
    default: oci-archive
    choices: [docker-archive, oci-archive, oci-dir]
  force:
    description: Whether to write the archive in any case, also over a file that is none.
    type: bool
    default: false
attributes:
  idempotent:
    support: partial
    details:
      - With O(force=true) the archive is written each time.
seealso:
  - module: pycontainers.linux.image
  - module: pycontainers.linux.image_load
"""

EXAMPLES = r"""
- name: Export two images
  pycontainers.linux.image_export:
    path: /srv/images/web.tar
    names:
      - nginx:1.27
      - registry.example.com/team/web:stable

- name: Export an image for docker load
  pycontainers.linux.image_export:
    path: /srv/images/nginx.tar
    names: [nginx:1.27]
    format: docker-archive
"""

RETURN = r"""
path:
  description: The archive's path. Nothing if there is none yet, in check mode.
  returned: success
  type: str
  sample: /srv/images/web.tar
images:
  description: The names in the archive, each with the id of its image. In check mode those that it has now.
  returned: success
  type: list
  elements: str
  sample: ["docker.io/library/nginx:1.27 sha256:6b7a3f5c0d6e1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3"]
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["export docker.io/library/nginx:1.27 to /srv/images/nginx.tar as oci-archive"]
changes:
  description: What the archive has not or has otherwise. Empty if it is as wanted.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: C(path), C(format), or C(images), which are names, each with the id of its image.
      returned: success
      type: str
      sample: format
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: docker-archive
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: oci-archive
    effect:
      description: What the change costs something that runs; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: none
  sample:
    - option: format
      before: docker-archive
      after: oci-archive
      effect: none
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: image_export /srv/images/nginx.tar
    after_header: image_export /srv/images/nginx.tar
    before: "format: docker-archive\n"
    after: "format: oci-archive\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.image_export import IMAGE_EXPORT


def main() -> None:
    """Export what the task names."""
    resource_module.run(IMAGE_EXPORT)


if __name__ == "__main__":
    main()
