#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``image_push``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_push
short_description: Push images to registries
version_added: 0.1.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Declares that a name at a registry leads to an image of the host's store.
  - The registry is asked what it has. Nothing is done if the name leads to the image already, and only what the
    registry lacks is transferred. What another repository of the same registry has is taken from there.
  - Layers are pushed as they were pulled, byte for byte, so the image has the same digest at every registry. An image
    that was pulled by an index is the one for this host's platform; a name that leads to that index leads to it
    already.
  - A transfer that breaks off is gone on with where the registry can do that. The name is written last; a task that
    fails leaves it as it was.
  - Logins are those of C(podman login) or C(docker login), in the files that these write.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The image, as it is called in the store.
    type: str
    required: true
  destination:
    description:
      - What it is to be called at the registry, as C([registry/]repository[:tag]).
      - If it is left out, it is O(name).
    type: str
  digest:
    description:
      - The digest that the image must have, for example the one that was tested. Fails if the store has another one as
        O(name). The destination then leads to exactly this, and to no index with it.
    type: str
seealso:
  - module: pycontainers.linux.image
"""

EXAMPLES = r"""
- name: Push an image to a registry of our own
  pycontainers.linux.image_push:
    name: nginx:1.27
    destination: registry.example.com/mirror/nginx:1.27

- name: Release what was tested, and nothing else
  pycontainers.linux.image_push:
    name: registry.example.com/team/web:candidate
    destination: registry.example.com/team/web:stable
    digest: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
"""

RETURN = r"""
image_push:
  description:
    - Where the image is after the task. In check mode it is as it is now.
  returned: success
  type: dict
  contains:
    destination:
      description: Its name at the registry, in normal form.
      returned: success
      type: str
      sample: registry.example.com/mirror/nginx:1.27
    digest:
      description: What that name leads to. Nothing if it leads nowhere yet.
      returned: success
      type: str
      sample: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample:
    - bring blob sha256:9a1b2c3d4e5f (28.2 MB) to registry.example.com/mirror/nginx
    - let registry.example.com/mirror/nginx:1.27 name sha256:2cf24dba5fb0
changes:
  description: The options that differ. Empty if none does.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: The option's name, which is always C(digest).
      returned: success
      type: str
      sample: digest
    before:
      description: The digest that the destination led to before the task. Nothing if it led nowhere.
      returned: success
      type: raw
      sample: null
    after:
      description: The digest that it leads to after the task.
      returned: success
      type: raw
      sample: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    effect:
      description: V(none), since no container is touched.
      returned: success
      type: str
      sample: none
  sample:
    - option: digest
      before: null
      after: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
      effect: none
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: image_push docker.io/library/nginx:1.27
    after_header: image_push docker.io/library/nginx:1.27
    before: ""
    after: "digest: sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.image_push import IMAGE_PUSH


def main() -> None:
    """Bring the image that the task declares to its registry."""
    resource_module.run(IMAGE_PUSH)


if __name__ == "__main__":
    main()
