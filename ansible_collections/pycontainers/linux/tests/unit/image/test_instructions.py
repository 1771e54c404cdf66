# Copyright: The pycontainers authors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.pycontainers.linux.plugins.module_utils.runtime.image.instructions import applied

OLD = {"Cmd": ["old"], "Env": ["A=1", "B=2"], "Labels": {"a": "1"}}


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ('CMD ["a", "b c"]', {"Cmd": ["a", "b c"]}),
        ("cmd a b", {"Cmd": ["/bin/sh", "-c", "a b"]}),
        ("ENV A=3 C='4 5'", {"Env": ["A=3", "B=2", "C=4 5"]}),
        ("ENV C 4 5", {"Env": ["A=1", "B=2", "C=4 5"]}),
        ("LABEL b=2", {"Labels": {"a": "1", "b": "2"}}),
        ("EXPOSE 80 53/udp", {"ExposedPorts": {"80/tcp": {}, "53/udp": {}}}),
        ('VOLUME ["/a b"]', {"Volumes": {"/a b": {}}}),
        ("VOLUME /a /b", {"Volumes": {"/a": {}, "/b": {}}}),
        ("USER web:web", {"User": "web:web"}),
        ("WORKDIR /srv", {"WorkingDir": "/srv"}),
        ("HEALTHCHECK NONE", {"Healthcheck": {"Test": ["NONE"]}}),
        ('HEALTHCHECK CMD ["a", "b"]', {"Healthcheck": {"Test": ["CMD", "a", "b"]}}),
        ("HEALTHCHECK CMD NONE", {"Healthcheck": {"Test": ["CMD-SHELL", "NONE"]}}),
        (
            "healthcheck --interval=5m --timeout=3s --start-period=1s --start-interval=500ms --retries=2  CMD a || b",
            {
                "Healthcheck": {
                    "Test": ["CMD-SHELL", "a || b"], "Interval": 300 * 10**9, "Timeout": 3 * 10**9, "Retries": 2,
                    "StartPeriod": 10**9, "StartInterval": 5 * 10**8,
                }
            },
        ),
        ("STOPSIGNAL SIGQUIT", {"StopSignal": "SIGQUIT"}),
    ],
)  # fmt: skip
def test_an_instruction_changes_what_it_names(said: str, changed: dict[str, Any]) -> None:
    """Each instruction does to the configuration what it does in a Dockerfile, and nothing else."""
    before = {**OLD}
    assert applied(OLD, [said]) == {**OLD, **changed}
    assert before == OLD


def test_an_entry_point_takes_the_old_command_away() -> None:
    """A command was meant for the entry point before, unless a new one is given, in whatever order."""
    assert applied(OLD, ['ENTRYPOINT ["x"]']) == {"Env": ["A=1", "B=2"], "Labels": {"a": "1"}, "Entrypoint": ["x"]}
    assert applied(OLD, ['CMD ["y"]', 'ENTRYPOINT ["x"]'])["Cmd"] == ["y"]


@pytest.mark.parametrize("said", ["", "RUN x", "CMD", "CMD [1]", "CMD [", "ENV A='", "ENV A=1 B", "LABEL =x",
                                  "HEALTHCHECK a",
                                  "HEALTHCHECK CMD", "HEALTHCHECK --interval=1 CMD a", "HEALTHCHECK --what=1s CMD a",
                                  "HEALTHCHECK --retries=2 NONE", "HEALTHCHECK --timeout 1s CMD a"])  # fmt: skip
def test_what_is_no_instruction_is_refused(said: str) -> None:
    """What does not change an image, or not so, is refused."""
    with pytest.raises(ValueError, match=r"."):
        applied({}, [said])
