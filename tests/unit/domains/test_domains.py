from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft7Validator

from rtlib import config
from rtlib.domains import Domain, KpiSpec, Severity, domain_names, load, load_domain, measures
from rtlib.domains.holidays import is_holiday
from rtlib.errors import ConfigError
from rtlib.records import Event, Kpi

ANNOTATIONS = {"$schema", "title", "description"}
COMPILED = {"type", "enum", "const", "pattern", "minimum", "maximum", "minLength", "required", "properties"}
CLOSED = {"additionalProperties"}


@pytest.fixture(params=domain_names())
def domain(request: pytest.FixtureRequest) -> Domain:
    return load_domain(request.param)


def an_event(kind: str, value: float | None = None) -> Event:
    return Event("id", "curbside", "oakland-3rd-st", kind, datetime(2026, 1, 5, tzinfo=UTC), "p", 0, value, "min")


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for rule in schema.get("properties", {}).values():
        yield from schemas(rule)


def test_the_setting_offers_exactly_the_existing_domains() -> None:
    assert domain_names() == config.DOMAINS


def test_an_unknown_domain_is_refused_with_the_list() -> None:
    with pytest.raises(ConfigError, match="'space'") as caught:
        load_domain("space")
    assert all(name in caught.value.cure for name in domain_names())


@pytest.mark.parametrize("text", ["title = ", "title = 'Half a domain'", "sites = [{ id = 'x', colour = 'red' }]"])
def test_an_invalid_domain_file_is_named_in_the_error(
    text: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "half.toml").write_text(text)
    (tmp_path / "half.schema.json").write_text("{}")
    monkeypatch.setattr(load, "HERE", tmp_path)
    with pytest.raises(ConfigError, match=r"half\.toml"):
        load_domain("half")


def test_a_domain_is_read_once() -> None:
    assert load_domain("iot") is load_domain("iot")


def test_a_domain_cannot_be_changed(domain: Domain) -> None:
    for record in (domain, domain.sites[0], domain.kinds[0], domain.kpis[0], domain.demand, domain.staffing):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, dataclasses.fields(record)[0].name, "changed")
    domain.schema["properties"].clear()
    assert domain.schema["properties"]


def test_a_domain_has_everything_the_lessons_need(domain: Domain) -> None:
    assert domain.title
    assert domain.about.endswith(".")
    assert len(domain.sites) >= 6
    assert len(domain.kpis) >= 4
    assert sum(kind.share for kind in domain.kinds) == pytest.approx(1)
    assert sum(kpi.warn is not None and kpi.critical is not None for kpi in domain.kpis) >= 2


def test_names_are_unique(domain: Domain) -> None:
    for names in ([s.id for s in domain.sites], [k.name for k in domain.kinds], [k.name for k in domain.kpis]):
        assert len(names) == len(set(names))


def test_kpi_names_can_be_columns_beside_the_fields_of_the_record(domain: Domain) -> None:
    reserved = {field.name for field in dataclasses.fields(Kpi)}
    for kpi in domain.kpis:
        assert kpi.name.isidentifier()
        assert kpi.name.islower()
        assert kpi.name not in reserved


def test_kpis_and_staffing_refer_to_existing_kinds(domain: Domain) -> None:
    kinds = {kind.name for kind in domain.kinds}
    for kpi in domain.kpis:
        assert {*kpi.kinds, *kpi.of} <= kinds
        assert bool(kpi.of) == (kpi.aggregate == "share")
        measured = {kind.name for kind in domain.kinds if kind.value.shape != "none"}
        assert kpi.aggregate in ("count", "share") or set(kpi.kinds) <= measured
    assert set(domain.staffing.kinds) <= kinds


