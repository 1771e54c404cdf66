# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OCI image layout that umoci fills layer by layer."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .stages import Stages

INDEX = "application/vnd.oci.image.index.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"


class Layout:
    """The layout in `directory` (OCI image specification, image-layout.md); `bundle` is umoci's working copy."""

    def __init__(self, directory: Path, bundle: Path, stages: Stages) -> None:
        self.directory = directory
        self.rootfs = bundle / "rootfs"
        self._bundle = bundle
        self._stages = stages
        self._umoci("init", "--layout", directory)
        self._umoci("new", "--image", f"{directory}:empty")
        self._umoci("unpack", "--image", f"{directory}:empty", bundle)

    def replace_rootfs(self, root: Path) -> None:
        """Make `root` the working copy: the next layer is what differs between it and the layers before."""
        shutil.rmtree(self.rootfs)
        root.rename(self.rootfs)

    def commit(self, tag: str, created_by: str) -> None:
        """Write what changed in the working copy as one more layer, deletions as whiteouts, and tag the result."""
        history = ("--history.created_by", created_by)
        self._umoci("repack", "--refresh-bundle", "--image", f"{self.directory}:{tag}", *history, self._bundle)

    def insert(self, tag: str, onto: str, source: Path, target: str, *, opaque: bool = False) -> None:
        """Tag `onto` with one more layer that holds `source` at `target`; opaque hides what was in `target` before."""
        flags = ("--opaque",) if opaque else ()
        self._umoci("insert", *flags, "--image", f"{self.directory}:{onto}", "--tag", tag, source, target)

    def configure(self, tag: str, options: Sequence[tuple[str, str]]) -> None:
        """Set fields of the image's configuration, named as umoci-config(1) names them."""
        words = [word for name, value in options for word in (f"--{name}", value)]
        self._umoci("config", "--no-history", "--image", f"{self.directory}:{tag}", *words)

    def tag(self, tag: str, new: str) -> None:
        """Give the image `tag` a second name."""
        self._umoci("tag", "--image", f"{self.directory}:{tag}", new)

    def index(self, tag: str, platforms: Mapping[str, Mapping[str, str]]) -> None:
        """Tag an image index over the images named by the keys of `platforms` (image-index.md)."""
        listing = self._listing()
        by_name = {entry["annotations"][REF_NAME]: entry for entry in listing["manifests"]}
        manifests = [
            {field: by_name[name][field] for field in ("mediaType", "digest", "size")} | {"platform": dict(platform)}
            for name, platform in platforms.items()
        ]
        content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
        digest = hashlib.sha256(content).hexdigest()
        (self.directory / "blobs/sha256" / digest).write_bytes(content)
        descriptor = {"mediaType": INDEX, "digest": f"sha256:{digest}", "size": len(content)}
        listing["manifests"].append(descriptor | {"annotations": {REF_NAME: tag}})
        (self.directory / "index.json").write_text(json.dumps(listing), encoding="utf-8")

    def keep(self, *tags: str) -> None:
        """Forget the other tags, and the blobs that only they need."""
        for entry in self._listing()["manifests"]:
            name = entry["annotations"][REF_NAME]
            if name not in tags:
                self._umoci("rm", "--image", f"{self.directory}:{name}")
        self._umoci("gc", "--layout", self.directory)

    def _listing(self) -> dict[str, Any]:
        listing: dict[str, Any] = json.loads((self.directory / "index.json").read_bytes())
        return listing

    def _umoci(self, verb: str, *words: str | Path) -> None:
        self._stages.run("umoci", verb, *words)
