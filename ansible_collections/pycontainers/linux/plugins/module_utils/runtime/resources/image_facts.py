# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image as ``docker image inspect`` shows it."""
from __future__ import annotations

from typing import Any

from ..image.content import StoredImage
from ..image.reference import parse_reference


def inspect(image: StoredImage) -> dict[str, Any]:
    """What Docker shows of an image (its API, "Inspect an image"). Size is that of the layers as pulled."""
    references = [parse_reference(each) for each in image.references]
    return {
        "Id": image.id,
        "RepoTags": [f"{each.name}:{each.tag}" for each in references if each.tag],
        "RepoDigests": list(image.digests),
        "Architecture": image.architecture,
        "Os": image.os,
        "Size": image.size,
        "Created": image.created,
        "Config": dict(image.config),
        "RootFS": {"Type": "layers", "Layers": list(image.diff_ids)},
    }
