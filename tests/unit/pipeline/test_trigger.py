"""The trigger of the kpis query: chosen while the application runs, and noticed by it once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rtlib.config import Settings, load_settings
from rtlib.errors import ConfigError, ServiceError
from rtlib.pipeline import trigger
from rtlib.pipeline.trigger import TriggerWatch, choose, switch
from rtlib.records import Heartbeat


def test_a_trigger_is_written_down_beside_what_the_stack_was_told(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"domain": "iot", "trigger": "real-time"}))
    choose(Settings(home=tmp_path), "micro-batch")
    told = load_settings(home=tmp_path)
    assert (told.domain, told.trigger) == ("iot", "micro-batch")


def test_a_trigger_that_the_environment_chooses_is_not_silently_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTLIB_TRIGGER", "micro-batch")
    with pytest.raises(ConfigError, match="RTLIB_TRIGGER=micro-batch in the environment keeps real-time") as told:
        choose(Settings(home=tmp_path), "real-time")
    assert "unset RTLIB_TRIGGER" in told.value.cure
    choose(Settings(home=tmp_path), "micro-batch")


def test_another_trigger_is_noticed_once_and_told_by_the_heartbeat(tmp_path: Path) -> None:
    choose(Settings(home=tmp_path), "real-time")
    watch = TriggerWatch(load_settings(home=tmp_path))
    assert (watch.changed(), watch.numbers) == (False, {"real_time": 1.0})
    choose(Settings(home=tmp_path), "micro-batch")
    assert (watch.changed(), watch.changed()) == (True, False)
    assert (watch.settings.trigger, watch.numbers) == ("micro-batch", {"real_time": 0.0})


def test_settings_that_cannot_be_read_change_no_trigger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = TriggerWatch(Settings(home=tmp_path, trigger="micro-batch"))
    monkeypatch.setenv("RTLIB_RATE", "many")
    assert (watch.changed(), watch.settings.trigger) == (False, "micro-batch")


@dataclass
class Signs:
    """A progress topic whose heartbeats come one at a look."""

    coming: list[Heartbeat]
    heartbeats: dict[str, Heartbeat] = field(default_factory=dict)
    closed: bool = False

    def catch_up(self) -> None:
        if self.coming:
            self.heartbeats["kpis"] = self.coming.pop(0)

    def close(self) -> None:
        self.closed = True


def beat(real_time: float, *, later: float = 60, active: bool = True) -> Heartbeat:
    return Heartbeat("kpis", active, "it runs", datetime.now(UTC) + timedelta(seconds=later), {"real_time": real_time})


def test_a_switch_waits_for_a_sign_of_life_that_is_new_and_of_the_query_as_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = Signs([beat(0, later=-60), beat(1), beat(0, active=False), beat(0), beat(0)])
    monkeypatch.setattr(trigger, "SignReader", lambda settings: signs)
    switch(Settings(home=tmp_path), "micro-batch")
    assert len(signs.coming) == 1
    assert signs.closed
    assert json.loads((tmp_path / "run.json").read_text()) == {"trigger": "micro-batch"}


def test_a_query_that_does_not_follow_is_told_with_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = Signs([beat(1)])
    monkeypatch.setattr(trigger, "SignReader", lambda settings: signs)
    monkeypatch.setattr(trigger, "SWITCH_SECONDS", 0.0)
    with pytest.raises(ServiceError, match="does not run by the trigger micro-batch") as told:
        switch(Settings(home=tmp_path), "micro-batch")
    assert told.value.cure == "rtlib logs stream"
    assert signs.closed
