# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a container's record and its image to the OCI bundle and the program of its start."""
from __future__ import annotations

import errno
import json
import os
from typing import Any

from ..core import store
from ..core.layout import Layout
from ..errors import Failure
from ..image import content
from ..kernel import syscalls
from ..kernel.cgroups import cgroups
from ..oci import program, spec, users
from . import (
    container_init,
    container_network,
    container_state,
    container_volume_steps,
    container_volumes,
    container_wishes,
    container_words,
    user_network,
)
from .attachments import names_of
from .container_model import Container
from .container_mounts import Volume
from .name_kinds import HOST_GATEWAY
from .network_model import declared_network

HOST_FOLDERS = ("/dev/", "/proc/", "/sys/")
"""Where a container sees the kernel's files, and not those of its root filesystem."""


def prepare(layout: Layout, container: Container) -> None:
    """Write the bundle's files. The root filesystem is mounted, and addresses are leased.

    Raises :class:`Failure` if the root filesystem lacks the user or the program.
    """
    identity = container.id or ""
    image = content.find_id(layout, container.image_id or "")
    if image is None:
        reason = f"its image {container.image_id} is not in the store"
        raise Failure(f"start container {container.name}", reason, "pull the image again")
    hostname = container_network.host_name(layout, container)
    files = container_network.files(layout, container, _extra(layout, container))
    rootfs = layout.container(identity, "merged")
    words = container_words.arguments(container, image.config)
    container_volume_steps.fill(layout, container, image.config, rootfs)
    volumes = container_volumes.in_use(container, image.config)
    config = spec.configuration(
        arguments=[*(container_init.prefix() if container.init else ()), *words],
        environment=container_words.environment(container, image.config),
        user=_user(rootfs, container, str(image.config.get("User") or "")),
        cwd=container.working_dir or str(image.config.get("WorkingDir") or "/"),
        hostname=hostname,
        rootfs=rootfs,
        binds=files + _binds(layout, container, volumes) + _init(container),
        propagation={each.target: each.propagation for each in volumes if each.propagation},
        network=container_network.path(layout, container),
        cgroup=container_state.cgroup(container),
        wishes=container_wishes.wishes(container),
    )
    if not volumes and not container.tmpfs:
        _check_program(container, config, words[0])
    # Whether there can be a filter is to be known while another container of this name still runs.
    program.filters(config, layout.filters)
    # Nothing here has to outlive a power cut: it is written at each start.
    # It is large, and an encoder that breaks lines takes ten times as long.
    store.rewrite(layout.container(identity, "config.json"), json.dumps(config).encode() + b"\n")


def _user(rootfs: str, container: Container, image: str) -> users.User:
    """The user that is asked for, else the image's, in the groups that are asked for too."""
    found = users.user(rootfs, container.user or image)
    extra = users.groups(rootfs, container.groups or ())
    return found._replace(groups=tuple(sorted({*found.groups, *extra} - {found.gid})))


def _check_program(container: Container, config: dict[str, Any], name: str) -> None:
    """Refuse, while another container of this name still runs, what exec would refuse. Mounts may hide programs."""
    process = config["process"]
    search = dict(each.split("=", 1) for each in process["env"]).get("PATH", "")
    places = [name] if "/" in name else [f"{folder or '.'}/{name}" for folder in search.split(":")]
    paths = [os.path.join(process["cwd"], place) for place in places]
    root = os.open(config["root"]["path"], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = any(path.startswith(HOST_FOLDERS) or _there(root, path) for path in paths)
    finally:
        os.close(root)
    if not found:
        reason = f"stat {name}: no such file or directory" if "/" in name else "executable file not found in $PATH"
        raise Failure(f"start container {container.name}", f'exec: "{name}": {reason}', "give another command")


def _there(root: int, path: str) -> bool:
    try:
        os.close(syscalls.openat2(root, path, os.O_PATH, syscalls.RESOLVE_IN_ROOT))
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR)
    return True


def prepared(layout: Layout, identity: str) -> tuple[program.Operation, ...]:
    """The program of the bundle that is there."""
    config = store.read_json(layout.container(identity, "config.json"))
    if config is None:
        raise Failure(f"start container {identity[:12]}", "its bundle has no config.json", "start it with pycontainers")
    return program.compile_program(config, cgroups(), layout.filters)


def _extra(layout: Layout, container: Container) -> list[tuple[str, str]]:
    """The lines of the hosts file that are asked for: addresses with a name each."""
    return [(_address(layout, container, address), name) for name, address in container.etc_hosts or ()]


def _address(layout: Layout, container: Container, said: str) -> str:
    """An address for the hosts file: what is said, or the host's on the container's first network."""
    if said != HOST_GATEWAY:
        return said
    program = user_network.of(container)
    if program:
        return user_network.gateway(layout, container.id or "", program)
    return str(declared_network(layout, (*names_of(container.networks), "")[0]).gateway)


def _init(container: Container) -> list[tuple[str, str, bool]]:
    return [(container_init.find(), container_init.PLACE, True)] if container.init else []


def _binds(layout: Layout, container: Container, volumes: tuple[Volume, ...]) -> list[tuple[str, str, bool]]:
    for each in volumes:
        if each.is_bind and not os.path.exists(each.source):
            reason = f"there is no {each.source} on the host"
            raise Failure(f"mount a volume at {each.target} in container {container.name}", reason, "make it first")
    return [(container_volumes.source(layout, each), each.target, each.readonly) for each in volumes]
