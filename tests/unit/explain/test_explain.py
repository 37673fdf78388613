from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, component
from rtlib.explain.facts import Level, facts_of
from rtlib.explain.template import PHRASES, ZERO_PHRASES, explain
from rtlib.graph import Graph, Node, build
from rtlib.records import Observation, Reading, Status

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PROBES = sorted({one.probe for one in ARCHITECTURE_COMPONENTS_LIST if one.probe})
IDS = [one.id for one in ARCHITECTURE_COMPONENTS_LIST]
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")

readings = st.builds(
    Reading,
    st.sampled_from([*sorted(PHRASES), "something new"]),
    st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 10**9)),
    st.sampled_from(["records", "records/s", "s", "ms", "%", "MB", ""]),
    st.floats(-5, 200_000).map(lambda ago: NOW - timedelta(seconds=ago)),
)
observed = st.builds(
    Observation,
    st.sampled_from([status for status in Status if status is not Status.PLANNED]),
    st.sampled_from(["", "it answers", "the process ended.", "no answer"]),
    st.just(NOW),
    st.lists(readings, max_size=5).map(tuple),
)


def told(
    observations: Mapping[str, Observation], node_id: str, *, domain: str = "", level: Level = Level.NEWCOMER
) -> str:
    graph = build(observations, now=NOW)
    return explain(graph.node(node_id), graph=graph, domain=domain, level=level)


def healthy(*numbers: tuple[str, float | None, str], ago: float = 0.5) -> Observation:
    at = NOW - timedelta(seconds=ago)
    return Observation(Status.HEALTHY, "it answers", NOW, tuple(Reading(*one, at) for one in numbers))


