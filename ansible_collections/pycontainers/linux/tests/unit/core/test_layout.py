# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import (
    DEFAULT_ROOT,
    DEFAULT_RUN,
    Layout,
)

LAYOUT = Layout("/srv/root", "/srv/run")
PATHS = [
    LAYOUT.images,
    LAYOUT.layer("sha256:ab"),
    LAYOUT.registries,
    LAYOUT.networks,
    LAYOUT.network("front"),
    LAYOUT.leases("front"),
    LAYOUT.names,
    LAYOUT.name("web"),
    LAYOUT.containers,
    LAYOUT.container("0a"),
    LAYOUT.container("0a", "container.json"),
    LAYOUT.running("0a"),
    LAYOUT.running("0a", "init"),
    LAYOUT.netns("0a"),
    LAYOUT.runtimes,
    LAYOUT.lock("runtime"),
]


def test_everything_is_below_root_or_run() -> None:
    """Every path lies below one of the two folders, each is normal, and none is another's."""
    assert all(path.startswith(("/srv/root/", "/srv/run/")) for path in PATHS)
    assert [os.path.normpath(path) for path in PATHS] == PATHS
    assert len(set(PATHS)) == len(PATHS)


def test_what_ends_with_the_boot_is_in_run() -> None:
    """What tells of processes, namespaces and locks does not outlive a reboot."""
    assert [path for path in PATHS if path.startswith("/srv/run/")] == [
        "/srv/run/containers/0a",
        "/srv/run/containers/0a/init",
        "/srv/run/netns/0a",
        "/srv/run/locks/runtime.lock",
    ]


def test_a_layers_folder_is_named_by_its_digest() -> None:
    """The name of the algorithm is no part of a layer's folder."""
    assert LAYOUT.layer("sha256:ab12") == "/srv/root/layers/ab12"


@pytest.mark.parametrize(
    ("environment", "layout"),
    [
        ({}, Layout()),
        ({"PYCONTAINERS_ROOT": ""}, Layout(DEFAULT_ROOT, DEFAULT_RUN)),
        ({"PYCONTAINERS_ROOT": "/a"}, Layout("/a", DEFAULT_RUN)),
        ({"PYCONTAINERS_RUN": "/b"}, Layout(DEFAULT_ROOT, "/b")),
        ({"PYCONTAINERS_ROOT": "/a", "PYCONTAINERS_RUN": "/b", "HOME": "/c"}, Layout("/a", "/b")),
    ],
)
def test_the_environment_names_the_layout(environment: dict[str, str], layout: Layout) -> None:
    """Two variables name the folders; one that is not set or empty leaves the host's own."""
    assert Layout.of_environment(environment) == layout
