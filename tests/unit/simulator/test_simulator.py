from __future__ import annotations

import dataclasses
import doctest
import json
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft7Validator

import rtlib.domains.load
import rtlib.simulator.live
from rtlib.domains import Domain, domain_names, load_domain
from rtlib.domains.law import DemandLaw
from rtlib.errors import ConfigError
from rtlib.records import Event
from rtlib.simulator import Defect, TallyKeeper, encode, history, history_between
from rtlib.simulator.history import _events
from rtlib.simulator.malformed import BREAKAGES, malformed_payload
from rtlib.simulator.sampling import microseconds
from support.simulation import DEFECTS, NOON, UNITY_DAY, a_simulator, delays, first


@pytest.fixture(params=domain_names())
def domain(request: pytest.FixtureRequest) -> Domain:
    return load_domain(request.param)


def fits(domain: Domain, payload: bytes) -> bool:
    try:
        return Draft7Validator(domain.schema).is_valid(json.loads(payload.decode()))
    except ValueError:  # not UTF-8, or not JSON
        return False


# Same seed, same bytes


def test_the_same_seed_makes_the_same_stream(domain: Domain) -> None:
    stream, repeated = (first(3000, domain=domain, **DEFECTS) for _ in range(2))
    assert stream == repeated


@pytest.mark.parametrize("changed", [{"seed": 8}, {"run": "1"}, {"start": NOON + timedelta(seconds=1)}])
def test_another_seed_run_or_start_makes_another_stream(changed: dict[str, Any]) -> None:
    ids = [{record.event.event_id for record in first(500, **arguments) if record.event} for arguments in ({}, changed)]
    assert not ids[0] & ids[1]


def test_another_run_at_the_same_moment_differs_only_in_producers_and_identifiers(domain: Domain) -> None:
    def events(run: str) -> list[dict[str, Any]]:
        return [record.event.to_json() for record in first(2000, domain=domain, run=run, **DEFECTS) if record.event]

    first_run, second_run = events("1"), events("2")
    assert not {event["event_id"] for event in first_run} & {event["event_id"] for event in second_run}
    renamed = [
        {**event, "event_id": "", "producer_id": event["producer_id"].replace("-1-", "-2-")} for event in first_run
    ]
    assert renamed == [{**event, "event_id": ""} for event in second_run]


def test_another_stream_of_the_same_seed_has_other_events() -> None:
    live, burst = ([record.send_at for record in first(50, stream=name)] for name in ("live", "a burst"))
    assert not set(live) & set(burst)


def test_each_call_of_records_begins_anew() -> None:
    simulator = a_simulator()
    assert list(islice(simulator.records(), 50)) == list(islice(simulator.records(), 50))


