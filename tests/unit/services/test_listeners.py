"""Listeners: the table of who may connect to what is complete, and is the one that people read."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from rtlib.config import USUAL_PORTS, project_root
from rtlib.services.listeners import LISTENERS, NONE, as_markdown, listener


def test_every_port_of_the_stack_has_one_row() -> None:
    names = [one.name for one in LISTENERS]
    assert len(set(names)) == len(names)
    assert set(USUAL_PORTS) | {"lab"} <= set(names)


@pytest.mark.parametrize("name", [one.name for one in LISTENERS if one.is_http])
def test_a_server_that_pages_could_reach_checks_host_origin_and_secret(name: str) -> None:
    row = listener(name)
    assert NONE not in (row.host, row.origin, row.secret)


def test_the_servers_that_pages_could_reach_are_these() -> None:
    assert {one.name for one in LISTENERS if one.is_http} == {"registry", "warehouse", "receiver", "app", "lab"}


def test_the_security_page_prints_the_table() -> None:
    assert as_markdown() in (project_root() / "docs" / "security.md").read_text(encoding="utf-8")


def test_a_row_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        listener("app").secret = "none"  # type: ignore[misc]
