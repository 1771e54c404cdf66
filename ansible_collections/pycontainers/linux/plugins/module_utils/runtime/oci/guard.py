# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a container is kept from the host's interpreter, which its first process is until it executes the program.

Another process of the container could open it through /proc, if it may trace that process; and so could the program,
if it is a script (CVE-2019-5736). Where the container has a pid namespace to itself, no other process is there but
those of an exec before the start, and :mod:`..kernel.trampoline` is enough where they may trace nobody; other
containers that share it wait (:func:`.lifecycle.begun`). Else the interpreter is executed anew from a read-only mount
(:func:`..kernel.security.shield_interpreter`), which costs as much as all the rest of the start.
"""
from __future__ import annotations

from ..kernel import security, syscalls, trampoline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..typed import Any
    from .config import Config
    from .config_process import Process
    from .config_seccomp import Seccomp


def by_trampoline(config: Config) -> bool:
    """Whether the trampoline will do.

    A label for the next execve(2) would be used up by it, and a filter may know the calls only that the program needs.
    """
    from .mappings import has_users

    process = config.process
    labelled = process and (process.apparmor_profile or process.selinux_label)
    alone = bool(config.namespaces.new & syscalls.CLONE_NEWPID)
    # In a user namespace clocks are shifted by a process that other processes may trace, and before its fork.
    hidden = not config.time_offsets if has_users(config) else not (process and may_trace(process))
    fitting = alone and hidden and not labelled
    return fitting and lets_through(config.seccomp, trampoline.SYSTEM_CALLS) and trampoline.usable()


def described_fits(config: dict[str, Any], filtered: bool) -> bool:
    """The same for a configuration of our own (:mod:`.spec`), which has no user namespace and no label.

    ``filtered`` says whether its filter keeps the trampoline from what it does (:func:`lets_through`).
    """
    alone = any(each["type"] == "pid" and "path" not in each for each in config["linux"]["namespaces"])
    sets = config["process"]["capabilities"]
    traces = any("CAP_SYS_PTRACE" in sets.get(name, ()) for name in ("bounding", "permitted", "inheritable"))
    return alone and not traces and not filtered and trampoline.usable()


def may_trace(process: Process) -> bool:
    """Whether a program could get the right to trace the host's interpreter, where no user namespace keeps it off."""
    sets = process.capabilities
    return bool((sets.bounding | sets.permitted | sets.inheritable) & security.mask(["SYS_PTRACE"]))


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
