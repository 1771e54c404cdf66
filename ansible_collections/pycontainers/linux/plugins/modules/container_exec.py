#!/usr/bin/python

# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``container_exec``."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_exec
short_description: Run a program in a running container
version_added: 0.2.0
author:
  - The pycontainers authors (!UNKNOWN)
description:
  - Runs a program in a container and returns what it wrote. It is confined as the container's own program is, with its
    environment, capabilities, limits and seccomp profile.
  - Nobody can see whether a program has run already. So the task changes something whenever it runs it, which
    O(creates), O(removes) or C(changed_when) can tell better.
  - A task whose program ends with another status than 0 fails, unless its C(failed_when) says otherwise.
extends_documentation_fragment:
  - pycontainers.linux.common
options:
  container:
    description: The container's name. It has to run.
    type: str
    required: true
  command:
    description:
      - The program with its arguments, as text that is split as a shell splits words, or as a list. There is no
        shell, unless you name one.
      - Exactly one of O(command) and O(argv) is needed.
    type: raw
  argv:
    description: The program with its arguments, a word each.
    type: list
    elements: str
  chdir:
    description: The directory in the container to run it in. Left out, it is the container's.
    type: str
  user:
    description: The user, and after a colon the group, to run it as; each a name in the container or a number.
    type: str
  env:
    description: Variables of its environment, besides those of the container. Values must be text, so quote them.
    type: dict
  stdin:
    description: What it reads. Left out, there is nothing to read.
    type: str
  stdin_add_newline:
    description: Whether O(stdin) ends with a newline that is not written there.
    type: bool
    default: true
  strip_empty_ends:
    description: Whether newlines at the end of what it writes are left out.
    type: bool
    default: true
  detach:
    description:
      - Whether to leave it running, once it is started. What it writes then goes nowhere.
      - Not with O(stdin) or O(tty).
    type: bool
    default: false
  tty:
    description: Whether to give it a terminal. All that it writes is returned as RV(stdout) then.
    type: bool
    default: false
  creates:
    description: A path in the container. If it is there, nothing is run.
    type: str
  removes:
    description: A path in the container. If it is not there, nothing is run.
    type: str
attributes:
  check_mode:
    description:
      - Nothing is run. The task says that it would be, or by O(creates) and O(removes) that it would not.
    support: full
  idempotent:
    support: partial
    details:
      - The program is run each time, unless O(creates) or O(removes) says that it need not be.
seealso:
  - module: pycontainers.linux.container
  - module: pycontainers.linux.container_copy_into
"""

EXAMPLES = r"""
- name: Load the configuration anew
  pycontainers.linux.container_exec:
    container: web
    command: nginx -s reload

- name: Make a database, once
  pycontainers.linux.container_exec:
    container: db
    argv: [sh, -c, "initdb /data && touch /data/.made"]
    user: postgres
    creates: /data/.made

- name: Feed a program
  pycontainers.linux.container_exec:
    container: db
    command: psql -f -
    stdin: select 1;
"""

RETURN = r"""
stdout:
  description: What the program wrote to its standard output.
  returned: if it was run to its end, or need not be run
  type: str
  sample: done
stderr:
  description: What it wrote to its standard error; also why it can't be executed.
  returned: if it was run to its end, or need not be run
  type: str
  sample: ""
rc:
  description: Its exit status, 128 + n if signal n ended it; 127 if there is no such program, 126 if it is none.
  returned: if it was run to its end, or need not be run
  type: int
  sample: 0
exec_id:
  description: The process that was left running, by its pid on the host and its start time in clock ticks since boot.
  returned: if O(detach=true) and it was started
  type: str
  sample: "4711-8127364"
msg:
  description: Why nothing was run.
  returned: if nothing was run
  type: str
  sample: "nothing was run: /data/.made is there in container db"
actions:
  description: What was done, or in check mode would be done; one step a line, in order.
  returned: success
  type: list
  elements: str
  sample: ["run nginx in container web"]
changes:
  description: The program that was run. Empty if it need not be run.
  returned: success
  type: list
  elements: dict
  contains:
    option:
      description: C(runs), and C(container).
      returned: success
      type: str
      sample: runs
    before:
      description: Nothing.
      returned: success
      type: raw
      sample: null
    after:
      description: The words of the command.
      returned: success
      type: raw
      sample: ["nginx", "-s", "reload"]
    effect:
      description: What the change costs something that runs; V(none), V(live), V(restart) or V(recreate).
      returned: success
      type: str
      sample: live
  sample:
    - option: runs
      before: null
      after: ["nginx", "-s", "reload"]
      effect: live
diff:
  description: The program as C(--diff) prints it.
  returned: success
  type: dict
  sample:
    before_header: container_exec web
    after_header: container_exec web
    before: ""
    after: "container: web\nruns: [\"nginx\", \"-s\", \"reload\"]\n"
"""

from ..module_utils import resource_module
from ..module_utils.runtime.resources.container_exec import CONTAINER_EXEC


def main() -> None:
    """Run what the task says."""
    resource_module.run(CONTAINER_EXEC)


if __name__ == "__main__":
    main()
