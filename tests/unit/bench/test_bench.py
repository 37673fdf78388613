"""The arithmetic of the benchmark: latencies by counts, verdicts on ratios, and a report with both sides."""

from __future__ import annotations

import json
import math
import time
from cProfile import Profile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from rtlib.bench import checkpoint_interval
from rtlib.bench.checkpoint_interval import IntervalCost, pause
from rtlib.bench.client_profile import Clock, Speed, hottest, reason
from rtlib.bench.lag import lag_trend, lags
from rtlib.bench.latency import Latency, by_second, latencies, latency, latency_of_all
from rtlib.bench.load_generator import Planned, at_once
from rtlib.bench.load_step import Step
from rtlib.bench.machine_speed import Pace, events_read, pace
from rtlib.bench.report import Ratio, Result, plot, save, table
from rtlib.config import Settings
from rtlib.errors import ServiceError
from rtlib.pipeline.recovery import readiness

MINUTE = datetime(2026, 3, 2, 9, tzinfo=UTC)
T0 = MINUTE.timestamp()
KEY = ("oakland", MINUTE)


def planned(*seconds: float, site: str = "oakland") -> list[Planned]:
    return [Planned(T0 + second, site, MINUTE, b"") for second in seconds]


def test_an_event_has_arrived_with_the_first_kpi_that_counts_it() -> None:
    counted = [(T0 + 0.1, KEY, 1), (T0 + 1.3, KEY, 2), (T0 + 2.2, KEY, 3)]
    result = latency(planned(0, 1, 2), counted, before={})
    assert (result.p50_ms, result.events, result.missing) == (200.0, 3, 0)


def test_a_kpi_that_counts_many_events_completes_all_of_them_and_the_oldest_waited_longest() -> None:
    result = latency(planned(0, 1, 2), [(T0 + 3, KEY, 3)], before={})
    assert result.p50_ms == 2000.0
    assert result.p99_ms == pytest.approx(2980, abs=1)


def test_a_measurement_waits_for_the_last_event_but_not_beyond_its_patience() -> None:
    looks = iter([[(T0 + 0.1, KEY, 1)], [(T0 + 0.1, KEY, 1), (T0 + 0.4, KEY, 2)]])
    result, _ = latency_of_all(planned(0, 0.1), lambda: next(looks), before={}, patience=30)
    assert (result.events, result.missing, next(looks, None)) == (2, 0, None)
    assert latency_of_all(planned(0), lambda: [], before={}, patience=0)[0].missing == 1


def test_earlier_counts_of_a_window_are_subtracted() -> None:
    result = latency(planned(0, 1), [(T0 + 0.1, KEY, 8), (T0 + 1.1, KEY, 9)], before={KEY: 7})
    assert (result.p50_ms, result.missing) == (100.0, 0)


def test_a_kpi_that_is_sent_again_changes_nothing() -> None:
    counted = [(T0 + 0.1, KEY, 1), (T0 + 5, KEY, 1), (T0 + 6, KEY, 2)]
    assert latency(planned(0, 5.5), counted, before={}).p50_ms == 300.0


def test_an_event_that_no_kpi_counts_is_missing() -> None:
    result = latency(planned(0, 1), [(T0 + 0.1, KEY, 1)], before={})
    assert (result.events, result.missing) == (1, 1)
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
def test_a_ratio_is_compared_with_its_target(over: float, wanted: float, bound: str, holds: bool) -> None:
    assert Ratio("a", "b", over, 2.0, "ms", wanted, bound).holds is holds  # type: ignore[arg-type]


def test_a_ratio_with_an_unmeasured_side_does_not_hold() -> None:
    assert not Ratio("a", "b", 1.0, 0.0, "ms", 1.0, "at least").holds
    assert not Ratio("a", "b", float("nan"), 1.0, "ms", 1.0, "at most").holds


GOOD = Step(8_000, Latency(60, 200, 320_000, 0), 2.0, 0.1, 0.0, 40, 0.3, 0.0)


