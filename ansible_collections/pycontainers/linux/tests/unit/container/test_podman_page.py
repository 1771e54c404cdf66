# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of docs/coming-from-podman.md are what the rows say; PYCONTAINERS_WRITE_DOCS has them written anew."""
from __future__ import annotations

from ansible_collections.pycontainers.linux.tests import pages
from ansible_collections.pycontainers.linux.tests.unit.container.option_costs import cost, options

PODMAN = """
annotation arch attach authfile blkio_weight blkio_weight_device cap_add cap_drop cgroup_conf cgroup_parent cgroupns
cgroups chrootdirs cidfile cmd_args command conmon_pidfile cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares
cpus cpuset_cpus cpuset_mems debug decryption_key delete_depend delete_time delete_volumes detach detach_keys device
device_cgroup_rule device_read_bps device_read_iops device_write_bps device_write_iops dns dns_option dns_search
entrypoint env env_file env_host env_merge etc_hosts executable expose force_delete force_restart generate_systemd
gidmap gpus group_add group_entry health_startup_cmd health_startup_interval health_startup_retries
health_startup_success health_startup_timeout healthcheck healthcheck_failure_action healthcheck_interval
healthcheck_retries healthcheck_start_period healthcheck_timeout hooks_dir hostname hostuser http_proxy image
image_strict image_volume init init_ctr init_path interactive ip ip6 ipc kernel_memory label label_file log_driver
log_level log_opt mac_address memory memory_reservation memory_swap memory_swappiness mount name network network_aliases
no_healthcheck no_hosts oom_kill_disable oom_score_adj os passwd passwd_entry personality pid pid_file pids_limit
platform pod pod_id_file preserve_fd preserve_fds privileged publish publish_all pull quadlet_dir quadlet_file_mode
quadlet_filename quadlet_options rdt_class read_only read_only_tmpfs recreate requires restart_policy restart_time retry
retry_delay rm rmi rootfs sdnotify seccomp_policy secrets security_opt shm_size shm_size_systemd sig_proxy state
stop_signal stop_time stop_timeout subgidname subuidname sysctl systemd timeout timezone tls_verify tmpfs tty uidmap
ulimit umask unsetenv unsetenv_all user userns uts variant volume volumes_from workdir
""".split()
"""The options of containers.podman's podman_container, of release 1.18."""

NAMES = {
    "cgroupns": "cgroupns_mode",
    "delete_volumes": "keep_volumes",
    "device": "devices",
    "device_cgroup_rule": "device_cgroup_rules",
    "dns": "dns_servers",
    "dns_option": "dns_opts",
    "dns_search": "dns_search_domains",
    "expose": "exposed_ports",
    "force_restart": "restart",
    "group_add": "groups",
    "healthcheck_failure_action": "on_unhealthy",
    "healthcheck_interval": "healthcheck",
    "healthcheck_retries": "healthcheck",
    "healthcheck_start_period": "healthcheck",
    "healthcheck_timeout": "healthcheck",
    "ip": "networks",
    "ip6": "networks",
    "ipc": "ipc_mode",
    "label": "labels",
    "log_opt": "log_options",
    "mount": "mounts",
    "network": "networks",
    "network_aliases": "networks",
    "no_healthcheck": "healthcheck",
    "oom_kill_disable": "oom_killer",
    "pid": "pid_mode",
    "publish": "published_ports",
    "publish_all": "publish_all_ports",
    "read_only_tmpfs": "tmpfs",
    "requires": "depends_on",
    "restart_time": "stop_timeout",
    "rm": "auto_remove",
    "security_opt": "security_opts",
    "stop_time": "stop_timeout",
    "sysctl": "sysctls",
    "timezone": "env",
    "ulimit": "ulimits",
    "userns": "userns_mode",
    "volume": "volumes",
    "workdir": "working_dir",
}
"""What an option is called here, where that is another name."""

