"""The benchmark's sums: latencies matched by counts, ratios judged, and a report that says both sides."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rtlib.bench.growth import Step
from rtlib.bench.latency import Latency, latency
from rtlib.bench.load import Planned
from rtlib.bench.report import Ratio, Result, plot, save, table

MINUTE = datetime(2026, 3, 2, 9, tzinfo=UTC)
T0 = MINUTE.timestamp()
KEY = ("oakland", MINUTE)


def planned(*seconds: float, site: str = "oakland") -> list[Planned]:
    return [Planned(T0 + one, site, MINUTE, b"") for one in seconds]


def test_an_event_has_arrived_with_the_first_kpi_that_counts_it() -> None:
    counted = [(T0 + 0.1, KEY, 1), (T0 + 1.3, KEY, 2), (T0 + 2.2, KEY, 3)]
    found = latency(planned(0, 1, 2), counted, before={})
    assert (found.p50_ms, found.events, found.missing) == (200.0, 3, 0)


def test_a_kpi_that_stands_for_many_events_brings_all_of_them_and_the_oldest_waited_longest() -> None:
    found = latency(planned(0, 1, 2), [(T0 + 3, KEY, 3)], before={})
    assert found.p50_ms == 2000.0
    assert found.p99_ms == pytest.approx(2980, abs=1)


def test_what_a_window_counted_before_is_not_ours() -> None:
    found = latency(planned(0, 1), [(T0 + 0.1, KEY, 8), (T0 + 1.1, KEY, 9)], before={KEY: 7})
    assert (found.p50_ms, found.missing) == (100.0, 0)


def test_a_kpi_that_is_sent_again_changes_nothing() -> None:
    counted = [(T0 + 0.1, KEY, 1), (T0 + 5, KEY, 1), (T0 + 6, KEY, 2)]
    assert latency(planned(0, 5.5), counted, before={}).p50_ms == 300.0


def test_an_event_that_no_kpi_counts_is_missing() -> None:
    found = latency(planned(0, 1), [(T0 + 0.1, KEY, 1)], before={})
    assert (found.events, found.missing) == (1, 1)
    nothing = latency(planned(0), [], before={})
    assert math.isnan(nothing.p50_ms) and nothing.missing == 1


@pytest.mark.parametrize(
    ("over", "wanted", "bound", "holds"),
    [
        (10, 5.0, "at least", True),
        (9.9, 5.0, "at least", False),
        (10, 5.0, "at most", True),
        (11, 5.0, "at most", False),
    ],
)
def test_a_ratio_is_judged_by_what_is_wanted(over: float, wanted: float, bound: str, holds: bool) -> None:
    assert Ratio("a", "b", over, 2.0, "ms", wanted, bound).holds is holds  # type: ignore[arg-type]


def test_a_ratio_of_which_a_side_was_not_measured_does_not_hold() -> None:
    assert not Ratio("a", "b", 1.0, 0.0, "ms", 1.0, "at least").holds
    assert not Ratio("a", "b", float("nan"), 1.0, "ms", 1.0, "at most").holds


RESULT = Result(
    (Ratio("real time", "micro-batch to real time", 300.0, 50.0, "ms", 5.0, "at least"), Ratio("told", "b", 1, 4, "s")),
    (
        Step(8_000, Latency(60, 200, 900, 0), 2.0, 0.1, 0.0, 40),
        Step(9_000, Latency(80, 900, 9_000, 0), 9.0, 0.4, 0.1, 40),
    ),
    Step(8_000, Latency(5_000, 9_000, 9_900, 0), 20.0, 9.0, 0.0, 10),
    Step(500, Latency(60, 200, 20_000, 0), 1.0, 0.1, 0.0, 40),
)


def test_a_step_is_sustained_when_nothing_is_missing_and_both_paths_keep_up() -> None:
    assert [one.sustained for one in RESULT.steps] == [True, False]


def test_too_little_sustained_or_an_event_missing_after_a_burst_does_not_hold() -> None:
    assert RESULT.burst is not None
    missing = replace(RESULT.burst, latency=Latency(1, 2, 3, 1))
    assert RESULT.holds and RESULT.sustained == 8_000
    assert not replace(RESULT, steps=(replace(RESULT.steps[0], rate=7_000),)).holds
    assert not replace(RESULT, burst=missing).holds
    assert not replace(RESULT, burst=replace(RESULT.burst, archive_seconds=90.0)).holds  # all patience was used
    assert "MISSED" in table(replace(RESULT, steps=RESULT.steps[1:]))
    assert "after 80,000 events at once: KPIs complete 9.0 s and archive 20.0 s" in table(RESULT)


def test_a_pipeline_that_does_not_go_on_after_a_burst_does_not_hold() -> None:
    assert RESULT.after is not None
    behind = replace(RESULT, after=replace(RESULT.after, archive_seconds=30.0))
    assert not behind.holds
    assert "after that 500 events/s: p50 60 ms, MISSED" in table(behind)
    assert "after that 500 events/s: p50 60 ms, ok" in table(RESULT)


def test_throughput_is_what_was_counted_until_the_last_was() -> None:
    assert Step(500, Latency(60, 200, 20_500, 0), 1.0, 1.0, 0.0, 40).throughput == 500


def test_the_table_says_both_sides_of_each_ratio_and_the_machine() -> None:
    text = table(RESULT)
    assert "6.00" in text and "300.0 / 50.0 ms" in text and "at least 5" in text and "micro-batch to real time" in text
    assert "cores" in text


def test_the_report_is_saved_as_text_json_and_pictures(tmp_path: Path) -> None:
    save(RESULT, tmp_path, tell=lambda line: None)
    told = json.loads((tmp_path / "bench.json").read_text())
    assert (told["ratios"][0]["value"], told["ratios"][0]["holds"], told["holds"]) == (6.0, True, True)
    assert told["steps"][1]["sustained"] is False
    assert (tmp_path / "bench.svg").read_text().startswith("<?xml")
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in plot(Result(RESULT.ratios), tmp_path)] == ["bench.svg", "bench.png"]
