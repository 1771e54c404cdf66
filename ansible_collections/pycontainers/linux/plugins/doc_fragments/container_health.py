# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is documented of the health of a container: how it is checked, and what becomes of one that is not well."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of ``container`` that say how its health is checked."""

    DOCUMENTATION = r"""
options:
  healthcheck:
    description:
      - How the container's health is checked. What is left out of it is as the image says, else as Docker has it.
      - A check is a program that runs in the container as M(pycontainers.linux.container_exec) runs one. It says with
        its exit status 0 that the container is healthy, with any other that it is not.
      - Durations are numbers with units, such as V(1m30s) or V(500ms). Units are C(h), C(m), C(s), C(ms), C(us) and
        C(ns).
      - It is changed while the container runs. An empty dictionary is what the image says.
      - For a new container the default is what the image says.
    type: dict
    suboptions:
      test:
        description:
          - A list that begins with C(CMD), before a program and its arguments, or with C(CMD-SHELL), before a line for
            the container's shell, or with C(NONE) alone, for no check. Text is a line for the shell.
        type: raw
      interval:
        description: How long after the end of one check the next begins. Docker has V(30s).
        type: str
      timeout:
        description:
          - How long a check may take. What it has started in the container is killed then, and the check has failed.
            Docker has V(30s).
        type: str
      retries:
        description: How many checks in a row have to fail before the container is unhealthy. Docker has V(3).
        type: int
      start_period:
        description:
          - How long after the container's start checks that fail do not count, as long as none has done well. Docker
            has V(0s).
        type: str
      start_interval:
        description: What O(healthcheck.interval) is within O(healthcheck.start_period). Docker has V(5s).
        type: str
  on_unhealthy:
    description:
      - What to do with the container when it is unhealthy. V(none) does nothing.
      - V(restart) ends its program as a stop does, and starts it again, also if O(restart_policy=no). That counts as a
        restart of O(restart_policy), with its waiting and its O(restart_retries).
      - V(stop) stops the container, so that it is not started again.
      - It is changed while the container runs.
      - For a new container the default is V(none).
    type: str
    choices: [none, restart, stop]
  healthy_wait_timeout:
    description:
      - How many seconds O(state=healthy) waits at most. V(0) and less is for ever.
    type: float
    default: 300
"""
