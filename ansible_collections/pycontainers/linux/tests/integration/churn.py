# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs on a host: declares, replaces and removes containers, pulls and removes an image, without end, and tells of it.

``churn.py SEED REGISTRY`` prints a line before each operation and one after it, so that who reads them knows what was
acknowledged. ``churn.py settle REGISTRY`` brings all to one state, twice, and prints what that took.
"""

from __future__ import annotations

import json
import random
import sys
from typing import Any

sys.path.insert(0, "/var/lib/pycontainers/runtime/current")

NAMES = ("a", "b", "c")


def main(seed: str, registry: str) -> None:
    """Do what the command line says."""
    # What is installed on the host goes by this name there.
    from runtime.core.layout import Layout  # type: ignore[import-not-found]
    from runtime.core.model import parse  # type: ignore[import-not-found]
    from runtime.core.plan import converge  # type: ignore[import-not-found]
    from runtime.resources.container import CONTAINER  # type: ignore[import-not-found]
    from runtime.resources.image import IMAGE  # type: ignore[import-not-found]

    def do(resource: Any, **values: Any) -> bool:
        return bool(converge(resource, Layout(), parse(resource.model, values), False).changed)

    def container(name: str, value: str) -> bool:
        options = {"image": f"{registry}/busybox:latest", "command": ["sleep", "1000"], "env": {"V": value}}
        return do(
            CONTAINER, name=name, **options, networks=["power"], memory="16m", restart_policy="always", stop_timeout=0
        )

    nginx = f"{registry}/nginx:latest"
    if seed == "settle":
        changes = [[container(name, "settled") for name in NAMES], [container(name, "settled") for name in NAMES]]
        changes += [[do(IMAGE, name=nginx)], [do(IMAGE, name=nginx)]]
        print(json.dumps(changes))
        return
    chance = random.Random(seed)
    for number in range(1 << 30):
        what = chance.choices(["container", "gone", "image", "no image"], [6, 2, 1, 1])[0]
        name = chance.choice(NAMES) if what in ("container", "gone") else "image"
        value = f"{seed}.{number}" if what == "container" else what
        print(json.dumps(["begin", name, value]), flush=True)
        if what == "container":
            container(name, value)
        elif what == "gone":
            do(CONTAINER, name=name, state="absent", stop_timeout=0)
        else:
            do(IMAGE, name=nginx, state="present" if what == "image" else "absent")
        print(json.dumps(["done", name, value]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
