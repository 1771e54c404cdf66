# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is put into a container: its own words, its image's, and what it takes over from the one before."""
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_volumes
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.container_model import Container

LAYOUT = Layout("/root", "/run")
IDENTITY = "0a" * 32


def container(**options: Any) -> Container:
    """A container with an id."""
    return parse(Container, {"name": "web", "id": IDENTITY, **options})


def places(one: Container, config: dict[str, Any]) -> dict[str, str]:
    """The places in a container with what of the host is there."""
    found = container_volumes.in_use(one, config)
    return {each.target: container_volumes.source(LAYOUT, each) for each in found}


def test_each_place_has_its_source() -> None:
    """A path is the host's own, a name stands for a volume, and no name is one that follows from id and place."""
    own = container_volumes.anonymous_name(IDENTITY, "/c")
    one = container(volumes=["/a:/x", "b:/b", "/c"])
    assert places(one, {}) == {
        "/b": "/root/volumes/b/_data",
        "/c": f"/root/volumes/{own}/_data",
        "/x": "/a",
    }
    assert container_volumes.anonymous(one, {}) == {"/c": own}
    assert container_volumes.named(one) == ("b",)
    assert len({own, *(container_volumes.anonymous_name(*each) for each in ((IDENTITY, "/d"), ("1b", "/c")))}) == 3


@pytest.mark.parametrize(
    ("said", "places"),
    [
        ({"/a": {}}, ["/a"]),
        ({"/a/": {}, "//b/../c": {}}, ["/a", "/c"]),
        ({"relative": {}, "../..": {}, "/": {}, "": {}}, ["/relative"]),
        (None, []),
    ],
)
def test_an_images_places_are_plain(said: Any, places: list[str]) -> None:
    """Whatever an image writes is a place below the container's root, and never the root itself."""
    assert container_volumes.of_image({"Volumes": said}) == places


@pytest.mark.parametrize("options", [{"volumes": ["/host:/data"]}, {"volumes": ["a:/data"]}, {"tmpfs": ["/data"]}])
def test_a_containers_own_words_go_over_its_images(options: dict[str, Any]) -> None:
    """Where something is put that the image declares to be a volume, there is no volume besides."""
    assert container_volumes.anonymous(container(**options), {"Volumes": {"/data": {}}}) == {}


def test_what_was_taken_over_keeps_its_name() -> None:
    """Names of the container before are used at the same places, and at no others."""
    one = container(volumes=["/a", "b:/b"], anonymous={"/a": "old-a", "/b": "old-b", "/c": "old-c", "/e": "old-e"})
    found = container_volumes.anonymous(one, {"Volumes": {"/c": {}, "/d": {}}})
    assert found == {"/a": "old-a", "/c": "old-c", "/d": container_volumes.anonymous_name(IDENTITY, "/d")}
