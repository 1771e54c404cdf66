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
  published_ports:
    description:
      - Ports of the host that lead into the container, each as C([address:]host_port:container_port[/tcp|udp|sctp]).
        Without an address it is every address of the host, without a protocol it is C(tcp). V(0.0.0.0) is every
        address of IPv4, V([::]) every one of IPv6; addresses of IPv6 are written in brackets.
      - Ranges of the same length are possible, such as V(8000-8010:9000-9010). Quote each one.
      - They lead to the container's address on the first of its O(networks) that is not internal, in each family to one
        of that family. Only C(::1) of the host leads nowhere.
      - An empty list publishes none.
      - For a new container the default is none.
    type: list
    elements: str
    aliases: [ports]
  networks:
    description:
      - The networks that the container is on. Each must exist, see M(pycontainers.linux.bridge_network).
      - With an empty list it has a loopback interface only.
      - They are changed while the container runs. The first that is not internal leads outside.
      - Those that run on one network reach each other by their names, their aliases there, and the first twelve digits
        of their ids. The names are in C(/etc/hosts), between two lines of ours; other lines there are the container's
        own.
      - For a new container the default is none.
    type: list
    elements: dict
    suboptions:
      name:
        description: The network's name.
        type: str
        required: true
      ipv4_address:
        description:
          - The container's address on the network. Left out, it keeps what it has, or is given a free one. V("") asks
            for none any more. A change connects the container anew.
        type: str
      ipv6_address:
        description:
          - The same of IPv6, for networks that have it.
        type: str
      mac_address:
        description:
          - The MAC address of the container's interface, such as V(02:42:ac:11:00:02). Left out, it keeps what it has;
            for a new container it follows from the IPv4 address. V("") is that again. A change connects the container
            anew.
        type: str
      aliases:
        description:
          - Names by which others on this network reach the container, beside its own. Left out, it keeps what it has.
        type: list
        elements: str
  network_mode:
    description:
      - Whose network namespace the container is in. V(private) is its own, with its O(networks); V(none) its own with a
        loopback interface only; V(host) the host's; C(container:NAME) that of another container, with that one's names
        and addresses; C(ns:PATH) one that is pinned at an absolute path of the host, as C(ip netns add) does it.
      - The other container must be started when this one is. If it is made anew, this one has to be started again.
      - V(slirp4netns) or V(pasta) is its own too, in which the program of this name makes the interface C(tap0), by
        sockets of the host and without any change to the host's network. It leads the O(published_ports), by TCP and
        UDP. The package C(slirp4netns) or C(passt) has to be there.
      - Options of C(slirp4netns), such as V(slirp4netns:mtu=1500,cidr=10.0.7.0/24), are C(mtu), C(cidr),
        C(allow_host_loopback=true) (its address 10.0.2.2 leads to the host's loopback) and C(enable_ipv6=false).
      - Options of C(pasta), such as V(pasta:--mtu,1500), are C(--mtu), C(--map-gw) (its router's address leads to the
        host's loopback) and C(--ipv4-only).
      - Other modes than V(private) take the place of O(networks), and those without a program that of
        O(published_ports) too.
      - For a new container the default is V(private). V(default) is the same.
    type: str
  ingress_rate:
    description:
      - The most that the container receives on each of its O(networks), as C(tc) writes rates, such as V(10mbit). Units
        are C(bit), C(kbit), C(mbit) and C(gbit) a second, which are powers of 1000, and C(bps), C(kbps), C(mbps) and
        C(gbps) for bytes; with an C(i), such as C(mibit), they are powers of 1024.
      - V(max), V(unlimited), V(-1) and V(0) mean no limit.
      - It is changed while the container runs. What would wait for longer than 50 milliseconds is dropped.
      - For a new container the default is no limit.
    type: str
  egress_rate:
    description:
      - The same of what the container sends. A container with C(CAP_NET_ADMIN) can lift it.
    type: str
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
