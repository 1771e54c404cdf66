# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pull of a large image beside podman, and beside skopeo with umoci: whole processes, on tmpfs and on the disk."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import platform
import shutil
import stat
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.kernel import syscalls
from benchmarks.world import World
from testbed.registry import registry

COMMAND = Path(__file__).parents[1] / "bin/pycontainers"
PEERS = {"podman": "podman", "skopeo": "skopeo", "umoci": "umoci"}
"""The programs that are measured beside ours, and the Debian packages that have them."""

ROUNDS = 5
SOURCES = ("/usr/bin", "/usr/lib", "/usr/share", "/usr/include")
"""What the layers are made of, one each: programs, libraries and texts of this machine, as images have them."""

LAYER_BYTES = 186_000_000 // len(SOURCES)
LARGEST_FILE = 1 << 20
PIECE = 1 << 20


@dataclass
class Course:
    """What the rounds of one candidate took: seconds, and the largest of its processes in kB."""

    seconds: list[float] = field(default_factory=list)
    peak: int = 0


def peers() -> None:
    """Install those that are missing. It takes the machine's own network namespace."""
    missing = [package for program, package in PEERS.items() if shutil.which(program) is None]
    if missing and shutil.which("apt-get"):
        print(f"installing {' '.join(missing)}", file=sys.stderr)
        command = ["apt-get", "-qq", "install", "-y", "--no-install-recommends", *missing]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(made: World) -> None:
    """Print the figures for both file systems. The registry's files are in memory by then."""
    with tempfile.TemporaryDirectory(prefix="pycontainers-pull-") as folder, memory() as fast:
        image = Path(folder) / "image"
        size, count = build(image)
        with registry(Path(folder) / "registry", filled=False) as server:
            name = f"{server.address}/large:latest"
            copy = ["skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", f"oci:{image}:latest"]
            subprocess.run([*copy, f"docker://{name}"], check=True)
            held = f"{count} files, {size / 1e6:.0f} MB as the registry holds them"
            print(f"\nPull of {len(SOURCES)} layers, {held}; medians of {ROUNDS} rounds")
            show("tmpfs", rounds(fast, name, clear=True))
            show("disk", rounds(Path(folder) / "store", name, clear=False))


def show(title: str, courses: dict[str, Course]) -> None:
    """Print a file system's figures, each with its ratio to the first."""
    base = statistics.median(next(iter(courses.values())).seconds)
    for name, course in courses.items():
        middle = statistics.median(course.seconds)
        figures = f"{middle:6.2f} s  x {middle / base:.2f}  ({min(course.seconds):.2f} to {max(course.seconds):.2f})"
        print(f"  {title:<6} {name:<24} {figures}  peak {course.peak / 1e3:.0f} MB")


def rounds(place: Path, name: str, clear: bool) -> dict[str, Course]:
    """Let all candidates pull in turn, each into an empty folder; the first round warms up.

    Memory has to be cleared after each. A disk must not: for minutes ext4 looks past every inode that was just freed,
    and the next candidate would pay for the last one's files.
    """
    courses: dict[str, Course] = {}
    for turn in range(ROUNDS + 1):
        for candidate, commands in candidates(place / str(turn), name).items():
            (place / str(turn)).mkdir(parents=True, exist_ok=True)
            os.sync()
            began, peak = time.perf_counter(), 0
            for command in commands:
                peak = max(peak, run(command))
            took = time.perf_counter() - began
            if turn:
                course = courses.setdefault(candidate, Course())
                course.seconds.append(took)
                course.peak = max(course.peak, peak)
            if clear:
                subprocess.run(["rm", "-rf", "--", *place.iterdir()], check=True)
    return courses


