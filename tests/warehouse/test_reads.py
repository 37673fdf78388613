from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest
from snowflake.connector import SnowflakeConnection

from rtlib.records import QueryProgress
from rtlib.warehouse.ingest import apply_batch
from rtlib.warehouse.kpi_merge import merge_kpis
from rtlib.warehouse.query_batches import dropped, note_batches
from rtlib.warehouse.reads import Counts, Freshness, counts, current, freshness, latest_kpis, pause, rejected_reasons
from rtlib.warehouse.windows import WindowDifference, compare_windows
from support.warehouse_rows import NOON, batch, event_row, kpi, progress, rejected_row


def at(seconds: float) -> pd.Timestamp:
    return pd.Timestamp(NOON + timedelta(seconds=seconds))


def test_the_latest_kpis_go_back_from_the_newest_window(warehouse: SnowflakeConnection) -> None:
    merge_kpis(warehouse, [kpi(site, minute) for minute in range(10) for site in ("b", "a")])
    result = latest_kpis(warehouse, "curbside", minutes=2)
    assert [(row.site, row.window_start) for row in result] == [
        (site, NOON + timedelta(minutes=minute)) for minute in (8, 9) for site in ("a", "b")
    ]


def test_current_is_the_newest_window_of_each_site(warehouse: SnowflakeConnection) -> None:
    written = [kpi("a", 0), kpi("a", 5), kpi("b", 3), kpi("b", 1), kpi("gone", -2000), kpi("c", 9, domain="iot")]
    merge_kpis(warehouse, written)
    assert [(row.site, row.window_start) for row in current(warehouse, "curbside")] == [
        ("a", NOON + timedelta(minutes=5)),
        ("b", NOON + timedelta(minutes=3)),
    ]


def test_an_empty_warehouse_has_no_freshness_and_counts_nothing(warehouse: SnowflakeConnection) -> None:
    assert freshness(warehouse, "curbside") == Freshness(None, None)
    assert counts(warehouse, "curbside") == Counts(0, 0, 0, 0, 0, 0, 0, 0)
    assert latest_kpis(warehouse, "curbside") == current(warehouse, "curbside") == []
    assert rejected_reasons(warehouse, "curbside") == {}
    assert compare_windows(warehouse, "curbside").windows == 0


def test_freshness_is_the_newest_of_each_layer_without_history(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(1), event_row(2), event_row(500, topic="history")))
    merge_kpis(warehouse, [kpi("a", 3)])
    assert freshness(warehouse, "curbside") == Freshness(
        newest_event_at=NOON + timedelta(minutes=3, seconds=30), newest_received_at=NOON + timedelta(seconds=2.5)
    )


def test_counts_separate_live_events_from_history_and_sum_up_the_batches(warehouse: SnowflakeConnection) -> None:
    rejected = (rejected_row(1), rejected_row(2, reason="too long"), rejected_row(3))
    apply_batch(warehouse, batch(event_row(0), event_row(1), event_row(1), rejected=rejected, number=0))
    apply_batch(warehouse, batch(event_row(1), event_row(2), number=1))
    apply_batch(warehouse, batch(event_row(9, topic="history"), number=0, query="history"))
    apply_batch(warehouse, batch(event_row(8, domain="iot"), number=0, domain="iot"))
    merge_kpis(warehouse, [kpi("a", events=4), kpi("b", events=6, late=2)])
    assert counts(warehouse, "curbside") == Counts(
        raw_events=4, live_events=3, duplicates=2, rejected=3, batches=2, kpi_rows=2, kpi_events=10, kpi_late=2
    )
    assert rejected_reasons(warehouse, "curbside") == {"is not JSON": 2, "too long": 1}


def test_counts_since_a_moment_leave_out_earlier_data(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(0), event_row(10), event_row(20), rejected=(rejected_row(1),)))
    merge_kpis(warehouse, [kpi("a", 0), kpi("a", 5, events=7)])
    result = counts(warehouse, "curbside", since=NOON + timedelta(seconds=10.5))
    assert (result.live_events, result.rejected, result.kpi_events) == (2, 0, 8)
    assert result.batches == 1  # applied just now
    assert counts(warehouse, "curbside", since=NOON + timedelta(minutes=2)).kpi_events == 7


