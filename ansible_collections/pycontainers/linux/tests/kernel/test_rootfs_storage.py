# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layer of a container and its size, step by step and without a program: so any kernel with quotas can show it."""
from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Plan, apply
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import quota
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import storage_opts
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_rootfs import (
    MountRootfs,
    UnmountRootfs,
    size_steps,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.rootfs_bench import MIB, fill, held_files, may_grow


def made(host: Host, size: int) -> Container:
    """A container that has not run yet."""
    host.converge(image=host.busybox, state="stopped", storage_opts={"size": size})
    return host.observed()


def test_a_layer_is_held_and_grows(sized_host: Host) -> None:
    """Beyond the size nothing is written; the steps of a larger one let the same file grow, and can be undone."""
    host, small, large = sized_host, {"size": 32 * MIB}, {"size": 64 * MIB}
    container = made(host, small["size"])
    step = MountRootfs(host.layout, container)
    step.do()
    image = storage_opts.has_image(host.layout, container.id or "")
    have = replace(container, layer_image=image)
    want = replace(have, storage_opts=tuple(large.items()))
    with Path(host.layout.container(container.id or "", "merged/big")).open("wb", buffering=0) as file:
        assert 16 * MIB <= fill(file.fileno(), 64 * MIB) <= 32 * MIB
        if not image:
            (change,) = size_steps(host.layout, want, have)
            change.do()
            assert fill(file.fileno(), MIB) == MIB
            change.undo()
            assert fill(file.fileno(), 64 * MIB) < 8 * MIB
    UnmountRootfs(step).do()
    assert [each for each in held_files() if each.startswith(host.layout.container(""))] == []
    may_grow(image)
    MountRootfs(host.layout, want).do()
    with Path(host.layout.container(container.id or "", "merged/more")).open("wb", buffering=0) as file:
        assert 24 * MIB <= fill(file.fileno(), 64 * MIB) <= 34 * MIB
        largest = replace(want, storage_opts=(("size", 96 * MIB),))
        apply(Plan(tuple(size_steps(host.layout, largest, want))))
        assert fill(file.fileno(), 64 * MIB) >= 24 * MIB
    UnmountRootfs(step).do()


def test_nothing_of_it_is_left(sized_host: Host) -> None:
    """A removed container's project has no limit any more, and its image no device."""
    host = sized_host
    container = made(host, 32 * MIB)
    MountRootfs(host.layout, container).do()
    upper, work = storage_opts.layer(host.layout, container.id or "")
    project = quota.project(upper)
    image = storage_opts.has_image(host.layout, container.id or "")
    assert bool(project) != image
    assert quota.project(work) == project
    host.converge(state="absent")
    assert not os.path.exists(host.layout.container(container.id or ""))
    if project:
        assert quota.quota(host.layout.containers, project)[:2] == (0, 0)
