"""Rollups have the distribution of the events that they stand for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from rtlib.domains import domain_names, load_domain
from rtlib.domains.law import DemandLaw
from rtlib.errors import ConfigError
from rtlib.simulator.rollups import FEW, rollups, value_totals
from rtlib.simulator.sampling import draw_values

MONDAY = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize("name", domain_names())
def test_counts_follow_the_law_by_site_kind_and_interval(name: str) -> None:
    domain = load_domain(name)
    rows = rollups(domain, seed=7, rate=10, start=MONDAY, end=MONDAY + 2 * DAY)
    expected = DemandLaw(domain, 10, 7).between(MONDAY.timestamp() + 1800.0 * np.arange(97))
    shares = np.array([kind.share for kind in domain.kinds])
    cells = expected[:, :, None] * (shares / shares.sum())
    counts = np.zeros_like(cells)
    places = (rows["interval_start"] - np.datetime64("2026-05-04")) // np.timedelta64(30, "m")
    sites = rows["site"].map({site.id: column for column, site in enumerate(domain.sites)})
    kinds = rows["kind"].map({kind.name: column for column, kind in enumerate(domain.kinds)})
    counts[places.astype(int), sites, kinds] = rows["events"]
    assert counts.sum() == rows["events"].sum()
    for axes in ((1, 2), (0, 2), (0, 1)):  # by interval, site, kind
        deviations = (counts.sum(axis=axes) - cells.sum(axis=axes)) / np.sqrt(cells.sum(axis=axes))
        assert np.abs(deviations).max() < 5


@pytest.mark.parametrize("count", [2, FEW, FEW + 1, 400])
def test_sum_and_extremes_are_those_of_single_values(count: int) -> None:
    spec = load_domain("curbside").kinds[0].value  # lognormal, clipped and rounded
    rng, runs = np.random.default_rng(3), 4000
    drawn = value_totals(rng, spec, 1.1, np.full(runs, count))
    values = draw_values(rng, spec, np.full(runs * count, 1.1)).reshape(runs, count)
    for ours, theirs in zip(drawn, (values.sum(axis=1), values.min(axis=1), values.max(axis=1)), strict=True):
        spread = np.sqrt((ours.var() + theirs.var()) / runs)
        assert abs(ours.mean() - theirs.mean()) < 5 * spread
        assert ours.std() == pytest.approx(theirs.std(), rel=0.1)
    sums, least, greatest = drawn
    assert np.all((least <= sums / count) & (sums / count <= greatest))


def test_an_interval_is_the_same_in_every_period() -> None:
    domain = load_domain("iot")
    whole = rollups(domain, seed=7, rate=2, start=MONDAY, end=MONDAY + 2 * DAY)
    begin, end = MONDAY + timedelta(hours=20), MONDAY + timedelta(hours=29, minutes=30)
    part = rollups(domain, seed=7, rate=2, start=begin, end=end)
    starts = whole["interval_start"]
    inside = whole[(starts >= np.datetime64("2026-05-04T20:00")) & (starts < np.datetime64("2026-05-05T05:30"))]
    assert len(part) > 100
    assert part.equals(inside.reset_index(drop=True))


def test_a_period_without_an_interval_has_no_rows() -> None:
    assert rollups(load_domain("iot"), seed=7, rate=2, start=MONDAY, end=MONDAY).empty


@pytest.mark.parametrize("moment", [MONDAY + timedelta(minutes=10), datetime(2026, 5, 4)])
def test_a_period_begins_and_ends_with_an_interval(moment: datetime) -> None:
    with pytest.raises(ConfigError, match="does not begin an interval of 30 minutes"):
        rollups(load_domain("iot"), seed=7, rate=2, start=moment, end=MONDAY + DAY)
