# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images of an archive on the controller get to a host through Ansible, and only what the host lacks."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import parse
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import check, content
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_export import (
    IMAGE_EXPORT,
    ImageExport,
)
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import Host

REPOSITORY = Path(__file__).resolve().parents[5]
RESULT = re.compile(r"^\S+ \| (\w+)!? => (\{.*^\})$", re.MULTILINE | re.DOTALL)
NAME = "registry.test/web:1"


class Controller:
    """Runs modules on a second store of this machine. What is sent there is noted by its names and size."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.layout = Layout(str(home / "root"), str(home / "run"))

    def task(self, module: str, *options: str, pipelining: bool = True, **arguments: Any) -> dict[str, Any]:
        """Run a module, and return its result with ``failed``."""
        program = str(Path(sys.executable).with_name("ansible"))
        given = {"root": self.layout.root, "run": self.layout.run, **arguments}
        words = [program, "localhost", "-c", "local", "-m", f"pycontainers.linux.{module}", "-a", json.dumps(given)]
        environment = {
            # The configuration of the checkout names an inventory, which need not be there.
            **{key: value for key, value in os.environ.items() if key != "ANSIBLE_CONFIG"},
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY),
            "ANSIBLE_HOME": str(self.home / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": str(int(pipelining)),
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        }
        done = subprocess.run(
            [*words, *options], env=environment, capture_output=True, text=True, timeout=120, check=False, cwd="/"
        )
        found = RESULT.search(done.stdout)
        assert found, done.stdout + done.stderr
        assert "[WARNING]" not in done.stderr
        return {**json.loads(found[2]), "failed": found[1] == "FAILED"}


@pytest.fixture
def controller(tmp_path: Path) -> Controller:
    """A controller with a host that has nothing yet."""
    return Controller(tmp_path / "far")


def exported(host: Host, path: Path, *names: str, form: str = "oci-archive") -> str:
    """Write an archive for the controller to have."""
    values = {"path": str(path), "names": list(names), "format": form}
    converge(IMAGE_EXPORT, host.layout, parse(ImageExport, values), False)
    return str(path)


def ids(layout: Layout) -> dict[str, str]:
    """What each name stands for."""
    return {name: each.id for each in content.images(layout) for name in each.references}


def without_layers(host: Host, name: str, folder: Path) -> list[str]:
    """Write a layout of an image and take its layers out of it; their names."""
    exported(host, folder, name, form="oci-dir")
    image = content.find(host.layout, parse_reference(name))
    assert image is not None
    manifest = json.loads(Path(content.blob(host.layout, image.manifest_digest)).read_bytes())
    names = [f"blobs/sha256/{each['digest'][7:]}" for each in manifest["layers"]]
    for each in names:
        folder.joinpath(each).unlink()
    return names


def test_a_host_gets_what_it_lacks(host: Host, controller: Controller, tmp_path: Path) -> None:
    """A check tells what the run does; layers that the host has are not asked for, and there is no second time."""
    other = host.image("other", {"Cmd": ["other"]})
    given: dict[str, Any] = {"path": exported(host, tmp_path / "one.tar", host.busybox), "remote_src": False}
    predicted = controller.task("image_load", "--check", **given)
    assert (predicted["failed"], predicted["changed"]) == (False, True)
    assert ids(controller.layout) == {}
    done = controller.task("image_load", **given)
    assert (done["actions"], done["changes"]) == (predicted["actions"], predicted["changes"])
    assert given["path"] in done["actions"][0]
    assert ids(controller.layout) == {host.busybox: ids(host.layout)[host.busybox]}
    without_layers(host, other, tmp_path / "layout")
    assert controller.task("image_load", path=str(tmp_path / "layout"), remote_src=False)["changed"]
    assert ids(controller.layout) == ids(host.layout)
    assert check.check(controller.layout) == []
    assert list((controller.home / "ansible").rglob("images.tar")) == []


def test_the_module_image_takes_an_archive_of_the_controller(
    host: Host, controller: Controller, tmp_path: Path
) -> None:
    """The image gets its names on the host, without pipelining as well; what docker save writes does it too."""
    path = exported(host, tmp_path / "one.tar", host.busybox, form="docker-archive")
    given: dict[str, Any] = {"name": NAME, "source": "archive", "path": path, "remote_src": False}
    given["tags"] = ["registry.test/b:1"]
    done = controller.task("image", pipelining=False, **given)
    assert (done["failed"], done["changed"]) == (False, True)
    assert set(ids(controller.layout)) == {NAME, "registry.test/b:1"}
    assert check.check(controller.layout) == []
    assert not controller.task("image", **given)["changed"]


def test_what_is_not_there_is_told(host: Host, controller: Controller, tmp_path: Path) -> None:
    """Layers that nobody has are named by the run; a check gets none and needs none. So is a file that is missing."""
    folder = tmp_path / "layout"
    names = without_layers(host, host.busybox, folder)
    given: dict[str, Any] = {"path": str(folder), "remote_src": False}
    assert controller.task("image_load", "--check", **given)["changed"]
    failed = controller.task("image_load", **given)
    assert failed["failed"]
    assert f"cannot read the images in {folder}: it lacks '{names[0]}'" in failed["msg"]
    assert ids(controller.layout) == {}
    assert controller.task("image_load", path="no such.tar", remote_src=False)["failed"]
