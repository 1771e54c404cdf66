# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is documented of what is put into a container: files of the host, volumes, filesystems in memory."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of ``container`` that say what of the host is in it."""

    DOCUMENTATION = r"""
options:
  volumes:
    description:
      - What is put into the container, each as C([source:]target[:modes]).
      - A source that is an absolute path is a file or directory of the host, which must exist. Any other is the name of
        a volume, see M(pycontainers.linux.volume), which is made if it is not there. Without a source it is a volume
        without a name, for this container alone.
      - Modes are words between commas. V(ro) and V(rw), which is the default. For paths of the host V(rprivate), which
        is the default, V(private), V(rshared), V(shared), V(rslave) and V(slave), which say whether what is mounted
        below the path later is seen on the other side; the path must be on a mount of the host that is shared. For
        volumes V(nocopy). V(z) and V(Z) mean nothing here, since SELinux confines no container.
      - At its first use an empty volume gets what the image has at the target, unless it says V(nocopy).
      - What the image itself declares to be a volume, and nothing else is put at, is a volume without a name. A
        container that takes the place of another takes over that one's volumes without a name, each at the same target.
      - For a new container the default is none.
    type: list
    elements: str
  mounts:
    description:
      - The same as O(volumes) in other words, and filesystems in memory as O(tmpfs) has them. It makes no difference
        which of the spellings is used.
      - Given alone, it says all that is put into the container; what O(volumes) and O(tmpfs) say comes in addition.
    type: list
    elements: dict
    suboptions:
      type:
        description: What it is; a path of the host, a filesystem in memory, or a volume.
        type: str
        choices: [bind, tmpfs, volume]
        default: volume
      source:
        description:
          - The absolute path of the host, or the name of the volume. A volume without a source has no name.
        type: str
      target:
        description: The absolute path in the container.
        type: str
        required: true
      read_only:
        description: Whether the container can't write there.
        type: bool
      propagation:
        description: For V(type=bind), as in O(volumes).
        type: str
        choices: [private, rprivate, shared, rshared, slave, rslave]
      no_copy:
        description: For V(type=volume), whether nothing is copied from the image at its first use.
        type: bool
      labels:
        description: For V(type=volume), the labels of one that is made, by name. One that is there keeps its own.
        type: dict
      tmpfs_size:
        description: For V(type=tmpfs), its size in bytes or with a unit, such as V(64m).
        type: str
      tmpfs_mode:
        description: For V(type=tmpfs), the permissions of its root, such as V("1777"). Quote them.
        type: str
  volumes_from:
    description:
      - Containers by name or id, whose volumes and paths of the host are put into this container too, at the same
        places. After a colon V(ro) or V(rw) says whether it can write there; else it can where the other can.
      - What is said in O(volumes), O(mounts) and O(tmpfs) takes precedence at its place. Of several containers, the
        first does.
      - The other containers have to be there, and need not run. What they have is looked up by each task.
      - Given alone, it says all that is put into the container, but for O(tmpfs).
    type: list
    elements: str
  keep_volumes:
    description:
      - Whether volumes without a name outlive the container when it is removed, and when it is replaced by one that
        has nothing at their place. What others use stays in any case, and so do volumes with a name.
    type: bool
    default: true
"""