DIFFERS = {
    "cgroup_parent": "a path in either cgroup version, which systemd is not told of",
    "command": "text is split as a shell splits it",
    "cpus": "a percentage of the host's processors too",
    "delete_volumes": "the other way round: with `false` volumes without a name go with the container",
    "detach": "with false what runs already is waited for",
    "device_cgroup_rule": "a list of rules",
    "device_read_bps": "a dictionary each, with `path` and `rate`",
    "device_read_iops": "a dictionary each, with `path` and `rate`",
    "device_write_bps": "a dictionary each, with `path` and `rate`",
    "device_write_iops": "a dictionary each, with `path` and `rate`",
    "dns_option": "a list",
    "entrypoint": "text is split as a shell splits it, or a list",
    "env": "a value that is not text has to be quoted",
    "env_file": "one file; it is read at each run and its variables are compared",
    "force_restart": "a check tells it",
    "healthcheck": "a dictionary, with the command as `test`",
    "healthcheck_failure_action": "`none`, `restart`, `stop`",
    "healthcheck_interval": "`interval` there; `disable` is none there",
    "healthcheck_retries": "`retries` there",
    "healthcheck_start_period": "`start_period` there, and `start_interval`",
    "healthcheck_timeout": "`timeout` there",
    "image": "names only, no ids; images are compared by id",
    "ip": "`ipv4_address` of the network",
    "ip6": "`ipv6_address` of the network",
    "log_driver": "`file`, `syslog`, `journald`, `none`",
    "log_opt": "`max-size`, `max-file`, `tag`",
    "mac_address": "of the interface on the first of `networks`",
    "memory": "a percentage of the host's memory too; `max` is no limit",
    "memory_swappiness": "with cgroup version 1 only",
    "mount": "a dictionary each; of the types `bind`, `tmpfs`, `volume`",
    "name": "a name, never an id",
    "network": "`none`, `host`, `private`, `container:`, `ns:`, `pasta`, `slirp4netns` are a `network_mode`, not live",
    "network_aliases": "`aliases` of the network, of each its own",
    "no_healthcheck": "`test: [NONE]` there",
    "oom_kill_disable": "with cgroup version 1 only",
    "pids_limit": "no limit unless one is said",
    "publish": "ranges are of the same length; a free port that was found stays over restarts and boots",
    "publish_all": "the ports of the host stay over restarts and replacements",
    "pull": "`always`, `missing`, `never`; the module `image` knows `newer`; a check pulls nothing",
    "read_only_tmpfs": "none comes with `read_only`; those that are needed are named",
    "requires": "names, with the condition `started` or `healthy`",
    "restart_policy": "the number of `on-failure:3` is `restart_retries`",
    "restart_time": "one time for all stops",
    "rm": "a container that a task stops stays until the host boots",
    "security_opt": "`no-new-privileges`, `seccomp`, `systempaths`; AppArmor and SELinux confine none",
    "state": "`created` is `present`; also `healthy`; no `quadlet`",
    "stop_signal": "names too",
    "stop_time": "one time for all stops",
    "timezone": "the variable `TZ`, or `/etc/localtime` as a volume",
    "tmpfs": "a list of `path:options`",
    "userns": "`host`",
    "volume": "`z` and `Z` are taken and change nothing; no `U`, `O` and `idmap`",
    "volumes_from": "looked up by each task; a container that has other volumes by then is replaced",
}
"""What means something else here, or more, or less."""

