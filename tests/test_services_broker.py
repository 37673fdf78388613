"""What the broker is given before it starts."""

from __future__ import annotations

import uuid

import pytest

from rtlib.services import broker


def test_a_cluster_id_never_begins_with_a_dash_which_the_tool_would_take_for_an_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = iter([uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=b"\xfb" * 16), uuid.UUID(bytes=bytes(16))])
    monkeypatch.setattr(broker.uuid, "uuid4", lambda: next(drawn))
    assert broker._cluster_id() == "A" * 22
