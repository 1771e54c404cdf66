# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a runtime could leave on the machine, looked at before and after; and its death at a chosen system call."""
from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.oci.limits import groups
from ansible_collections.pycontainers.linux.tests.kernel.oci_bench import COMMAND, Oci, wait

EFFECTS = (
    *("mkdir", "rmdir", "unlink", "rename", "write", "flock"),
    *("bind", "connect", "sendto", "recvfrom", "close_range"),
    *("clone", "unshare", "setns", "mount", "move_mount", "bpf"),
    *("kill", "pidfd_send_signal", "wait4", "poll", "exit_group"),
)
"""System calls by which a runtime changes what others see, or waits for them.

Between two of them nothing changes, so whoever is killed at each has been killed in every state that there is.
"""


class Traces(NamedTuple):
    """What is there: mounts, links, cgroups, this process's descriptors and children, and names in the root folder."""

    mounts: tuple[str, ...]
    links: tuple[str, ...]
    cgroups: tuple[str, ...]
    descriptors: tuple[str, ...]
    children: tuple[str, ...]
    names: tuple[str, ...]


def traces(root: Path) -> Traces:
    """All that is there now. Compiled seccomp filters are kept on purpose and left out."""
    names = tuple(sorted(os.listdir(root))) if root.exists() else ()
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return Traces(
        mounts=tuple(sorted(line.split()[4] for line in mounts)),
        links=tuple(sorted(name for _, name in socket.if_nameindex())),
        cgroups=tuple(_cgroups()),
        descriptors=tuple(_descriptors()),
        children=tuple(child for task in os.listdir("/proc/self/task") for child in _children(task)),
        names=tuple(name for name in names if name != "seccomp~"),
    )


def _cgroups() -> list[str]:
    """Every group that the test process sees with version 1; with version 2, which it shares, those of our names."""
    found = groups()
    folders = [folder for top in found.directories(".") for folder, _, _ in os.walk(top)]
    return sorted(folder for folder in folders if found.version == 1 or "/pycontainers" in folder)


def _descriptors() -> list[str]:
    """Numbers and what is behind them, without the one that reads this."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.append(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
    return sorted(found)


def _children(task: str) -> list[str]:
    """The test process is the subreaper: whatever a runtime leaves running becomes its child."""
    return Path(f"/proc/self/task/{task}/children").read_text().split()


def _without_removed(now: Traces, before: Traces) -> Traces:
    """What is there now, and mounts that the kernel has taken out of all namespaces as somebody removed their place.

    The machine's, of which there are copies here, come and go with whatever else it does.
    """
    gone = list((Counter(before.mounts) - Counter(now.mounts)).elements())
    removed = [each for each in gone if not os.path.lexists(each)]
    return now._replace(mounts=tuple(sorted([*now.mounts, *removed])))


def all_gone(oci: Oci, before: Traces) -> None:
    """Wait until the machine is as it was; what is left otherwise is told."""
    now = before

    def same() -> bool:
        nonlocal now
        oci.reap()
        now = _without_removed(traces(oci.root), before)
        return now == before

    with suppress(AssertionError):
        wait(same)
    for name in Traces._fields:
        assert sorted(set(getattr(now, name)) ^ set(getattr(before, name))) == [], name
    assert now == before


def deleted(oci: Oci) -> None:
    """Delete the container c by force, and meanwhile reap what is left to the test process, as clients do.

    The first process does not end before whatever is in its pid namespace has been reaped.
    """
    errors = oci.bundle / "errors"
    with open(errors, "wb") as stderr:
        command = [COMMAND, "--root", str(oci.root), "delete", "--force", "c"]
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=stderr, cwd=oci.bundle, env={})
    while running.poll() is None:
        for child in traces(oci.root).children:
            if int(child) != running.pid:
                with suppress(ChildProcessError):
                    os.waitpid(int(child), os.WNOHANG)
        time.sleep(0.01)
    assert (running.returncode, errors.read_text()) == (0, "")


def steps(oci: Oci, *words: str) -> list[tuple[str, int]]:
    """The system calls that a verb makes and that change something: names, and which of its name each is."""
    seen = oci.bundle / "calls"
    assert _traced(oci, "-e", f"trace={','.join(EFFECTS)}", "-o", str(seen), words=words) == 0
    counted: Counter[str] = Counter()
    found = []
    for name in re.findall(r"^(\w+)\(", seen.read_text(), re.MULTILINE):
        counted[name] += 1
        found.append((name, counted[name]))
    seen.unlink()
    return found


def killed(oci: Oci, step: tuple[str, int], *words: str) -> bool:
    """Run a verb whose process gets SIGKILL as it makes this call, and no other; False if it did not get so far."""
    name, number = step
    inject = f"inject={name}:signal=KILL:when={number}"
    status = _traced(oci, "-e", f"trace={name}", "-e", inject, "-o", os.devnull, words=words)
    assert status in (0, -9), (step, (oci.bundle / "errors").read_text())
    return status != 0


def _traced(oci: Oci, *options: str, words: tuple[str, ...]) -> int:
    """The status of a verb under strace, which does not follow its children, so that these go on as ever."""
    command = ["strace", "-qq", *options, COMMAND, "--root", str(oci.root), *words]
    with open(os.devnull, "r+b") as null, open(oci.bundle / "errors", "wb") as errors:
        return subprocess.run(
            command, stdin=null, stdout=null, stderr=errors, cwd=oci.bundle, env={}, timeout=30, check=False
        ).returncode
