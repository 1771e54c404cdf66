#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``image_info``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_info
short_description: Tell of images
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Tells what there is to know of one, several or all images of the host's store. Nothing is changed.
  - Images of which a part is missing are not told of, see C(pycontainers image check).
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The images, each as in O(pycontainers.linux.image#module:name) or as an id. One that is not in the store is
        passed over.
      - Left out, all images are told of.
    type: list
    elements: str
attributes:
  diff_mode:
    support: none
seealso:
  - module: pycontainers.linux.image
"""

EXAMPLES = r"""
- name: Tell of all images
  pycontainers.linux.image_info:

- name: Tell of one image
  pycontainers.linux.image_info:
    name: [nginx:1.27]
"""

RETURN = r"""
images:
  description: The images, in the shape of C(docker image inspect) with what only the store knows.
  returned: success
  type: list
  elements: dict
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
    UnpackedSize:
      description: Bytes that the unpacked layers take on the disk. Those of several images are counted for each.
      returned: success
      type: int
      sample: 190840832
    Created:
      description: When the image was built, as RFC 3339 has it.
      returned: success
      type: str
      sample: "2025-11-03T09:12:44Z"
    Author:
      description: Who built it, if the image says so.
      returned: success
      type: str
      sample: ""
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
    ManifestDigest:
      description: The digest of the manifest.
      returned: success
      type: str
      sample: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    RegistryDigest:
      description: What the registry called it, which may be the digest of an index.
      returned: success
      type: str
      sample: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    Blobs:
      description: The layers as they are transferred, lowest first, with media type, digest and size.
      returned: success
      type: list
      elements: dict
      sample:
        - MediaType: application/vnd.oci.image.layer.v1.tar+gzip
          Digest: sha256:486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7
          Size: 29125000
    History:
      description: How the image was built, as it says itself (OCI image configuration, C(history)).
      returned: success
      type: list
      elements: dict
      sample: [{"created": "2025-11-03T09:12:44Z", "created_by": "CMD [\"nginx\" \"-g\" \"daemon off;\"]"}]
    UsedBy:
      description: The names of the containers that were made of it.
      returned: success
      type: list
      elements: str
      sample: ["web"]
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.image_info import IMAGE_INFO


def main() -> None:
    """Tell of the images that the task names."""
    resource_module.run(IMAGE_INFO)


if __name__ == "__main__":
    main()
