"""The law of demand: local hours, dates and holidays, the same for every reader; its integral over any day."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtlib.domains import Domain, domain_names, load, load_domain
from rtlib.domains import law as law_module
from rtlib.domains.law import DemandLaw, SteadyLaw, seasonality
from rtlib.domains.local_time import local_seconds, utc_offsets
from rtlib.errors import ConfigError

ZONES = (
    *("America/New_York", "Europe/Berlin", "Australia/Sydney"),
    *("Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe"),
)
CHANGES = {
    "America/New_York": [date(2026, 3, 8), date(2026, 11, 1), date(2027, 3, 14), date(2027, 11, 7)],
    "Europe/Berlin": [date(2026, 3, 29), date(2026, 10, 25), date(2027, 3, 28), date(2027, 10, 31)],
    "Australia/Sydney": [date(2026, 4, 5), date(2026, 10, 4), date(2027, 4, 4), date(2027, 10, 3)],
    "Australia/Lord_Howe": [date(2026, 4, 5), date(2026, 10, 4), date(2027, 4, 4), date(2027, 10, 3)],
}
LENGTHS = {  # hours of the days on which the clocks change
    "America/New_York": [23, 25, 23, 25],
    "Europe/Berlin": [23, 25, 23, 25],
    "Australia/Sydney": [25, 23, 25, 23],
    "Australia/Lord_Howe": [24.5, 23.5, 24.5, 23.5],
}
CURBSIDE = load_domain("curbside")
YEARS = (datetime(2026, 1, 1, tzinfo=UTC).timestamp(), datetime(2028, 1, 1, tzinfo=UTC).timestamp())
every_zone = pytest.mark.parametrize("zone", ZONES)


def everywhere(*zones: str) -> Domain:
    """A domain with a site in each of these zones."""
    places = [dataclasses.replace(CURBSIDE.sites[0], id=zone, time_zone=zone) for zone in zones]
    return dataclasses.replace(CURBSIDE, sites=tuple(places))


def a_law(domain: Domain = CURBSIDE, **changed: Any) -> DemandLaw:
    return DemandLaw(domain, **{"rate": 10.0, "seed": 7, **changed})


def midnight(zone: str, day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def at(moment: datetime) -> np.ndarray:
    return np.array([moment.timestamp()])


WORLD = a_law(everywhere(*ZONES))


@pytest.fixture
def smooth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half-hours do not deviate from the curve of their day."""
    monkeypatch.setattr(law_module, "COMMON_NOISE", 0.0)
    monkeypatch.setattr(law_module, "SLOT_NOISE", 0.0)


# Clocks


@every_zone
@given(instant=st.floats(*YEARS))
def test_clocks_show_what_python_s_datetimes_show(zone: str, instant: float) -> None:
    shown = datetime.fromtimestamp(instant, ZoneInfo(zone)).replace(tzinfo=UTC)
    assert local_seconds(zone, np.array([instant]))[0] == pytest.approx(shown.timestamp(), abs=1e-5)


@every_zone
def test_an_offset_changes_in_the_second_in_which_the_clocks_change(zone: str) -> None:
    seconds = np.arange(*YEARS, 900)
    offsets = utc_offsets(zone, seconds)
    changed = np.flatnonzero(np.diff(offsets)) + 1
    assert len(changed) == len(CHANGES.get(zone, []))
    for instant in seconds[changed]:
        before, after = (datetime.fromtimestamp(second, ZoneInfo(zone)) for second in (instant - 1, instant))
        assert before.utcoffset() != after.utcoffset()
        assert utc_offsets(zone, np.array([instant - 1, instant])).tolist() == [
            moment.utcoffset().total_seconds()  # type: ignore[union-attr]
            for moment in (before, after)
        ]


@pytest.mark.parametrize(
    "zone", sorted({*ZONES, *(site.time_zone for name in domain_names() for site in load_domain(name).sites)})
)
def test_clocks_change_only_at_quarters_of_an_hour_which_the_integral_relies_on(zone: str) -> None:
    quarters = np.arange(*YEARS, 900)
    offsets = utc_offsets(zone, quarters)
    assert set(offsets % 900) == {0}
    assert np.array_equal(utc_offsets(zone, quarters + 899), offsets)


