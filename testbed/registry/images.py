# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images of the testbed, built once a machine and kept with a filled registry storage in the cache."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import busybox, cache, nginx, packages
from .errors import RegistryFailure
from .server import serve
from .stages import Stages

# Whatever decides what an image holds or how it reaches the storage.
RECIPE = ("busybox.py", "images.py", "layout.py", "nginx.py", "packages.py")

INSECURE = ("--insecure-policy",)


@dataclass(frozen=True)
class Images:
    """An entry of the cache: OCI layouts `nginx` and `busybox`, and `storage`, a registry's directory that has both."""

    directory: Path

    @property
    def storage(self) -> Path:
        """The root directory of a registry's file system storage with every tag; copy it, never serve it."""
        return self.directory / "storage"

    @property
    def tags(self) -> dict[str, str]:
        """Digest of the manifest or index that each `repository:tag` names."""
        listing: dict[str, str] = json.loads((self.directory / "images.json").read_bytes())
        return listing

    @property
    def nginx_version(self) -> str:
        """The tag of `nginx` that is a version."""
        named = {name.removeprefix("nginx:") for name in self.tags if name.startswith("nginx:")}
        (version,) = named - {"latest", "next"}
        return version


def images() -> Images:
    """Return the images, building them first where the cache has none of this recipe (one to two minutes, as root).

    Errors: RegistryFailure, with the log of the build.
    """
    name = f"images-{_recipe()}"
    # Beside the entry and not in it: the log of a failed build is to be read afterwards.
    log = cache.home() / f"{name}.log"
    return Images(cache.once(name, lambda directory: _build(directory, log)))


def _recipe() -> str:
    digest = hashlib.sha256()
    for name in RECIPE:
        digest.update((Path(__file__).parent / name).read_bytes())
    release = platform.freedesktop_os_release()
    digest.update(f"{release.get('ID')} {release.get('VERSION_ID')} {platform.machine()}".encode())
    return digest.hexdigest()[:16]


def _build(directory: Path, log: Path) -> None:
    if os.geteuid() != 0:
        raise RegistryFailure("cannot build the images: chroot(2) needs root; run this as root once")
    stages = Stages(log)
    packages.install(packages.BUILDERS, stages)
    with stages.stage("package lists"):
        packages.update(stages)
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=directory) as scratch:
        tags = {}
        for repository, recipe in (("nginx", nginx.build), ("busybox", busybox.build)):
            own = Path(scratch) / repository
            own.mkdir()
            tags[repository] = recipe(directory / repository, own, stages)
        with stages.stage("push to the storage"):
            _push(directory, Path(scratch), tags, stages)


def _push(directory: Path, scratch: Path, tags: dict[str, list[str]], stages: Stages) -> None:
    plain = ("--dest-tls-verify=false", "--src-tls-verify=false")
    with serve(scratch / "registry", directory / "storage", listen="127.0.0.1:0") as server:
        digests = {}
        for repository, names in tags.items():
            remote = f"docker://{server.address}/{repository}"
            for tag in names:
                source = f"oci:{directory / repository}:{tag}"
                stages.run("skopeo", *INSECURE, "copy", "-q", "--all", plain[0], source, f"{remote}:{tag}")
                digests[f"{repository}:{tag}"] = server.digest(repository, tag)
        remote = f"docker://{server.address}/busybox"
        stages.run("skopeo", *INSECURE, "copy", "-q", "--format=v2s2", *plain, f"{remote}:latest", f"{remote}:docker")
        digests["busybox:docker"] = server.digest("busybox", "docker")
    text = json.dumps(digests, indent=2, sort_keys=True) + "\n"
    (directory / "images.json").write_text(text, encoding="utf-8")
