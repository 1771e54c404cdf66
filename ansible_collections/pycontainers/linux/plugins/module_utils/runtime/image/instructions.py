# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to an image's configuration, as ``docker commit --change`` takes them: instructions of a Dockerfile."""
from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from . import healthcheck

KNOWN = ("CMD", "ENTRYPOINT", "ENV", "EXPOSE", "HEALTHCHECK", "LABEL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR")


def instruction(value: Any) -> str:
    """An instruction that can be applied. Raises ``ValueError`` with the reason."""
    if not isinstance(value, str):
        raise ValueError("it is not text")
    applied({}, [value])
    return value


def applied(config: Mapping[str, Any], instructions: Sequence[str]) -> dict[str, Any]:
    """A configuration (config.md, ``config``) with instructions carried out. Raises ``ValueError``."""
    result: dict[str, Any] = json.loads(json.dumps(dict(config)))
    names = {each.split()[0].upper() for each in instructions if each.split()}
    if "ENTRYPOINT" in names and "CMD" not in names:
        result.pop("Cmd", None)  # as with Docker: it was meant for the old entry point
    for each in instructions:
        name, _, rest = each.strip().partition(" ")
        rest = rest.strip()
        if name.upper() not in KNOWN:
            raise ValueError(f"{name!r} is no instruction that changes an image; these are {', '.join(KNOWN)}")
        if not rest:
            raise ValueError(f"{name} has nothing after it")
        _apply(result, name.upper(), rest)
    return result


def _apply(config: dict[str, Any], name: str, rest: str) -> None:
    if name in ("CMD", "ENTRYPOINT"):
        words = _words(rest)
        config[name.capitalize()] = ["/bin/sh", "-c", rest] if words is None else words
    elif name == "ENV":
        old = dict(each.partition("=")[::2] for each in config.get("Env") or ())
        config["Env"] = [f"{key}={value}" for key, value in (old | _pairs(name, rest)).items()]
    elif name == "LABEL":
        config["Labels"] = {**(config.get("Labels") or {}), **_pairs(name, rest)}
    elif name == "HEALTHCHECK":
        config["Healthcheck"] = _check(rest)
    elif name == "EXPOSE":
        ports = [each if "/" in each else f"{each}/tcp" for each in rest.split()]
        config["ExposedPorts"] = {**(config.get("ExposedPorts") or {}), **{each: {} for each in ports}}
    elif name == "VOLUME":
        words = _words(rest)
        config["Volumes"] = {**(config.get("Volumes") or {}), **{each: {} for each in words or rest.split()}}
    else:
        config[{"STOPSIGNAL": "StopSignal", "USER": "User", "WORKDIR": "WorkingDir"}[name]] = rest


_CHECK_OPTIONS = ("interval", "timeout", "start-period", "start-interval", "retries")


def _check(rest: str) -> dict[str, Any]:
    """``NONE``, or options and ``CMD`` with a command."""
    said: dict[str, Any] = {}
    while rest.startswith("--"):
        option, _, rest = rest.partition(" ")
        name, equals, value = option[2:].partition("=")
        if name not in _CHECK_OPTIONS or not equals:
            known = ", ".join(f"--{each}=" for each in _CHECK_OPTIONS)
            raise ValueError(f"HEALTHCHECK takes {known}, not {option!r}")
        said[name.replace("-", "_")] = value
        rest = rest.strip()
    kind, _, command = rest.partition(" ")
    if kind.upper() == healthcheck.NONE and not command and not said:
        return healthcheck.to_image(healthcheck.healthcheck({"test": [healthcheck.NONE]}))
    if kind.upper() != healthcheck.COMMAND or not command.strip():
        raise ValueError(f"HEALTHCHECK ends with NONE, or with CMD and a command, not with {rest!r}")
    words = _words(command.strip())
    said["test"] = [healthcheck.SHELL, command.strip()] if words is None else [healthcheck.COMMAND, *words]
    return healthcheck.to_image(healthcheck.healthcheck(said))


def _words(rest: str) -> list[str] | None:
    """A list in JSON, or None for what is text."""
    if not rest.startswith("["):
        return None
    try:
        said = json.loads(rest)
    except ValueError as error:
        raise ValueError(f"{rest!r} is no list in JSON ({error})") from error
    if not all(isinstance(each, str) for each in said):
        raise ValueError(f"{rest!r} is no list of texts")
    return list(said)


def _pairs(name: str, rest: str) -> dict[str, str]:
    """``KEY=VALUE …`` with a shell's quotes, or ``KEY VALUE``."""
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise ValueError(f"the quotes in {rest!r} do not close ({error})") from error
    if words and "=" not in words[0]:
        key, _, value = rest.partition(" ")
        return {key: value.strip()}
    if any("=" not in each or each.startswith("=") for each in words):
        raise ValueError(f"{name} takes KEY=VALUE, not {rest!r}")
    return dict(each.partition("=")[::2] for each in words)
