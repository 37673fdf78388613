"""The simulator's distributions over many events: shares, days, weeks, holidays, thresholds."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from rtlib.domains import Domain, Severity, domain_names, load_domain, measures
from rtlib.domains.law import DemandLaw
from rtlib.records import Event
from rtlib.simulator import Defect, SimulatedRecord, history
from rtlib.simulator.interval_counts import simulated_load
from support.simulation import DEFECTS, MONDAY, NOON, UNITY_DAY, a_simulator, delays, deviation, first, until


@pytest.fixture(params=domain_names())
def domain(request: pytest.FixtureRequest) -> Domain:
    return load_domain(request.param)


PER_DAY = 8640


@cache
def live_week(name: str) -> tuple[tuple[str, datetime], ...]:
    """Site and time of each event of a live week of a domain, about 60,000; drawn once for all tests."""
    simulator = a_simulator(load_domain(name), rate=PER_DAY / 86_400, start=MONDAY)
    return tuple((sent.key, sent.send_at) for sent in until(simulator, MONDAY + timedelta(days=7)))


def test_the_stream_does_not_depend_on_the_process() -> None:
    program = (
        "import hashlib; from datetime import datetime, UTC; from itertools import islice;"
        "from rtlib.domains import load_domain; from rtlib.simulator import Simulator;"
        "start = datetime(2026, 1, 5, tzinfo=UTC);"
        "s = Simulator(load_domain('iot'), seed=3, start=start, rate=90, malformed_share=0.1);"
        "print(hashlib.sha256(b''.join(record.payload for record in islice(s.records(), 2000))).hexdigest())"
    )
    digests = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(run.stdout.strip())
    here = a_simulator(load_domain("iot"), seed=3, start=MONDAY, rate=90, malformed_share=0.1)
    digests.add(hashlib.sha256(b"".join(record.payload for record in islice(here.records(), 2000))).hexdigest())
    assert len(digests) == 1


def test_sites_and_kinds_have_their_shares(domain: Domain) -> None:
    events = [record.event for record in first(20_000, domain=domain, shaped=False) if record.event]
    total = sum(site.weight for site in domain.sites)
    expected = {site.id: site.weight / total for site in domain.sites}
    expected |= {kind.name: kind.share for kind in domain.kinds}
    counts = Counter(event.site for event in events) + Counter(event.kind for event in events)
    for name, share in expected.items():
        assert counts[name] / len(events) == pytest.approx(share, abs=4 * (share / len(events)) ** 0.5)


def test_defects_have_their_shares() -> None:
    records = first(60_000, **DEFECTS)
    counts = Counter(record.defect for record in records)
    events = len(records) - counts[Defect.DUPLICATE] - counts[Defect.MALFORMED]
    for defect in Defect:
        share = DEFECTS[f"{defect}_share"]
        assert counts[defect] / events == pytest.approx(share, abs=4 * (share / events) ** 0.5)


@pytest.mark.parametrize("watermark", [60.0, 300.0])
def test_a_late_event_is_within_the_watermark(watermark: float) -> None:
    behind = delays(first(20_000, **DEFECTS, watermark_seconds=watermark), Defect.LATE)
    assert 5 <= min(behind) < 0.2 * watermark
    assert 0.7 * watermark < max(behind) <= 0.8 * watermark


def test_a_too_late_event_is_two_to_four_watermarks_behind() -> None:
    behind = delays(first(20_000, **DEFECTS), Defect.TOO_LATE)
    assert 120 <= min(behind) < 140
    assert 220 < max(behind) <= 240


def test_a_duplicate_is_the_same_bytes_at_most_5_seconds_later() -> None:
    originals: dict[bytes, SimulatedRecord] = {}
    duplicates = 0
    for sent in first(20_000, **DEFECTS):
        if sent.defect is Defect.DUPLICATE:
            original = originals[sent.payload]
            assert timedelta(0) <= sent.send_at - original.send_at <= timedelta(seconds=5)
            assert (sent.key, sent.event) == (original.key, original.event)
            duplicates += 1
        else:
            originals[sent.payload] = sent
    assert duplicates > 500


HOURS = MONDAY.timestamp() + 3600 * np.arange(7 * 24 + 1.0)


def by_hour_and_site(domain: Domain, keys: Iterable[tuple[str, datetime]]) -> np.ndarray:
    """The events of a week from Monday on: a row for each hour, a column for each site."""
    columns = {site.id: place for place, site in enumerate(domain.sites)}
    counts = np.zeros((7 * 24, len(columns)))
    for site, moment in keys:
        counts[(moment - MONDAY) // timedelta(hours=1), columns[site]] += 1
    return counts


def test_live_events_history_and_interval_counts_follow_the_same_law(domain: Domain) -> None:
    end = MONDAY + timedelta(days=7)
    expected = DemandLaw(domain, PER_DAY / 86_400, 7).between(HOURS)
    past = history(domain, seed=7, until=end, days=7, per_day=PER_DAY)
    for counts in (
        by_hour_and_site(domain, live_week(domain.name)),
        by_hour_and_site(domain, ((event.site, event.occurred_at) for event in past)),
    ):
        assert counts.sum() == pytest.approx(expected.sum(), abs=4 * expected.sum() ** 0.5)
        assert abs(deviation(counts, expected)) < 4
        assert abs(deviation(counts.sum(axis=0), expected.sum(axis=0))) < 4
    rows = simulated_load(domain, seed=7, until=end, days=7, per_day=200 * PER_DAY)
    drawn = np.array([row["events"] for row in rows]).reshape(7 * 24, 2, -1).sum(axis=1)
    staffed = sum(kind.share for kind in domain.kinds if kind.name in domain.staffing.kinds)
    assert abs(deviation(drawn, 200 * staffed * expected)) < 4


def local(site: str, moment: datetime, domain: Domain) -> datetime:
    """A moment on the clocks of a site."""
    zones = {place.id: place.time_zone for place in domain.sites}
    return moment.astimezone(ZoneInfo(zones[site]))


def test_days_have_the_shape_of_local_time(domain: Domain) -> None:
    # 60,000 events give the factor of an hour with a standard deviation of 0.03 at most.
    clocks = [local(site, moment, domain) for site, moment in live_week(domain.name)]
    hours = Counter(moment.hour for moment in clocks)
    for hour, factor in enumerate(domain.demand.hourly):
        assert 24 * hours[hour] / len(clocks) == pytest.approx(factor, abs=0.12)


def test_without_shape_every_hour_has_the_same_rate() -> None:
    simulator = a_simulator(rate=0.5, start=MONDAY, shaped=False)
    counts = Counter(record.send_at.hour for record in until(simulator, MONDAY + timedelta(days=1)))
    assert len(counts) == 24
    assert all(count == pytest.approx(1800, abs=4 * 1800**0.5) for count in counts.values())


def test_gaps_between_arrivals_are_those_of_a_poisson_process() -> None:
    moments = [record.send_at for record in first(20_000, shaped=False)]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(moments)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert mean == pytest.approx(1 / 500, rel=0.03)
    assert variance / mean**2 == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("hour", [3, 18])
def test_the_normal_stream_rarely_crosses_a_threshold(domain: Domain, hour: int) -> None:
    start = datetime(2026, 1, 5, hour, tzinfo=ZoneInfo(domain.sites[0].time_zone)).astimezone(UTC)
    windows: dict[tuple[str, datetime], list[Event]] = defaultdict(list)
    for sent in until(a_simulator(domain, rate=50, start=start), start + timedelta(minutes=20)):
        if sent.event:
            windows[sent.key, sent.send_at.replace(second=0, microsecond=0)].append(sent.event)
    severities = Counter(
        kpi.severity(measures(domain, events)[kpi.name])
        for events in windows.values()
        for kpi in domain.kpis
        if kpi.warn is not None
    )
    assert severities[Severity.ACT] == 0
    assert severities[Severity.WATCH] <= 0.01 * severities.total()


@pytest.fixture(scope="module")
def four_weeks() -> list[Event]:
    return list(history(load_domain("curbside"), seed=7, until=NOON))


def test_history_covers_its_days_in_order(four_weeks: list[Event]) -> None:
    occurred = [event.occurred_at for event in four_weeks]
    assert occurred == sorted(occurred)
    assert NOON - timedelta(days=28) <= occurred[0] < NOON - timedelta(days=27, hours=23)
    assert NOON - timedelta(hours=1) < occurred[-1] < NOON
    expected = DemandLaw(load_domain("curbside"), 5000 / 86_400, 7).expected(NOON - timedelta(days=28), NOON)
    assert len(four_weeks) == pytest.approx(expected, abs=4 * expected**0.5)
    assert expected / 28 == pytest.approx(5000, rel=0.1)


def test_history_has_producers_of_its_own_without_gaps(four_weeks: list[Event]) -> None:
    sequences = defaultdict(list)
    for event in four_weeks:
        sequences[event.producer_id].append(event.sequence)
    assert all(name.startswith("history-0-") for name in sequences)
    assert all(numbers == list(range(len(numbers))) for numbers in sequences.values())


def test_history_has_daily_and_weekly_shape(four_weeks: list[Event]) -> None:
    domain = load_domain("curbside")
    clocks = [local(event.site, event.occurred_at, domain) for event in four_weeks]
    hours = Counter(moment.hour for moment in clocks)
    weekdays = Counter(moment.weekday() for moment in clocks)
    for hour, factor in enumerate(domain.demand.hourly):
        assert hours[hour] / len(four_weeks) * 24 == pytest.approx(factor, abs=0.1)
    assert weekdays[5] > 1.2 * weekdays[0]


def test_history_grows_in_winter_and_every_week_differs() -> None:
    domain = load_domain("curbside")
    plain = dataclasses.replace(domain, demand=dataclasses.replace(domain.demand, holiday=1.0))
    weeks = Counter(
        (NOON - event.occurred_at - timedelta(microseconds=1)).days // 7 for event in history(plain, seed=7, until=NOON)
    )
    assert weeks[3] < weeks[0] < 1.25 * weeks[3]
    assert len(set(weeks.values())) == 4


def test_history_follows_the_season_by_date() -> None:
    spring, autumn = (
        sum(1 for _ in history(load_domain("iot"), seed=7, until=until, days=14, per_day=2000))
        for until in (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 9, 28, tzinfo=UTC))
    )
    assert spring / 28_000 == pytest.approx(1.15, abs=0.06)
    assert autumn / 28_000 == pytest.approx(0.85, abs=0.06)


def without_holidays(domain: Domain, rate: float) -> DemandLaw:
    return DemandLaw(dataclasses.replace(domain, demand=dataclasses.replace(domain.demand, holiday=1.0)), rate, 7)


@pytest.mark.parametrize("name", ["ecommerce", "gaming"])
def test_a_holiday_changes_only_the_sites_of_its_country(name: str) -> None:
    domain, end = load_domain(name), UNITY_DAY + timedelta(days=1)
    # Germany's site has 5,600 events or more: without the holiday it would be 18 standard deviations away.
    rate = 0.5
    sent = until(a_simulator(domain, rate=rate, start=UNITY_DAY - timedelta(hours=1)), end)
    counts = Counter(record.key for record in sent if record.send_at >= UNITY_DAY)
    ordinary = without_holidays(domain, rate)
    for site in domain.sites:
        expected = ordinary.expected(UNITY_DAY, end, site.id)
        factor = domain.demand.holiday if site.country == "DE" else 1.0
        assert counts[site.id] == pytest.approx(factor * expected, abs=4 * expected**0.5)


def test_a_stream_without_shape_ignores_holidays() -> None:
    domain = load_domain("ecommerce")
    simulator = a_simulator(domain, rate=0.5, start=UNITY_DAY, shaped=False)
    count = sum(1 for _ in until(simulator, UNITY_DAY + timedelta(days=1)))
    assert count == pytest.approx(43_200, abs=4 * 43_200**0.5)


def test_history_has_the_holidays_of_each_country_on_its_own_date(domain: Domain) -> None:
    christmas, end = date(2026, 12, 25), datetime(2026, 12, 27, tzinfo=UTC)
    counts = Counter(
        event.site
        for event in history(domain, seed=7, until=end, days=3, per_day=8000)
        if local(event.site, event.occurred_at, domain).date() == christmas
    )
    ordinary = without_holidays(domain, 8000 / 86_400)
    for site, is_off in zip(domain.sites, domain.on_holiday(christmas), strict=True):
        begin = datetime.combine(christmas, time(), ZoneInfo(site.time_zone))
        expected = ordinary.expected(begin, begin + timedelta(days=1), site.id)
        factor = domain.demand.holiday if is_off else 1.0
        assert is_off == (site.country != "JP")
        assert counts[site.id] == pytest.approx(factor * expected, abs=4 * (factor * expected) ** 0.5)
