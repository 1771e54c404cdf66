# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Debian root filesystem is made of: systemd and what the collection needs of a host; no dbus and no udev."""

from __future__ import annotations

PACKAGES = (
    "base-files", "base-passwd", "bash", "busybox-static", "coreutils", "dash", "debianutils", "findutils", "grep",
    "gzip", "hostname", "iproute2", "kmod", "libc-bin", "libseccomp2", "login", "mawk", "mount", "procps", "python3",
    "python3-pyroute2", "s6", "sed", "systemd", "systemd-sysv", "tar", "usr-is-merged", "util-linux",
)  # fmt: skip
"""Debian packages; apt verifies their signatures and adds what they depend on."""

WITHOUT = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/lib/python3.11/test")
MERGED = ("bin", "sbin", "lib", "lib64")
"""What is a link to the same below /usr, and which packages still have files in."""

# Those own a kernel, a console or users' sessions; what is masked is never started for others either.
MASKED = (
    "console-getty.service", "dev-hugepages.mount", "dev-mqueue.mount", "e2scrub_reap.service", "getty.target",
    "proc-sys-fs-binfmt_misc.automount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount",
    "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "systemd-firstboot.service", "systemd-journal-flush.service",
    "systemd-logind.service", "systemd-networkd.service", "systemd-remount-fs.service", "systemd-resolved.service",
    "systemd-udevd.service",
)  # fmt: skip

USERS = """\
u messagebus - -
u systemd-journal - -
g systemd-journal -
"""

SHELLS = "/bin/sh\n/bin/bash\n/usr/bin/bash\n"

UNITS = {
    "eth0.service": """\
[Unit]
Description=The interface of the testbed's network
DefaultDependencies=no
After=local-fs.target
Before=network.target network-pre.target
Wants=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
EnvironmentFile=/etc/eth0
ExecStart=/bin/sh -c 'ip link set lo up; ip address replace $ADDRESS dev eth0; ip link set eth0 up'
ExecStart=/bin/sh -c 'ip route replace default via $GATEWAY'

[Install]
WantedBy=multi-user.target
""",
    "dropbear.service": """\
[Unit]
Description=ssh server (keys only)
After=network.target

[Service]
ExecStart=/usr/sbin/dropbear -F -E -P /run/dropbear.pid
KillMode=process
Restart=always

[Install]
WantedBy=multi-user.target
""",
}