# Sites


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "Europe", "europe/berlin", "UTC+2", "../Berlin"])
def test_an_unknown_time_zone_is_an_error_that_names_the_site(
    zone: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = load.HERE.joinpath("iot.toml").read_text(encoding="utf-8")
    assert 'time_zone = "Europe/Brussels"' in text
    (tmp_path / "odd.toml").write_text(text.replace("Europe/Brussels", zone), encoding="utf-8")
    (tmp_path / "odd.schema.json").write_text("{}")
    monkeypatch.setattr(load, "HERE", tmp_path)
    with pytest.raises(ConfigError, match=r"odd\.toml: time_zone of site antwerp-kallo is") as caught:
        load_domain("odd")
    assert "Asia/Kolkata" in caught.value.cure


def test_every_site_s_time_zone_is_one_of_its_country() -> None:
    from importlib.resources import files

    lines = files("tzdata").joinpath("zoneinfo", "zone1970.tab").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    countries = {row[2]: set(row[0].split(",")) for row in rows}
    links = {"Europe/Amsterdam": "Europe/Brussels", "Europe/Stockholm": "Europe/Berlin"}  # one history since 1970
    for site in (site for name in domain_names() for site in load_domain(name).sites):
        assert site.country in countries[links.get(site.time_zone, site.time_zone)], site.id


def test_a_domain_with_sites_all_over_the_world_has_half_hours_and_southern_summers() -> None:
    for name in ("ecommerce", "gaming"):
        zones = {site.time_zone for site in load_domain(name).sites}
        assert len({zone.partition("/")[0] for zone in zones}) >= 3
        assert {"Asia/Kolkata", "Australia/Sydney"} <= zones


# The rate


def test_a_site_s_rate_is_the_product_of_hour_weekday_season_and_noise_in_local_time(smooth: None) -> None:
    law = a_law(dataclasses.replace(CURBSIDE, sites=CURBSIDE.sites[:2]))
    sunday_half_past_six = datetime(2026, 1, 11, 18, 30, tzinfo=ZoneInfo("America/Los_Angeles"))
    ordinary = 10 * CURBSIDE.demand.hourly[18] * CURBSIDE.demand.weekday[6] * seasonality(date(2026, 1, 11))
    shares = np.array([1.3, 1.1]) / 2.4
    noise = law.per_second(at(sunday_half_past_six))[0] / (ordinary * shares)
    assert noise == pytest.approx([1, 1], abs=0.4)
    assert noise[0] != noise[1]
    same_day = law.per_second(at(sunday_half_past_six - timedelta(hours=11)))[0]
    assert same_day == pytest.approx(noise * ordinary * shares * CURBSIDE.demand.hourly[7] / CURBSIDE.demand.hourly[18])


def test_a_californian_shop_is_busiest_in_its_own_evening(smooth: None) -> None:
    day = midnight("America/Los_Angeles", date(2026, 7, 8))
    hours = a_law().between(day.timestamp() + 3600 * np.arange(25.0))[:, 0]
    assert hours.argmax() == np.argmax(CURBSIDE.demand.hourly) == 18
    assert (day + timedelta(hours=18)).astimezone(UTC).hour == 1
    assert hours / hours.mean() == pytest.approx(CURBSIDE.demand.hourly, rel=0.05)


@every_zone
def test_sites_of_one_domain_have_the_same_hours_each_by_its_own_clock(zone: str, smooth: None) -> None:
    noon = datetime(2026, 7, 8, 12, tzinfo=ZoneInfo(zone))
    place = ZONES.index(zone)
    world = a_law(everywhere(*ZONES))
    morning, lunch = (world.per_second(at(noon - timedelta(hours=back)))[0, place] for back in (9, 0))
    hourly = CURBSIDE.demand.at_hour(np.array([3.0, 12.0]))
    assert morning / lunch == pytest.approx(hourly[0] / hourly[1])


def test_weekdays_are_those_of_the_local_date(smooth: None) -> None:
    zone = "Australia/Sydney"
    early = [datetime(2026, 1, 5, 3, tzinfo=ZoneInfo(zone)) + timedelta(days=day) for day in range(52 * 7)]
    assert all(moment.astimezone(UTC).weekday() == (moment.weekday() - 1) % 7 for moment in early)
    demand = dataclasses.replace(CURBSIDE.demand, holiday=1.0)
    law = a_law(dataclasses.replace(everywhere(*[zone] * 8), demand=demand))
    rates = law.per_second(np.array([moment.timestamp() for moment in early])).sum(axis=1)
    weekdays = rates.reshape(52, 7).mean(axis=0)
    assert weekdays / weekdays.mean() == pytest.approx(demand.weekday, rel=0.03)


def test_a_holiday_begins_and_ends_with_the_local_date() -> None:
    shops = load_domain("ecommerce")
    column = [site.id for site in shops.sites].index("shop-australia")
    plain = dataclasses.replace(shops, demand=dataclasses.replace(shops.demand, holiday=1.0))
    begin = midnight("Australia/Sydney", date(2026, 1, 26))  # Australia Day
    moments = [begin - timedelta(seconds=1), begin, begin + timedelta(hours=23.9), begin + timedelta(hours=24)]
    instants = np.array([moment.timestamp() for moment in moments])
    factors = a_law(shops).per_second(instants) / a_law(plain).per_second(instants)
    assert begin.astimezone(UTC).date() == date(2026, 1, 25)
    assert factors[:, column] == pytest.approx([1, 0.75, 0.75, 1])
    assert np.delete(factors, column, axis=1)[:, :7] == pytest.approx(np.ones((4, 7)))


@pytest.mark.parametrize("name", domain_names())
def test_the_mean_over_a_year_is_the_rate_shared_by_weight(name: str) -> None:
    domain = load_domain(name)
    plain = dataclasses.replace(domain, demand=dataclasses.replace(domain.demand, holiday=1.0))
    year = np.array([datetime(2026, 1, 1, tzinfo=UTC).timestamp(), datetime(2027, 1, 1, tzinfo=UTC).timestamp()])
    means = np.mean([a_law(plain, seed=seed).between(year)[0] for seed in range(4)], axis=0) / np.diff(year)
    shares = np.array([site.weight for site in domain.sites]) / sum(site.weight for site in domain.sites)
    assert means.sum() == pytest.approx(10, rel=0.006)  # four years of noise: sigma is 0.2 %
    assert means / 10 == pytest.approx(shares, rel=0.012)


# Noise


def test_the_noise_is_the_same_for_every_reader() -> None:
    instants = np.arange(YEARS[0], YEARS[0] + 60 * 86_400, 5 * 3600.0)
    shuffled = np.random.default_rng(1).permutation(len(instants))
    rates = a_law().per_second(instants)
    assert np.array_equal(a_law().per_second(instants[shuffled]), rates[shuffled])
    assert np.array_equal(
        np.vstack([a_law().per_second(instants[place : place + 1]) for place in (5, 80)]), rates[[5, 80]]
    )
    assert a_law(rate=20.0).per_second(instants) == pytest.approx(2 * rates)
    assert not np.allclose(a_law(seed=8).per_second(instants), rates)


def test_a_site_s_noise_does_not_depend_on_the_other_sites() -> None:
    instants = np.arange(YEARS[0], YEARS[0] + 20 * 86_400, 3600.0)
    alone = a_law(dataclasses.replace(CURBSIDE, sites=CURBSIDE.sites[3:4]))
    share = CURBSIDE.sites[3].weight / sum(site.weight for site in CURBSIDE.sites)
    assert share * alone.per_second(instants)[:, 0] == pytest.approx(a_law().per_second(instants)[:, 3])


def test_the_noise_of_days_and_of_half_hours_has_its_size() -> None:
    domain = dataclasses.replace(CURBSIDE, demand=dataclasses.replace(CURBSIDE.demand, holiday=1.0))
    begin = midnight("America/Los_Angeles", date(2026, 1, 1)).timestamp()
    instants = begin + 300 + 1800.0 * np.arange(48 * 700)
    ratio = np.log(a_law(domain).per_second(instants) / a_law(domain, seed=8).per_second(instants))
    days = ratio.reshape(700, 48, 8)
    assert (ratio.std() / 2**0.5) == pytest.approx((0.02**2 + 0.03**2 + 0.08**2 + 0.06**2) ** 0.5, rel=0.05)
    assert (days - days.mean(axis=1, keepdims=True)).std() == pytest.approx((2 * (0.08**2 + 0.06**2)) ** 0.5, rel=0.05)
    of_domain = days.mean(axis=(1, 2)).std() / 2**0.5
    assert of_domain == pytest.approx((0.02**2 + 0.03**2 / 8 + 0.08**2 / 48 + 0.06**2 / 384) ** 0.5, rel=0.15)
    half_hours = (days - days.mean(axis=1, keepdims=True)).mean(axis=2).std() / 2**0.5
    assert half_hours == pytest.approx((0.08**2 + 0.06**2 / 8) ** 0.5, rel=0.05)


# The integral


@pytest.mark.parametrize("zone", CHANGES)
def test_a_day_of_23_or_25_hours_has_what_its_hours_have(zone: str, smooth: None) -> None:
    column, world = ZONES.index(zone), a_law(everywhere(*ZONES))
    for day, hours in zip(CHANGES[zone], LENGTHS[zone], strict=True):
        begin, end = midnight(zone, day), midnight(zone, day + timedelta(days=1))
        seconds = np.arange(begin.timestamp(), end.timestamp(), 60.0) + 30
        assert len(seconds) == 60 * hours
        # Minute by minute, with Python's datetimes as clocks.
        clocks = [datetime.fromtimestamp(second, ZoneInfo(zone)) for second in seconds]
        curve = CURBSIDE.demand.at_hour(np.array([moment.hour + (moment.minute + 0.5) / 60 for moment in clocks]))
        middle = world.per_second(at(begin))[0, column] / CURBSIDE.demand.at_hour(np.array([0.0]))[0]
        assert world.expected(begin, end, zone) == pytest.approx(60 * middle * curve.sum(), rel=1e-4)


@every_zone
def test_loads_by_local_day_add_up_to_the_load_by_instant(zone: str) -> None:
    law = a_law(everywhere(zone))
    days = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(2 * 365 + 1)]
    edges = np.array([midnight(zone, day).timestamp() for day in days])
    by_day = law.between(edges)
    by_instant = law.per_second(np.arange(edges[0], edges[-1], 300) + 150)
    assert len(by_day) == 730
    assert by_day.min() > 0
    assert by_day.sum() == pytest.approx(300 * by_instant.sum())
    assert by_day.sum() == pytest.approx(law.expected(midnight(zone, days[0]), midnight(zone, days[-1]), zone))


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
SPANS = st.timedeltas(timedelta(seconds=1), timedelta(days=3))


