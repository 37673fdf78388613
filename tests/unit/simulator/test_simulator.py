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
from rtlib.errors import ConfigError
from rtlib.records import Event
from rtlib.simulator import Flaw, TallyKeeper, encode, history
from rtlib.simulator.breakage import BREAKAGES, broken
from support.simulation import FLAWED, NOON, UNITY_DAY, a_simulator, delays, first


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
    one, other = (first(3000, domain=domain, **FLAWED) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("changed", [{"seed": 8}, {"run": "1"}, {"start": NOON + timedelta(seconds=1)}])
def test_another_seed_run_or_start_makes_another_stream(changed: dict[str, Any]) -> None:
    ids = [{one.event.event_id for one in first(500, **these) if one.event} for these in ({}, changed)]
    assert not ids[0] & ids[1]


def test_another_run_at_the_same_moment_sends_the_same_but_for_producers_and_identifiers(domain: Domain) -> None:
    def told(run: str) -> list[dict[str, Any]]:
        return [one.event.to_json() for one in first(2000, domain=domain, run=run, **FLAWED) if one.event]

    one, other = told("1"), told("2")
    assert not {event["event_id"] for event in one} & {event["event_id"] for event in other}
    named = ({**event, "event_id": "", "producer_id": event["producer_id"].replace("-1-", "-2-")} for event in one)
    assert list(named) == [{**event, "event_id": ""} for event in other]


def test_another_stream_of_the_same_seed_has_other_events() -> None:
    one, other = ([sent.send_at for sent in first(50, stream=name)] for name in ("live", "a burst"))
    assert not set(one) & set(other)


def test_asking_again_begins_anew() -> None:
    simulator = a_simulator()
    assert list(islice(simulator.records(), 50)) == list(islice(simulator.records(), 50))


def test_nothing_frozen_can_be_changed() -> None:
    sent = first(1)[0]
    for record, name in ((sent, "flaw"), (sent.event, "value"), (a_simulator(), "rate")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, name, None)


# What a well-formed event looks like


def test_every_well_formed_event_fits_its_schema(domain: Domain) -> None:
    validator = Draft7Validator(domain.schema)
    for sent in first(3000, domain=domain, **FLAWED):
        if sent.event is not None:
            validator.validate(json.loads(sent.payload))


def test_the_payload_is_the_event_as_compact_json(domain: Domain) -> None:
    for sent in first(2000, domain=domain, **FLAWED):
        if sent.event is not None:
            plain = json.dumps(sent.event.to_json(), ensure_ascii=False, separators=(",", ":"))
            assert sent.payload == plain.encode() == encode(sent.event)


def test_the_key_is_the_site(domain: Domain) -> None:
    sites = {one.id for one in domain.sites}
    for sent in first(2000, domain=domain, **FLAWED):
        assert sent.key in sites
        assert sent.event is None or sent.key == sent.event.site


def test_event_ids_are_version_7_and_tell_when_it_happened() -> None:
    events = [one.event for one in first(2000, late_share=0.1) if one.event]
    for event in events:
        uuid = UUID(event.event_id)
        assert (uuid.version, uuid.variant) == (7, "specified in RFC 4122")
        assert uuid.int >> 80 == int(event.occurred_at.timestamp() * 1e6) // 1000
    assert len({event.event_id for event in events}) == len(events)


def test_a_kind_has_its_own_unit_value_and_attributes(domain: Domain) -> None:
    kinds = {one.name: one for one in domain.kinds}
    for sent in first(3000, domain=domain):
        assert sent.event
        kind = kinds[sent.event.kind]
        assert sent.event.unit == kind.unit
        assert (sent.event.value is None) == (kind.value.shape == "none")
        assert set(sent.event.attributes) == {one.name for one in (*domain.attributes, *kind.attributes)}


# Order, sequences and the tally


def test_records_come_in_the_order_of_sending() -> None:
    moments = [one.send_at for one in first(20_000, **FLAWED)]
    assert moments == sorted(moments)
    assert moments[0] >= NOON


def test_each_producers_sequence_starts_at_0_and_has_no_gap() -> None:
    sequences = defaultdict(list)
    for sent in first(20_000, **FLAWED):
        if sent.event is not None and sent.flaw is not Flaw.DUPLICATE:
            sequences[sent.event.producer_id].append(sent.event.sequence)
    assert set(sequences) == {f"sim-0-{number}" for number in range(4)}
    for seen in sequences.values():
        assert seen == list(range(len(seen)))


def test_more_producers_than_sites_is_no_harm() -> None:
    names = {one.event.producer_id for one in first(2000, producers=50) if one.event}
    assert names == {f"sim-0-{number}" for number in range(len(load_domain("curbside").sites))}


def test_the_tally_is_what_was_sent() -> None:
    records = first(20_000, **FLAWED)
    keeper = TallyKeeper()
    for sent in records:
        keeper.add(sent)
    tally = keeper.tally()
    flaws = Counter(one.flaw for one in records)
    payloads = [json.loads(one.payload) for one in records if one.flaw not in (Flaw.DUPLICATE, Flaw.MALFORMED)]
    assert tally.records == len(records)
    assert tally.events == len({one["event_id"] for one in payloads}) == len(payloads)
    assert (tally.late, tally.too_late) == (flaws[Flaw.LATE], flaws[Flaw.TOO_LATE])
    assert (tally.out_of_order, tally.duplicates) == (flaws[Flaw.OUT_OF_ORDER], flaws[Flaw.DUPLICATE])
    assert tally.malformed == flaws[Flaw.MALFORMED] > 0
    assert sum(tally.last_sequence.values()) + len(tally.last_sequence) == tally.events


def test_a_tally_once_taken_does_not_change() -> None:
    keeper = TallyKeeper()
    records = first(20)
    keeper.add(records[0])
    before = keeper.tally()
    kept = dict(before.last_sequence)
    for sent in records[1:]:
        keeper.add(sent)
    assert before.events == 1
    assert before.last_sequence == kept
    assert keeper.tally().events == 20


# Flaws


def test_without_flaws_every_record_is_a_fresh_event() -> None:
    assert {one.flaw for one in first(5000)} == {None}


def test_a_normal_event_is_a_few_milliseconds_old() -> None:
    seen = delays(first(5000, **FLAWED), None)
    assert min(seen) > 0.0005
    assert max(seen) < 0.03


def test_a_late_event_is_within_a_short_watermark_too() -> None:
    assert max(delays(first(5000, **FLAWED, watermark_seconds=3.0), Flaw.LATE)) <= 2.4


def test_an_event_out_of_order_is_seconds_behind_and_overtaken_by_others() -> None:
    records = first(5000, **FLAWED)
    seen = delays(records, Flaw.OUT_OF_ORDER)
    assert 1 <= min(seen) <= max(seen) <= 5
    occurred = [one.event.occurred_at for one in records if one.event]
    assert any(later < earlier - timedelta(seconds=1) for earlier, later in pairwise(occurred))


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_breakage_really_breaks_the_event(domain: Domain, name: str) -> None:
    for sent in first(60, domain=domain):
        assert sent.event
        assert fits(domain, sent.payload)
        assert not fits(domain, broken(name, sent.event.to_json()))


def test_malformed_records_are_varied_and_none_of_them_fits(domain: Domain) -> None:
    malformed = [one for one in first(4000, domain=domain, malformed_share=0.2) if one.flaw is Flaw.MALFORMED]
    assert len(malformed) > 500
    assert not any(fits(domain, one.payload) for one in malformed)
    assert all(one.event is None for one in malformed)
    assert not any(b'"producer_id":"sim-0-0"' in one.payload for one in malformed)


# Shape


def test_a_hot_site_gets_nearly_all_events() -> None:
    seen = Counter(one.key for one in first(4_000, hot_site="richmond-macdonald-ave"))
    assert len(seen) > 4
    assert seen["richmond-macdonald-ave"] / 4_000 == pytest.approx(0.95, abs=0.015)


def test_a_hot_site_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ConfigError, match="oakland-3rd-st"):
        a_simulator(hot_site="atlantis")


