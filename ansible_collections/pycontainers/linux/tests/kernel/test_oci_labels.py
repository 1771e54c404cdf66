# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppArmor profiles and SELinux labels on this kernel, which need not have either."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.errors import InvalidValue
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.host import facts
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.stage_users import Users
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import Oci


def test_they_are_written_to_the_task_itself() -> None:
    """What is to confine a program is written to the attributes of whoever is to become it."""
    name = Path("/proc/thread-self/comm").read_text()
    try:
        Users().attribute("process.selinuxLabel", "x", "comm", "labelled")
        assert Path("/proc/thread-self/comm").read_text() == "labelled\n"
    finally:
        Path("/proc/thread-self/comm").write_text(name)


def test_what_the_kernel_does_not_take() -> None:
    """An attribute that the kernel does not take is an error that names the field and the value."""
    with pytest.raises(InvalidValue, match="the kernel does not take it") as caught:
        Users().attribute("process.apparmorProfile", "no-such", "attr/none", "exec no-such")
    assert (caught.value.option, caught.value.value) == ("process.apparmorProfile", "no-such")


def test_files_are_labelled(tmp_path: Path) -> None:
    """A place inside the root gets a label, in the attribute that SELinux reads."""
    stage = Users()
    stage.root = os.open(tmp_path, os.O_PATH)
    (tmp_path / "place").mkdir()
    stage.label("/place", "a:b:c")
    os.close(stage.root)
    assert os.getxattr(tmp_path / "place", "security.selinux") == b"a:b:c"


@pytest.mark.parametrize(
    ("part", "name", "module"),
    [
        ("process", "apparmorProfile", "AppArmor"),
        ("process", "selinuxLabel", "SELinux"),
        ("linux", "mountLabel", "SELinux"),
    ],
)
def test_a_host_without_the_module(oci: Oci, part: str, name: str, module: str) -> None:
    """Where the kernel does not confine so, the field is refused by its name; empty it says nothing."""
    host = facts(None)
    if {"AppArmor": host.apparmor, "SELinux": host.selinux}[module]:
        pytest.skip(f"this kernel has {module}")

    def change(value: str) -> Any:
        return lambda document: document[part].update({name: value})

    assert f"as {part}.{name}: {module} is not enabled on this host" in oci.refused(change("x"))
    assert oci.said("echo runs", change("")) == "runs\n"


def test_exec_on_a_host_without_the_module(oci: Oci) -> None:
    """The same goes for another program in a container, before it is begun."""
    host = facts(None)
    oci.run()
    options = ("--apparmor", "apparmorProfile", host.apparmor), ("--process-label", "selinuxLabel", host.selinux)
    for option, field, there in options:
        if not there:
            done = oci.call("exec", option, "x", "c", "true")
            assert done.returncode == 255
            assert f"cannot use 'x' as process.{field}: " in done.stderr
