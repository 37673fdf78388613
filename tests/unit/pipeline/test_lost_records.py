"""Lost records: a stack does not read on from a topic that ends before what was read from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline import lost_records
from rtlib.pipeline.lost_records import missing, refuse_lost_records
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


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Checks a topic that ends at 100 in partition 0 and at 50 in partition 1; 90 and 40 of them were archived."""
    monkeypatch.setattr(lost_records, "archive_progress", lambda *_: Progress({0: 90, 1: 40}, 130))
    monkeypatch.setattr(lost_records, "end_offsets", lambda *_: {0: 100, 1: 50})

    def run(**changes: Any) -> None:
        refuse_lost_records(Settings(home=tmp_path, **changes), connection=None)  # type: ignore[arg-type]

    return run


def test_a_topic_that_has_all_that_was_read_is_fine(check: Callable[..., None], tmp_path: Path) -> None:
    check()
    plan(tmp_path, "archive", 3, p0=100, p1=50)
    plan(tmp_path, "kpis-real-time", 1, p0=95)
    check()


@pytest.mark.parametrize("query", ["archive", "kpis-real-time"])
def test_a_topic_that_ends_before_what_a_query_read_is_refused(
    check: Callable[..., None], tmp_path: Path, query: str
) -> None:
    plan(tmp_path, query, 3, p0=100, p1=57)
    with pytest.raises(ServiceError, match=r"lost at least 7 records .*partition 1 ends at 50, not 57") as lost:
        check()
    assert str(tmp_path / "kafka" / "data") in lost.value.what
    assert lost.value.cure == "rtlib reset, then rtlib up"


def test_a_topic_that_ends_before_what_was_archived_is_refused(
    check: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lost_records, "archive_progress", lambda *_: Progress({0: 101, 1: 52}, 153))
    with pytest.raises(ServiceError, match=r"at least 3 records .*partition 0 .* not 101, partition 1 .* not 52"):
        check()


@pytest.mark.parametrize("elsewhere", [{"kafka_bootstrap_servers": "broker:9092"}, {"snowflake_account": "elsewhere"}])
def test_where_a_part_runs_elsewhere_nothing_is_refused(
    check: Callable[..., None], tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    plan(tmp_path, "archive", 3, p0=1_000)
    check(**elsewhere)


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
