# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible sends to a host for one task, as a program that can be run by itself.

Run as ``python3 -m benchmarks.payload MODULE ARGUMENTS FILE``, ARGUMENTS as JSON: Ansible finds collections only in a
process that has not imported them otherwise.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(module: str, arguments: str, file: str) -> None:
    """Write the program that runs the module with the arguments on a host whose Python is this one."""
    from ansible.executor.module_common import modify_module
    from ansible.parsing.dataloader import DataLoader
    from ansible.plugins.loader import init_plugin_loader, module_loader
    from ansible.template import Templar

    init_plugin_loader()
    found = module_loader.find_plugin_with_context(module)
    built = modify_module(
        module_name=module,
        module_path=found.plugin_resolved_path,
        module_args=json.loads(arguments),
        templar=Templar(loader=DataLoader()),
        task_vars={"ansible_python_interpreter": sys.executable},
        module_compression="ZIP_DEFLATED",
    )
    Path(file).write_bytes(built.b_module_data)


if __name__ == "__main__":
    main(*sys.argv[1:])
