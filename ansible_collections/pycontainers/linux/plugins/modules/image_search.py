#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``image_search``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: image_search
short_description: Ask registries what they have
version_added: 0.1.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Finds repositories of a registry by a word, or lists the tags of a repository. Changes nothing.
  - Docker Hub, and other registries that can, search by themselves. Of the rest the names of all repositories are read,
    up to some thousands, and those that have the word in them are returned.
  - Logins are those of C(podman login) or C(docker login), in the files that these write. Docker Hub is searched
    without one.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  query:
    description:
      - The word to find repositories by. Either this or O(repository) is needed.
    type: str
  repository:
    description:
      - The repository whose tags to list, as C([registry/]repository).
    type: str
  registry:
    description:
      - Where to look for O(query), as C(host) or C(host:port).
    type: str
    default: docker.io
  limit:
    description:
      - How many results to return at most, between V(1) and V(10000).
    type: int
    default: 25
attributes:
  diff_mode:
    support: none
seealso:
  - module: pycontainers.linux.image
"""

EXAMPLES = r"""
- name: Find images of a web server
  pycontainers.linux.image_search:
    query: nginx
    limit: 10

- name: Find what a registry of our own has for a team
  pycontainers.linux.image_search:
    query: team/
    registry: registry.example.com:5000

- name: List the tags of a repository
  pycontainers.linux.image_search:
    repository: registry.example.com:5000/team/web
    limit: 1000
"""

RETURN = r"""
repositories:
  description: What was found, in the registry's order.
  returned: if O(query) is given
  type: list
  elements: dict
  contains:
    name:
      description: Registry and repository, as the other modules take it.
      returned: success
      type: str
      sample: docker.io/library/nginx
    description:
      description: What its owner says of it. Empty if the registry does not tell.
      returned: success
      type: str
      sample: Official build of Nginx.
    star_count:
      description: How many people like it. V(0) if the registry does not tell.
      returned: success
      type: int
      sample: 20412
    is_official:
      description: Whether it is one of Docker Hub's official images.
      returned: success
      type: bool
      sample: true
tags:
  description: The repository's tags, by name.
  returned: if O(repository) is given
  type: list
  elements: str
  sample: ["1.26", "1.27", "latest"]
truncated:
  description: Whether there is, or may be, more than was returned.
  returned: success
  type: bool
  sample: false
actions:
  description: Always empty, since nothing is ever done.
  returned: success
  type: list
  elements: str
  sample: []
changes:
  description: Always empty, since nothing ever differs. It has the shape that it has with all modules.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: The option's name.
      returned: success
      type: str
      sample: query
    before:
      description: Its value before the task.
      returned: success
      type: raw
      sample: null
    after:
      description: Its value after the task.
      returned: success
      type: raw
      sample: nginx
    effect:
      description: What the change costs.
      returned: success
      type: str
      sample: none
  sample:
    - option: query
      before: null
      after: nginx
      effect: none
diff:
  description: Nothing, with C(--diff).
  returned: success
  type: dict
  sample:
    before_header: image_search
    after_header: image_search
    before: ""
    after: ""
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.image_search import IMAGE_SEARCH


def main() -> None:
    """Ask what the task wants to know."""
    resource_module.run(IMAGE_SEARCH)


if __name__ == "__main__":
    main()
