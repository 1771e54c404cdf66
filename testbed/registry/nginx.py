# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The image `nginx`: Debian's nginx on a minimal Debian, in layers, made by mmdebstrap and umoci."""

from __future__ import annotations

import os
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

from . import packages
from .layout import Layout
from .stages import Stages

# A line of the page that each tag serves.
PAGE_LATEST = "Welcome to nginx on pycontainers"
PAGE_NEXT = "Welcome to the next nginx on pycontainers"

# What Debian's own slim images leave out too, and what only building needs.
EXCLUDED = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
    "/usr/share/zoneinfo/*",
    "/usr/lib/*/gconv/*",
)
PURGED = ("*perl*", "debconf", "usrmerge", "libgdbm*")
# Of the machine that built it, not of the image.
EMPTIED = ("dev", "etc/apt", "tmp", "run", "var/cache", "var/lib/apt", "var/log")
REMOVED = ("etc/hostname", "etc/resolv.conf", "etc/machine-id", "etc/dpkg/dpkg.cfg.d/99mmdebstrap")

# Whatever mmdebstrap mounts or starts is in namespaces of its own, and gone with them, also when we are killed.
ALONE = (
    *("setpriv", "--pdeathsig", "KILL"),
    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"),
)

SITE = """\
server {
    listen 80 default_server;
    root /var/www/html;
    index index.html;
    server_name _;
    location / {
        try_files $uri $uri/ =404;
    }
}
"""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{line}</title></head>
<body><h1>{line}</h1><p>nginx {version}, packaged by Debian.</p></body>
</html>
"""


def build(directory: Path, scratch: Path, stages: Stages) -> list[str]:
    """Fill an OCI layout in `directory` and return its tags: the version of nginx, `latest` and `next`.

    `next` shares all layers with `latest` but the topmost, where its page is. Needs root (chroot(2)).
    """
    with stages.stage("nginx: Debian, minimal"):
        base = _debian(scratch / "base", scratch, stages)
    with stages.stage("nginx: Debian with nginx-light"):
        root = _debian(scratch / "full", scratch, stages, "nginx-light", "iproute2")
        version = _upstream_version(root, "nginx")
        _adapt(root)
    with stages.stage("nginx: layers"):
        layout = Layout(directory, scratch / "bundle", stages)
        layout.replace_rootfs(base)
        layout.commit("base", "mmdebstrap --variant=essential")
        layout.replace_rootfs(root)
        layout.commit("server", "mmdebstrap --variant=essential --include=nginx-light,iproute2")
        site = layout.rootfs / "var/www/html"
        shutil.rmtree(site)
        _write_page(site, PAGE_LATEST, version)
        layout.commit("latest", "a page of its own")
        following = scratch / "next"
        _write_page(following, PAGE_NEXT, version)
        layout.insert("next", "server", following, "/var/www/html", opaque=True)
        # Last, since umoci-repack(1) starts from the configuration that was unpacked.
        for tag in ("latest", "next"):
            _configure(layout, tag, version)
        layout.tag("latest", version)
        layout.keep(version, "latest", "next")
    return [version, "latest", "next"]


def _debian(root: Path, scratch: Path, stages: Stages, *include: str) -> Path:
    options = scratch / "apt.conf"
    options.touch(mode=0o600)
    options.write_text(packages.transport_options(), encoding="utf-8")
    words = ["--mode=root", "--variant=essential", "--format=directory", f"--aptopt={options}"]
    words.append('--aptopt=APT::Install-Recommends "false"')
    words += [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED]
    words += [f"--include={package}" for package in include]
    stages.run(*ALONE, "mmdebstrap", *words, "", root, *packages.sources(), env={**os.environ, "LC_ALL": "C.UTF-8"})
    installed = _dpkg_query(root, "${Package}\n").split()
    purged = [name for name in installed if any(fnmatch(name, pattern) for pattern in PURGED)]
    stages.run("chroot", root, "dpkg", "--purge", "--force-all", *purged)
    for name in REMOVED:
        (root / name).unlink(missing_ok=True)
    for name in EMPTIED:
        for path in (root / name).glob("*"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return root


def _upstream_version(root: Path, package: str) -> str:
    return _dpkg_query(root, "${source:Upstream-Version}", package)


def _dpkg_query(root: Path, template: str, *names: str) -> str:
    words = ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "-W", "-f", template, *names]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def _adapt(root: Path) -> None:
    # One worker: what the image costs is not to depend on how many processors a host has.
    configuration = root / "etc/nginx/nginx.conf"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace("worker_processes auto;", "worker_processes 1;"), encoding="utf-8")
    (root / "etc/nginx/sites-available/default").write_text(SITE, encoding="utf-8")
    logs = root / "var/log/nginx"
    logs.mkdir(exist_ok=True)
    (logs / "access.log").symlink_to("/dev/stdout")
    (logs / "error.log").symlink_to("/dev/stderr")


def _configure(layout: Layout, tag: str, version: str) -> None:
    layout.configure(
        tag,
        [
            ("config.entrypoint", "/usr/bin/env"),
            ("config.cmd", "nginx"),
            ("config.cmd", "-g"),
            ("config.cmd", "daemon off;"),
            ("config.env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("config.env", f"NGINX_VERSION={version}"),
            ("config.exposedports", "80/tcp"),
            ("config.stopsignal", "SIGQUIT"),
            ("config.workingdir", "/"),
            ("config.label", "org.opencontainers.image.title=nginx"),
            ("config.label", f"org.opencontainers.image.version={version}"),
            ("config.label", "org.opencontainers.image.description=nginx from Debian, for the pycontainers testbed"),
        ],
    )


def _write_page(site: Path, line: str, version: str) -> None:
    site.mkdir()
    (site / "index.html").write_text(PAGE.format(line=line, version=version), encoding="utf-8")
