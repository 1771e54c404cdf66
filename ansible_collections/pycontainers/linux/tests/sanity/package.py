# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection as a release is built, and see what others get of it.

``build`` installs the archive where there is no other collection, and has Ansible list and load what is in it.
``galaxy-importer`` gives it to the program with which Galaxy looks at what is uploaded, see requirements-importer.txt.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

COLLECTION = Path(__file__).resolve().parents[2]
ROOT = COLLECTION.parents[2]
IMPORTER = ROOT / ".venv-importer"
REQUIREMENTS = Path(__file__).with_name("requirements-importer.txt")

NAME = "pycontainers.linux"
MADE = {"MANIFEST.json", "FILES.json"}
WHOLE = ("meta/", "playbooks/", "plugins/", "roles/")
"""Of these folders an archive has all, and of the rest no more than ``SINGLE``."""
SINGLE = {*"CHANGELOG.md LICENSE README.md changelogs/changelog.yaml changelogs/config.yaml tests/config.yml".split()}

STAND_IN = "repository: https://example.com/pycontainers.linux\n"
"""Galaxy wants an address, and the collection has none yet."""


class Wrong(Exception):
    """What an archive should not be."""


def run(command: Sequence[str | Path], collections: Path, **more: str) -> str:
    """Run a command that has the collections of a folder and no others, and return what it wrote; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment |= {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1", **more}
    done = subprocess.run(
        command, cwd=collections, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise Wrong(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def known() -> set[str]:
    """The files of the collection that git knows, or would know."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listed, cwd=COLLECTION, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {name for name in found.split("\0") if name and (COLLECTION / name).exists()}


def built(source: Path, folder: Path) -> Path:
    """The archive of a collection."""
    run(["ansible-galaxy", "collection", "build", "--output-path", folder, source], folder)
    (archive,) = folder.glob("*.tar.gz")
    return archive


def look(archive: Path) -> None:
    """See that all is in an archive that belongs there, and nothing else."""
    with tarfile.open(archive) as opened:
        names = {member.name for member in opened if member.isfile()} - MADE
    wanted = {name for name in known() if name.startswith(WHOLE) or name in SINGLE}
    if missing := sorted(wanted - names):
        raise Wrong(f"not in the archive: {' '.join(missing)}")
    if more := sorted(names - wanted):
        raise Wrong(f"in the archive, and not to be there, see build_ignore in galaxy.yml: {' '.join(more)}")


def installed(collections: Path) -> None:
    """See that Ansible finds all modules, roles and playbooks of an installed collection, and can load them."""
    modules = {f"{NAME}.{path.stem}" for path in (COLLECTION / "plugins/modules").glob("*.py")}
    roles = {f"{NAME}.{path.name}" for path in (COLLECTION / "roles").iterdir()}
    for kind, wanted in (("module", modules), ("role", roles)):
        listed = set(answer(["ansible-doc", "--json", "--list", "--type", kind, NAME], collections))
        if listed != wanted:
            raise Wrong(f"of each kind {kind}, listed or existing but not both: {' '.join(sorted(listed ^ wanted))}")
        told = answer(["ansible-doc", "--json", "--type", kind, *sorted(wanted)], collections)
        if unknown := sorted(name for name in wanted if name not in told or "error" in told[name]):
            raise Wrong(f"without documentation: {' '.join(unknown)}")
    playbooks = sorted(f"{NAME}.{path.stem}" for path in (COLLECTION / "playbooks").glob("*.yml"))
    run(["ansible-playbook", "--syntax-check", "--inventory", "localhost,", *playbooks], collections)


def answer(command: Sequence[str], collections: Path) -> Mapping[str, Any]:
    """What a command prints as JSON."""
    said = run(command, collections)
    found: Mapping[str, Any] = json.loads(said[said.index("{") :])
    return found


def build(folder: Path) -> None:
    """Build the archive, look into it, install it, and have Ansible load what was installed."""
    archive = built(COLLECTION, folder)
    look(archive)
    install = ["ansible-galaxy", "collection", "install", "--offline", "--collections-path", str(folder), str(archive)]
    run(install, folder)
    installed(folder)


def importer(folder: Path) -> None:
    """Have Galaxy's importer look at the archive; it may not complain, not even with a warning."""
    copy = folder / "copy"
    for name in known():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(COLLECTION / name, copy / name)
    galaxy = copy / "galaxy.yml"
    if "repository" not in yaml.safe_load(galaxy.read_text(encoding="utf-8")):
        galaxy.write_text(galaxy.read_text(encoding="utf-8") + STAND_IN, encoding="utf-8")
    archive = built(copy, folder)
    # What it has of ansible-lint and flake8 is looked after by checks of their own.
    command: list[str | Path] = [environment() / "bin/python", "-m", "galaxy_importer.main", archive]
    said = run(command, folder, GALAXY_IMPORTER_RUN_ANSIBLE_LINT="false", GALAXY_IMPORTER_RUN_FLAKE8="false")
    if complaints := [line for line in said.splitlines() if line.startswith(("WARNING", "ERROR"))]:
        raise Wrong("\n".join(complaints))


def environment() -> Path:
    """A virtual environment of the importer's own, for older versions of others; made anew when they change."""
    wanted = f"{REQUIREMENTS.read_text(encoding='utf-8')}{IMPORTER}\n{sys.version}\n"
    made = IMPORTER / "made-of"
    if not made.exists() or made.read_text(encoding="utf-8") != wanted:
        shutil.rmtree(IMPORTER, ignore_errors=True)
        run([sys.executable, "-m", "venv", IMPORTER], ROOT)
        install = ["install", "--disable-pip-version-check", "--requirement", str(REQUIREMENTS)]
        run([IMPORTER / "bin/pip", *install], ROOT)
        made.write_text(wanted, encoding="utf-8")
    return IMPORTER


def main(words: Sequence[str]) -> int:
    """Run one of the checks."""
    checks = {"build": build, "galaxy-importer": importer}
    with tempfile.TemporaryDirectory() as folder:
        try:
            checks[words[0]](Path(folder))
        except Wrong as error:
            print(error)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
