# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of docs/coming-from-docker.md is what the rows say; PYCONTAINERS_WRITE_DOCS has it written anew."""
from __future__ import annotations

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.core.model import Row
from ansible_collections.pycontainers.linux.tests import pages
from ansible_collections.pycontainers.linux.tests.unit.container.option_costs import SPELLINGS, cost, options

DOCKER = """
auto_remove blkio_weight cap_drop capabilities cgroup_parent cgroupns_mode cleanup command command_handling
comparisons container_default_behavior cpu_period cpu_quota cpu_shares cpus cpuset_cpus cpuset_mems default_host_ip
detach device_cgroup_rules device_read_bps device_read_iops device_requests device_write_bps device_write_iops devices
dns_opts dns_search_domains dns_servers domainname entrypoint env env_file etc_hosts exposed_ports force_kill groups
healthcheck
healthy_wait_timeout hostname image image_comparison image_label_mismatch image_name_mismatch init interactive ipc_mode
keep_volumes kernel_memory kill_signal labels links log_driver log_options mac_address memory memory_reservation
memory_swap memory_swappiness mounts name network_mode networks networks_cli_compatible oom_killer oom_score_adj
output_logs paused pid_mode pids_limit platform privileged publish_all_ports published_ports pull
pull_check_mode_behavior purge_networks read_only recreate removal_wait_timeout restart restart_policy restart_retries
runtime security_opts shm_size state stop_signal stop_timeout storage_opts sysctls tmpfs tty ulimits user userns_mode
uts volume_driver volumes volumes_from working_dir
""".split()
"""The options of community.docker's docker_container, of release 5, and one of those before 4."""

DIFFERS = {
    "auto_remove": "a container that a task stops stays until the host boots",
    "cgroup_parent": "a path in either cgroup version, which systemd is not told of",
    "command": "text is split as a shell splits it",
    "comparisons": "`strict` is the default for lists and dictionaries too",
    "cpus": "a percentage of the host's processors too",
    "default_host_ip": "none is looked up: without it, ports lead from every address",
    "detach": "what runs already is waited for; refused with a policy that has no end",
    "env_file": "a name without a value is refused",
    "force_kill": "what another `kill_signal` does not end is killed after `stop_timeout`",
    "image": "names only, no ids",
    "keep_volumes": "volumes without a name are handed on to the container that takes another's place",
    "log_driver": "`file`, `syslog`, `journald`, `none`",
    "mac_address": "of the interface on the first of `networks`",
    "memory": "a percentage of the host's memory too; `max` is no limit, also live",
    "mounts": "of the types `bind`, `tmpfs`, `volume`",
    "name": "a name, never an id",
    "network_mode": "networks are named in `networks` alone; there is none by default; also `ns:PATH` and programs",
    "networks": "the list is all that it is on, in order, changed live; no `links`",
    "oom_killer": "as there, true switches the killer off; with cgroup version 1 only, live",
    "published_ports": "ranges are of the same length; a free port that was found stays over restarts and boots",
    "publish_all_ports": "the ports of the host stay over restarts and replacements",
    "pull": "`always`, `missing`, `never`; a check asks the registry too",
    "purge_networks": "true is the default",
    "restart": "a check tells it",
    "security_opts": "`no-new-privileges`, `seccomp`, `systempaths`; AppArmor and SELinux confine none",
    "state": "the same states; a failure leaves the container as it was",
    "storage_opts": "`size` and `inodes`, on any filesystem",
    "userns_mode": "`host`",
    "volumes_from": "looked up by each task; a container that has other volumes by then is replaced",
}
"""What means something else here, or more, or less."""

MISSING = {
    "command_handling": "what it calls `correct` is what there is",
    "container_default_behavior": "what is left out is not managed: `no_defaults`",
    "device_requests": "there are no device drivers to ask; name the nodes in `devices`",
    "image_comparison": "variables, labels, ports and volumes of the image are never compared with a task's",
    "image_label_mismatch": "the image's labels are not part of `labels`",
    "image_name_mismatch": "images are compared by id: another name for the same is recorded, and replaces nothing",
    "kernel_memory": "the kernel has no such limit any more",
    "links": "containers on one network know each other by name, and by `aliases`",
    "networks_cli_compatible": "there is no network that a container is on unasked",
    "output_logs": "with `detach: false` what was said is in the result, as `container.Output`",
    "platform": "a host runs images of its own platform, and chooses that one of an index",
    "pull_check_mode_behavior": "a check with `pull: always` asks the registry, and tells what the run will do",
    "removal_wait_timeout": "a removal is over when the task is",
    "runtime": "there is one; others call it by the command line of OCI runtimes",
    "volume_driver": "a volume's filesystem is declared by the module `volume`",
}
"""What there is not, and why."""


def _rows() -> dict[str, Row]:
    return {alias: row for row in options().values() for alias in (row.name, *row.aliases)}


def _line(name: str) -> str:
    row = _rows().get(name)
    if row is None:
        return f"| `{name}` | no |  | {MISSING[name]} |\n"
    called = "" if row.name == name else f"also called `{row.name}`"
    remark = "; ".join(filter(None, (called, DIFFERS.get(name, ""))))
    return f"| `{name}` | {'differs' if name in DIFFERS else 'yes'} | {cost(row.name)} | {remark} |\n"


def table() -> str:
    """A line for each option of Docker's module, and one for all that it does not have."""
    head = "| option | here | a change of it | remark |\n|---|---|---|---|\n"
    own = ", ".join(f"`{row.name}`" for row in _rows().values() if not {row.name, *row.aliases} & set(DOCKER))
    return f"{head}{''.join(map(_line, DOCKER))}\nOptions that Docker's module does not have: {own}.\n"


def test_every_option_is_accounted_for() -> None:
    """What Docker's module has is an option here, or there is a reason; no reason is for what there is."""
    assert sorted(DOCKER) == DOCKER
    assert set(DOCKER) - set(_rows()) == set(MISSING)
    assert set(DIFFERS) <= set(DOCKER) & set(_rows())
    assert all(_rows()[name].request for name in SPELLINGS)


def test_the_page_tells_what_the_rows_say() -> None:
    """The table of the page is the one that follows from the rows."""
    pages.check("coming-from-docker.md", "options", table())
