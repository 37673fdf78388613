"""What each part may have resident, and that the status names the one that has more."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.services import processes, stack, supervise
from rtlib.services.parts import MEMORY_MB, PART_NAMES, PROMISED_MB


@pytest.mark.parametrize("profile", PROMISED_MB)
def test_the_parts_together_may_have_what_the_profile_promises(profile: str) -> None:
    assert set(MEMORY_MB[profile]) == set(PART_NAMES)
    assert sum(MEMORY_MB[profile].values()) <= PROMISED_MB[profile]


def test_the_status_names_the_part_that_is_over_its_memory_and_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = {name: supervise.PartState(name, "RUNNING", 1, 0.0, "") for name in ("broker", "stream")}
    most = MEMORY_MB["laptop"]
    monkeypatch.setattr(supervise, "states", lambda settings: running)
    monkeypatch.setattr(
        processes, "resident_megabytes", lambda home: {"broker": most["broker"], "stream": most["stream"] + 200.0}
    )
    told = stack.status(Settings(home=tmp_path), checks=dict.fromkeys(running, lambda settings: "answers"))
    broker, stream = told.parts
    assert (broker.healthy, broker.over_memory, broker.said) == (True, False, "answers")
    assert (stream.healthy, stream.over_memory, stream.limit_mb) == (True, True, most["stream"])
    assert "over its memory, 1,450 of 1,250 MB" in stream.said
    assert "rtlib restart stream" in stream.said
