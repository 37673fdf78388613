from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlib import formatting
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, Component, downstream_of, upstream_of
from rtlib.errors import ConfigError
from rtlib.graph import Graph, History, build, edge_rate, lineage, summary
from rtlib.records import Observation, Reading, Status
from support.project import ROOT

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PROBES = sorted({component.probe for component in ARCHITECTURE_COMPONENTS_LIST if component.probe})


def seen(
    status: Status = Status.HEALTHY, *, value: float | None = 51.2, ago: float = 0.4, reason: str = "it answers"
) -> Observation:
    return Observation(status, reason, NOW, (Reading("sent", value, "records/s", NOW - timedelta(seconds=ago)),))


def all_seen(**other: Observation) -> dict[str, Observation]:
    return {**{probe: seen() for probe in PROBES}, **other}


def test_every_component_is_a_node_and_an_additional_component_is_an_additional_node() -> None:
    extra = Component(
        "extra", "Extra", "Python", "people", 4, "It reads.", "Nothing.", upstream=("speed",), probe="new"
    )
    graph = build({"new": seen()}, now=NOW, components=(*ARCHITECTURE_COMPONENTS_LIST, extra))
    assert [node.id for node in graph.nodes] == [*(component.id for component in ARCHITECTURE_COMPONENTS_LIST), "extra"]
    assert ("speed", "extra") in graph.edges
    assert graph.node("extra").headline == "51.2 records/s"
    assert "extra" in graph.node("speed").downstream


def test_a_part_without_an_observation_is_unknown_and_a_planned_part_is_planned() -> None:
    later = [
        replace(component, probe=None) if component.id == "powerbi" else component
        for component in ARCHITECTURE_COMPONENTS_LIST
    ]
    graph = build({}, now=NOW, components=later)
    assert graph.node("events").status is Status.UNKNOWN
    assert graph.node("events").reason == "no probe has answered yet"
    assert graph.node("powerbi").status is Status.PLANNED
    assert graph.node("powerbi").readings == ()


def test_a_fresh_reading_is_live_and_the_first_reading_is_the_headline() -> None:
    node = build(all_seen(), now=NOW).node("events")
    assert (node.headline, node.stale, node.age_seconds) == ("51.2 records/s", False, pytest.approx(0.4))


@pytest.mark.parametrize(("ago", "every", "stale"), [(5.9, 1, False), (6.1, 1, True), (16, 15, False), (21, 15, True)])
def test_a_reading_is_stale_when_it_is_five_seconds_older_than_due(ago: float, every: float, stale: bool) -> None:
    slow = [replace(component, period_seconds=every) for component in ARCHITECTURE_COMPONENTS_LIST]
    graph = build({"kpis": seen(ago=ago)}, now=NOW, components=slow)
    assert graph.node("kpis").stale is stale


@pytest.mark.parametrize("status", [Status.STOPPED, Status.UNKNOWN])
def test_the_numbers_of_a_part_that_is_down_are_never_live(status: Status) -> None:
    assert build({"broker": seen(status, ago=0)}, now=NOW).node("events").stale


def test_a_reading_from_a_clock_ahead_of_ours_is_new_not_negative() -> None:
    assert build({"broker": seen(ago=-3)}, now=NOW).node("events").age_seconds == 0


def test_the_numbers_of_a_daily_job_are_good_for_a_day_and_an_idle_part_is_no_problem() -> None:
    hours = 3600.0
    idle = Observation(Status.IDLE, "it has not run yet", NOW)
    graph = build(all_seen(dbt=seen(ago=25 * hours), staffing=idle), now=NOW)
    assert not graph.node("dbt").stale
    assert summary(graph)[0] is Status.HEALTHY
    assert build(all_seen(dbt=seen(ago=27 * hours)), now=NOW).node("dbt").stale


def rate(source: str, target: str, **probes: Observation) -> str:
    graph = build(probes, now=NOW)
    return edge_rate(graph.node(source), graph.node(target))


def reading(name: str, value: float | None, *, ago: float = 0.4) -> Observation:
    return Observation(
        Status.HEALTHY, "it answers", NOW, (Reading(name, value, "records/s", NOW - timedelta(seconds=ago)),)
    )


def test_an_edge_has_the_rate_that_its_target_receives_or_else_that_its_source_sends() -> None:
    probes = {"broker": reading("arriving", 51.2), "simulator": reading("sending", 60.0)}
    assert rate("simulator", "events", **probes) == "51.2 records/s"
    assert rate("events", "kpis", **probes) == "51.2 records/s"
    assert rate("simulator", "registry", **probes) == "60 records/s"


def test_an_edge_has_no_rate_where_none_is_measured_or_the_number_is_old() -> None:
    assert rate("dbt", "forecast", dbt=seen()) == ""
    assert rate("events", "kpis", broker=reading("arriving", None)) == ""
    assert rate("events", "kpis", broker=reading("arriving", 51.2, ago=60)) == ""


def test_every_reading_that_an_edge_shows_is_made_by_a_probe() -> None:
    probes = "".join(path.read_text() for path in (ROOT / "rtlib/pipeline/monitoring/probes").glob("*.py"))
    names = {name for part in ARCHITECTURE_COMPONENTS_LIST for name in (part.receives, part.sends) if name}
    assert names >= {"arriving", "sending"}
    assert [name for name in names if f'Reading("{name}"' not in probes] == []


