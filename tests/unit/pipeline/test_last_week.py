"""The same minute of the week before: from the speed layer, or a count of loaded history, scaled to a minute."""

from __future__ import annotations

from datetime import UTC, datetime

from rtlib.domains import ALL_SITES, load_domain
from rtlib.pipeline.monitoring.last_week import scaled, week_before

DOMAIN = load_domain("curbside")
OAKLAND, BERKELEY = DOMAIN.sites[0].id, DOMAIN.sites[1].id


def test_a_count_is_scaled_to_a_minute_and_other_kpis_are_left_out() -> None:
    events = {(OAKLAND, "order_placed"): 300, (OAKLAND, "handover"): 200, (BERKELEY, "order_placed"): 60}
    week = scaled(DOMAIN, events, share=1 / 30)
    assert week == {OAKLAND: {"orders": 10.0}, BERKELEY: {"orders": 2.0}, ALL_SITES: {"orders": 12.0}}
    assert scaled(DOMAIN, {}, share=1 / 30) == {}


def test_the_week_before_has_the_same_time_by_local_clocks_also_when_they_changed() -> None:
    # Clocks in Los Angeles went forward on 8 March 2026.
    assert week_before(datetime(2026, 3, 10, 16, tzinfo=UTC), "America/Los_Angeles") == datetime(
        2026, 3, 3, 17, tzinfo=UTC
    )