def test_a_missed_ratio_counts_as_explained_only_with_a_profile_of_the_same_run() -> None:
    slow = Ratio("a", "b", 1.0, 20.0, "records/s", 0.15, "at least")
    assert (slow.verdict, Result((slow,)).holds) == ("MISSED", False)
    explained = replace(slow, because="append 31%")
    assert (explained.verdict, explained.holds, Result((explained,)).holds) == ("explained", False, True)
    assert "explained" in table(Result((explained,))) and "    append 31%" in table(Result((explained,)))
    assert replace(explained, over=float("nan")).verdict == "MISSED"
    assert replace(explained, over=4.0).verdict == "ok"


def busy(count: int) -> int:
    return sum(number * number for number in range(count))


def test_a_profile_names_the_functions_with_most_time() -> None:
    ticks = count()
    profile = Profile(lambda: next(ticks))  # a clock of calls, which no other process disturbs
    profile.runcall(busy, 20_000)
    spots = hottest(profile, count=2)
    assert {name for name, _ in spots} == {"test_bench.<genexpr>", "built-in method builtins.sum"}
    assert spots[0][1] >= spots[1][1] > 0.4


def test_the_cost_of_a_record_is_given_by_thread_and_by_function() -> None:
    clock = Clock()
    busy(200_000)
    ours = clock.speed(1_000)
    assert ours.own_us > 1 and ours.rate > 0
    text = reason(ours, Speed(1e6, 0.5, 0.4), [("record_accumulator.append", 0.31)], records=20_000)
    assert f"{ours.own_us:.1f} µs of processor time" in text and "confluent-kafka 0.5 and 0.4 µs" in text
    assert "by a profile of 20,000 records: record_accumulator.append 31%" in text


RESULT = Result(
    (
        Ratio("real time", "micro-batch to real time", 300.0, 50.0, "ms", 5.0, "at least"),
        Ratio("figure", "b", 1, 4, "s"),
    ),
    (GOOD, Step(9_000, Latency(80, 900, 9_000, 0), 9.0, 0.4, 0.1, 40, 3.1, 0.0)),
    (replace(GOOD, seconds=100.0),),
    Step(8_000, Latency(5_000, 9_000, 9_900, 0), 20.0, 9.0, 4.2, 10, float("nan"), float("nan")),
    Step(500, Latency(60, 200, 20_000, 0), 1.0, 0.1, 0.0, 40, 0.0, 0.0),
)


def test_a_step_is_sustained_if_nothing_is_missing_and_both_paths_keep_up() -> None:
    assert [step.sustained for step in RESULT.steps] == [True, False]
    assert not replace(GOOD, latency=Latency(60, 200, 9, 1)).sustained
    assert not replace(GOOD, sender_late_seconds=3.0).sustained


def test_a_step_that_is_too_much_names_the_causes() -> None:
    late = replace(GOOD, archive_seconds=9.0, kpis_rise=2.5, sender_late_seconds=3.0)
    assert late.troubles == (
        "the archive was 9.0 s behind", "the KPIs fell 2.5 s further behind", "the sender was 3.0 s late",
    )  # fmt: skip
    assert GOOD.troubles == ()


def test_a_short_step_that_caught_up_ends_well_although_its_lag_rose() -> None:
    risen = replace(GOOD, archive_rise=3.3)
    assert (risen.sustained, risen.ended_well) == (False, True)
    assert not replace(GOOD, archive_seconds=9.0).ended_well
    assert not replace(GOOD, latency=Latency(60, 200, 9, 1)).ended_well


@pytest.mark.parametrize("path", ["archive_rise", "kpis_rise"])
def test_a_step_at_which_a_path_falls_further_behind_is_not_sustained_however_soon_it_ends(path: str) -> None:
    assert not replace(GOOD, **{path: 2.5}).sustained  # type: ignore[arg-type]
    assert not replace(GOOD, **{path: float("nan")}).sustained  # type: ignore[arg-type]


def archive_of(capacity: float, *, rate: float, seconds: float) -> float:
    """The trend of the lag of an archive with this capacity in events per second, in batches of two seconds."""
    sent_at = [T0 + number / rate for number in range(round(rate * seconds))]
    batches = [(T0 + 2 * number, 100 + round(min(capacity, rate) * 2 * (number - 0.6))) for number in range(1, 60)]
    return lag_trend(lags(sent_at, batches, before=100))


