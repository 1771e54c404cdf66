# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of pushing begin with, and what they look at."""
from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core import model
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.layout import Layout
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.plan import Outcome, converge
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import content, upload
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image import registry as client
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.pull import pull
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.reference import parse_reference
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources.image_push import (
    IMAGE_PUSH,
    ImagePush,
)
from ansible_collections.pycontainers.linux.tests.kernel.flaky import Flaky
from testbed.registry import Server

KIBI = 1024


def be_quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Try again at once, in pieces that an image of the testbed has several of, and know no logins."""
    monkeypatch.setattr(client, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(client, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(upload.Destination.__init__, "__defaults__", (256 * KIBI,))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))  # REGISTRY_AUTH_FILE would be a setting of the registry's too


def brought(layout: Layout, source: Server, tag: str) -> str:
    """Pull an image into the store; its name there."""
    found = f"{source.address}/busybox:{tag}"
    pull(layout, parse_reference(found))
    return found


def push(layout: Layout, name: str, to: str, check: bool = False) -> Outcome[ImagePush]:
    """Push an image, or see what that would do."""
    return converge(IMAGE_PUSH, layout, model.parse(ImagePush, {"name": name, "destination": to}), check)


def log_in(tmp_path: Path, address: str, login: str) -> None:
    """Keep a login for a registry."""
    auth = base64.b64encode(login.encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {address: {"auth": auth}}}))


def writes(server: Server) -> list[str]:
    """List what the registry was asked to take."""
    return re.findall(r'"((?:POST|PATCH|PUT) [^ ?]+)', server.log.read_text())


def check_whole(layout: Layout, server: Server, name: str, to: str) -> None:
    """Pulled by another host, the image is the one that was pushed, byte for byte."""
    other = Layout(f"{layout.root}-other", f"{layout.run}-other")
    pushed, pulled = content.find(layout, parse_reference(name)), pull(other, parse_reference(f"{server.address}/{to}"))
    assert pushed is not None
    assert (pulled.id, pulled.manifest_digest, pulled.diff_ids) == (pushed.id, pushed.manifest_digest, pushed.diff_ids)


def sent(proxy: Flaky) -> list[tuple[str, int]]:
    """The ranges of the pieces that were sent, and how each was answered."""
    return [(each["range"], each["status"]) for each in proxy.asked("PATCH")]