def test_warn_comes_before_critical(domain: Domain) -> None:
    for kpi in domain.kpis:
        if kpi.warn is not None and kpi.critical is not None:
            assert (kpi.warn < kpi.critical) == (kpi.direction == "high")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("shrinkage = 0.2", "shrinkage = 1", "staffing.shrinkage is 1"),
        ("service_level = 0.9", "service_level = 1.0", "staffing.service_level is 1.0"),
        ("aht_seconds = 1500", "aht_seconds = 0", "staffing.aht_seconds is 0"),
        ("missing_cost = 150.0", "missing_cost = 40.0", "staffing.missing_cost is 40.0"),
        ("open_hour = 0", "open_hour = 24", "staffing.close_hour is 24"),
        ("break_minutes = 30", "break_minutes = 360", "staffing.break_minutes is 360"),
    ],
)
def test_an_invalid_staffing_figure_is_named_in_the_error(
    before: str, after: str, message: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = load.HERE.joinpath("iot.toml").read_text(encoding="utf-8")
    assert before in text
    (tmp_path / "odd.toml").write_text(text.replace(before, after), encoding="utf-8")
    (tmp_path / "odd.schema.json").write_text("{}")
    monkeypatch.setattr(load, "HERE", tmp_path)
    with pytest.raises(ConfigError, match=rf"odd\.toml: {message}") as caught:
        load_domain("odd")
    assert "use " in caught.value.cure


def test_each_country_has_its_own_holidays() -> None:
    day = date(2026, 10, 3)
    assert is_holiday("DE", day)
    assert not is_holiday("FR", day)
    shops = load_domain("ecommerce")
    assert [site.id for site, off in zip(shops.sites, shops.on_holiday(day), strict=True) if off] == ["shop-germany"]
    assert sorted(shops.calendar(day)) == [0.75] + 8 * [1.0]


def test_holidays_agree_with_the_seeds_of_dbt() -> None:
    with (config.project_root() / "dbt" / "seeds" / "holidays.csv").open(encoding="utf-8") as file:
        seeded = {(row["country"], date.fromisoformat(row["holiday_date"])) for row in csv.DictReader(file)}
    days = [date(2025, 1, 1) + timedelta(days=offset) for offset in range(4 * 365 + 1)]
    countries = {country for country, _ in seeded}
    assert seeded == {(country, day) for country in countries for day in days if is_holiday(country, day)}


def test_staffing_figures_are_valid(domain: Domain) -> None:
    role = domain.staffing
    assert 0 < role.service_level < 1
    assert 0 <= role.shrinkage < 1
    assert 0 < role.share <= 1
    assert min(role.aht_seconds, role.within_seconds, role.hourly_cost) > 0
    assert len(role.currency) == 3


def test_demand_has_a_weekly_mean_of_1_and_never_vanishes(domain: Domain) -> None:
    demand = domain.demand
    week = np.outer(demand.weekday, demand.at_hour(np.arange(0, 24, 1 / 60)))
    assert week.mean() == pytest.approx(1, abs=1e-6)
    assert 0.3 <= week.min() < 0.6
    assert 1.3 < week.max() <= max(demand.hourly) * max(demand.weekday)


def test_demand_has_the_value_of_an_hour_at_its_middle(domain: Domain) -> None:
    assert domain.demand.at_hour(np.arange(24) + 0.5) == pytest.approx(domain.demand.hourly)


def test_demand_passes_smoothly_from_hour_to_hour_and_over_midnight(domain: Domain) -> None:
    day = domain.demand.at_hour(np.arange(0, 24, 1 / 60))
    assert np.abs(np.diff(day, append=day[0])).max() < 0.02


def test_the_schema_uses_only_the_keywords_that_spark_enforces(domain: Domain) -> None:
    Draft7Validator.check_schema(domain.schema)
    for rule in schemas(domain.schema):
        assert set(rule) <= ANNOTATIONS | COMPILED | CLOSED, "Spark would not enforce this keyword"


def test_the_schema_is_closed_so_that_the_registry_accepts_an_optional_field_later(domain: Domain) -> None:
    objects = [rule for rule in schemas(domain.schema) if rule.get("type") == "object"]
    assert len(objects) == 2
    assert all(rule["additionalProperties"] is False for rule in objects)


def test_the_schema_requires_every_field_of_an_event(domain: Domain) -> None:
    fields = {field.name for field in dataclasses.fields(Event)}
    assert set(domain.schema["required"]) == set(domain.schema["properties"]) == fields


def test_the_schema_agrees_with_the_domain(domain: Domain) -> None:
    fields = domain.schema["properties"]
    assert domain.schema["title"] == f"rtlib.{domain.name}.events"
    assert fields["domain"]["const"] == domain.name
    assert fields["site"]["enum"] == [site.id for site in domain.sites]
    assert fields["kind"]["enum"] == [kind.name for kind in domain.kinds]
    assert set(fields["unit"]["enum"]) == {kind.unit for kind in domain.kinds}
    values = [kind.value for kind in domain.kinds if kind.value.shape != "none"]
    assert fields["value"]["minimum"] <= min(value.low for value in values)
    assert fields["value"]["maximum"] >= max(value.high for value in values)


def test_the_schema_agrees_with_the_attributes(domain: Domain) -> None:
    rules = domain.schema["properties"]["attributes"]
    specs = [*domain.attributes, *(attribute for kind in domain.kinds for attribute in kind.attributes)]
    assert set(rules["properties"]) == {spec.name for spec in specs}
    assert set(rules["required"]) == {attribute.name for attribute in domain.attributes}
    for spec in specs:
        rule = rules["properties"][spec.name]
        if spec.choices:
            assert set(spec.choices) <= set(rule["enum"])
            assert not spec.weights or len(spec.weights) == len(spec.choices)
        else:
            assert rule["minimum"] <= spec.low < spec.high <= rule["maximum"]


@pytest.mark.parametrize(
    ("occurred_at", "fits"),
    [
        ("2026-01-05T09:00:00Z", True),
        ("2026-01-05T09:00:00.123456Z", True),
        ("2026-01-05T09:00:00.1234567Z", False),
        ("2026-01-05T09:00:00+00:00", False),
        ("2026-01-05 09:00:00Z", False),
        ("2026-01-05T24:00:00Z", False),
        ("9999-01-05T09:00:00Z", False),
        (1767603600, False),
    ],
)
def test_the_schema_accepts_only_utc_times_of_this_century(domain: Domain, occurred_at: object, fits: bool) -> None:
    assert Draft7Validator(domain.schema["properties"]["occurred_at"]).is_valid(occurred_at) == fits


def test_measures_agree_with_a_calculation_by_hand() -> None:
    events = [
        an_event("order_placed", 10.0),
        an_event("order_placed", 30.5),
        an_event("order_cancelled", 5.0),
        an_event("handover", 2.0),
        an_event("handover", 4.0),
        an_event("customer_arrived"),
    ]
    assert measures(load_domain("curbside"), iter(events)) == {
        "orders": 2.0,
        "sales": 40.5,
        "wait_minutes": 3.0,
        "longest_wait": 4.0,
        "cancelled_share": 0.5,
    }


def test_measures_of_no_events_are_0_for_counts_and_none_otherwise(domain: Domain) -> None:
    expected = {kpi.name: 0.0 if kpi.aggregate == "count" else None for kpi in domain.kpis}
    assert measures(domain, []) == expected


def test_an_event_without_a_value_does_not_change_the_mean() -> None:
    assert measures(load_domain("curbside"), [an_event("handover"), an_event("handover", 4.0)])["wait_minutes"] == 4.0


def test_no_kinds_means_all_kinds_and_min_is_the_smallest_value() -> None:
    count = KpiSpec("all", "All", "events", "count", "All.", "low")
    least = KpiSpec("least", "Least", "min", "min", "Least.", "low", kinds=("handover",))
    domain = dataclasses.replace(load_domain("curbside"), kpis=(count, least))
    events = [an_event("handover", 3.0), an_event("handover", 2.0), an_event("customer_arrived")]
    assert measures(domain, events) == {"all": 3.0, "least": 2.0}


def test_a_sum_does_not_depend_on_the_order() -> None:
    values = [0.1, 1e9, 0.2, -1e9, 0.3] * 50
    sums = [
        measures(load_domain("curbside"), [an_event("order_placed", value) for value in order])["sales"]
        for order in (values, sorted(values))
    ]
    assert sums[0] == sums[1] == math.fsum(values)


@pytest.mark.parametrize(
    ("direction", "value", "severity"),
    [
        ("high", None, Severity.NONE),
        ("high", 6.9, Severity.GOOD),
        ("high", 7.0, Severity.WATCH),
        ("high", 10.0, Severity.ACT),
        ("low", 14.0, Severity.GOOD),
        ("low", 7.0, Severity.WATCH),
        ("low", 4.0, Severity.ACT),
    ],
)
def test_severity_grows_on_the_bad_side(direction: Any, value: float | None, severity: Severity) -> None:
    critical = 10.0 if direction == "high" else 4.0
    kpi = KpiSpec("k", "K", "min", "mean", "K.", direction, warn=7.0, critical=critical)
    assert kpi.severity(value) is severity


def test_a_kpi_without_thresholds_is_never_bad() -> None:
    assert KpiSpec("k", "K", "min", "mean", "K.", "high").severity(1e9) is Severity.NONE