MISSING = {
    "no pods; containers share namespaces by `network_mode`, `pid_mode` and `ipc_mode`": "init_ctr pod pod_id_file",
    "the role `host` has one service, which starts at boot what `restart_policy` says": """
        generate_systemd quadlet_dir quadlet_file_mode quadlet_filename quadlet_options sdnotify systemd
        shm_size_systemd""",
    "containers have the host's users; the OCI command line maps them": "gidmap subgidname subuidname uidmap",
    "the variables are those of the image and of the task": "env_host env_merge http_proxy unsetenv unsetenv_all",
    "`start_period` and `start_interval` of `healthcheck`": """
        health_startup_cmd health_startup_interval health_startup_retries health_startup_success
        health_startup_timeout""",
    "a task has no terminal; `pycontainers run` has one": "attach detach_keys sig_proxy preserve_fd preserve_fds",
    "nothing is called, and no process stays, that these are about": """
        cmd_args conmon_pidfile debug executable hooks_dir log_level""",
    "the state in the task's result, and `pycontainers inspect`, have the id and the pid": "cidfile pid_file",
    "an image for the host's own platform is chosen of an index": "arch os platform variant",
    "`registries.json` and the host's logins; what fails for a time is asked again": """
        authfile retry retry_delay tls_verify""",
    "images are not encrypted": "decryption_key",
    "images are compared by id": "image_strict",
    "what the image calls a volume gets one": "image_volume",
    "a container is of an image; `image` with `source: tree` makes one of a directory": "rootfs",
    "the module `prune`, and `image` with `state: absent`": "rmi",
    "a task for each; a container goes on when one that it depends on is removed": "delete_depend",
    "a removal ends what runs, within `stop_timeout`": "delete_time force_delete",
    "every limit has an option of its own": "cgroup_conf",
    "`blkio_weight` is for all devices": "blkio_weight_device",
    "a container has a cgroup": "cgroups",
    "the kernel has no such limit any more": "kernel_memory",
    "kernels of distributions give no real-time share to groups": "cpu_rt_period cpu_rt_runtime",
    "no classes of cache and bandwidth": "rdt_class",
    "there are no device drivers to ask; name the nodes in `devices`": "gpus",
    "the container's own files say who its users are": "group_entry hostuser passwd passwd_entry",
    "the file has the names on the container's networks": "no_hosts",
    "init is looked for on the host": "init_path",
    "labels are for people and playbooks, annotations for what reads OCI bundles": "annotation",
    "`labels` with a lookup": "label_file",
    "one filter, which `security_opts` replaces or switches off": "seccomp_policy",
    "a file from a vault, as a read-only volume": "secrets",
    "the command `timeout` within the container": "timeout",
    "set by the program": "chrootdirs personality umask",
}
"""Why, and what there is not."""


def _missing() -> list[str]:
    return [name for names in MISSING.values() for name in names.split()]


def _line(name: str) -> str:
    here = NAMES.get(name, name)
    return f"| `{name}` | `{here}` | {cost(here)} | {DIFFERS.get(name, '')} |\n"


def table() -> str:
    """A line for each option of Podman's module that there is here, and one for all that it does not have."""
    head = "| option | here | a change of it | remark |\n|---|---|---|---|\n"
    there = [name for name in PODMAN if name not in _missing()]
    known = {NAMES.get(name, name) for name in there} | {"network_mode", "restart_retries"}
    own = ", ".join(f"`{name}`" for name in options() if name not in known)
    return f"{head}{''.join(map(_line, there))}\nOptions that Podman's module does not have: {own}.\n"


def missing_table() -> str:
    """What Podman's module has and this one has not, by the reason."""
    listed = {why: ", ".join(f"`{name}`" for name in sorted(names.split())) for why, names in MISSING.items()}
    lines = (f"| {names} | {why} |\n" for why, names in listed.items())
    return f"| options | instead, or why not |\n|---|---|\n{''.join(lines)}"


def test_every_option_is_accounted_for() -> None:
    """What Podman's module has is an option here, or there is a reason; no reason is for what there is."""
    assert sorted(PODMAN) == PODMAN
    there = set(PODMAN) - set(_missing())
    assert len(_missing()) == len(set(_missing()))
    assert set(_missing()) <= set(PODMAN)
    assert {NAMES.get(name, name) for name in there} <= set(options())
    assert set(NAMES) <= there
    assert set(DIFFERS) <= there
    assert not set(_missing()) & set(options())


def test_the_page_tells_what_the_rows_say() -> None:
    """The tables of the page are those that follow from the rows."""
    pages.check("coming-from-podman.md", "options", table())
    pages.check("coming-from-podman.md", "missing", missing_table())
