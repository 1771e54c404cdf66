# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's process 1 is, and whose processes it sees."""
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.resources import container_init
from ansible_collections.pycontainers.linux.tests.kernel.container_bench import SLEEP, Host, wait
from ansible_collections.pycontainers.linux.tests.kernel.oci_clients import client

ORPHAN = "(sleep 0.1 & ) ; sleep 1000"
"""A script whose shell has been left by a child of its own before that ends."""


@pytest.fixture
def tini(monkeypatch: pytest.MonkeyPatch) -> str:
    """The path of an init, which is the first to be found."""
    folders = client("tini-static")["PATH"]
    monkeypatch.setenv("PATH", folders)
    return f"{folders.split(':')[1]}/tini-static"


def zombies(host: Host) -> list[str]:
    """The zombies that the container sees."""
    script = "grep -h '^State' /proc/[0-9]*/status"
    return [line for line in host.ok("exec", "c", "sh", "-c", script).splitlines() if "Z" in line]


def test_an_init_reaps_and_passes_signals_on(host: Host, tini: str) -> None:
    """With an init orphans are reaped and a command without handlers ends by the stop signal, with its own status."""
    host.shell(ORPHAN)
    wait(lambda: len(zombies(host)) == 1)
    host.converge(state="absent")
    container = host.shell(ORPHAN, init=True)
    assert Path(f"/proc/{host.pid()}/cmdline").read_bytes().split(b"\0")[:3] == [b"/sbin/docker-init", b"--", b"sh"]
    assert os.path.samestat(os.stat(f"/proc/{host.pid()}/root/sbin/docker-init"), os.stat(tini))
    wait(lambda: "sleep\0000.1" not in host.ok("exec", "c", "sh", "-c", "cat /proc/[0-9]*/cmdline"))
    assert zombies(host) == []
    os.kill(host.pid(), 15)
    assert host.ended(container).exit_code == 143
    assert host.said("touch /sbin/docker-init 2>&1; exit 0", init=True).strip().endswith("Read-only file system")


def test_declaring_an_init(host: Host, tini: str) -> None:
    """It is told in diff and facts, makes the container anew once, and false is the same as nothing."""
    host.run()
    before = host.observed().id
    assert host.converge(init=False).changed is False
    checked = host.converge(init=True, check=True)
    assert [(each.path, each.before, each.after) for each in checked.changes if each.path == "init"] == [
        ("init", False, True)
    ]
    assert host.observed().id == before
    assert host.converge(init=True, stop_timeout=0).changed is True
    assert host.observed().id != before
    assert host.converge(init=True).changed is False
    assert host.converge().changed is False
    shown = json.loads(host.ok("inspect", "c"))[0]
    assert shown["HostConfig"]["Init"] is True
    assert (shown["Path"], shown["Args"]) == (SLEEP[0], SLEEP[1:])
    assert shown["HostConfig"]["UsernsMode"] == "host"
    assert host.converge(userns_mode="host").changed is False


def test_a_missing_program_is_told_before_an_init_runs(host: Host, tini: str) -> None:
    """What is looked for in the image is the command, not the init."""
    with pytest.raises(Exception, match=r'exec: "no-such": executable file not found'):
        host.run(["no-such"], init=True)


def test_a_host_without_an_init(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host that has none, or one that needs the host's C library, is told what it lacks, before anything is made."""
    monkeypatch.setattr(container_init, "FOLDERS", "/none")
    monkeypatch.setenv("PATH", "/none")
    with pytest.raises(InvalidValue, match="install the package tini") as caught:
        host.run(init=True)
    assert caught.value.option == "init"
    (tmp_path / "tini").symlink_to(os.path.realpath("/bin/ls"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidValue, match=f"statically linked, which {tmp_path}/tini is not"):
        host.run(init=True)
    (tmp_path / "dumb-init").write_text("#!/bin/sh\n")
    (tmp_path / "dumb-init").chmod(0o755)
    with pytest.raises(InvalidValue, match="statically linked"):
        host.run(init=True)
