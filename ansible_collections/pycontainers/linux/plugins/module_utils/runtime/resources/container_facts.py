# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container as ``docker inspect`` shows it, in Docker's names where they mean the same."""
from __future__ import annotations

from typing import Any

from ..core.kinds import UNLIMITED
from ..core.layout import Layout
from ..image import content, healthcheck
from ..kernel.cgroup_values import PERIOD
from ..oci import lifecycle, loggers
from . import (
    container_health,
    container_memory,
    container_network,
    container_state,
    container_volumes,
    container_words,
    endpoint,
    exposed_ports,
    rootfs_size,
    storage_opts,
)
from .addresses import BITS4, BITS6, bits_of, of_family
from .attachments import Attachment
from .container_kinds import PRIVATE, SHM_SIZE
from .container_model import Container
from .container_mounts import Volume
from .volume_model import LOCAL


def inspect(layout: Layout, container: Container) -> dict[str, Any]:
    """Docker's document of a container; limits in its units, 0 for no limit."""
    identity = container.id or ""
    image = content.find_id(layout, container.image_id) if container.image_id else None
    config = image.config if image else {}
    exposed = {str(each): None for each in exposed_ports.exposed(container, config)}
    words = container_words.arguments(container, config) if image else list(container.command or ())
    return {
        "Id": identity,
        "Name": f"/{container.name}",
        "Created": container.created,
        "Image": container.image_id,
        "Path": words[0] if words else "",
        "Args": words[1:],
        "State": _state(layout, container),
        "Config": {
            "Image": str(container.image),
            "Cmd": None if container.command is None else list(container.command),
            "Entrypoint": None if container.entrypoint is None else list(container.entrypoint),
            "Env": container_words.environment(container, config),
            "Hostname": container_network.host_name(layout, container),
            "Domainname": container.domainname or "",
            "User": container.user or str(config.get("User") or ""),
            "WorkingDir": container.working_dir or str(config.get("WorkingDir") or ""),
            "StopSignal": container.stop_signal or str(config.get("StopSignal") or "SIGTERM"),
            "ExposedPorts": {each: {} for each in exposed},
            "Tty": bool(container.tty),
            "OpenStdin": bool(container.interactive),
            "Labels": container_words.labels(container, config),
            **_healthcheck(container, config),
        },
        "HostConfig": _host_config(container),
        "GraphDriver": {"Name": "overlay", "Data": _layer(layout, container)},
        "Mounts": [_mount(layout, each) for each in container_volumes.in_use(container, config)],
        "NetworkSettings": {"Networks": _networks(layout, container), "Ports": exposed | _ports(container)},
        "LogPath": lifecycle.log_folder(layout, identity),
        "RestartCount": container_state.status(layout, identity).restarts,
    }


def _healthcheck(container: Container, image: Any) -> dict[str, Any]:
    """The container's check over its image's, where there is one."""
    found = healthcheck.to_image(healthcheck.merged(container.healthcheck, healthcheck.of_image(image)))
    return {"Healthcheck": found} if found else {}


def _mount(layout: Layout, volume: Volume) -> dict[str, Any]:
    source = container_volumes.source(layout, volume)
    found = {"Source": source, "Destination": volume.target, "RW": not volume.readonly}
    if volume.is_bind:
        return {"Type": "bind", **found, "Propagation": volume.propagation or "rprivate"}
    return {"Type": "volume", "Name": volume.name, **found, "Driver": LOCAL, "Propagation": ""}


def _state(layout: Layout, container: Container) -> dict[str, Any]:
    identity = container.id or ""
    status = container_state.status(layout, identity)
    init = lifecycle.running(layout, identity)
    restarting = init is None and container.state == "started"
    # What was written down is the same at each look; by the process it is as good as two clocks agree.
    started = status.started_at or (init.started_at if init else 0)
    words = "running" if init else "restarting" if restarting else "exited" if status.started_at else "created"
    paused = bool(init and container.paused)
    health = container_health.read(layout, identity)
    return {
        "Status": "paused" if paused else words,
        "Running": init is not None or restarting,
        "Paused": paused,
        "Restarting": restarting,
        "Pid": init.pid if init else 0,
        "ExitCode": 0 if init else status.exit_code,
        "Error": status.error,
        "StartedAt": container_state.timestamp(started),
        "FinishedAt": container_state.timestamp(status.finished_at),
        **container_memory.facts(container, status, running=init is not None),
        **({"Health": container_health.facts(health, init is not None)} if health else {}),
    }


