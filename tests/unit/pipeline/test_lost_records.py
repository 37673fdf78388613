"""Lost records: a topic that ends before what was read from it goes on where its readers are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.pipeline import lost_records
from rtlib.pipeline.lost_records import missing, skip_lost_records
from rtlib.streaming.checkpoint import reached
from rtlib.warehouse.audit import Progress

TOPIC = "rtlib.curbside.events"


def plan(home: Path, query: str, batch: int, **offsets: int) -> Path:
    """Write what a query planned to read in a batch, as Spark does."""
    folder = home / "checkpoints" / "curbside" / query
    (folder / "offsets").mkdir(parents=True, exist_ok=True)
    numbered = {name.removeprefix("p"): offset for name, offset in offsets.items()}
    (folder / "offsets" / str(batch)).write_text(f"v1\n{{}}\n{json.dumps({TOPIC: numbered})}")
    return folder


Taken = Callable[..., dict[int, int]]


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Taken:
    """The offsets that are taken of a topic that ends at 100 in partition 0 and at 50 in partition 1.

    Of its records 90 and 40 were archived.
    """
    monkeypatch.setattr(lost_records, "archive_progress", lambda *_: Progress({0: 90, 1: 40}, 130))
    monkeypatch.setattr(lost_records, "end_offsets", lambda *_: {0: 100, 1: 50})

    def run(**changes: Any) -> dict[int, int]:
        found: dict[int, int] = {}
        monkeypatch.setattr(lost_records, "take_offsets", lambda settings, topic, counts: found.update(counts))
        skip_lost_records(Settings(home=tmp_path, **changes), connection=None)  # type: ignore[arg-type]
        return found

    return run


def test_a_topic_that_has_all_that_was_read_is_left_alone(taken: Taken, tmp_path: Path) -> None:
    assert taken() == {}
    plan(tmp_path, "archive", 3, p0=100, p1=50)
    plan(tmp_path, "kpis-real-time", 1, p0=95)
    assert taken() == {}


@pytest.mark.parametrize("query", ["archive", "kpis-real-time"])
def test_offsets_that_a_query_read_and_kafka_lost_are_taken(
    taken: Taken, tmp_path: Path, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    plan(tmp_path, query, 3, p0=100, p1=57)
    assert taken() == {1: 7}
    assert f"lost at least 7 records that were read from {TOPIC} (partition 1 from 50 on)" in caplog.text


def test_offsets_that_were_archived_and_kafka_lost_are_taken(taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lost_records, "archive_progress", lambda *_: Progress({0: 101, 1: 52}, 153))
    assert taken() == {0: 1, 1: 2}


@pytest.mark.parametrize("elsewhere", [{"kafka_bootstrap_servers": "broker:9092"}, {"snowflake_account": "elsewhere"}])
def test_where_a_part_runs_elsewhere_nothing_is_taken(taken: Taken, tmp_path: Path, elsewhere: dict[str, str]) -> None:
    plan(tmp_path, "archive", 3, p0=1_000)
    assert taken(**elsewhere) == {}


def test_a_partition_that_nobody_read_lacks_nothing() -> None:
    assert missing({0: 0, 1: 5}, {}, {1: 4}) == {}
    assert missing({0: 0, 1: 5}, {0: 2}, {1: 9}) == {0: 2, 1: 4}


def test_the_newest_plan_that_is_whole_says_how_far_a_query_has_come(tmp_path: Path) -> None:
    assert reached(tmp_path / "none", TOPIC) == {}
    plan(tmp_path, "archive", 9, p0=9)
    folder = plan(tmp_path, "archive", 10, p0=10)
    assert reached(folder, TOPIC) == {0: 10}
    assert reached(folder, "another topic") == {}
    for torn in ("", "v1\n{}\n", "v1\n{}\n{", "v1\n{}\n-", "v1\n{}\n[]"):
        (folder / "offsets" / "11").write_text(torn)
        assert reached(folder, TOPIC) == {0: 10}
