# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A config.json (OCI runtime-spec 1.3, config.md) as values that the kernel takes, or why it can't be followed.

All of this is pure: nothing is looked up or touched. Whether this host can do what is asked for is the question of
:mod:`.config_supported`. Fields that nobody knows are ignored, as the specification wants it.
"""
from __future__ import annotations

import os

from ..kernel import syscalls
from ..kernel.process_attributes import UTS_LENGTH
from ..typed import Any, NamedTuple
from . import config_linux
from .config_cgroup import CgroupPath, cgroup_path
from .config_linux import Device, Namespaces
from .config_mounts import Extent, Mount, extents, mounts
from .config_process import Hook, Process, hooks, process
from .config_resources import Resources, resources
from .fields import Field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .config_seccomp import Seccomp

_VERSION_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")
"""What pre-release and build of a version are made of."""


class Config(NamedTuple):
    """A whole configuration.

    ``rootfs`` is absolute; ``process`` is None where none is given, which is no error before ``start``. ``hooks`` has
    all kinds. Where nothing is said ``propagation`` is 0, ``personality`` is None, and ``cgroup`` is None: the runtime
    may choose. ``warnings`` tell what has been left out or read in another way than it was written.
    """

    version: str
    process: Process | None
    rootfs: str
    readonly: bool
    hostname: str
    domainname: str
    mounts: tuple[Mount, ...]
    hooks: dict[str, tuple[Hook, ...]]
    annotations: dict[str, str]
    namespaces: Namespaces
    uid_mappings: tuple[Extent, ...]
    gid_mappings: tuple[Extent, ...]
    time_offsets: tuple[tuple[str, int, int], ...]
    devices: tuple[Device, ...]
    net_devices: tuple[tuple[str, str], ...]
    cgroup: CgroupPath | None
    resources: Resources
    propagation: int
    seccomp: Seccomp | None
    sysctls: tuple[tuple[str, str], ...]
    masked_paths: tuple[str, ...]
    readonly_paths: tuple[str, ...]
    mount_label: str
    personality: int | None
    warnings: tuple[str, ...]


def parse(document: Any, bundle: str, *, systemd: bool = False) -> Config:
    """The normal form of a decoded config.json.

    ``bundle`` is the absolute path of its folder, where relative paths start; ``systemd`` says that ``cgroupsPath`` is
    written in systemd's grammar. Raises :class:`InvalidValue` that names the field by its path and tells what is wrong.
    """
    notes: list[str] = []
    top = Field("", document, notes)
    if not isinstance(document, dict):
        raise Field("config.json", document, notes).refusal("it is not an object")
    linux = top.member("linux")
    kinds = config_linux.namespaces(linux.member("namespaces"))
    root = top.member("root").member("path").path_text(absolute=False)
    config = Config(
        version=_version(top.member("ociVersion")),
        process=process(top.member("process")) if top.member("process").given else None,
        rootfs=os.path.join(bundle, root),
        readonly=top.member("root").member("readonly").truth(),
        hostname=_uts(top.member("hostname"), kinds),
        domainname=_uts(top.member("domainname"), kinds),
        mounts=mounts(top.member("mounts"), bundle),
        hooks=hooks(top.member("hooks")),
        annotations=_annotations(top.member("annotations")),
        namespaces=kinds,
        uid_mappings=extents(linux.member("uidMappings")),
        gid_mappings=extents(linux.member("gidMappings")),
        time_offsets=config_linux.time_offsets(linux.member("timeOffsets")),
        devices=config_linux.devices(linux.member("devices")),
        net_devices=config_linux.net_devices(linux.member("netDevices")),
        cgroup=cgroup_path(linux.member("cgroupsPath"), systemd),
        resources=resources(linux.member("resources"), fresh=True),
        propagation=config_linux.propagation(linux.member("rootfsPropagation")),
        seccomp=_seccomp(linux.member("seccomp")),
        sysctls=config_linux.sysctls(linux.member("sysctl"), kinds),
        masked_paths=config_linux.paths(linux.member("maskedPaths")),
        readonly_paths=config_linux.paths(linux.member("readonlyPaths")),
        mount_label=config_linux.label(linux.member("mountLabel")),
        personality=config_linux.personality(linux.member("personality")),
        warnings=tuple(notes),
    )
    _check_namespaces(config, linux)
    _check_mappings(config, top)
    return config


def parse_process(document: Any) -> tuple[Process, tuple[str, ...]]:
    """A process object by itself, as ``exec`` is given, and its warnings. Raises :class:`InvalidValue`."""
    notes: list[str] = []
    return process(Field("process", document, notes)), tuple(notes)


def parse_resources(document: Any) -> tuple[Resources, tuple[str, ...]]:
    """A resources object by itself, as ``update`` is given, and its warnings. Raises :class:`InvalidValue`."""
    notes: list[str] = []
    field = Field("resources", document, notes)
    field.required()
    return resources(field, fresh=False), tuple(notes)


def _version(field: Field) -> str:
    said = field.text(longest=256)
    plain, plus, build = said.partition("+")
    plain, minus, before = plain.partition("-")
    numbers = plain.split(".")
    rest = ((plus, build), (minus, before))
    if len(numbers) != 3 or not all(map(_number, numbers)) or any(
        mark and not (words and _VERSION_LETTERS.issuperset(words)) for mark, words in rest
    ):
        raise field.refusal("it is not a version by Semantic Versioning, such as 1.2.0")
    if numbers[0] != "1":
        raise field.refusal("versions 1.x of the specification are known")
    return said


def _seccomp(field: Field) -> Seccomp | None:
    if not field.given:
        return None
    from .config_seccomp import seccomp

    return seccomp(field)


def _number(said: str) -> bool:
    return said.isascii() and said.isdecimal() and len(said) <= 10 and (said == "0" or said[0] != "0")


def _uts(field: Field, kinds: Namespaces) -> str:
    said = field.word(longest=UTS_LENGTH)
    if said and not kinds.has(syscalls.CLONE_NEWUTS):
        reason = "it would be the host's, since the container has no uts namespace"
        raise field.refusal(reason, "add one to linux.namespaces")
    return said


def _annotations(field: Field) -> dict[str, str]:
    found = {}
    for name, value in field.entries():
        if not name:
            raise value.refusal("its name is empty")
        found[name] = value.text()
    return found


def _check_namespaces(config: Config, linux: Field) -> None:
    """What needs a namespace that the container does not get."""
    kinds = config.namespaces
    if kinds.new & syscalls.CLONE_NEWUSER:
        for name, mapping in (("uidMappings", config.uid_mappings), ("gidMappings", config.gid_mappings)):
            if not mapping:
                raise linux.member(name).refusal("a new user namespace needs a mapping")
    for name, given, flag, kind in (
        ("uidMappings", config.uid_mappings, syscalls.CLONE_NEWUSER, "user"),
        ("gidMappings", config.gid_mappings, syscalls.CLONE_NEWUSER, "user"),
        ("netDevices", config.net_devices, syscalls.CLONE_NEWNET, "network"),
    ):
        if given and not kinds.has(flag):
            raise linux.member(name).refusal(f"the container has no {kind} namespace of its own")
    if config.time_offsets and not kinds.new & syscalls.CLONE_NEWTIME:
        raise linux.member("timeOffsets").refusal("clocks can be shifted in a new time namespace only")
    if linux.member("intelRdt").given:
        raise linux.member("intelRdt").refusal("resource directories of Intel's RDT are not supported")


def _check_mappings(config: Config, top: Field) -> None:
    """Ids that the container's user namespace does not have, and id-mapped mounts without any mapping."""
    if config.process and config.uid_mappings:
        user = top.member("process").member("user")
        for name, identity, mapping in (
            ("uid", config.process.uid, config.uid_mappings),
            ("gid", config.process.gid, config.gid_mappings),
        ):
            if mapping and not any(each.inside <= identity < each.inside + each.size for each in mapping):
                raise user.member(name).refusal(f"linux.{name}Mappings do not have it")
    fields = top.member("mounts").each()
    for field, mount in zip(fields, config.mounts, strict=True):
        shift = mount.id_mapping
        if shift and not shift.uids and not config.namespaces.has(syscalls.CLONE_NEWUSER):
            raise field.member("options").refusal(
                "an id-mapped mount needs uidMappings and gidMappings, its own or those of a user namespace"
            )
