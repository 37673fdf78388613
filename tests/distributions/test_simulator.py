"""The simulator's distributions, measured over many events: shares, days, weeks, holidays, thresholds."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest

from rtlib.domains import Domain, Severity, domain_names, load_domain, measures
from rtlib.records import Event
from rtlib.simulator import Defect, SimulatedRecord, history
from support.simulation import FLAWED, MONDAY, NOON, UNITY_DAY, a_simulator, delays, first, until


@pytest.fixture(params=domain_names())
def domain(request: pytest.FixtureRequest) -> Domain:
    return load_domain(request.param)


def test_the_stream_does_not_depend_on_the_process() -> None:
    program = (
        "import hashlib; from datetime import datetime, UTC; from itertools import islice;"
        "from rtlib.domains import load_domain; from rtlib.simulator import Simulator;"
        "start = datetime(2026, 1, 5, tzinfo=UTC);"
        "s = Simulator(load_domain('iot'), seed=3, start=start, rate=90, malformed_share=0.1);"
        "print(hashlib.sha256(b''.join(one.payload for one in islice(s.records(), 2000))).hexdigest())"
    )
    told = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        told.add(run.stdout.strip())
    here = a_simulator(load_domain("iot"), seed=3, start=MONDAY, rate=90, malformed_share=0.1)
    told.add(hashlib.sha256(b"".join(one.payload for one in islice(here.records(), 2000))).hexdigest())
    assert len(told) == 1


def test_sites_and_kinds_come_by_their_shares(domain: Domain) -> None:
    events = [one.event for one in first(20_000, domain=domain) if one.event]
    total = sum(one.weight for one in domain.sites)
    expected = {one.id: one.weight / total for one in domain.sites} | {one.name: one.share for one in domain.kinds}
    seen = Counter(event.site for event in events) + Counter(event.kind for event in events)
    for name, share in expected.items():
        assert seen[name] / len(events) == pytest.approx(share, abs=4 * (share / len(events)) ** 0.5)


def test_flaws_come_by_their_shares() -> None:
    records = first(60_000, **FLAWED)
    seen = Counter(one.flaw for one in records)
    events = len(records) - seen[Defect.DUPLICATE] - seen[Defect.MALFORMED]
    for flaw in Defect:
        share = FLAWED[f"{flaw}_share"]
        assert seen[flaw] / events == pytest.approx(share, abs=4 * (share / events) ** 0.5)


@pytest.mark.parametrize("watermark", [60.0, 300.0])
def test_a_late_event_is_within_the_watermark(watermark: float) -> None:
    seen = delays(first(20_000, **FLAWED, watermark_seconds=watermark), Defect.LATE)
    assert 5 <= min(seen) < 0.2 * watermark
    assert 0.7 * watermark < max(seen) <= 0.8 * watermark


def test_a_too_late_event_is_two_to_four_watermarks_behind() -> None:
    seen = delays(first(20_000, **FLAWED), Defect.TOO_LATE)
    assert 120 <= min(seen) < 140
    assert 220 < max(seen) <= 240


def test_a_duplicate_is_the_same_bytes_at_most_5_seconds_later() -> None:
    originals: dict[bytes, SimulatedRecord] = {}
    duplicates = 0
    for sent in first(20_000, **FLAWED):
        if sent.flaw is Defect.DUPLICATE:
            original = originals[sent.payload]
            assert timedelta(0) <= sent.send_at - original.send_at <= timedelta(seconds=5)
            assert (sent.key, sent.event) == (original.key, original.event)
            duplicates += 1
        else:
            originals[sent.payload] = sent
    assert duplicates > 500


def test_the_rate_is_the_mean_over_a_week(domain: Domain) -> None:
    week = sum(1 for _ in until(a_simulator(domain, rate=0.05, start=MONDAY), MONDAY + timedelta(days=7)))
    expected = 0.05 * 7 * 86_400
    assert week == pytest.approx(expected, abs=4 * expected**0.5)


def test_days_and_weeks_have_their_shape(domain: Domain) -> None:
    moments = [one.send_at for one in until(a_simulator(domain, rate=0.2, start=MONDAY), MONDAY + timedelta(days=7))]
    for seen, factors in (
        (Counter(one.hour for one in moments), domain.demand.hourly),
        (Counter(one.weekday() for one in moments), domain.demand.weekday),
    ):
        mean = len(moments) / len(factors)
        for index, factor in enumerate(factors):
            assert seen[index] / mean == pytest.approx(factor, abs=0.12)


def test_without_shape_every_hour_is_alike() -> None:
    simulator = a_simulator(rate=0.5, start=MONDAY, shaped=False)
    seen = Counter(one.send_at.hour for one in until(simulator, MONDAY + timedelta(days=1)))
    assert len(seen) == 24
    assert all(count == pytest.approx(1800, abs=4 * 1800**0.5) for count in seen.values())


def test_gaps_between_arrivals_are_those_of_a_poisson_process() -> None:
    moments = [one.send_at for one in first(20_000, shaped=False)]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert mean == pytest.approx(1 / 500, rel=0.03)
    assert variance / mean**2 == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("hour", [3, 18])
def test_the_normal_stream_rarely_crosses_a_threshold(domain: Domain, hour: int) -> None:
    start = MONDAY + timedelta(hours=hour)
    windows: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for sent in until(a_simulator(domain, rate=50, start=start), start + timedelta(minutes=20)):
        if sent.event:
            windows[sent.key, sent.send_at.replace(second=0, microsecond=0)].append(sent.event)
    told = Counter(
        kpi.severity(measures(domain, events)[kpi.name])
        for events in windows.values()
        for kpi in domain.kpis
        if kpi.warn is not None
    )
    assert told[Severity.ACT] == 0
    assert told[Severity.WATCH] <= 0.01 * told.total()


@pytest.fixture(scope="module")
def four_weeks() -> list[Event]:
    return list(history(load_domain("curbside"), seed=7, until=NOON))


def test_history_covers_its_days_in_order(four_weeks: list[Event]) -> None:
    occurred = [one.occurred_at for one in four_weeks]
    assert occurred == sorted(occurred)
    assert NOON - timedelta(days=28) <= occurred[0] < NOON - timedelta(days=27, hours=23)
    assert NOON - timedelta(hours=1) < occurred[-1] < NOON
    assert len(four_weeks) / 28 == pytest.approx(5000, rel=0.05)


def test_historys_producers_are_its_own_and_have_no_gaps(four_weeks: list[Event]) -> None:
    sequences = defaultdict(list)
    for event in four_weeks:
        sequences[event.producer_id].append(event.sequence)
    assert all(name.startswith("history-0-") for name in sequences)
    assert all(seen == list(range(len(seen))) for seen in sequences.values())


def test_history_has_daily_and_weekly_shape(four_weeks: list[Event]) -> None:
    demand = load_domain("curbside").demand
    hours = Counter(one.occurred_at.hour for one in four_weeks)
    weekdays = Counter(one.occurred_at.weekday() for one in four_weeks)
    for hour, factor in enumerate(demand.hourly):
        assert hours[hour] / len(four_weeks) * 24 == pytest.approx(factor, abs=0.1)
    assert weekdays[5] > 1.2 * weekdays[0]


def test_history_grows_in_winter_and_no_two_weeks_are_alike() -> None:
    domain = load_domain("curbside")
    plain = dataclasses.replace(domain, demand=dataclasses.replace(domain.demand, holiday=1.0))
    weeks = Counter(
        (NOON - one.occurred_at - timedelta(microseconds=1)).days // 7 for one in history(plain, seed=7, until=NOON)
    )
    assert weeks[3] < weeks[0] < 1.25 * weeks[3]
    assert len(set(weeks.values())) == 4


def test_history_rises_and_falls_with_the_year_by_the_date_alone() -> None:
    spring, autumn = (
        sum(1 for _ in history(load_domain("iot"), seed=7, until=until, days=14, per_day=2000))
        for until in (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 9, 28, tzinfo=UTC))
    )
    assert spring / 28_000 == pytest.approx(1.15, abs=0.06)
    assert autumn / 28_000 == pytest.approx(0.85, abs=0.06)


def germans(domain: Domain) -> set[str]:
    return {one.id for one in domain.sites if one.country == "DE"}


@pytest.mark.parametrize("name", ["ecommerce", "gaming"])
def test_a_holiday_is_felt_at_the_sites_of_its_country_alone(name: str) -> None:
    domain = load_domain(name)
    seen = [
        Counter(
            one.key in germans(domain)
            for one in until(a_simulator(domain, rate=2, start=day - timedelta(hours=1)), day + timedelta(days=1))
            if one.send_at >= day
        )
        for day in (UNITY_DAY, UNITY_DAY - timedelta(days=7))
    ]
    assert seen[0][True] / seen[1][True] == pytest.approx(domain.demand.holiday, rel=0.06)
    assert seen[0][False] / seen[1][False] == pytest.approx(1, rel=0.03)


def test_a_stream_without_shape_knows_no_holiday() -> None:
    domain = load_domain("ecommerce")
    simulator = a_simulator(domain, rate=0.5, start=UNITY_DAY, shaped=False)
    count = sum(1 for _ in until(simulator, UNITY_DAY + timedelta(days=1)))
    assert count == pytest.approx(43_200, abs=4 * 43_200**0.5)


def test_history_has_the_holidays_of_each_country(domain: Domain) -> None:
    christmas, weeks = datetime(2026, 12, 25, tzinfo=UTC), 6
    fridays = [
        sum(1 for _ in history(domain, seed=7, until=christmas + timedelta(days=1 - 7 * week), days=1, per_day=4000))
        for week in range(weeks)
        if week != 4  # the day after Thanksgiving
    ]
    free = sum(one.weight for one in domain.sites if one.country != "JP") / sum(one.weight for one in domain.sites)
    expected = 1 + free * (domain.demand.holiday - 1)
    assert fridays[0] / (sum(fridays[1:]) / len(fridays[1:])) == pytest.approx(expected, rel=0.15)