def candidates(place: Path, name: str) -> dict[str, list[list[str]]]:
    """The commands of each candidate."""
    podman = ["podman", "--root", f"{place}/podman", "--runroot", f"{place}/podman.run", "--storage-driver", "overlay"]
    skopeo = ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false", f"docker://{name}"]
    ours = [str(COMMAND), "--root", f"{place}/ours", "--run", f"{place}/ours.run"]
    return {
        "podman pull": [[*podman, "pull", "-q", "--tls-verify=false", name]],
        "skopeo copy, umoci unpack": [
            [*skopeo, f"oci:{place}/copy:latest"],
            ["umoci", "unpack", "--image", f"{place}/copy:latest", f"{place}/bundle"],
        ],
        "pycontainers pull": [[*ours, "pull", name]],
    }


def run(command: list[str]) -> int:
    """Run a command that is to succeed; gives its largest resident size in kB."""
    # Tests and CI machines may forbid bytecode; a host does not.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, env=environment, stdout=said, stderr=said)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"bench: {' '.join(command)} failed: {said.read().decode(errors='replace')}")
    return used.ru_maxrss


def build(folder: Path) -> tuple[int, int]:
    """Make the image as an OCI layout; its compressed size and how many files it has."""
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    layers, diff_ids, count = [], [], 0
    for source in SOURCES:
        print(f"bench: making a layer of {source}", file=sys.stderr)
        plain, packed = folder / "plain", folder / "packed"
        count += archive(plain, source)
        with plain.open("rb") as file, gzip.open(packed, "wb", compresslevel=6) as target:
            shutil.copyfileobj(file, target, PIECE)
        diff_ids.append(f"sha256:{digest(plain)}")
        plain.unlink()
        layers.append(keep(blobs, packed, "application/vnd.oci.image.layer.v1.tar+gzip"))
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    config: dict[str, object] = {"architecture": machine, "os": "linux", "config": {}}
    config["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
    kept = document(blobs, config, "application/vnd.oci.image.config.v1+json")
    kind = "application/vnd.oci.image.manifest.v1+json"
    entry = document(blobs, {"schemaVersion": 2, "mediaType": kind, "config": kept, "layers": layers}, kind)
    entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return sum(int(str(each["size"])) for each in layers), count


def archive(target: Path, source: str) -> int:
    """Write the first files below a folder as an archive of a layer's size; how many they are.

    The folders above it are members too, as every builder writes them that takes a layer from a changed tree.
    """
    count = 0
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as made:
        for above in reversed(Path(source).parents[:-1]):
            made.add(above, recursive=False)
        for path in files(source):
            made.add(path, recursive=False)
            count += 1
            if made.offset >= LAYER_BYTES:
                break
    return count


def files(top: str) -> Iterator[str]:
    """Ordinary files and folders, in the order of their names."""
    for parent, folders, names in os.walk(top):
        folders.sort()
        yield parent
        for path in (f"{parent}/{name}" for name in sorted(names)):
            there = os.lstat(path)
            if stat.S_IFMT(there.st_mode) in (stat.S_IFREG, stat.S_IFLNK) and there.st_size <= LARGEST_FILE:
                yield path


def document(blobs: Path, value: dict[str, object], media_type: str) -> dict[str, object]:
    """Put a JSON document into the layout; its descriptor."""
    path = blobs / "document"
    path.write_text(json.dumps(value))
    return keep(blobs, path, media_type)


def keep(blobs: Path, path: Path, media_type: str) -> dict[str, object]:
    """Give a file its name as a blob of the layout; its descriptor."""
    name, size = digest(path), path.stat().st_size
    path.rename(blobs / name)
    return {"mediaType": media_type, "digest": f"sha256:{name}", "size": size}


def digest(path: Path) -> str:
    """The hexadecimal digits of a file's digest. In pieces: what this process has grown to is its children's peak."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def memory() -> Iterator[Path]:
    """A tmpfs, in the mount namespace that this process is in by now."""
    with tempfile.TemporaryDirectory(prefix="pycontainers-pull-") as folder:
        syscalls.mount("tmpfs", folder, "tmpfs", options="size=4g")
        try:
            yield Path(folder)
        finally:
            syscalls.umount(folder)
