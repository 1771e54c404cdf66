# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A resource as an Ansible module: arguments in, one convergence, a result out."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .runtime.core.kinds import PATH
from .runtime.core.layout import DEFAULT_ROOT, DEFAULT_RUN, Layout
from .runtime.core.model import Model, argument_spec, option, parse, rows
from .runtime.core.plan import Resource, converge
from .runtime.core.report import key, named, result, tells_only
from .runtime.errors import Failure
from .runtime.lean.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Place:
    """The options that all modules have: where things are on the host."""

    root: str = option(PATH, default=DEFAULT_ROOT)
    run: str = option(PATH, default=DEFAULT_RUN)


def options(resource: Resource[Any]) -> dict[str, dict[str, Any]]:
    """The argument specification of a resource's module."""
    return {**argument_spec(resource.model), **argument_spec(Place)}


def run(resource: Resource[Any]) -> None:
    """Be the module of a resource: read the task's arguments, converge, print the result, exit."""
    module = AnsibleModule(argument_spec=options(resource), supports_check_mode=True)
    try:
        place = parse(Place, _given(Place, module.params))
        want = parse(resource.model, _given(resource.model, module.params))
        outcome = converge(resource, Layout(place.root, place.run), want, module.check_mode)
    except Failure as error:
        module.fail_json(msg=str(error), **error.facts)
    except OSError as error:
        module.fail_json(msg=str(Failure(f"bring {named(resource, module.params)} to what is declared", error)))
    except Exception as error:  # the last place that can turn it into a sentence
        reason = " ".join("".join(traceback.format_exception_only(error)).split())
        fix = (
            "this is a bug in pycontainers.linux: please report it with this task "
            "and the traceback that ANSIBLE_DISPLAY_TRACEBACK=error shows"
        )
        message = str(Failure(f"bring {named(resource, module.params)} to what is declared", reason, fix))
        module.fail_json(msg=message, exception=traceback.format_exc())
    if tells_only(resource.model):
        module.exit_json(changed=False, **outcome.facts)
    answer = dict(result(named(resource, module.params), key(resource.model), outcome))
    for warning in answer.pop("warnings", ()):
        module.warn(warning)
    module.exit_json(**answer)


def _given(model: type[Model], params: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that belong to a model; Ansible's own list has aliases in it too."""
    return {row.name: params[row.name] for row in rows(model) if row.name in params}