def test_lineage_is_everything_before_and_after_a_node() -> None:
    graph = build({}, now=NOW)
    for component in ARCHITECTURE_COMPONENTS_LIST:
        reached = lineage(graph, component.id)
        expected = upstream_of(component.id), downstream_of(component.id)
        assert (reached.upstream, reached.downstream) == expected
    assert lineage(graph, "loader").upstream == {"kpis", "events", "simulator"}


def test_an_unknown_node_is_refused_with_all_ids() -> None:
    with pytest.raises(ConfigError, match=r"(?s)'evnts'.*events"):
        lineage(build({}, now=NOW), "evnts")


def test_a_circle_in_the_components_does_not_hang_the_lineage() -> None:
    circle = [
        Component(name, name.title(), "P", "broker", row, "It does.", "It.", upstream=(source,), probe=name)
        for row, (name, source) in enumerate((("first", "second"), ("second", "first")))
    ]
    assert lineage(build({}, now=NOW, components=circle), "first").upstream == {"second"}


def test_the_summary_of_healthy_parts_leaves_planned_parts_out() -> None:
    assert summary(build(all_seen(), now=NOW)) == (
        Status.HEALTHY,
        f"All {len(PROBES)} parts are healthy and the numbers are live.",
    )


@pytest.mark.parametrize(
    ("observations", "status", "words"),
    [
        ({}, Status.UNKNOWN, "Waiting for the first answer"),
        (
            all_seen(loader=seen(Status.STOPPED, reason="exit code 137")),
            Status.STOPPED,
            "Speed loader is stopped: exit",
        ),
        (
            all_seen(broker=seen(Status.STOPPED, reason="refused"), kpis=seen(Status.STOPPED, reason="no broker")),
            Status.STOPPED,
            "Events topic and KPI query are stopped. Events topic: refused.",
        ),
        (all_seen(archive=seen(Status.DEGRADED, reason="slow")), Status.DEGRADED, "Archive query is not well: slow."),
        (all_seen(dwh=seen(ago=30)), Status.DEGRADED, "Data warehouse has reported nothing new for 30 s"),
        (all_seen(dwh=seen(Status.UNKNOWN)), Status.UNKNOWN, "Data warehouse is not answering"),
    ],
)
def test_the_summary_names_the_parts_that_are_not_well(
    observations: dict[str, Observation], status: Status, words: str
) -> None:
    worst, sentence = summary(build(observations, now=NOW))
    assert worst is status
    assert words in sentence


@given(st.dictionaries(st.sampled_from(PROBES), st.sampled_from(list(Status))))
def test_the_summary_is_healthy_only_if_every_built_part_is(statuses: dict[str, Status]) -> None:
    graph = build({probe: seen(status) for probe, status in statuses.items()}, now=NOW)
    built = [node for node in graph.nodes if node.status not in (Status.PLANNED, Status.IDLE)]
    healthy = bool(built) and all(node.status is Status.HEALTHY for node in built)
    assert (summary(graph)[0] is Status.HEALTHY) == healthy


def test_a_graph_cannot_be_changed() -> None:
    graph = build({}, now=NOW)
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.at = NOW  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        graph.nodes[0].status = Status.HEALTHY  # type: ignore[misc]


def graph_at(second: int, value: float | None) -> Graph:
    at = NOW + timedelta(seconds=second)
    return build({"broker": Observation(Status.HEALTHY, "", at, (Reading("sent", value, "records/s", at),))}, now=at)


def test_history_keeps_the_newest_values_and_counts_a_repeated_reading_once() -> None:
    history = History(length=3)
    for second, value in ((0, 1.0), (1, 2.0), (1, 2.0), (2, None), (3, 4.0)):
        history.add(graph_at(second, value))
    assert history.values("events", "sent") == (2.0, None, 4.0)
    assert history.values("events", "never read") == ()


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (None, "rows", "–"),
        (float("nan"), "rows", "–"),
        (float("inf"), "rows", "–"),
        (0, "records", "0 records"),
        (1, "records", "1 record"),
        (1, "rows/s", "1 rows/s"),
        (1, "s", "1 s"),
        (12_345, "records", "12,345 records"),
        (51.26, "records/s", "51.3 records/s"),
        (99.97, "records/s", "100 records/s"),
        (9.999, "s", "10.0 s"),
        (3.14159, "s", "3.14 s"),
        (0.0042, "s", "0.0042 s"),
        (-0.5, "", "-0.50"),
        (97.0, "%", "97%"),
        (99_999_999, "events", "99,999,999 events"),
        (99_999_999.7, "events", "1 × 10⁸ events"),
        (1_234_567_890, "events", "1.23 × 10⁹ events"),
        (-9e99, "USD", "-9 × 10⁹⁹ USD"),
        (1.7e308, "%", "1.7 × 10³⁰⁸%"),
        (10**400, "rows", "–"),
    ],
)
def test_a_quantity_is_written_with_the_digits_a_person_wants(value: float | None, unit: str, written: str) -> None:
    assert formatting.format_quantity(value, unit) == written


@given(value=st.floats() | st.integers())
def test_a_number_is_never_longer_than_its_box_and_its_tooltip_is_exact(value: float) -> None:
    written, whole = formatting.format_number(value), formatting.whole(value)
    assert len(written) <= 14
    assert "nan" not in written.lower() and "inf" not in written.lower()
    assert whole == "" or float(whole.replace(",", "")) == float(value)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [(-4, "just now"), (0.9, "just now"), (2.9, "2 s ago"), (119, "119 s ago"), (7200, "2 h ago")],
)
def test_an_age_is_one_number_and_one_unit(seconds: float, written: str) -> None:
    assert formatting.ago(seconds) == written