def _limits(container: Container) -> dict[str, Any]:
    def limit(value: int | None) -> int:
        return 0 if value in (None, UNLIMITED) else int(value or 0)

    def rates(value: tuple[tuple[str, int], ...] | None) -> list[dict[str, Any]]:
        return [{"Path": path, "Rate": rate} for path, rate in value or ()]

    swappiness = container.memory_swappiness
    return {
        "Memory": limit(container.memory),
        "MemorySwap": container.memory_swap or 0,
        "MemoryReservation": limit(container.memory_reservation),
        "MemorySwappiness": None if swappiness == UNLIMITED else swappiness,
        "NanoCpus": limit(container.cpus),
        "CpuPeriod": 0 if container.cpu_period == PERIOD else container.cpu_period or 0,
        "CpuShares": limit(container.cpu_shares),
        "CpusetCpus": container.cpuset_cpus or "",
        "CpusetMems": container.cpuset_mems or "",
        "PidsLimit": limit(container.pids_limit),
        "BlkioWeight": limit(container.blkio_weight),
        "BlkioDeviceReadBps": rates(container.device_read_bps),
        "BlkioDeviceWriteBps": rates(container.device_write_bps),
        "BlkioDeviceReadIOps": rates(container.device_read_iops),
        "BlkioDeviceWriteIOps": rates(container.device_write_iops),
        "DeviceCgroupRules": list(container.device_cgroup_rules or ()),
    }


def _host_config(container: Container) -> dict[str, Any]:
    return {
        **_limits(container),
        "RestartPolicy": {
            "Name": container.restart_policy or "no",
            "MaximumRetryCount": container.restart_retries or 0,
        },
        "DependsOn": [{"Name": each.name, "Condition": each.condition} for each in container.depends_on or ()],
        "AutoRemove": bool(container.auto_remove),
        "PublishAllPorts": bool(container.publish_all_ports),
        "PortBindings": _ports(container),
        "Privileged": bool(container.privileged),
        "CapAdd": list(container.cap_add or ()),
        "CapDrop": list(container.cap_drop or ()),
        "SecurityOpt": list(container.security_opts or ()),
        "ReadonlyRootfs": bool(container.read_only),
        "Tmpfs": {each.target: ",".join(each.options) for each in container.tmpfs or ()},
        "ShmSize": container.shm_size or SHM_SIZE,
        "LogConfig": {
            "Type": container.log_driver or loggers.FILE,
            "Config": {name: str(said) for name, said in container.log_options or ()},
        },
        "StorageOpt": {name: str(limit) for name, limit in container.storage_opts or ()},
        "Devices": [
            {"PathOnHost": each.source, "PathInContainer": each.target, "CgroupPermissions": each.access}
            for each in container.devices or ()
        ],
        "Ulimits": [{"Name": each.name, "Soft": each.soft, "Hard": each.hard} for each in container.ulimits or ()],
        "Sysctls": dict(container.sysctls or ()),
        "Dns": list(container.dns_servers or ()),
        "DnsSearch": list(container.dns_search_domains or ()),
        "DnsOptions": list(container.dns_opts or ()),
        "ExtraHosts": [f"{name}:{address}" for name, address in container.etc_hosts or ()],
        "GroupAdd": list(container.groups or ()),
        "OomScoreAdj": container.oom_score_adj or 0,
        "OomKillDisable": bool(container.oom_killer),
        "IpcMode": container.ipc_mode or "private",
        "UTSMode": "host" if container.uts == "host" else "",
        "CgroupParent": f"/{container.cgroup_parent}" if container.cgroup_parent else "",
        "CgroupnsMode": container.cgroupns_mode or "private",
        "NetworkMode": "default" if container.network_mode in (None, PRIVATE) else container.network_mode,
        "PidMode": "" if container.pid_mode == PRIVATE else container.pid_mode or "",
        "Init": bool(container.init),
        "UsernsMode": container.userns_mode or "host",
    }


def _layer(layout: Layout, container: Container) -> dict[str, str]:
    """Where a container's root filesystem is, and what holds its own layer to a size."""
    upper, work = storage_opts.layer(layout, container.id or "")
    if container.layer_image:
        upper, work = rootfs_size.inside(upper)
    by = rootfs_size.IMAGE if container.layer_image else rootfs_size.QUOTA
    places = {"MergedDir": layout.container(container.id or "", "merged"), "UpperDir": upper, "WorkDir": work}
    return places | ({"SizeBy": by} if container.storage_opts else {})


def _ports(container: Container) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for each in container_words.ports(container):
        place = {"HostIp": each.address, "HostPort": str(each.host_port)}
        found.setdefault(f"{each.container_port}/{each.protocol}", []).append(place)
    return found


def _networks(layout: Layout, container: Container) -> dict[str, Any]:
    wanted = {each.name: each for each in container.networks or ()}
    there = endpoint.observe_endpoint(layout, container.id or "", container.networks or ())
    return {name: _network(each, wanted.get(name, Attachment(name))) for name, each in there.items()}


def _network(found: endpoint.Endpoint, wanted: Attachment) -> dict[str, Any]:
    document: dict[str, Any] = {"MacAddress": found.mac, "Aliases": list(wanted.aliases or ())}
    names = {BITS4: ("IPAddress", "IPPrefixLen", "Gateway"),
             BITS6: ("GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPv6Gateway")}  # fmt: skip
    own = {bits_of(each): (each, length) for each, length in zip(found.addresses, found.prefixes, strict=True)}
    for bits, (address, prefix, gateway) in names.items():
        document[address], document[prefix] = own.get(bits, ("", 0))
        document[gateway] = of_family(found.gateways, bits) or ""
    return document