POWER = re.compile(r"(-?\d(?:\.\d+)?) × 10([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def allowed(node: Node, graph: Graph) -> list[float]:
    """Every number the node has: its readings, and its age in any unit it may be written in."""
    ages = [] if node.age_seconds is None else [int(node.age_seconds / unit) for unit in (1, 60, 3600, 86400)]
    return [float(one.value) for one in node.readings if one.value is not None] + [float(age) for age in ages]


def is_said_right(token: str, numbers: list[float]) -> bool:
    said = float(token.replace(",", ""))
    decimals = len(token.partition(".")[2].partition("e")[0])
    return any(abs(said - one) <= max(0.5000001 * 10**-decimals, abs(one) * 0.05 * (abs(one) < 0.1)) for one in numbers)


@given(st.dictionaries(st.sampled_from(PROBES), observed), st.sampled_from(IDS), st.sampled_from(Level))
def test_every_number_in_an_explanation_was_measured(
    observations: dict[str, Observation], node_id: str, level: Level
) -> None:
    graph = build(observations, now=NOW)
    node = graph.node(node_id)
    text = explain(node, graph=graph, level=level).replace(node.component.plain, "")
    for mantissa, power in POWER.findall(text):
        size = 10.0 ** int(power.translate(PLAIN))
        assert any(abs(float(mantissa) * size - one) <= 0.00501 * size for one in allowed(node, graph)), text
    text = POWER.sub("", text)
    wrong = [token for token in NUMBER.findall(text) if not is_said_right(token, allowed(node, graph))]
    assert wrong == [], text


@given(st.dictionaries(st.sampled_from(PROBES), observed), st.sampled_from(IDS))
def test_an_explanation_is_two_to_four_whole_sentences(observations: dict[str, Observation], node_id: str) -> None:
    text = told(observations, node_id, domain="Curb-side pick-up")
    assert 2 <= len(re.findall(r"\.(?= |$)", text)) <= 4, text
    assert text[0].isupper()
    assert text.endswith(".")
    assert not re.search(r"  |\.\.| \.|None|nan|inf\b|[{}]", text), text


BROKER = healthy(
    ("arriving", 51.2, "records/s"), ("in the topic", 12345, "records"), ("partitions", 4, "partitions"),
    ("answers in", 7, "ms"),
)  # fmt: skip


def test_a_practitioner_is_told_all_numbers_and_what_is_upstream_where_a_newcomer_is_told_three() -> None:
    newcomer, practitioner = (
        told({"broker": BROKER}, "events", level=one) for one in (Level.NEWCOMER, Level.PRACTITIONER)
    )
    assert "7 ms" not in newcomer
    assert "7 ms" in practitioner
    assert practitioner.endswith("It reads from Simulator.")


def test_an_expert_gets_notes_without_an_introduction() -> None:
    assert told({"broker": BROKER}, "events", level=Level.EXPERT) == (
        "Events topic: healthy (it answers). Arriving 51.2 records/s; in the topic 12,345 records; 4 partitions; "
        "answers in 7 ms. Reads Simulator. Feeds KPI query and Archive query."
    )


@given(st.dictionaries(st.sampled_from(PROBES), observed), st.sampled_from(IDS), st.sampled_from(Level))
def test_no_level_leaves_holes_in_its_text(observations: dict[str, Observation], node_id: str, level: Level) -> None:
    text = told(observations, node_id, level=level)
    assert text.endswith(".")
    assert not re.search(r"  |\.\.| \.|None|nan|inf\b|[{}]|Status", text), text


def test_a_healthy_part_is_told_with_its_numbers_and_where_they_go() -> None:
    text = told({"broker": healthy(("arriving", 51.2, "records/s"), ("in the topic", 12345, "records"))}, "events")
    assert "Right now it takes in 51.2 records/s and holds 12,345 records." in text
    assert text.endswith("What it makes goes on to KPI query and Archive query.")


def test_the_source_of_the_events_is_told_in_the_words_of_the_domain() -> None:
    assert "sends 51.2 records/s for Curb-side pick-up." in told(
        {"simulator": healthy(("sending", 51.2, "records/s"))}, "simulator", domain="Curb-side pick-up"
    )


def test_a_nought_is_said_in_words() -> None:
    assert ZERO_PHRASES["behind"] in told({"loader": healthy(("behind", 0, "records"))}, "loader")


def test_a_reading_nobody_thought_of_is_still_said_in_a_sentence() -> None:
    assert "shows 3 gizmos as its new thing" in told({"broker": healthy(("new thing", 3, "gizmos"))}, "events")


def test_a_stopped_part_is_told_as_stopped_with_numbers_that_are_not_called_live() -> None:
    at = NOW - timedelta(seconds=14)
    stopped = Observation(Status.STOPPED, "exit code 137", NOW, (Reading("sent", 51.2, "records/s", at),))
    text = told({"simulator": stopped}, "simulator")
    assert "It is stopped: exit code 137." in text
    assert "14 s ago" in text
    assert "Right now" not in text


def test_old_numbers_are_never_told_as_being_so_right_now() -> None:
    text = told({"broker": healthy(("arriving", 51.2, "records/s"), ago=30)}, "events")
    assert "nothing new for a while" in text
    assert "30 s ago" in text
    assert "Right now" not in text


def test_a_part_behind_a_stopped_one_points_at_the_cause() -> None:
    stopped = Observation(Status.STOPPED, "gone", NOW)
    observations = {"broker": stopped, "kpis": healthy(("state rows", 5, "rows"))}
    assert "Look upstream first: Events topic is stopped." in told(observations, "kpis")
    assert "Look upstream first" not in told(observations, "simulator")


def test_a_planned_part_says_that_it_has_no_numbers() -> None:
    components = [replace(component("powerbi"), probe=None, upstream=("dbt",)), replace(component("dbt"), upstream=())]
    graph = build({}, now=NOW, components=components)
    text = explain(graph.node("powerbi"), graph=graph)
    assert "It is planned: nothing runs behind it yet" in text
    assert "It will read from dbt marts." in text


def test_an_idle_part_says_what_would_start_it() -> None:
    idle = Observation(Status.IDLE, "it has not run yet; try: rtlib dbt build", NOW)
    assert "there is nothing from it yet: it has not run yet; try: rtlib dbt build." in told({"dbt": idle}, "dbt")


def test_readings_without_a_value_are_no_facts() -> None:
    graph = build({"broker": healthy(("arriving", None, "records/s"), ("nan", float("nan"), "s"))}, now=NOW)
    assert facts_of(graph.node("events"), graph=graph).numbers == ()
    assert "has not told any number yet" in explain(graph.node("events"), graph=graph)


@pytest.mark.parametrize("one", ARCHITECTURE_COMPONENTS_LIST, ids=IDS)
def test_the_plain_words_of_a_component_leave_room_for_the_live_part(one: object) -> None:
    assert len(re.findall(r"\.(?= |$)", one.plain)) <= 2  # type: ignore[attr-defined]
