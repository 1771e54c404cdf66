# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernel can do, as far as it says so itself: nothing is tried, so no module is loaded by the question."""
from __future__ import annotations

import os
import zlib
from contextlib import suppress
from typing import NamedTuple


class Feature(NamedTuple):
    """How a feature can be told: by its configuration, its module, its filesystem, or a file that comes with it."""

    config: str
    module: str = ""
    filesystem: str = ""
    file: str = ""


FEATURES = {
    "overlay": Feature("OVERLAY_FS", "overlay", "overlay"),
    "quota": Feature("QUOTA", file="/proc/sys/fs/quota"),
    "loop": Feature("BLK_DEV_LOOP", "loop", file="/dev/loop-control"),
    "seccomp": Feature("SECCOMP_FILTER", file="/proc/sys/kernel/seccomp/actions_avail"),
    "user_namespaces": Feature("USER_NS", file="/proc/self/ns/user"),
    "nf_tables": Feature("NF_TABLES", "nf_tables"),
    "bridge": Feature("BRIDGE", "bridge"),
    "veth": Feature("VETH", "veth"),
    "vlan": Feature("VLAN_8021Q", "8021q", file="/proc/net/vlan"),
    "macvlan": Feature("MACVLAN", "macvlan"),
    "ipvlan": Feature("IPVLAN", "ipvlan"),
}


def features() -> dict[str, bool | None]:
    """Whether the kernel has each feature, or can load it; None where that can't be told without trying."""
    config, modules, filesystems = _config(), _modules(), _filesystems()
    return {name: _has(each, config, modules, filesystems) for name, each in FEATURES.items()}


def _has(
    feature: Feature, config: dict[str, str] | None, modules: frozenset[str] | None, filesystems: frozenset[str]
) -> bool | None:
    """Signs that it is there count more than what is written down of the kernel."""
    there = (
        feature.filesystem in filesystems,
        bool(feature.module) and os.path.isdir(f"/sys/module/{feature.module}"),
        bool(feature.file) and os.path.exists(feature.file),
        modules is not None and feature.module in modules,
    )
    if any(there):
        return True
    if config is not None:
        said = config.get(f"CONFIG_{feature.config}")
        # One that is a module is of no use where its file is not; without a list of files that is not known.
        return None if said == "m" and modules is None else said == "y"
    return None if modules is None or not feature.module else False


def _config() -> dict[str, str] | None:
    """The kernel's configuration; None where nobody has kept it."""
    release = os.uname().release
    for path in ("/proc/config.gz", f"/boot/config-{release}", f"/lib/modules/{release}/config"):
        with suppress(OSError, zlib.error), open(path, "rb") as file:
            content = file.read()
            text = (zlib.decompress(content, 31) if path.endswith(".gz") else content).decode(errors="replace")
            return dict(line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_") and "=" in line)
    return None


def _modules() -> frozenset[str] | None:
    """The names of modules that are part of the kernel or can be loaded; None where there is no list of them."""
    found: set[str] = set()
    known = False
    for name in ("modules.builtin", "modules.dep"):
        with suppress(OSError), open(f"/lib/modules/{os.uname().release}/{name}", encoding="utf-8") as file:
            known = True
            found |= {os.path.basename(line.partition(":")[0].strip()).partition(".ko")[0] for line in file}
    return frozenset(each.replace("-", "_") for each in found) if known else None


def _filesystems() -> frozenset[str]:
    with open("/proc/filesystems", encoding="utf-8") as file:
        return frozenset(line.split()[-1] for line in file)


def security_modules() -> list[str]:
    """The Linux security modules that are on, in their order; none where securityfs is not mounted."""
    with suppress(OSError), open("/sys/kernel/security/lsm", encoding="utf-8") as file:
        return file.read().strip().split(",")
    return []
