# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One mechanism for every resource: option rows, diff, plan, apply, and the files they rest on.

It knows no Linux and no Ansible.
"""
