# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is documented of when a container is started again, in which order, and how long its end may take."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of ``container`` about its life: restarts, dependencies, its end."""

    DOCUMENTATION = r"""
options:
  restart_policy:
    description:
      - What to do when the container's process ends by itself.
      - V(no) leaves it ended. V(on-failure) starts it again if its exit code is not 0, at most O(restart_retries) times
        since it was started by somebody. V(always) and V(unless-stopped) start it again whatever its exit code.
      - A container that was stopped is not started again. When the host boots, V(always) starts it in any case,
        V(unless-stopped) and V(on-failure) start it if it ran, or waited to be started again, when the host went down.
      - Each start in a row waits twice as long as the one before, from 100 milliseconds to 1 minute, until the
        container has run for 10 seconds.
      - Starting at boot needs the service that the role P(pycontainers.linux.host#role) sets up.
      - For a new container the default is V(no).
    type: str
    choices: ["no", on-failure, always, unless-stopped]
  restart_retries:
    description:
      - How often O(restart_policy=on-failure) starts the container again. V(0) is any number.
      - For a new container the default is V(0).
    type: int
  auto_remove:
    description:
      - Whether the container removes itself, and its volumes without a name, when its program has ended. One that a
        task stops stays until the host boots.
      - It goes with no other O(restart_policy) than V(no).
      - For a new container the default is V(false).
    type: bool
  stop_timeout:
    description:
      - How many seconds the container has to end by itself after its O(stop_signal), before all its processes are
        killed.
      - For a new container the default is V(10).
    type: int
  depends_on:
    description:
      - Other containers of this host that have to run before this one is started, each by its name, or as a dictionary
        with C(name) and C(condition), which is V(started) or V(healthy).
      - All of them must be there, and none may need this one. A task that starts the container fails if one of them
        does not run, or is not healthy where it has to be, since it changes only what it names; C(pycontainers start)
        starts them first, and waits for their health.
      - When the host boots, containers are started in this order, and stopped the other way round when it shuts down.
        One that can't be started holds up only those that depend on it.
      - The containers that O(pid_mode) and O(network_mode) name are depended on without being in this list.
      - It is about the start alone; a container goes on when one that it depends on ends. V([]) is none.
    type: list
    elements: raw
"""
