"""How near each site is to each rule, from the stored state of the alert service."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from rtlib.alerts import EvaluatorState, Rule, State, nearness
from rtlib.alerts.nearness import share_of
from rtlib.domains import ALL_SITES, load_domain

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DOMAIN = load_domain("curbside")
RULE = Rule("long-wait", "wait_minutes", "Mean wait", "min", "high", threshold=10, clear=7)


def test_before_the_first_window_every_rule_is_there_without_values() -> None:
    levels = nearness(DOMAIN, None)
    assert [level.rule.name for level in levels] == [spec.name for spec in DOMAIN.alerts]
    assert {site.value for level in levels for site in level.sites} == {None}
    assert [len(level.sites) for level in levels] == [8, 8, 1, 1]


def test_the_nearest_site_comes_first_with_its_share_of_the_threshold() -> None:
    near, far = DOMAIN.sites[3], DOMAIN.sites[0]
    states = {
        (far.id, "long-wait"): State(seen=NOW, value=2.0),
        (near.id, "long-wait"): State(seen=NOW, value=9.0, bad_since=None),
        (ALL_SITES, "people-short"): State(seen=NOW, value=25.0, raised_at=NOW, began=NOW),
    }
    levels = {level.rule.name: level.sites for level in nearness(DOMAIN, EvaluatorState(states, NOW).to_json())}
    assert [(site.title, site.share) for site in levels["long-wait"][:2]] == [(near.title, 0.9), (far.title, 0.2)]
    (short,) = levels["people-short"]
    assert (short.title, short.share, short.raised_at, short.bad_since) == ("All sites", 1.25, NOW, NOW)


@pytest.mark.parametrize(
    ("direction", "threshold", "value", "share"),
    [("high", 10, 5, 0.5), ("high", 10, -1, 0), ("low", 10, 20, 0.5), ("low", 10, 0, 1), ("high", 0, 5, None)],
)
def test_the_share_is_1_at_the_threshold_whichever_side_is_bad(
    direction: str, threshold: float, value: float, share: float | None
) -> None:
    assert share_of(replace(RULE, direction=direction, threshold=threshold), value) == share
