# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is documented of a container's ports and networks."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of ``container`` that say how it is reached."""

    DOCUMENTATION = r"""
options:
  published_ports:
    description:
      - Ports of the host that lead into the container, each as C([[address:]host_port:]container_port[/tcp|udp|sctp]).
        Without an address it is every address of the host, without a protocol it is C(tcp). V(0.0.0.0) is every
        address of IPv4, V([::]) every one of IPv6; addresses of IPv6 are written in brackets.
      - Ranges of the same length are possible, such as V(8000-8010:9000-9010). Quote each one.
      - One without a port of the host, such as V(80) or V(127.0.0.1::80), is published at a free one. Which one,
        C(NetworkSettings) in the result and C(pycontainers port) tell. It stays over restarts, replacements and boots;
        only if somebody else has it by the time that a task starts the container again, another one is taken.
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
  exposed_ports:
    description:
      - Ports that the program listens on, beside those that its image says and those that are published, each as
        C(port[-port][/tcp|udp|sctp]). They are shown, and are what O(publish_all_ports) is about; nothing is opened or
        closed by it.
      - For a new container the default is none.
    type: list
    elements: str
    aliases: [exposed, expose]
  publish_all_ports:
    description:
      - Whether each port that is exposed, by O(exposed_ports) or by the image, and is not in O(published_ports), is
        published at a free port of the host. Which one, C(NetworkSettings) in the result tells. It stays over restarts
        and replacements.
      - For a new container the default is V(false).
    type: bool
  default_host_ip:
    description:
      - The address of the host for those of O(published_ports) that name none, and for those of O(publish_all_ports).
        V("") is every address.
      - It is for this task's O(published_ports) alone. The container keeps the ports as they come out.
    type: str
  mac_address:
    description:
      - The MAC address of the container's interface on the first of its networks, as O(networks[].mac_address) is.
        V("") asks for none any more.
    type: str
  purge_networks:
    description:
      - Whether the container leaves the networks that O(networks) does not name. With V(false) it stays on them, and
        those of O(networks) come before them.
    type: bool
    default: true
"""