def test_the_lag_of_a_path_that_is_too_slow_rises_and_that_of_a_path_that_keeps_up_does_not() -> None:
    # 6,700 of 8,000 events a second is less than eight seconds behind after forty, and never catches up.
    assert archive_of(670, rate=800, seconds=40) == pytest.approx(20 * 130 / 800, abs=0.6)
    assert archive_of(760, rate=800, seconds=100) > 2.0
    assert abs(archive_of(800, rate=800, seconds=40)) < 0.5
    assert abs(archive_of(900, rate=800, seconds=100)) < 0.5


def test_a_pause_with_recovery_is_no_trend_and_an_archive_that_stops_is() -> None:
    level = [(T0 + second, 2.0 + (second % 2)) for second in range(40)]
    pause = [(at, 7.0 if T0 + 34 <= at < T0 + 38 else behind) for at, behind in level]
    assert abs(lag_trend(pause)) < 1.0
    sent_at = [T0 + number / 10 for number in range(400)]
    assert lag_trend(lags(sent_at, [], before=0)) == pytest.approx(20, abs=1)
    assert lags(sent_at, [(T0, 400)], before=0)[-1][1] == 0


def test_a_trend_of_too_few_points_is_not_measured() -> None:
    assert math.isnan(lag_trend([(T0, 1.0), (T0 + 1, 2.0), (T0 + 2, 3.0)]))


def test_latencies_are_grouped_by_the_second_in_which_the_event_was_due() -> None:
    counted = [(T0 + 1.1, KEY, 2), (T0 + 3.5, KEY, 3)]
    assert by_second(latencies(planned(0, 0.9, 2.0), counted, before={})) == [
        (T0, pytest.approx(0.65)),
        (T0 + 2, pytest.approx(1.5)),
    ]


def test_events_sent_all_at_once_are_due_at_that_moment() -> None:
    began = time.time()
    now = at_once([replace(event, at=began + 10) for event in planned(0, 1)])
    assert all(began <= event.at <= time.time() for event in now)
    assert [event.record for event in now] == [b"", b""]


def test_a_low_sustained_rate_or_an_event_missing_after_a_burst_fails_the_run() -> None:
    assert RESULT.burst is not None
    missing = replace(RESULT.burst, latency=Latency(1, 2, 3, 1))
    assert RESULT.holds and RESULT.sustained == 8_000
    assert not replace(RESULT, long_steps=(replace(GOOD, rate=7_000),)).holds
    assert not replace(RESULT, long_steps=(replace(GOOD, archive_rise=2.1),)).holds
    assert not replace(RESULT, burst=missing).holds
    assert not replace(RESULT, burst=replace(RESULT.burst, archive_seconds=90.0)).holds  # all patience was used
    assert "MISSED" in table(replace(RESULT, long_steps=RESULT.steps[1:]))
    assert "after 80,000 events at once: KPIs complete 9.0 s and archive 20.0 s" in table(RESULT)


def test_a_pipeline_that_is_slow_after_a_burst_fails_the_run() -> None:
    assert RESULT.after is not None
    behind = replace(RESULT, after=replace(RESULT.after, archive_seconds=30.0))
    assert not behind.holds
    assert "after that 500 events/s: p50 60 ms, MISSED" in table(behind)
    assert "after that 500 events/s: p50 60 ms, ok" in table(RESULT)


def test_throughput_is_events_per_second_until_the_last_was_counted() -> None:
    assert Step(500, Latency(60, 200, 20_500, 0), 1.0, 1.0, 0.0, 40, 0.0, 0.0).throughput == 500


def test_unmeasured_figures_are_null_in_the_json() -> None:
    nothing = replace(RESULT, ratios=(Ratio("a", "b", float("nan"), 0.0, "ms"),))
    plain = json.loads(json.dumps(nothing.to_json(), allow_nan=False))
    assert (plain["ratios"][0]["over"], plain["ratios"][0]["value"], plain["burst"]["archive_rise"]) == (
        None,
        None,
        None,
    )