def test_windows_that_agree_are_counted_and_not_listed(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(*(event_row(second) for second in (0, 2, 4, 60, 62))))
    merge_kpis(warehouse, [kpi("site-0", 0, events=3), kpi("site-0", 1, events=2)])
    result = compare_windows(warehouse, "curbside")
    assert (result.windows, result.different, result.unexplained) == (2, (), ())


def stragglers(warehouse: SnowflakeConnection) -> None:
    """In partition 0 an event of 2 s at offset 5 and an event of 60 s at offset 9; the stream has counted neither."""
    apply_batch(
        warehouse,
        batch(
            event_row(0, site="a", kafka_partition=0, kafka_offset=0),
            event_row(2, site="a", kafka_partition=0, kafka_offset=5),
            event_row(60, site="a", kafka_partition=0, kafka_offset=9),
            event_row(61, site="a", kafka_partition=1, kafka_offset=5),
        ),
    )
    merge_kpis(warehouse, [kpi("a", 0, events=1), kpi("a", 1, events=1)])


def may_be_late(warehouse: SnowflakeConnection) -> list[int]:
    return [window.may_be_late for window in compare_windows(warehouse, "curbside").different]


def test_only_an_event_behind_the_watermark_of_the_batch_before_may_be_missing(
    warehouse: SnowflakeConnection,
) -> None:
    stragglers(warehouse)
    batches = [progress(0, 0, 1, None), progress(1, 1, 5, 40), progress(2, 5, 10, 100)]
    assert note_batches(warehouse, "curbside", batches) == 3
    result = compare_windows(warehouse, "curbside")
    first = WindowDifference("a", NOON, raw_events=2, kpi_events=1, may_be_late=1)
    second = WindowDifference("a", NOON + timedelta(minutes=1), raw_events=2, kpi_events=1, may_be_late=0, unreached=1)
    assert result.different == (first, second)
    assert result.reported == {0: 10}  # no batch has reported partition 1
    assert first.explained
    assert result.unexplained == (second,)


@pytest.mark.parametrize(
    ("batches", "late"),
    [
        (
            [progress(4, 0, 9, 60), progress(5, 9, 10, 90)],
            [2, 1],
        ),  # the first recorded batch is judged by its own watermark
        (
            [progress(0, 0, 3, None), progress(2, 8, 10, 59)],
            [1, 0],
        ),  # offset 5 was read by a batch that was not recorded
        ([progress(0, 0, 3, None), progress(1, 3, 10, 59)], [0, 0]),
        ([progress(0, 0, 5, None), progress(1, 5, 6, 300)], [0, 0]),  # no batch has reported offset 9 yet
        ([progress(7, 0, 10, 30), progress(0, 0, 10, None)], [2, 0]),  # read again after the checkpoint was lost
        ([progress(0, 0, 10, None), progress(1, 0, 9, 61, partition="1")], [0, 1]),
    ],
)
def test_an_event_is_judged_by_the_watermark_of_its_own_batch(
    warehouse: SnowflakeConnection, batches: list[QueryProgress], late: list[int]
) -> None:
    stragglers(warehouse)
    note_batches(warehouse, "curbside", batches)
    assert may_be_late(warehouse) == late


def test_batches_that_are_reported_again_change_nothing(warehouse: SnowflakeConnection) -> None:
    batches = [progress(0, 0, 5, None), progress(1, 5, 10, 40)]
    assert note_batches(warehouse, "curbside", batches) == 2
    assert note_batches(warehouse, "curbside", [*batches, batches[0]]) == 0
    assert note_batches(warehouse, "iot", batches) == 2
    assert note_batches(warehouse, "iot", []) == 0


def test_dropped_events_are_counted_once_for_each_batch_whatever_its_partitions(
    warehouse: SnowflakeConnection,
) -> None:
    two = replace(progress(0, 0, 5, None), dropped_late=3, end_offsets={"0": 5, "1": 9})
    note_batches(warehouse, "curbside", [two, replace(progress(1, 5, 10, 40), dropped_late=4)])
    assert dropped(warehouse, "curbside") == 7
    assert dropped(warehouse, "iot") == 0


