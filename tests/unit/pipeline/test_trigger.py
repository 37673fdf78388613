"""The trigger of the kpis query: chosen while the application runs, which notices each change once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rtlib.config import Settings, load_settings
from rtlib.errors import ConfigError, ServiceError
from rtlib.pipeline.telemetry import trigger
from rtlib.pipeline.telemetry.trigger import TriggerWatch, choose, switch
from rtlib.records import Heartbeat


def test_a_trigger_is_saved_beside_the_other_options_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps({"domain": "iot", "trigger": "real-time"}))
    choose(Settings(home=tmp_path), "micro-batch")
    settings = load_settings(home=tmp_path)
    assert (settings.domain, settings.trigger) == ("iot", "micro-batch")


def test_a_trigger_that_contradicts_the_environment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTLIB_TRIGGER", "micro-batch")
    with pytest.raises(
        ConfigError, match="RTLIB_TRIGGER=micro-batch in the environment overrides real-time"
    ) as refused:
        choose(Settings(home=tmp_path), "real-time")
    assert "unset RTLIB_TRIGGER" in refused.value.cure
    choose(Settings(home=tmp_path), "micro-batch")


def test_a_new_trigger_is_noticed_once_and_reported_in_the_heartbeat(tmp_path: Path) -> None:
    choose(Settings(home=tmp_path), "real-time")
    watch = TriggerWatch(load_settings(home=tmp_path))
    assert (watch.changed(), watch.numbers) == (
        False,
        {"real_time": 1.0, "checkpoint_interval": 15.0, "high_rate": 0.0},
    )
    choose(Settings(home=tmp_path), "micro-batch")
    assert (watch.changed(), watch.changed()) == (True, False)
    assert (watch.settings.trigger, watch.numbers) == ("micro-batch", {"real_time": 0.0})


def test_a_new_checkpoint_interval_is_noticed_once(tmp_path: Path) -> None:
    choose(Settings(home=tmp_path), "real-time")
    watch = TriggerWatch(load_settings(home=tmp_path))
    choose(Settings(home=tmp_path), "real-time", interval_seconds=60)
    assert (watch.changed(), watch.changed()) == (True, False)
    assert (watch.settings.real_time_interval_seconds, watch.numbers["checkpoint_interval"]) == (60, 60.0)


def test_an_interval_that_contradicts_the_environment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RTLIB_REAL_TIME_INTERVAL_SECONDS", "20")
    with pytest.raises(ConfigError, match="RTLIB_REAL_TIME_INTERVAL_SECONDS=20 in the environment overrides 60"):
        choose(Settings(home=tmp_path), "real-time", interval_seconds=60)


def test_unreadable_settings_do_not_change_the_trigger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watch = TriggerWatch(Settings(home=tmp_path, trigger="micro-batch"))
    monkeypatch.setenv("RTLIB_RATE", "many")
    assert (watch.changed(), watch.settings.trigger) == (False, "micro-batch")


@dataclass
class Reader:
    """A reader whose heartbeats arrive in turn, with each call of ``catch_up``."""

    upcoming: list[Heartbeat]
    heartbeats: dict[str, Heartbeat] = field(default_factory=dict)
    closed: bool = False

    def catch_up(self) -> None:
        if self.upcoming:
            self.heartbeats["kpis"] = self.upcoming.pop(0)

    def close(self) -> None:
        self.closed = True


def beat(real_time: float, *, later: float = 60, active: bool = True) -> Heartbeat:
    return Heartbeat("kpis", active, "it runs", datetime.now(UTC) + timedelta(seconds=later), {"real_time": real_time})


def test_a_switch_waits_for_a_new_heartbeat_of_the_query_with_the_chosen_trigger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader([beat(0, later=-60), beat(1), beat(0, active=False), beat(0), beat(0)])
    monkeypatch.setattr(trigger, "ProgressReader", lambda settings: reader)
    switch(Settings(home=tmp_path), "micro-batch")
    assert len(reader.upcoming) == 1
    assert reader.closed
    assert json.loads((tmp_path / "run.json").read_text()) == {"trigger": "micro-batch"}


def test_a_query_that_does_not_restart_is_an_error_with_the_log_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader([beat(1)])
    monkeypatch.setattr(trigger, "ProgressReader", lambda settings: reader)
    monkeypatch.setattr(trigger, "SWITCH_SECONDS", 0.0)
    with pytest.raises(ServiceError, match="did not restart with the trigger micro-batch") as failure:
        switch(Settings(home=tmp_path), "micro-batch")
    assert failure.value.cure == "rtlib logs stream"
    assert reader.closed
