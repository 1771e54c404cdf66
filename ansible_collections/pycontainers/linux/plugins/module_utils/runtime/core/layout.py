# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every path of ours. Nothing else in the code puts a path of the host together."""
from __future__ import annotations

import os
from collections.abc import Mapping

from ..lean.dataclasses import dataclass

DEFAULT_ROOT = "/var/lib/pycontainers"
DEFAULT_RUN = "/run/pycontainers"


@dataclass(frozen=True)
class Layout:
    """Where things are: ``root`` keeps across reboots, ``run`` does not have to. Several roots live side by side."""

    root: str = DEFAULT_ROOT
    run: str = DEFAULT_RUN

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> Layout:
        """The layout that ``PYCONTAINERS_ROOT`` and ``PYCONTAINERS_RUN`` name."""
        root = environment.get("PYCONTAINERS_ROOT") or DEFAULT_ROOT
        return cls(root, environment.get("PYCONTAINERS_RUN") or DEFAULT_RUN)

    # Images: an OCI image layout, and each layer unpacked once.
    @property
    def images(self) -> str:
        """The OCI image layout (image-spec, image-layout.md): oci-layout, index.json, blobs/."""
        return f"{self.root}/images"

    def layer(self, diff_id: str) -> str:
        """The directory of an unpacked layer; ``diff_id`` as ``sha256:…``."""
        return f"{self.root}/layers/{diff_id.partition(':')[2]}"

    @property
    def registries(self) -> str:
        """How registries are reached: JSON, ``{"insecure": ["host:port", …], "mirrors": {"registry": ["host"]}}``."""
        return f"{self.root}/registries.json"

    @property
    def filters(self) -> str:
        """The folder of compiled seccomp profiles, each named by the hash of what it was made from."""
        return f"{self.root}/seccomp"

    # Networks
    @property
    def networks(self) -> str:
        """The folder of network records."""
        return f"{self.root}/networks"

    def network(self, name: str) -> str:
        """The record of a network."""
        return f"{self.networks}/{name}.json"

    def leases(self, name: str) -> str:
        """The addresses given out on a network."""
        return f"{self.networks}/leases/{name}.json"

    # Volumes
    @property
    def volumes(self) -> str:
        """A folder per volume."""
        return f"{self.root}/volumes"

    def volume(self, name: str, *parts: str) -> str:
        """The folder of a volume, or something in it: ``volume.json``, and ``_data``, which containers see."""
        return os.path.join(self.volumes, name, *parts)

    def holds(self, *parts: str) -> str:
        """A folder per volume with a file for each container for which it is mounted, named by id, or one of these."""
        return os.path.join(self.run, "volumes", *parts)

    # Containers: all that belongs to one is named by its id.
    @property
    def names(self) -> str:
        """A symbolic link per container name, to its id."""
        return f"{self.root}/names"

    def name(self, name: str) -> str:
        """The link that gives a container its name."""
        return f"{self.names}/{name}"

    @property
    def containers(self) -> str:
        """A folder per container id."""
        return f"{self.root}/containers"

    def container(self, identity: str, *parts: str) -> str:
        """The folder of a container, or something in it."""
        return os.path.join(self.containers, identity, *parts)

    def running(self, identity: str, *parts: str) -> str:
        """What is known of a container's process, or something beside it; gone after a reboot."""
        return os.path.join(self.run, "containers", identity, *parts)

    def netns(self, identity: str) -> str:
        """Where the container's network namespace is pinned."""
        return f"{self.run}/netns/{identity}"

    def overlay(self, path: str) -> str:
        """The folder of short names for the lower directories of the overlay on ``path``."""
        from hashlib import sha256

        return f"{self.run}/overlay/{sha256(path.encode(errors='surrogateescape')).hexdigest()[:32]}"

    @property
    def events(self) -> str:
        """The folder of the journal of what has become of containers."""
        return f"{self.root}/events"

    # The runtime itself, installed on the host
    @property
    def runtimes(self) -> str:
        """The installed runtimes, a folder per content digest, and ``current``."""
        return f"{self.root}/runtime"

    # Locks
    def lock(self, subject: str) -> str:
        """The file whose lock keeps processes apart that change ``subject``."""
        return f"{self.run}/locks/{subject}.lock"