def test_the_longest_pause_is_the_longest_time_between_two_events_since_a_moment(
    warehouse: SnowflakeConnection,
) -> None:
    assert pause(warehouse, "curbside", since=NOON) == 0.0
    apply_batch(warehouse, batch(*(event_row(number) for number in (0, 40, 41, 48))))
    assert pause(warehouse, "curbside", since=NOON) == 40.0
    assert pause(warehouse, "curbside", since=NOON + timedelta(seconds=40)) == 7.0
    assert pause(warehouse, "curbside", since=NOON + timedelta(seconds=48)) == 0.0


def test_a_window_counted_twice_or_in_a_single_layer_is_unexplained(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(0, site="a"), event_row(2, site="only-raw")))
    merge_kpis(warehouse, [kpi("a", events=2), kpi("only-speed")])
    result = compare_windows(warehouse, "curbside")
    assert {(window.site, window.raw_events, window.kpi_events) for window in result.unexplained} == {
        ("a", 1, 2),
        ("only-raw", 1, 0),
        ("only-speed", 0, 1),
    }


def test_a_difference_is_in_flight_until_every_partition_has_passed_the_events(warehouse: SnowflakeConnection) -> None:
    both = {"0": 10, "1": 10}
    reports = [replace(progress(number, 0, 0, None), end_offsets=both) for number in range(2)]
    note_batches(warehouse, "curbside", [*reports, replace(progress(2, 0, 0, None), end_offsets={"0": 20, "1": 20})])
    apply_batch(warehouse, batch(event_row(0, site="unreported", kafka_partition=1, kafka_offset=20), offsets_to=both))
    apply_batch(warehouse, batch(event_row(2, site="uncounted", kafka_partition=0), number=1, offsets_to={"0": 21}))
    # Of the batch that began 602 s after noon, records of partition 1 are not archived; that of 601 s is complete.
    merge_kpis(warehouse, [kpi("doubled", emitted=600.9), kpi("unarchived", emitted=601)])
    assert in_flight(warehouse) == {"unreported": True, "uncounted": False, "doubled": False, "unarchived": True}
    apply_batch(warehouse, batch(number=2, offsets_to={"1": 20}))
    note_batches(warehouse, "curbside", [replace(progress(3, 0, 0, None), end_offsets={"0": 21, "1": 21})])
    assert in_flight(warehouse) == dict.fromkeys(("unreported", "uncounted", "doubled", "unarchived"), False)


def in_flight(warehouse: SnowflakeConnection) -> dict[str, bool]:
    return {window.site: window.in_flight for window in compare_windows(warehouse, "curbside").different}


def test_a_window_without_a_row_in_the_speed_layer_was_not_measured(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(0, site="a"), event_row(2, site="only-raw")))
    merge_kpis(warehouse, [kpi("a", events=2)])
    assert {window.site: window.measured for window in compare_windows(warehouse, "curbside").unexplained} == {
        "a": True,
        "only-raw": False,
    }


def test_with_a_limit_only_earlier_windows_are_compared(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(0, site="a"), event_row(60, site="a")))
    result = compare_windows(warehouse, "curbside", before=NOON + timedelta(minutes=1))
    assert (result.windows, [window.window_start for window in result.different]) == (1, [NOON])


def test_history_is_not_compared(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(0, topic="history"), query="history"))
    assert compare_windows(warehouse, "curbside").windows == 0


def test_windows_of_another_length_are_cut_at_whole_multiples(warehouse: SnowflakeConnection) -> None:
    apply_batch(warehouse, batch(event_row(9, site="a"), event_row(11, site="a"), event_row(19, site="a")))
    result = compare_windows(warehouse, "curbside", window_seconds=10)
    assert [(window.window_start, window.raw_events) for window in result.different] == [
        (NOON, 1),
        (NOON + timedelta(seconds=10), 2),
    ]
