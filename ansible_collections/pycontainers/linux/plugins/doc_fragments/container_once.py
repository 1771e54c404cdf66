# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is documented of how a container is brought to what is declared, which is not kept of it."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of ``container`` that ask for something this once."""

    DOCUMENTATION = r"""
options:
  detach:
    description:
      - With V(false) the task waits until the container's program has ended, and fails if its exit status is not 0.
        What it wrote and its status are returned.
      - The container is started by each such task, unless it runs already, and stays when it has ended. See
        O(cleanup).
      - It goes neither with the O(restart_policy) V(always) and V(unless-stopped), nor with O(auto_remove) or
        O(paused=true).
    type: bool
    default: true
  cleanup:
    description:
      - With O(detach=false), remove the container and its volumes without a name when its program has ended with status
        0.
    type: bool
    default: false
  comparisons:
    description:
      - How options are compared with what the container is, by the option's name. V(strict), which is the default of
        all, takes any difference as one. V(ignore) takes none, so that only a new container gets what the task says.
        V(allow_more_present), for lists and dictionaries, keeps what there is beside what the task names.
      - The name V(*) stands for all options that are not named, and is V(strict) or V(ignore).
      - Other than with Docker's module, a list or dictionary without a comparison is all there is to be.
    type: dict
  recreate:
    description:
      - Replace the container this once even if nothing differs. The new one has a new id, and what the old one wrote
        outside of its volumes is gone.
    type: bool
    default: false
  restart:
    description:
      - Stop the container and start it again this once if it runs, even if nothing differs. What differs is changed in
        between. It keeps its id, its addresses and what it wrote.
      - A container that does not run is started, once.
    type: bool
    default: false
  force_kill:
    description:
      - Wherever the container has to be stopped, kill it at once instead of sending it its O(stop_signal) and waiting
        for O(stop_timeout).
    type: bool
    default: false
    aliases: [forcekill]
  kill_signal:
    description:
      - The signal that O(force_kill=true) sends, by name or number. It has no meaning without that.
      - What another signal than V(SIGKILL) has not ended after O(stop_timeout) is killed.
      - The default is V(SIGKILL).
    type: str
"""