@given(start=MOMENTS, spans=st.lists(SPANS, min_size=2, max_size=5), site=st.sampled_from(ZONES))
def test_an_interval_has_the_sum_of_its_parts(start: datetime, spans: list[timedelta], site: str) -> None:
    edges = [start]
    for span in spans:
        edges.append(edges[-1] + span)
    parts = [WORLD.expected(first, last, site) for first, last in pairwise(edges)]
    assert min(parts) > 0
    assert sum(parts) == pytest.approx(WORLD.expected(edges[0], edges[-1], site))


@settings(max_examples=40)
@given(start=MOMENTS, span=SPANS)
def test_no_instant_exceeds_the_peak_of_its_interval(start: datetime, span: timedelta) -> None:
    first, last = start.timestamp(), (start + span).timestamp()
    inside = WORLD.per_second(np.linspace(first, last, 997)[:-1]).sum(axis=1)
    peak = WORLD.peak(first, last)
    assert inside.max() <= peak
    assert peak <= inside.max() * 1.02


def test_an_unknown_site_is_refused_with_the_known_sites() -> None:
    with pytest.raises(ConfigError, match="atlantis") as caught:
        a_law().expected(midnight("UTC", date(2026, 1, 1)), midnight("UTC", date(2026, 1, 2)), "atlantis")
    assert "oakland-3rd-st" in caught.value.cure


def test_a_steady_law_has_the_rate_at_all_times() -> None:
    steady = SteadyLaw(CURBSIDE, 10.0)
    rates = steady.per_second(np.arange(*YEARS, 1e6))
    assert rates.sum(axis=1) == pytest.approx(np.full(len(rates), 10.0))
    assert rates[0, 0] / rates[0, 1] == pytest.approx(1.3 / 1.1)
    assert rates.sum(axis=1).max() <= steady.peak(*YEARS) < 10.001
