# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a container is kept from the host's interpreter, which its first process is until it executes the program.

Another process of the container could open it through /proc, if it may trace that process; and so could the program,
if it is a script (CVE-2019-5736). Where the container has a pid namespace to itself, there is no other process yet, and
:mod:`..kernel.trampoline` is enough. Else the interpreter is executed anew from a read-only mount
(:func:`..kernel.security.shield_interpreter`), which costs as much as all the rest of the start.
"""
from __future__ import annotations

from ..kernel import syscalls, trampoline
from .config import Config

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .config_seccomp import Seccomp


def by_trampoline(config: Config) -> bool:
    """Whether the trampoline will do.

    A label for the next execve(2) would be used up by it, and a filter may know the calls only that the program needs.
    """
    process = config.process
    labelled = process and (process.apparmor_profile or process.selinux_label)
    alone = bool(config.namespaces.new & syscalls.CLONE_NEWPID)
    return alone and not labelled and lets_through(config.seccomp, trampoline.SYSTEM_CALLS) and trampoline.usable()


def lets_through(profile: Seccomp | None, names: tuple[str, ...]) -> bool:
    """Whether a filter allows these system calls whatever their arguments are."""
    if profile is None:
        return True
    from ..kernel.libseccomp import ALLOW

    for name in names:
        rules = [rule for rule in profile.rules if name in rule.names]
        if any(rule.action != ALLOW for rule in rules):
            return False
        if profile.default != ALLOW and all(rule.comparisons for rule in rules):
            return False
    return True
