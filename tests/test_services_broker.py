"""What the broker is given before it starts."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.errors import EnvironmentProblem
from rtlib.services import broker


def test_a_cluster_id_never_begins_with_a_dash_which_the_tool_would_take_for_an_option(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = iter([uuid.UUID(bytes=b"\xf8" + bytes(15)), uuid.UUID(bytes=b"\xfb" * 16), uuid.UUID(bytes=bytes(16))])
    monkeypatch.setattr(broker.uuid, "uuid4", lambda: next(drawn))
    assert broker._cluster_id() == "A" * 22


def test_a_folder_with_an_accent_is_written_as_java_reads_properties() -> None:
    assert broker._property(Path("/home/josé 𝄞/.rtlib")) == r"/home/jos\u00e9 \ud834\udd1e/.rtlib"


def test_a_folder_with_a_comma_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "one, two")
    with pytest.raises(EnvironmentProblem, match="comma"):
        broker.prepare_broker(settings, java=Path("java"), jars=())
    assert not settings.home.exists()