def test_a_clock_that_is_ahead_dates_events_into_the_future() -> None:
    right, ahead = first(200), first(200, skew_seconds=45)
    moved = [two.event.occurred_at - one.event.occurred_at for one, two in zip(right, ahead, strict=True)]  # type: ignore[union-attr]
    assert set(moved) == {timedelta(seconds=45)}
    assert [one.send_at for one in ahead] == [one.send_at for one in right]


def test_a_clock_that_is_too_far_ahead_makes_records_that_will_be_rejected() -> None:
    sent = first(200, skew_seconds=61, duplicate_share=0.3)
    assert {one.flaw for one in sent} == {Flaw.MALFORMED}
    assert [one.event for one in sent] == [None] * 200


def test_only_the_chosen_breakages_are_used() -> None:
    broken = [one.payload for one in first(400, malformed_share=1.0, breakages=("an array",)) if one.event is None]
    assert len(broken) > 150
    assert {payload[:1] for payload in broken} == {b"["}


def test_a_breakage_that_is_not_known_is_refused() -> None:
    with pytest.raises(ConfigError, match="truncated"):
        a_simulator(breakages=("set on fire",))


# Arguments


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"rate": 0}, "rate"),
        ({"producers": 0}, "producers"),
        ({"watermark_seconds": -1}, "watermark_seconds"),
        ({"late_share": 1.5}, "late_share"),
        ({"late_share": 0.6, "out_of_order_share": 0.6}, "1.2 of the events"),
        ({"start": datetime(2026, 1, 5)}, "time zone"),
    ],
)
def test_an_argument_that_cannot_work_is_named(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        a_simulator(**changed)


def test_the_examples_in_the_docstrings_hold() -> None:
    for module in (rtlib.simulator.live, rtlib.domains.load):
        result = doctest.testmod(module)
        assert result.attempted > 0
        assert result.failed == 0


# History


def test_history_is_deterministic(domain: Domain) -> None:
    one, other = (list(history(domain, seed=7, until=NOON, days=2, per_day=300)) for _ in range(2))
    assert one == other
    assert one != list(history(domain, seed=8, until=NOON, days=2, per_day=300))


def test_history_fits_the_schema(domain: Domain) -> None:
    validator = Draft7Validator(domain.schema)
    for event in history(domain, seed=7, until=NOON, days=2, per_day=500):
        validator.validate(event.to_json())


def test_a_day_of_history_is_the_same_in_whichever_window_it_is_asked_for(domain: Domain) -> None:
    def told(until: datetime, days: int) -> dict[str, Event]:
        return {one.event_id: one for one in history(domain, seed=7, until=until, days=days, per_day=300)}

    today, tomorrow, longer = told(NOON, 3), told(NOON + timedelta(days=1), 3), told(NOON, 5)
    shared = {name: one for name, one in tomorrow.items() if one.occurred_at < NOON}
    assert shared == {name: one for name, one in today.items() if one.occurred_at >= NOON - timedelta(days=2)}
    assert len(shared) > 300
    assert today.items() <= longer.items()


def test_history_of_another_density_has_other_events() -> None:
    domain = load_domain("iot")
    one, other = ({e.event_id for e in history(domain, seed=7, until=NOON, days=2, per_day=n)} for n in (300, 301))
    assert not one & other


# Holidays


def test_the_same_seed_makes_the_same_stream_over_a_holiday_too() -> None:
    start = UNITY_DAY - timedelta(seconds=2)
    one, other = (first(3000, domain=load_domain("ecommerce"), start=start, **FLAWED) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("changed", [{"days": 0}, {"per_day": 0}, {"until": datetime(2026, 1, 5)}])
def test_history_names_an_argument_that_cannot_work(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        history(load_domain("iot"), **{"seed": 7, "until": NOON, **changed})
