#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``container``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container
short_description: Run containers on a plain Linux host
version_added: 0.1.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Declares a container; its image, command, limits, networks, ports, volumes and restart policy.
  - The container is started by the host's kernel alone. There is no daemon and no engine.
  - An option that is left out is not managed. A new container gets what its image says, or the default that the
    option names; an existing container keeps what it has.
  - What can be changed while the container runs is changed so, all limits among it, which can be cleared so too.
    Anything else builds the new container beside the old one, and keeps the old one until the new one runs. Where that
    does not start, or its program ends within half a second with a status that is not 0, the old one is back as it was.
  - Limits that are left out of a new container are none. One that the host's kernel or its cgroup version does not have
    is refused.
extends_documentation_fragment:
  - pycontainers.linux.common
  - pycontainers.linux.container_process
  - pycontainers.linux.container_limits
  - pycontainers.linux.container_volumes
  - pycontainers.linux.container_life
  - pycontainers.linux.container_health
  - pycontainers.linux.container_networks
  - pycontainers.linux.container_once
options:
  name:
    description:
      - The container's name.
      - It starts with a letter or digit and goes on with letters, digits, C(_), C(.) and C(-), at most 128 in all.
    type: str
    required: true
  state:
    description:
      - V(started) makes the container if there is none, brings it to what is declared, and starts it.
      - V(healthy) does the same and waits until it is healthy, at most O(healthy_wait_timeout). What nothing checks is
        refused. If it does not become healthy, or its program ends before, the change is taken back.
      - V(stopped) does the same as V(started) and ends its processes instead. See O(stop_timeout).
      - V(present) makes and changes it, and neither starts nor stops it.
      - V(absent) stops and removes it with all it has written, but neither its image nor its named volumes. See
        O(keep_volumes).
    type: str
    default: started
    choices: [absent, healthy, present, started, stopped]
  image:
    description:
      - The image, as C([registry/]repository[:tag][@digest]), for example V(nginx:1.27) or
        V(10.0.0.1:5000/web@sha256:…). Without a registry it is Docker Hub, without tag and digest the tag C(latest).
      - Needed for a new container.
      - The container is replaced when the name has come to stand for other content on the host;
        O(pull=always) asks the registry whether it has.
    type: str
  pull:
    description:
      - When to ask the registry for O(image). V(missing) does if the host does not have it, V(always) does each time,
        V(never) fails if the host does not have it.
      - Only what the host lacks is transferred. In check mode the registry is asked, and nothing is transferred.
    type: str
    default: missing
    choices: [always, missing, never]
  command:
    description:
      - The arguments of the entrypoint, or the program and its arguments where there is no entrypoint.
        Takes the place of the image's.
      - A list is taken as it is. A string is split as a shell splits words, but no shell runs it.
      - For a new container the default is the image's.
    type: raw
  entrypoint:
    description:
      - The program that is always started, with its first arguments. Takes the place of the image's.
      - For a new container the default is the image's.
    type: list
    elements: str
  env:
    description:
      - Environment variables by name, over those of the image.
      - Values must be strings. Quote what YAML would read as a number, as a boolean or as nothing.
    type: dict
  env_file:
    description:
      - The absolute path of a file on the host with more of these, C(NAME=value) a line, and nothing else but empty
        lines and such that begin with C(#). Values are taken as they are, quotes among them. O(env) takes precedence.
      - The file is read by each task. Its variables are compared as those of O(env) are, and together they say all
        that the container has over its image's.
    type: path
attributes:
  idempotent:
    support: partial
    details:
      - With O(recreate=true), O(restart=true) or O(detach=false) the container is replaced, or started, each time.
seealso:
  - module: pycontainers.linux.image
  - module: pycontainers.linux.bridge_network
  - module: pycontainers.linux.cgroup_limit
"""

EXAMPLES = r"""
- name: Run a web server
  pycontainers.linux.container:
    name: web
    image: nginx:1.27
    published_ports:
      - "8080:80"
    networks:
      - name: front
    memory: 64m
    cpus: "0.5"
    pids_limit: "100"
    restart_policy: always

- name: Put it on another network too, while it runs, under an address and a name that others know there
  pycontainers.linux.container:
    name: web
    networks:
      - name: front
      - name: back
        ipv4_address: 10.88.1.10
        aliases: [frontend]

- name: Give it more memory while it runs
  pycontainers.linux.container:
    name: web
    memory: 256m

- name: Run an exporter with a command of its own and the host's files, read-only
  pycontainers.linux.container:
    name: exporter
    image: registry.example.com/exporter@sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824
    command: [--path, /host, --interval, 30s]
    env:
      LOG_LEVEL: info
    volumes:
      - /etc:/host/etc:ro
      - /srv/exporter:/var/lib/exporter
    restart_policy: on-failure
    restart_retries: 5
    stop_timeout: 30

- name: Run a database whose files are in a volume that outlives it
  pycontainers.linux.container:
    name: db
    image: postgres:17
    volumes:
      - db-files:/var/lib/postgresql/data
    mounts:
      - {type: bind, source: /srv/db/conf, target: /etc/postgresql, read_only: true}
      - {type: tmpfs, target: /run/postgresql, tmpfs_size: 16m}

- name: Follow the tag, and replace the container when it stands for a new image
  pycontainers.linux.container:
    name: web
    image: nginx:1.27
    pull: always

- name: Run a proxy with as little as it needs
  pycontainers.linux.container:
    name: proxy
    image: haproxy:3.0
    user: haproxy
    read_only: true
    tmpfs:
      - /run:size=16m
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE]
    security_opts: [no-new-privileges]
    ulimits:
      - nofile:16384
    sysctls:
      net.ipv4.tcp_keepalive_time: "600"
    labels:
      team: front

