# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci import config, join, labels, operations
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.config_process import Process
from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.program import Operation
from ansible_collections.pycontainers.linux.tests.unit.oci_config.samples import RUNC_SPEC, with_value

LABEL = "system_u:system_r:container_t:s0:c1,c2"
FILES = "system_u:object_r:container_file_t:s0:c1,c2"


def given(**values: Any) -> Process:
    """A process with these values."""
    document = {"args": ["sh"], "cwd": "/", **values}
    return config.parse_process(document)[0]


def program(**linux: Any) -> list[Operation]:
    """The program of a configuration with a label, a profile and hooks."""
    document = RUNC_SPEC
    for name, value in linux.items():
        document = with_value(document, ("linux", name), value)
    document = with_value(document, ("process", "apparmorProfile"), "some-profile")
    document = with_value(document, ("process", "selinuxLabel"), LABEL)
    hook = [{"path": "/bin/true"}]
    document = with_value(document, ("hooks",), {"createContainer": hook, "startContainer": hook})
    wanted = config.parse(document, "/bundle")
    assert wanted.process is not None
    found = operations.compile_config(wanted, wanted.process, None, "", pivot=True, keyring=True, shifts={})
    return list(found)


@pytest.mark.parametrize(("own_folder", "file"), [(True, "attr/apparmor/exec"), (False, "attr/exec")])
def test_apparmor(own_folder: bool, file: str) -> None:
    """A profile is asked for in AppArmor's own attribute, or in the common one where the kernel has no other."""
    wanted = [("attribute", "process.apparmorProfile", "p//q", file, "exec p//q")]
    assert labels.for_exec(given(apparmorProfile="p//q"), own_folder) == wanted


def test_selinux() -> None:
    """A label is written as it is, beside the other module's profile."""
    found = labels.for_exec(given(selinuxLabel=LABEL, apparmorProfile="p"), True)
    assert [(each[1], each[3], each[4]) for each in found] == [
        ("process.apparmorProfile", "attr/apparmor/exec", "exec p"),
        ("process.selinuxLabel", "attr/exec", LABEL),
    ]


def test_an_empty_value_is_none() -> None:
    """An empty profile or label is as good as none."""
    assert labels.for_exec(given(selinuxLabel="", apparmorProfile=""), True) == []


def test_when_they_are_written() -> None:
    """They are written after the hooks in the host's root, before the host's /proc is gone."""
    names = [each[0] if each[0] != "hooks" else each[1] for each in program()]
    places = [index for index, name in enumerate(names) if name == "attribute"]
    assert len(places) == 3
    keys, *exec_ = places
    assert names[keys + 1] == "keyring"
    assert names.index("createContainer") < exec_[0]
    assert exec_[1] < names.index("become_root") < names.index("identity") < names.index("startContainer")


def test_another_process_of_the_container() -> None:
    """What exec runs is given them before it enters the container."""
    process = given(selinuxLabel=LABEL, apparmorProfile="p")
    names = [each[0] for each in operations.compile_process(process, None, (), 5, 0, "")]
    assert names.index("attribute") < names.index("enter")
    assert names.count("attribute") == 2


def test_what_exec_runs_is_confined_as_the_container() -> None:
    """It has the container's profile and label, each unless it has one of its own."""
    document = with_value(RUNC_SPEC, ("process", "apparmorProfile"), "some-profile")
    container = config.parse(with_value(document, ("process", "selinuxLabel"), LABEL), "/bundle")
    asked: tuple[dict[str, str], ...] = ({}, {"apparmorProfile": "p"}, {"selinuxLabel": "a:b:c"})
    found = [join.labelled(given(**values), container) for values in asked]
    assert [(each.apparmor_profile, each.selinux_label) for each in found] == [
        ("some-profile", LABEL),
        ("p", LABEL),
        ("some-profile", "a:b:c"),
    ]
    assert join.labelled(given(), config.parse(RUNC_SPEC, "/bundle")) == given()


def test_new_filesystems_are_labelled() -> None:
    """Every new filesystem has the label but those whose files the policy labels; what is bound keeps its own."""
    found = program(mountLabel=FILES, maskedPaths=["/proc/kcore"])
    mounts = {each[2]: (each[3], each[5]) for each in found if each[0] in ("mount", "filesystem")}
    said = f'context="{FILES}"'
    labelled = {place: options for place, (_, options) in mounts.items() if options.endswith(said)}
    assert labelled == {"/dev": f"mode=755,size=65536k,{said}", "/dev/pts": labelled["/dev/pts"]}
    assert labelled["/dev/pts"].startswith("newinstance,ptmxmode=0666")
    assert {kind for kind, options in mounts.values() if said not in options} >= {"proc", "sysfs", "mqueue"}
    assert ("label", "/dev/mqueue", FILES) in found
    assert ("mask", "/proc/kcore", f",{said}") in found
    assert [each for each in program() if "context" in str(each)] == []


@pytest.mark.parametrize(
    ("options", "wanted"),
    [("", 'context="a:b,c"'), ("size=1m", 'size=1m,context="a:b,c"'), ("context=x,size=1m", "context=x,size=1m")],
)
def test_options(options: str, wanted: str) -> None:
    """The label comes after other options, and a mount's own counts."""
    assert labels.context(options, "a:b,c") == wanted


def test_without_labels(tmp_path: Path) -> None:
    """A configuration without labels has no operation about them."""
    wanted = config.parse(RUNC_SPEC, str(tmp_path))
    assert wanted.process is not None
    found = operations.compile_config(wanted, wanted.process, None, "", pivot=True, keyring=True, shifts={})
    assert {each[0] for each in found} & {"attribute", "label"} == set()