def test_the_table_defines_sustained_and_shows_the_trends_of_the_lags() -> None:
    text = table(RESULT)
    assert "sustained: 8,000 events/s by the whole pipeline, at least 8,000 ok" in text
    assert "neither path fell more than 2 s further behind" in text
    assert "8,000 events/s for 100 s: archive +0.3 s and KPIs +0.0 s over the second half" in text


def test_the_table_shows_both_sides_of_each_ratio_and_the_machine() -> None:
    text = table(RESULT)
    assert "6.00" in text and "300.0 / 50.0 ms" in text and "at least 5" in text and "micro-batch to real time" in text
    assert "cores" in text


def test_the_table_shows_the_speed_of_the_machine_during_the_run() -> None:
    text = table(replace(RESULT, paces=(Pace(100_000, 190_000), Pace(210_000, 300_000), Pace(150_000, 200_000))))
    assert (
        "a single core read 100,000 to 210,000 events/s from JSON, all cores 190,000 to 300,000, in 3 measurements"
        in text
    )
    assert "pace" not in table(RESULT)


def test_a_pipeline_is_warm_once_each_query_has_finished_another_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    known, later = {"kpis": MINUTE}, MINUTE + timedelta(seconds=15)
    looks = iter([known, {"kpis": later}, {"kpis": later, "archive": MINUTE}])
    monkeypatch.setattr(readiness, "last_batches", lambda settings: next(looks))
    readiness.wait_for_newer_batches(Settings(), known)
    assert next(looks, None) is None


def test_a_query_without_a_new_batch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "last_batches", lambda settings: {"kpis": MINUTE})
    with pytest.raises(ServiceError, match="after 0 s no batch of kpis and archive is over"):
        readiness.wait_for_newer_batches(Settings(), {"kpis": MINUTE}, seconds=0)


def test_the_speed_of_the_machine_is_measured_on_a_single_core_and_on_all() -> None:
    now = pace()
    assert now.single > 0 and now.all_cores > 0
    assert events_read(0.0) > 0


def test_the_report_is_saved_as_text_json_and_a_picture(tmp_path: Path) -> None:
    save(RESULT, tmp_path, notify=lambda line: None)
    saved = json.loads((tmp_path / "bench.json").read_text())
    assert (saved["ratios"][0]["value"], saved["ratios"][0]["holds"], saved["holds"]) == (6.0, True, True)
    assert saved["steps"][1]["sustained"] is False
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert plot(Result(RESULT.ratios), tmp_path) == tmp_path / "bench.png"
    assert {path.name for path in tmp_path.iterdir()} == {"bench.txt", "bench.json", "bench.png"}


# --- the checkpoint interval ----------------------------------------------------------------------------------------


def test_the_pause_is_the_longest_time_without_a_kpi() -> None:
    key = ("oakland", datetime(2026, 3, 2, 8, 15, tzinfo=UTC))
    assert pause([(10.0, key, 1), (10.2, key, 2), (11.4, key, 3), (11.5, key, 4)]) == pytest.approx(1.2)
    assert math.isnan(pause([(10.0, key, 1)]))


def test_each_interval_is_a_line_with_its_latency_and_the_cost_of_a_kill() -> None:
    costs = [IntervalCost(15, 103.0, 1_341.0, 1.4, 9.5, 17.2, 0), IntervalCost(60, 100.0, 480.0, 1.3, 41.0, 18.9, 0)]
    heading, first, second = checkpoint_interval.table(costs).splitlines()
    assert heading.split() == ["interval", "p50", "p99", "p99/p50", "pause", "read", "again", "back", "after"]
    assert first.split() == ["15", "s", "103", "ms", "1341", "ms", "13.0", "1.40", "s", "9.5", "s", "17.2", "s"]
    assert second.split() == ["60", "s", "100", "ms", "480", "ms", "4.8", "1.30", "s", "41.0", "s", "18.9", "s"]
    assert len(heading) == len(first) == len(second)
