"""The newest KPI of each key, and the refused records."""

from __future__ import annotations

from typing import cast

from confluent_kafka import Message
from hypothesis import given
from hypothesis import strategies as st

from rtlib.broker.kpi_records import newest_kpis
from rtlib.domains.kpi_rules import KpiRules
from rtlib.records import Kpi
from support.broker_events import kpi_value


def test_a_refused_record_carries_its_source() -> None:
    _, refused = newest_kpis([record(b"a", b"{")], cast(KpiRules, Everything()))
    rejected = refused[0].rejected()
    assert (rejected.payload, rejected.topic, rejected.field) == (b"{", "kpis", "")
    assert rejected.reason.startswith("not a KPI record")


def record(key: bytes, value: bytes | None) -> Message:
    """A record of the KPI topic."""
    return Message(topic="kpis", key=key, value=value, timestamp=(1, 1_772_439_300_123))


class Everything:
    """Rules that accept every KPI."""

    def check(self, kpi: Kpi, key: bytes | None) -> None:
        pass


def newest(*records: Message) -> tuple[list[int], int]:
    """The numbers of events of the newest KPIs, and the number of refused records."""
    kpis, refused = newest_kpis(records, cast(KpiRules, Everything()))
    return sorted(kpi.events for kpi in kpis), len(refused)


def test_the_newest_kpi_of_each_key_is_returned() -> None:
    assert newest(
        record(b"a", kpi_value(events=3)), record(b"b", kpi_value(events=7)), record(b"a", kpi_value(events=4))
    ) == ([4, 7], 0)


def test_a_tombstone_is_refused_and_does_not_hide_the_kpi_before_it() -> None:
    assert newest(record(b"a", kpi_value(events=3)), record(b"a", kpi_value(events=4)), record(b"a", None)) == ([4], 1)


def test_a_record_before_the_newest_is_not_decoded() -> None:
    assert newest(record(b"a", b"{broken"), record(b"a", kpi_value(events=4))) == ([4], 0)


@given(values=st.lists(st.none() | st.binary() | st.just(kpi_value(events=1)), max_size=8))
def test_for_any_records_a_key_has_at_most_a_single_kpi(values: list[bytes | None]) -> None:
    kpis, refused = newest(*(record(b"a", value) for value in values))
    assert len(kpis) == (kpi_value(events=1) in values)
    assert refused == next((n for n, value in enumerate(reversed(values)) if value == kpi_value(events=1)), len(values))
