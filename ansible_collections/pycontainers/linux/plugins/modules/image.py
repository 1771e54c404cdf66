#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``image``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Have images on a host
version_added: 0.1.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Declares that an image is in the host's store, or that it is not. It comes from a registry, from an archive on the
    host, or is made of a directory there.
  - Images come from registries that speak the OCI distribution protocol. All that is received is verified by its digest
    before it is used. Only layers that the host lacks are transferred.
  - Registries are spoken to over HTTPS. Those that speak plain HTTP must be listed in C(registries.json) below O(root),
    see O(pycontainers.linux.host#role:main:host_insecure_registries). Mirrors are listed there, too.
  - Logins are those of podman and Docker on the host, from C(auth.json) and C(config.json), also by credential helpers.
  - A M(pycontainers.linux.container) pulls its image by itself. This module is for having it there before, for example
    fleet-wide ahead of a change, and for removing it.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  name:
    description:
      - The image, as C([registry/]repository[:tag][@digest]), for example V(nginx:1.27) or
        V(10.0.0.1:5000/web@sha256:…). Without a registry it is Docker Hub, without tag and digest the tag C(latest).
      - With a digest it is that very image, whatever the registry says.
    type: str
    required: true
  state:
    description:
      - V(present) brings the image if the host does not have it.
      - V(absent) removes the name and those in O(tags), and the content that no other name and no container needs.
    type: str
    default: present
    choices: [absent, present]
  source:
    description:
      - V(pull) is the registry in O(name).
      - V(archive) is an OCI image layout or what C(docker save) writes, at O(path). Of several images it is the
        one that O(name) names there.
      - V(tree) is the directory O(path), which becomes an image of one layer. The same files with the same times,
        owners and modes are the same image. All of it is read at each run.
      - An image from V(archive) or V(tree) is compared by its id at each run, and replaced if it is another.
    type: str
    default: pull
    choices: [archive, pull, tree]
  path:
    description: The archive or the directory on the host; an absolute path. Only for O(source=archive), O(source=tree).
    type: str
  remote_src:
    description:
      - Whether O(path) is on the host. If not, it is an archive on the controller, where it is looked for as the
        C(src) of M(ansible.builtin.copy) is, for example in the C(files) of a role.
      - Of an archive on the controller only those layers are transferred that the host lacks, and in check mode none.
    type: bool
    default: true
  changes:
    description:
      - What the image's configuration says, as instructions of a Dockerfile. C(CMD), C(ENTRYPOINT), C(ENV), C(EXPOSE),
        C(HEALTHCHECK), C(LABEL), C(STOPSIGNAL), C(USER), C(VOLUME) and C(WORKDIR) are known.
      - Only for O(source=tree).
    type: list
    elements: str
  pull:
    description:
      - When to ask the registry. V(missing) does if the host does not have the image, V(always) does each time,
        V(never) fails if the host does not have it. V(newer) does each time, but is content with what the host
        has if the registry can't tell.
      - Only for O(source=pull), and not used with O(state=absent). In check mode the registry is asked, and nothing is
        transferred; it is told by its digest whether the run would bring another image.
    type: str
    default: missing
    choices: [always, missing, never, newer]
  tags:
    description:
      - Further names of the image, each like O(name). They are given to it, whatever they stood for.
      - With O(state=absent) they are removed.
    type: list
    elements: str
  force:
    description:
      - With O(state=present) the registry is asked as with O(pull=always).
      - With O(state=absent) all other names of the image are removed too.
    type: bool
    default: false
seealso:
  - module: pycontainers.linux.container
  - module: pycontainers.linux.image_load
  - module: pycontainers.linux.image_info
"""

EXAMPLES = r"""
- name: Have an image
  pycontainers.linux.image:
    name: nginx:1.27

- name: Have what the tag stands for today
  pycontainers.linux.image:
    name: registry.example.com/team/web:stable
    pull: always

- name: Have exactly this content
  pycontainers.linux.image:
    name: docker.io/library/nginx@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824

- name: Have an image from an archive, and give it a second name
  pycontainers.linux.image:
    name: example.com/web:1.0
    source: archive
    path: /srv/images/web.tar
    tags:
      - example.com/web:current

- name: Have an image from an archive on the controller
  pycontainers.linux.image:
    name: example.com/web:1.0
    source: archive
    path: /srv/builds/web.tar
    remote_src: false

- name: Have an image of a directory
  pycontainers.linux.image:
    name: example.com/site:1
    source: tree
    path: /srv/site
    changes:
      - CMD ["/bin/httpd", "-f", "-h", "/www"]
      - EXPOSE 80

- name: Remove an image that nothing needs any more
  pycontainers.linux.image:
    name: nginx:1.26
    state: absent
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
  sample: ["pull docker.io/library/nginx:1.27"]
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
      sample: name
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: null
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: docker.io/library/nginx:1.27
    effect:
      description: What the change costs a container that runs it; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: none
  sample:
    - option: name
      before: null
      after: docker.io/library/nginx:1.27
      effect: none
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: image docker.io/library/nginx:1.27
    after_header: image docker.io/library/nginx:1.27
    before: ""
    after: "name: docker.io/library/nginx:1.27\nstate: present\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.image import IMAGE


def main() -> None:
    """Converge the image that the task declares."""
    resource_module.run(IMAGE)


if __name__ == "__main__":
    main()