- name: Replace a server by a new version, and go back to the old one unless the new one answers within a minute
  pycontainers.linux.container:
    name: web
    image: registry.example.com/web:2.1
    state: healthy
    healthcheck:
      test: [CMD, wget, -qO, /dev/null, "http://127.0.0.1/"]
      interval: 10s
      start_period: 30s
      start_interval: 1s
    healthy_wait_timeout: 60
    on_unhealthy: restart

- name: Have a program read its files again that does so at its start only
  pycontainers.linux.container:
    name: proxy
    restart: true

- name: End a container by a signal of another meaning
  pycontainers.linux.container:
    name: proxy
    state: stopped
    force_kill: true
    kill_signal: SIGUSR1

- name: Run a job that leaves nothing, with another's volumes and variables from a file
  pycontainers.linux.container:
    name: backup
    image: registry.example.com/backup:3
    volumes_from: ["db:ro"]
    env_file: /etc/backup.env
    auto_remove: true

- name: See to a container whose image somebody else chooses, and leave him his own labels
  pycontainers.linux.container:
    name: web
    image: nginx:1.27
    labels: {team: front}
    comparisons:
      image: ignore
      labels: allow_more_present

- name: Run a migration to its end before the new release starts
  pycontainers.linux.container:
    name: migration
    image: registry.example.com/shop:7
    command: [./manage.py, migrate]
    detach: false
    cleanup: true

- name: Have it on one more network, under a MAC address that the network's owner knows, with ports on one address only
  pycontainers.linux.container:
    name: web
    networks:
      - name: mgmt
    purge_networks: false
    mac_address: 02:42:ac:11:00:02
    published_ports: ["8080:80"]
    default_host_ip: 127.0.0.1

- name: Stop a container and keep it
  pycontainers.linux.container:
    name: exporter
    state: stopped

- name: Remove a container with its volumes that have no name
  pycontainers.linux.container:
    name: exporter
    state: absent
    keep_volumes: false
"""

RETURN = r"""
container:
  description:
    - The container after the task, in the shape of C(docker inspect). In check mode it is as it is now.
    - Empty if there is none.
    - C(State) tells in C(OOMKilled) whether the kernel has killed a process of this run, or of the last one, for want
      of memory, in C(OomKills) how many of the container's it has in all, and in C(OomKilledAt) when the container's
      program last was one of them. Of a program that has ended so, C(Error) tells it with the limit.
    - If its health is checked, C(State) tells in C(Health) its C(Status), C(FailingStreak) and C(Log) of five checks.
    - With O(detach=false) C(Output) is what the program wrote, of more than a megabyte the end. With O(cleanup=true) it
      is the container as it was when it had ended.
  returned: success
  type: dict
  sample:
    Id: 5b0a3f9d2c7e41d8a6f0b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f60
    Name: /web
    State:
      Status: running
      Running: true
      Pid: 4242
      ExitCode: 0
      OOMKilled: false
      OomKills: 0
      OomKilledAt: "0001-01-01T00:00:00Z"
    Config:
      Image: docker.io/library/nginx:1.27
    HostConfig:
      Memory: 67108864
      NanoCpus: 500000000
      PidsLimit: 100
      RestartPolicy:
        Name: always
        MaximumRetryCount: 0
status:
  description: The exit status of the container's program.
  returned: when O(detach=false), but for a check
  type: int
  sample: 0
actions:
  description: What was done, or in check mode would be done; one step a line, in order. Empty if nothing differs.
  returned: success
  type: list
  elements: str
  sample: ["set memory to 268435456 (was 67108864) on cgroup pycontainers/5b0a3f9d2c7e"]
changes:
  description: The options that differ. Empty if none does.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: The option's name.
      returned: success
      type: str
      sample: memory
    before:
      description: Its value before the task, in normal form. Nothing if there was none.
      returned: success
      type: raw
      sample: 67108864
    after:
      description: Its value after the task, in normal form.
      returned: success
      type: raw
      sample: 268435456
    effect:
      description: What the change costs a running container; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: live
  sample:
    - option: memory
      before: 67108864
      after: 268435456
      effect: live
exit_status:
  description: How the program of a container that did not stay, or did not become healthy, has ended.
  returned: when it has ended
  type: int
  sample: 1
log:
  description: The last lines of a container that did not stay, or did not become healthy.
  returned: when there was one
  type: str
  sample: "cannot open /etc/web.conf\n"
diff:
  description: The differences as C(--diff) prints them.
  returned: success
  type: dict
  sample:
    before_header: container web
    after_header: container web
    before: "memory: 67108864\n"
    after: "memory: 268435456  # live\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.container import CONTAINER


def main() -> None:
    """Converge the container that the task declares."""
    resource_module.run(CONTAINER)


if __name__ == "__main__":
    main()
