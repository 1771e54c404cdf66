# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AppArmor profiles and SELinux labels, as operations of a container's program. Imported where there are any.

A task writes down what the kernel is to confine it by at its next exec (proc_pid_attr(5), apparmor(7)). What it forks
has that too, so hooks inside the container are confined as its program is. Nothing else is executed in between, and so
it is written while the host's /proc is there, before the system calls are filtered and rights are given up.
"""
from __future__ import annotations

from collections.abc import Iterable, Iterator

from .config_process import Process
from .program import Operation

OWN_FOLDER = "attr/apparmor"
"""AppArmor's attributes, below a process's folder: it shares the others with SELinux (since Linux 5.8)."""

UNLABELLED = ("proc", "sysfs", "cgroup", "cgroup2")
"""Filesystems that take no label of their mount: the policy itself says what their files are."""


def for_exec(process: Process, own_folder: bool) -> list[Operation]:
    """What gives the program its profile and label; ``own_folder`` is whether the kernel has :data:`OWN_FOLDER`."""
    found: list[Operation] = []
    if process.apparmor_profile:
        name = f"{OWN_FOLDER}/exec" if own_folder else "attr/exec"
        profile = process.apparmor_profile
        found.append(("attribute", "process.apparmorProfile", profile, name, f"exec {profile}"))
    if process.selinux_label:
        found.append(("attribute", "process.selinuxLabel", process.selinux_label, "attr/exec", process.selinux_label))
    return found


def for_keys(label: str) -> list[Operation]:
    """What gives the session keyring the program's label, which could not use it otherwise; exec ends that."""
    return [("attribute", "process.selinuxLabel", label, "attr/keycreate", label)]


def mounted(program: Iterable[Operation], label: str) -> Iterator[Operation]:
    """The same program with all new filesystems mounted under an SELinux label (mount(8), "context")."""
    for operation in program:
        name = operation[0]
        if name in ("mount", "filesystem", "copy_up") and operation[3] == "mqueue":
            # It takes no such option, but its root takes a label afterwards.
            yield operation
            yield "label", operation[2], label
        elif name in ("mount", "filesystem", "copy_up") and operation[3] not in UNLABELLED:
            yield (*operation[:5], context(operation[5], label), *operation[6:])
        elif name == "mask":
            yield (*operation, f",{context('', label)}")
        else:
            yield operation


def context(options: str, label: str) -> str:
    """A filesystem's options with the label, unless they have one of their own. It has commas, hence the quotes."""
    if any(word.startswith("context=") for word in options.split(",")):
        return options
    return ",".join(filter(None, (options, f'context="{label}"')))
