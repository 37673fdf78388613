"""The text of a node without a model: every number in it was measured, in whole sentences, for three readers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtlib
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST, component
from rtlib.explain.facts import Level, facts_of
from rtlib.explain.template import PHRASES, ZERO_PHRASES, explain
from rtlib.graph import Graph, Node, build
from rtlib.records import Observation, Reading, Status

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PROBES = sorted({part.probe for part in ARCHITECTURE_COMPONENTS_LIST if part.probe})
IDS = [part.id for part in ARCHITECTURE_COMPONENTS_LIST]
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


def text_of(
    observations: Mapping[str, Observation], node_id: str, *, domain: str = "", level: Level = Level.NEWCOMER
) -> str:
    graph = build(observations, now=NOW)
    return explain(graph.node(node_id), graph=graph, domain=domain, level=level)


def healthy(*numbers: tuple[str, float | None, str], ago: float = 0.5) -> Observation:
    at = NOW - timedelta(seconds=ago)
    return Observation(Status.HEALTHY, "it answers", NOW, tuple(Reading(*number, at) for number in numbers))


POWER = re.compile(r"(-?\d(?:\.\d+)?) × 10([⁰¹²³⁴⁵⁶⁷⁸⁹]+)")
PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def allowed(node: Node, graph: Graph) -> list[float]:
    """Every number the node has: its readings, and its age in any unit it may be written in."""
    ages = [] if node.age_seconds is None else [int(node.age_seconds / unit) for unit in (1, 60, 3600, 86400)]
    return [float(reading.value) for reading in node.readings if reading.value is not None] + [
        float(age) for age in ages
    ]


def is_measured(token: str, numbers: list[float]) -> bool:
    shown = float(token.replace(",", ""))
    decimals = len(token.partition(".")[2].partition("e")[0])
    return any(
        abs(shown - number) <= max(0.5000001 * 10**-decimals, abs(number) * 0.05 * (abs(number) < 0.1))
        for number in numbers
    )


@given(st.dictionaries(st.sampled_from(PROBES), observed), st.sampled_from(IDS), st.sampled_from(Level))
def test_every_number_in_an_explanation_was_measured(
    observations: dict[str, Observation], node_id: str, level: Level
) -> None:
    graph = build(observations, now=NOW)
    node = graph.node(node_id)
    text = explain(node, graph=graph, level=level).replace(node.component.plain, "")
    for mantissa, power in POWER.findall(text):
        size = 10.0 ** int(power.translate(PLAIN))
        assert any(abs(float(mantissa) - number / size) <= 0.00501 for number in allowed(node, graph)), text
    text = POWER.sub("", text)
    wrong = [token for token in NUMBER.findall(text) if not is_measured(token, allowed(node, graph))]
    assert wrong == [], text


@given(st.dictionaries(st.sampled_from(PROBES), observed), st.sampled_from(IDS))
def test_an_explanation_is_two_to_four_whole_sentences(observations: dict[str, Observation], node_id: str) -> None:
    text = text_of(observations, node_id, domain="Curb-side pick-up")
    assert 2 <= len(re.findall(r"\.(?= |$)", text)) <= 4, text
    assert text[0].isupper()
    assert text.endswith(".")
    assert not re.search(r"  |\.\.| \.|None|nan|inf\b|[{}]", text), text


BROKER = healthy(
    ("arriving", 51.2, "records/s"), ("in the topic", 12345, "records"), ("partitions", 4, "partitions"),
    ("answers in", 7, "ms"),
)  # fmt: skip


def test_a_practitioner_gets_all_numbers_and_the_sources_and_a_newcomer_gets_three_numbers() -> None:
    newcomer, practitioner = (
        text_of({"broker": BROKER}, "events", level=level) for level in (Level.NEWCOMER, Level.PRACTITIONER)
    )
    assert "7 ms" not in newcomer
    assert "7 ms" in practitioner
    assert practitioner.endswith("It reads from Simulator.")


def test_an_expert_gets_notes_without_an_introduction() -> None:
    assert text_of({"broker": BROKER}, "events", level=Level.EXPERT) == (
        "Events topic: healthy (it answers). Arriving 51.2 records/s; in the topic 12,345 records; 4 partitions; "
        "answers in 7 ms. Reads Simulator. Feeds KPI query and Archive query."
    )


@given(st.dictionaries(st.sampled_from(PROBES), observed), st.sampled_from(IDS), st.sampled_from(Level))
def test_no_level_leaves_holes_in_its_text(observations: dict[str, Observation], node_id: str, level: Level) -> None:
    text = text_of(observations, node_id, level=level)
    assert text.endswith(".")
    assert not re.search(r"  |\.\.| \.|None|nan|inf\b|[{}]|Status", text), text


def test_a_healthy_part_has_its_numbers_and_its_readers() -> None:
    text = text_of({"broker": healthy(("arriving", 51.2, "records/s"), ("in the topic", 12345, "records"))}, "events")
    assert "Right now it takes in 51.2 records/s and holds 12,345 records." in text
    assert text.endswith("What it makes goes on to KPI query and Archive query.")


def test_the_source_of_the_events_names_the_domain() -> None:
    assert "sends 51.2 records/s for Curb-side pick-up." in text_of(
        {"simulator": healthy(("sending", 51.2, "records/s"))}, "simulator", domain="Curb-side pick-up"
    )


def test_a_zero_has_a_phrase_of_its_own() -> None:
    assert ZERO_PHRASES["behind"] in text_of({"loader": healthy(("behind", 0, "records"))}, "loader")


def test_an_unforeseen_reading_is_still_part_of_a_sentence() -> None:
    assert "shows 3 gizmos as its new thing" in text_of({"broker": healthy(("new thing", 3, "gizmos"))}, "events")


def test_a_stopped_part_is_called_stopped_and_its_numbers_are_not_called_live() -> None:
    at = NOW - timedelta(seconds=14)
    stopped = Observation(Status.STOPPED, "exit code 137", NOW, (Reading("sent", 51.2, "records/s", at),))
    text = text_of({"simulator": stopped}, "simulator")
    assert "It is stopped: exit code 137." in text
    assert "14 s ago" in text
    assert "Right now" not in text


def test_old_numbers_are_never_called_current() -> None:
    text = text_of({"broker": healthy(("arriving", 51.2, "records/s"), ago=30)}, "events")
    assert "reported nothing new for a while" in text
    assert "30 s ago" in text
    assert "Right now" not in text


def test_a_part_behind_a_stopped_part_points_at_the_cause() -> None:
    stopped = Observation(Status.STOPPED, "gone", NOW)
    observations = {"broker": stopped, "kpis": healthy(("state rows", 5, "rows"))}
    assert "Look upstream first: Events topic is stopped." in text_of(observations, "kpis")
    assert "Look upstream first" not in text_of(observations, "simulator")


def test_a_planned_part_says_that_it_has_no_numbers() -> None:
    components = [replace(component("powerbi"), probe=None, upstream=("dbt",)), replace(component("dbt"), upstream=())]
    graph = build({}, now=NOW, components=components)
    text = explain(graph.node("powerbi"), graph=graph)
    assert "It is planned: nothing runs behind it yet" in text
    assert "It will read from dbt marts." in text


def test_an_idle_part_says_how_to_start_it() -> None:
    idle = Observation(Status.IDLE, "it has not run yet", NOW)
    assert "It has no result yet: it has not run yet." in text_of({"dbt": idle}, "dbt")


def test_readings_without_a_value_are_no_facts() -> None:
    graph = build({"broker": healthy(("arriving", None, "records/s"), ("nan", float("nan"), "s"))}, now=NOW)
    assert facts_of(graph.node("events"), graph=graph).numbers == ()
    assert "has reported no number yet" in explain(graph.node("events"), graph=graph)


@pytest.mark.parametrize("part", ARCHITECTURE_COMPONENTS_LIST, ids=IDS)
def test_the_plain_words_of_a_component_leave_room_for_the_live_part(part: object) -> None:
    assert len(re.findall(r"\.(?= |$)", part.plain)) <= 2  # type: ignore[attr-defined]


def test_every_phrase_belongs_to_a_reading_of_a_probe_and_every_reading_has_a_phrase() -> None:
    sources = (Path(rtlib.__file__).parent / "pipeline").rglob("*.py")
    emitted = {name for path in sources for name in re.findall(r'\bReading\("([^"]+)"', path.read_text())}
    assert emitted == set(PHRASES)
    assert set(ZERO_PHRASES) <= emitted
