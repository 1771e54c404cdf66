# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put pip into an empty virtual environment: what ansible-test downloads a script for, from what Python brings along.

ansible-test runs ``~/.ansible/test/cache/get_pip_24_2.py`` where there is such a file, with the options of
``pip install``, the packages, and --no-setuptools and --no-wheel, which say what is left out by default here.
"""

from __future__ import annotations

import subprocess
import sys

if __name__ == "__main__":
    # As a process of its own, since it hides pip's configuration from the process that it runs in.
    subprocess.run([sys.executable, "-m", "ensurepip"], check=True)
    arguments = [each for each in sys.argv[1:] if each not in ("--no-setuptools", "--no-wheel")]
    sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", *arguments], check=False).returncode)
