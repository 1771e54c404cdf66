# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused around images: bombs for archives, files that wait in an export's place, folders without end."""
from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import Failure, InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import archive, content, export, layer
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.erase import erase
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import quota
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_export import (
    IMAGE_EXPORT,
    ImageExport,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host
from ansible_collections.pycontainers.linux.tests.kernel.test_container_deep import deepen


def test_an_archive_that_is_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compressed archive unpacks to as much as a layer of its size may, and not to a whole disk."""
    monkeypatch.setattr(layer, "LEAST_LIMIT", 1 << 20)
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(gzip.compress(bytes(8 << 20)))
    with pytest.raises(Failure, match=r"it unpacks to more than [0-9]+ bytes"), archive.opened(str(bomb)):
        pass


def test_an_export_writes_through_nothing_that_waits_for_it(tmp_path: Path) -> None:
    """A folder may be one that others write to: a link that one of them has made is no way to another file."""
    target, place = tmp_path / "target", tmp_path / ".images.tar.new"
    target.write_text("precious")
    place.symlink_to(target)
    with pytest.raises(FileExistsError):
        export._made(str(place), os.O_WRONLY | os.O_CREAT)
    assert target.read_text() == "precious"


def test_a_name_that_docker_can_not_write_is_refused(host: Host, tmp_path: Path) -> None:
    """Docker's archives have tags only; a name without one would make each run another change."""
    (image,) = content.images(host.layout)
    named = parse_reference(f"registry.test/web@{image.manifest_digest}")
    with content.lock(host.layout):
        content.set_entry(host.layout, named, image.entry)
    for form, refused in (("docker-archive", True), ("oci-archive", False)):
        given = {"path": str(tmp_path / form), "names": [str(named)], "format": form}
        if refused:
            with pytest.raises(InvalidValue, match="give a tag, or format: oci-archive"):
                converge(IMAGE_EXPORT, host.layout, parse(ImageExport, given), check=True)
        else:
            assert converge(IMAGE_EXPORT, host.layout, parse(ImageExport, given), check=False).changed
            assert not converge(IMAGE_EXPORT, host.layout, parse(ImageExport, given), check=False).changed


def test_folders_without_end_get_no_project(tmp_path: Path) -> None:
    """What a program has made in there is no reason for a traceback."""
    top = tmp_path / "top"
    top.mkdir()
    deepen(top, 1500)
    try:
        with pytest.raises(OSError, match="more than 255 folders in each other"):
            quota.set_project(str(top), 7)
    finally:
        erase(str(top))
