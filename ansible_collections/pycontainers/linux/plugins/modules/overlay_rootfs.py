#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``overlay_rootfs``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: overlay_rootfs
short_description: Mount root filesystems of layers
version_added: 0.1.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Declares an overlay mount, which shows several directories merged in one, see C(overlay) in the kernel's
    documentation of filesystems. Reads come from the topmost directory that has a file, writes go to the upper one.
  - A M(pycontainers.linux.container) has one of its image's layers by itself. This module is for root filesystems
    that something else uses, such as a C(chroot), a build or an NFS export.
  - What is declared is compared with the kernel's table of mounts. Nothing else is recorded, so the mount is gone
    after a reboot until the task runs again.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  path:
    description:
      - Where the directories appear merged; an absolute path. It is made if there is none.
      - Fails if a filesystem of another type is mounted there.
    type: str
    required: true
  state:
    description:
      - V(present) mounts the overlay, and mounts it anew if its directories differ.
      - V(absent) unmounts it. All directories stay, with what is in them, unless O(purge) says otherwise. Where the
        overlay was unmounted by hand, name O(upper), so that a filesystem of its own (see O(size)) is unmounted too.
    type: str
    default: present
    choices: [absent, present]
  lower:
    description:
      - The directories that are only read, topmost first; absolute paths. Each must exist. There can be 500 of them.
      - Needed for a new overlay. Left out, an overlay that is mounted keeps those it has.
    type: list
    elements: str
  upper:
    description:
      - The directory that is written to; an absolute path. It is made if there is none.
      - Goes together with O(work). A new overlay without both is read-only.
      - Left out, an overlay that is mounted keeps the one it has.
    type: str
  work:
    description:
      - A directory that the kernel needs for itself, on the filesystem of O(upper); an absolute path. It is made if
        there is none. It must be empty or have served the same O(upper) before.
      - Goes together with O(upper).
      - Left out, an overlay that is mounted keeps the one it has.
    type: str
  volatile:
    description:
      - Whether nothing of it is ever synced to the disk, which spares builds and tests the wait. What was written
        outlives an unmount, but not a crash of the host. If it goes down meanwhile, O(upper) is not mounted again until
        it has been removed.
      - Left out, a new overlay is not volatile, and one that is mounted stays as it is.
    type: bool
  size:
    description:
      - How much may be written; bytes, or a number with V(k), V(m), V(g), V(t) or V(p), such as V(10g). It is rounded
        down to whole blocks of 4096 bytes, and is 1m at least. V(max) is no limit.
      - Where the filesystem of O(upper) enforces project quotas (ext4 or xfs, mounted with C(prjquota)), O(upper) and
        O(work) get a project of their own with a limit. It can be changed to any other while the overlay is used; below
        what is used already, nothing more can be written until enough has been removed.
      - Elsewhere an ext4 of this size is made in the file that is named like O(upper) with C(.img) after it, and is
        mounted on O(upper). The directories C(upper) and C(work) in it then serve the overlay, and O(work) is not used.
        Its own tables count, so there is a little less for files. It can grow while the overlay is used, which takes
        CAP_SYS_RESOURCE, and can't shrink. The file takes disk as it is written to. Needs C(mkfs.ext4).
      - Files that are in O(upper) when it gets its first size count in a quota; where it would take an image, it must
        be empty.
      - Left out, what there is of a limit stays, also after O(state=absent).
    type: str
  inodes:
    description:
      - How many files and directories may be made. V(max) is no limit.
      - Only where there are project quotas, see O(size).
    type: str
  purge:
    description:
      - Whether O(state=absent) also removes O(upper) and O(work) with all that is in them. Where nothing is mounted on
        O(path), those are removed that are named. The lower directories always stay.
    type: bool
    default: false
seealso:
  - module: pycontainers.linux.container
"""

EXAMPLES = r"""
- name: Show a base system and an application in one, and keep changes apart
  pycontainers.linux.overlay_rootfs:
    path: /srv/web/rootfs
    lower:
      - /srv/layers/application
      - /srv/layers/base
    upper: /srv/web/upper
    work: /srv/web/work

- name: Show the same two, read-only
  pycontainers.linux.overlay_rootfs:
    path: /srv/export
    lower:
      - /srv/layers/application
      - /srv/layers/base

- name: Let no more than 2 GB be written; said again with another size, it changes while the root filesystem is used
  pycontainers.linux.overlay_rootfs:
    path: /srv/web/rootfs
    lower:
      - /srv/layers/application
      - /srv/layers/base
    upper: /srv/web/upper
    work: /srv/web/work
    size: 2g

- name: Have a root filesystem for a build, which need not outlive a crash
  pycontainers.linux.overlay_rootfs:
    path: /srv/build/rootfs
    lower:
      - /srv/layers/base
    upper: /srv/build/upper
    work: /srv/build/work
    volatile: true

- name: Unmount it and remove what the build has written
  pycontainers.linux.overlay_rootfs:
    path: /srv/build/rootfs
    state: absent
    purge: true

- name: Unmount it
  pycontainers.linux.overlay_rootfs:
    path: /srv/export
    state: absent
"""

RETURN = r"""
overlay_rootfs:
  description:
    - The overlay after the task. In check mode it is as it is now.
    - Empty if none is mounted.
  returned: success
  type: dict
  contains:
    path:
      description: Where it is mounted.
      returned: if it is mounted
      type: str
      sample: /srv/web/rootfs
    state:
      description: V(present).
      returned: if it is mounted
      type: str
      sample: present
    lower:
      description: The lower directories, topmost first.
      returned: if it is mounted
      type: list
      elements: str
      sample: [/srv/layers/application, /srv/layers/base]
    upper:
      description: The upper directory.
      returned: if it can be written to
      type: str
      sample: /srv/web/upper
    work:
      description: The work directory.
      returned: if it can be written to
      type: str
      sample: /srv/web/work
    volatile:
      description: Whether nothing of it is ever synced.
      returned: if it is mounted
      type: bool
      sample: false
    writable:
      description: Whether it can be written to. One that somebody has remounted read-only is made writable again.
      returned: if it is mounted
      type: bool
      sample: true
    size:
      description: How many bytes may be written, V(max) for no limit.
      returned: if there is or was a limit
      type: raw
      sample: 2147483648
    inodes:
      description: How many files and directories may be made, V(max) for no limit.
      returned: if there is or was a limit
      type: raw
      sample: max
    size_by:
      description: What holds it to the size; V(quota) or V(image).
      returned: if there is or was a limit
      type: str
      sample: quota
    image:
      description: The file with the filesystem that it is written to.
      returned: if an image holds it to the size
      type: str
      sample: /srv/web/upper.img
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["make directory /srv/web/rootfs", "mount overlay of 2 lower on /srv/web/rootfs"]
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
      sample: upper
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: /srv/web/upper
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: /srv/web/upper2
    effect:
      description: What the change costs what uses the overlay; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: recreate
  sample:
    - option: upper
      before: /srv/web/upper
      after: /srv/web/upper2
      effect: recreate
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: overlay_rootfs /srv/web/rootfs
    after_header: overlay_rootfs /srv/web/rootfs
    before: "upper: /srv/web/upper\n"
    after: "upper: /srv/web/upper2  # recreate\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.rootfs import ROOTFS


def main() -> None:
    """Converge the overlay that the task declares."""
    resource_module.run(ROOTFS)


if __name__ == "__main__":
    main()