def test_records_and_simulators_cannot_be_changed() -> None:
    record = first(1)[0]
    for frozen, name in ((record, "defect"), (record.event, "value"), (a_simulator(), "rate")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(frozen, name, None)


# Well-formed events


def test_every_well_formed_event_fits_its_schema(domain: Domain) -> None:
    validator = Draft7Validator(domain.schema)
    for sent in first(3000, domain=domain, **DEFECTS):
        if sent.event is not None:
            validator.validate(json.loads(sent.payload))


def test_the_payload_is_the_event_as_compact_json(domain: Domain) -> None:
    for sent in first(2000, domain=domain, **DEFECTS):
        if sent.event is not None:
            plain = json.dumps(sent.event.to_json(), ensure_ascii=False, separators=(",", ":"))
            assert sent.payload == plain.encode() == encode(sent.event)


def test_the_key_is_the_site(domain: Domain) -> None:
    sites = {site.id for site in domain.sites}
    for sent in first(2000, domain=domain, **DEFECTS):
        assert sent.key in sites
        assert sent.event is None or sent.key == sent.event.site


def test_event_ids_have_version_7_and_hold_the_time_of_the_event() -> None:
    events = [record.event for record in first(2000, late_share=0.1) if record.event]
    for event in events:
        uuid = UUID(event.event_id)
        assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
        assert uuid.int >> 80 == int(event.occurred_at.timestamp() * 1e6) // 1000
    assert len({event.event_id for event in events}) == len(events)


def test_a_kind_has_its_own_unit_value_and_attributes(domain: Domain) -> None:
    kinds = {kind.name: kind for kind in domain.kinds}
    for sent in first(3000, domain=domain):
        assert sent.event
        kind = kinds[sent.event.kind]
        assert sent.event.unit == kind.unit
        assert (sent.event.value is None) == (kind.value.shape == "none")
        assert set(sent.event.attributes) == {attribute.name for attribute in (*domain.attributes, *kind.attributes)}


# Order, sequences and the tally


def test_records_are_in_the_order_of_sending() -> None:
    moments = [record.send_at for record in first(20_000, **DEFECTS)]
    assert moments == sorted(moments)
    assert moments[0] >= NOON


def test_each_producers_sequence_starts_at_0_and_has_no_gap() -> None:
    sequences = defaultdict(list)
    for sent in first(20_000, **DEFECTS):
        if sent.event is not None and sent.defect is not Defect.DUPLICATE:
            sequences[sent.event.producer_id].append(sent.event.sequence)
    assert set(sequences) == {f"sim-0-{number}" for number in range(4)}
    for numbers in sequences.values():
        assert numbers == list(range(len(numbers)))


def test_more_producers_than_sites_do_no_harm() -> None:
    names = {record.event.producer_id for record in first(2000, producers=50) if record.event}
    assert names == {f"sim-0-{number}" for number in range(len(load_domain("curbside").sites))}


def test_the_tally_counts_the_records_sent() -> None:
    records = first(20_000, **DEFECTS)
    keeper = TallyKeeper()
    for sent in records:
        keeper.add(sent)
    tally = keeper.tally()
    defects = Counter(record.defect for record in records)
    valid = [record for record in records if record.defect not in (Defect.DUPLICATE, Defect.MALFORMED)]
    payloads = [json.loads(record.payload) for record in valid]
    assert tally.records == len(records)
    assert tally.events == len({event["event_id"] for event in payloads}) == len(payloads)
    assert (tally.late, tally.too_late) == (defects[Defect.LATE], defects[Defect.TOO_LATE])
    assert (tally.out_of_order, tally.duplicates) == (defects[Defect.OUT_OF_ORDER], defects[Defect.DUPLICATE])
    assert tally.malformed == defects[Defect.MALFORMED] > 0
    assert sum(tally.last_sequence.values()) + len(tally.last_sequence) == tally.events


def test_later_records_do_not_change_a_tally() -> None:
    keeper = TallyKeeper()
    records = first(20)
    keeper.add(records[0])
    before = keeper.tally()
    sequence = dict(before.last_sequence)
    for sent in records[1:]:
        keeper.add(sent)
    assert before.events == 1
    assert before.last_sequence == sequence
    assert keeper.tally().events == 20


# Defects


def test_without_defects_every_record_is_a_new_event() -> None:
    assert {record.defect for record in first(5000)} == {None}


def test_a_normal_event_is_a_few_milliseconds_old() -> None:
    normal = delays(first(5000, **DEFECTS), None)
    assert min(normal) > 0.0005
    assert max(normal) < 0.03


def test_a_late_event_is_within_even_a_short_watermark() -> None:
    assert max(delays(first(5000, **DEFECTS, watermark_seconds=3.0), Defect.LATE)) <= 2.4


def test_an_out_of_order_event_is_seconds_behind_and_overtaken_by_others() -> None:
    records = first(5000, **DEFECTS)
    behind = delays(records, Defect.OUT_OF_ORDER)
    assert 1 <= min(behind) <= max(behind) <= 5
    occurred = [record.event.occurred_at for record in records if record.event]
    assert any(later < earlier - timedelta(seconds=1) for earlier, later in pairwise(occurred))


@pytest.mark.parametrize("name", BREAKAGES)
def test_each_breakage_makes_an_event_invalid(domain: Domain, name: str) -> None:
    for sent in first(60, domain=domain):
        assert sent.event
        assert fits(domain, sent.payload)
        assert not fits(domain, malformed_payload(name, sent.event.to_json()))


def test_malformed_records_are_varied_and_none_of_them_fits(domain: Domain) -> None:
    malformed = [
        record for record in first(4000, domain=domain, malformed_share=0.2) if record.defect is Defect.MALFORMED
    ]
    assert len(malformed) > 500
    assert not any(fits(domain, record.payload) for record in malformed)
    assert all(record.event is None for record in malformed)
    assert not any(b'"producer_id":"sim-0-0"' in record.payload for record in malformed)


# Shape


def test_a_hot_site_receives_nearly_all_events() -> None:
    counts = Counter(record.key for record in first(4_000, hot_site="richmond-macdonald-ave"))
    assert len(counts) > 4
    assert counts["richmond-macdonald-ave"] / 4_000 == pytest.approx(0.95, abs=0.015)


def test_an_unknown_hot_site_is_refused_with_the_known_sites() -> None:
    with pytest.raises(ConfigError, match="oakland-3rd-st"):
        a_simulator(hot_site="atlantis")


def test_a_fast_clock_dates_events_into_the_future() -> None:
    right, fast = first(200), first(200, skew_seconds=45)
    shifts = [b.event.occurred_at - a.event.occurred_at for a, b in zip(right, fast, strict=True)]  # type: ignore[union-attr]
    assert set(shifts) == {timedelta(seconds=45)}
    assert [record.send_at for record in fast] == [record.send_at for record in right]


def test_records_too_far_in_the_future_count_as_malformed() -> None:
    records = first(200, skew_seconds=61, duplicate_share=0.3)
    assert {record.defect for record in records} == {Defect.MALFORMED}
    assert [record.event for record in records] == [None] * 200


def test_only_the_chosen_breakages_are_used() -> None:
    records = first(400, malformed_share=1.0, breakages=("an array",))
    payloads = [record.payload for record in records if record.event is None]
    assert len(payloads) > 150
    assert {payload[:1] for payload in payloads} == {b"["}


def test_an_unknown_breakage_is_refused() -> None:
    with pytest.raises(ConfigError, match="truncated"):
        a_simulator(breakages=("set on fire",))


# Arguments


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rate": 0}, "rate"),
        ({"producers": 0}, "producers"),
        ({"watermark_seconds": -1}, "watermark_seconds"),
        ({"late_share": 1.5}, "late_share"),
        ({"late_share": 0.6, "out_of_order_share": 0.6}, "sum to 1.2"),
        ({"start": datetime(2026, 1, 5)}, "time zone"),
    ],
)
def test_an_invalid_argument_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        a_simulator(**changed)


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (rtlib.simulator.live, rtlib.domains.load):
        result = doctest.testmod(module)
        assert result.attempted > 0
        assert result.failed == 0


