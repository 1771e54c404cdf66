# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is documented of a container's program: who it is, what it may do, and what it is given."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of ``container`` that say how its program is confined."""

    DOCUMENTATION = r"""
options:
  user:
    description:
      - The user that the container's program runs as, as C(user[:group]). Each is a name that the image knows, or a
        number. V("") is the image's.
      - For a new container the default is the image's, and C(root) if it has none.
    type: str
  groups:
    description:
      - More groups that the program is in, by name or number.
      - For a new container the default is none.
    type: list
    elements: str
  working_dir:
    description:
      - The directory that the program starts in, as an absolute path. It is made if it is not there.
        V("") is the image's.
      - For a new container the default is the image's, and C(/) if it has none.
    type: str
  hostname:
    description:
      - The container's host name. V("") stands for the first twelve digits of its id.
      - For a new container the default is V("").
    type: str
  domainname:
    description:
      - The container's NIS domain name. V("") is none.
      - For a new container the default is V("").
    type: str
  dns_servers:
    description:
      - The addresses of the servers that are asked for names, at most three, in this order. They take the place of the
        host's in C(/etc/resolv.conf).
      - For a new container the default is V([]), which is the host's.
    type: list
    elements: str
  dns_search_domains:
    description:
      - The domains that names without a dot are looked for in, in this order. V([.]) is none.
      - For a new container the default is V([]), which is the host's.
    type: list
    elements: str
  dns_opts:
    description:
      - Options of resolv.conf(5), such as V(ndots:2).
      - For a new container the default is V([]), which is the host's.
    type: list
    elements: str
  etc_hosts:
    description:
      - Addresses by name, of IPv4 or IPv6, for the container's C(/etc/hosts). V(host-gateway) is the host's address on
        the first of its O(networks), or the one by which a program in O(network_mode) leads to the host's loopback.
      - For a new container the default is V({}).
    type: dict
  labels:
    description:
      - Labels by name, over those of the image. They tell of the container and change nothing in it, and are changed
        while it runs.
      - Values must be strings. Quote what YAML would read as a number, as a boolean or as nothing.
    type: dict
  stop_signal:
    description:
      - The signal that asks the container to end, by name or number, such as V(SIGQUIT). V("") is the image's.
        It is changed while the container runs.
      - For a new container the default is the image's, and C(SIGTERM) if it has none.
    type: str
  privileged:
    description:
      - Give the container every capability and every device of the host, hide nothing of the kernel's files from it,
        and filter none of its system calls. Its root can then take over the host.
      - For a new container the default is V(false).
    type: bool
  cap_add:
    description:
      - Capabilities that the container has beside the default ones, with or without C(CAP_), in any case.
        V(ALL) is each one.
      - Only root has them in effect.
      - For a new container the default is none.
    type: list
    elements: str
    aliases: [capabilities]
  cap_drop:
    description:
      - Capabilities that the container does not have. With V(ALL) it has only those of O(cap_add).
        What is in both lists it has.
      - For a new container the default is none.
    type: list
    elements: str
  security_opts:
    description:
      - V(no-new-privileges) lets no program gain privileges, by a set-user-ID bit for example.
      - V(seccomp=unconfined) filters no system calls. V(seccomp=/path/profile.json) filters them by a profile on the
        host, in the form of Docker or of the OCI configuration. It is read at each start; another content is no
        difference.
      - V(systempaths=unconfined) hides and protects none of the kernel's files.
      - V(apparmor=unconfined) and V(label=disable) are how a container is in any case, and change nothing.
      - For a new container the default is none.
    type: list
    elements: str
  read_only:
    description:
      - Whether the container's root filesystem is read-only. Volumes and O(tmpfs) are not.
      - For a new container the default is V(false).
    type: bool
  tmpfs:
    description:
      - Filesystems in memory, each as C(path[:options]), such as V(/run:size=64m,mode=755). They are empty at each
        start.
      - Options are those of the kernel's tmpfs, separated by commas. C(nosuid), C(nodev) and C(noexec) are set unless
        their opposites C(suid), C(dev) and C(exec) are given.
      - For a new container the default is none.
    type: list
    elements: str
  shm_size:
    description:
      - The size of C(/dev/shm), in bytes or as a number with a unit as in O(memory).
      - For a new container the default is V(64m).
    type: str
  storage_opts:
    description:
      - How much the container may write to its root filesystem, as a dictionary of C(size), in bytes or as a number
        with a unit as in O(memory), and C(inodes), a number of files. Volumes and O(tmpfs) do not count.
      - A C(size) is rounded down to whole blocks of 4096 bytes, and is 1m at least.
      - Where the filesystem of O(root) enforces project quotas (ext4 or xfs, mounted with C(prjquota)), these are the
        limits of a project, and change while the container runs, to more or to less than it has written.
      - Elsewhere its root filesystem is written to an ext4 of that C(size) in a file, which takes disk as it is written
        to, and C(inodes) is refused. It grows while the container runs, and does not shrink. To get its first size, or
        to have none any more, the container is made anew. Needs C(mkfs.ext4) on the host.
      - For a new container the default is no limit.
    type: dict
  devices:
    description:
      - Devices of the host in the container, each as C(path[:path in the container[:access]]), such as
        V(/dev/fuse) or V(/dev/ttyUSB0:/dev/modem:rw). The access is made of C(r), C(w) and C(m) (mknod), and all of
        them if it is not given.
      - The device must exist.
      - For a new container the default is none.
    type: list
    elements: str
  ulimits:
    description:
      - Resource limits of the container's processes, each as C(name:soft[:hard]), such as V(nofile:1024:4096).
        Without a hard limit it is the soft one. V(-1) is no limit.
      - Names are C(core), C(cpu), C(data), C(fsize), C(locks), C(memlock), C(msgqueue), C(nice), C(nofile), C(nproc),
        C(rss), C(rtprio), C(rttime), C(sigpending) and C(stack).
      - They are changed in all processes of a running container. To raise a hard limit again, or to go back to none,
        takes C(CAP_SYS_RESOURCE) on the host.
      - For a new container the default is none; limits are then those of who starts it.
    type: list
    elements: str
  sysctls:
    description:
      - Kernel settings by name, such as C(net.ipv4.ip_forward). Only those are possible that the container's
        namespaces have of their own; those of the network, of message queues and of System V IPC.
      - For a new container the default is none.
    type: dict
  log_driver:
    description:
      - Where what the container's program writes goes. V(file) keeps it in files of a bounded size, with a time stamp
        before each line where the host has C(s6-log), of the package C(s6); C(pycontainers logs) shows it. V(syslog)
        and V(journald) hand it to what the host has of these, and V(none) drops it.
      - Only V(file) goes with O(tty), and can be attached to.
      - For a new container the default is V(file).
    type: str
    choices: [file, syslog, journald, none]
  log_options:
    description:
      - C(max-size) is the size of a file of O(log_driver=file), such as V(10m), from 4096 bytes to 268435455, and
        C(max-file) how many there are, the one that is written among them, from 1 to 100. When the last one is full the
        oldest goes. The default is three of 10 MB.
      - C(tag) is what O(log_driver=syslog) and O(log_driver=journald) call the lines by. In it C(.Name), C(.ID) and
        C(.FullID), each in two pairs of braces, stand for the container's name and id. The default is its name.
      - For a new container the default is none of them.
    type: dict
    aliases: [log_opt]
  tty:
    description:
      - Whether the container's program has a terminal. What it writes there is in the container's log as well, and
        C(pycontainers attach) gives the terminal to somebody.
      - The variable C(TERM) is V(xterm) unless O(env) or the image says otherwise.
      - For a new container the default is V(false).
    type: bool
  interactive:
    description:
      - Whether the program's standard input stays open while nobody is attached, and C(pycontainers attach) can write
        to it. Without it the program reads nothing.
      - For a new container the default is V(false).
    type: bool
  oom_score_adj:
    description:
      - How soon the kernel ends the container's processes when the host's memory runs out, from V(-1000), which is
        never, to V(1000), which is first. It is changed in all processes of a running container.
      - For a new container the default is V(0).
    type: int
  ipc_mode:
    description:
      - Whether the container has System V IPC, message queues and C(/dev/shm) of its own, or the host's.
      - For a new container the default is V(private).
    type: str
    choices: [host, private]
  uts:
    description:
      - Whether the container has a host name of its own, or the host's.
      - For a new container the default is V(private).
    type: str
    choices: [host, private]
  cgroupns_mode:
    description:
      - Whether the container sees its own cgroup as the root of all, or where it is on the host.
      - For a new container the default is V(private).
    type: str
    choices: [host, private]
  cgroup_parent:
    description:
      - The cgroup that the container's own is made in, as a path from the root of the cgroups, such as V(/shop.slice).
        Its limits hold for all containers in it together; they are set by M(pycontainers.linux.cgroup_limit). It is
        made if it is not there, and stays. With cgroup version 2 it must have no processes of its own.
      - For a new container the default is V(""), which is C(pycontainers).
    type: str
  pid_mode:
    description:
      - Whose processes the container sees, its own only (V(private)), all of the host (V(host)), or with
        C(container:NAME) those of another container, which must run when this one starts.
      - The processes of a container that has joined another's end with that one. O(restart_policy) starts it again,
        and goes on trying until the other runs.
      - For a new container the default is V(private).
    type: str
  init:
    description:
      - Whether a small program is the container's process 1, and the command its child. It passes signals on, also to a
        command that has no handlers for them, and reaps the processes that are left to it.
      - It is the host's own, bound read-only at C(/sbin/docker-init). Of C(docker-init), C(tini-static), C(tini),
        C(catatonit) and C(dumb-init) the host needs one that is statically linked, as in Debian's packages C(tini) and
        C(catatonit) or Alpine's C(tini-static).
      - It needs O(pid_mode=private).
      - For a new container the default is V(false).
    type: bool
  userns_mode:
    description:
      - Whose user namespace the container is in. There is V(host) only; its users are those of the host.
      - For a new container the default is V(host).
    type: str
    choices: [host]
"""