# History


def test_history_is_deterministic(domain: Domain) -> None:
    events, repeated = (list(history(domain, seed=7, until=NOON, days=2, per_day=300)) for _ in range(2))
    assert events == repeated
    assert events != list(history(domain, seed=8, until=NOON, days=2, per_day=300))


def test_history_fits_the_schema(domain: Domain) -> None:
    validator = Draft7Validator(domain.schema)
    for event in history(domain, seed=7, until=NOON, days=2, per_day=500):
        validator.validate(event.to_json())


def test_a_day_of_history_is_the_same_in_every_window(domain: Domain) -> None:
    def events(until: datetime, days: int) -> dict[str, Event]:
        return {event.event_id: event for event in history(domain, seed=7, until=until, days=days, per_day=300)}

    today, tomorrow, longer = events(NOON, 3), events(NOON + timedelta(days=1), 3), events(NOON, 5)
    shared = {name: event for name, event in tomorrow.items() if event.occurred_at < NOON}
    assert shared == {name: event for name, event in today.items() if event.occurred_at >= NOON - timedelta(days=2)}
    assert len(shared) > 300
    assert today.items() <= longer.items()


def test_history_of_another_density_has_other_events() -> None:
    domain = load_domain("iot")
    sparse, dense = (
        {event.event_id for event in history(domain, seed=7, until=NOON, days=2, per_day=density)}
        for density in (300, 301)
    )
    assert not sparse & dense


@pytest.mark.parametrize(("rate", "seconds"), [(50.0, 45), (0.2, 1500)])
def test_history_drawn_as_columns_has_the_events_drawn_one_by_one(domain: Domain, rate: float, seconds: int) -> None:
    start, length = NOON - timedelta(minutes=30), timedelta(seconds=seconds)
    columns = history_between(domain, seed=7, rate=rate, start=start, end=start + length)
    begin = microseconds(start)
    key, name = ("between", str(rate)), f"{start:%Y%m%dT%H%M}"
    law = DemandLaw(domain, rate, 7)
    events = list(_events(law, begin, begin + seconds * 1_000_000, key=key, name=name))
    rows = [dataclasses.asdict(event) for event in events]
    for row in rows:
        row["occurred_at"] = row["occurred_at"].replace(tzinfo=None)
        row["attributes"] = json.dumps(row["attributes"])
    drawn = columns.assign(value=columns["value"].astype(object).where(columns["value"].notna(), None))
    assert drawn.to_dict("records") == rows
    assert len(rows) > 100


def test_no_time_has_no_history(domain: Domain) -> None:
    nothing = history_between(domain, seed=7, rate=50, start=NOON, end=NOON)
    assert len(nothing) == 0
    assert list(nothing.columns) == [field.name for field in dataclasses.fields(Event)]


def test_a_moment_without_an_event_has_no_history_whatever_came_before_it() -> None:
    domain = load_domain("curbside")
    moment = timedelta(microseconds=1)  # the probability of an event in it is 1 in 100,000
    nothing = history_between(domain, seed=7, rate=10, start=NOON, end=NOON + moment)
    assert (len(nothing), list(nothing.columns)) == (0, [field.name for field in dataclasses.fields(Event)])


# Holidays


def test_the_same_seed_makes_the_same_stream_across_a_holiday() -> None:
    start = UNITY_DAY - timedelta(seconds=2)
    stream, repeated = (first(3000, domain=load_domain("ecommerce"), start=start, **DEFECTS) for _ in range(2))
    assert stream == repeated


@pytest.mark.parametrize("changed", [{"days": 0}, {"per_day": 0}, {"until": datetime(2026, 1, 5)}])
def test_history_refuses_invalid_arguments(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        history(load_domain("iot"), **{"seed": 7, "until": NOON, **changed})
