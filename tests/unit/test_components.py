from __future__ import annotations

import dataclasses

import pytest

from rtlib.components import (
    ARCHITECTURE_COMPONENTS_LIST,
    LAYERS,
    Component,
    component,
    downstream_of,
    edges,
    upstream_of,
)
from rtlib.errors import ConfigError
from support.project import ROOT

IDS = [one.id for one in ARCHITECTURE_COMPONENTS_LIST]
each = pytest.mark.parametrize("one", ARCHITECTURE_COMPONENTS_LIST, ids=IDS)


def test_ids_are_unique() -> None:
    assert len(set(IDS)) == len(IDS)


def test_no_two_nodes_stand_on_the_same_place() -> None:
    places = [(one.layer, one.row) for one in ARCHITECTURE_COMPONENTS_LIST]
    assert len(set(places)) == len(places)


@each
def test_a_component_says_what_it_does_and_what_breaks_in_whole_sentences(one: Component) -> None:
    for text in (one.plain, one.breaks):
        assert text[0].isupper()
        assert text.endswith(".")
        assert len(text) < 300


@each
def test_a_component_stands_in_a_known_layer_and_reads_from_known_components(one: Component) -> None:
    assert one.layer in LAYERS
    assert set(one.upstream) <= set(IDS) - {one.id}


@each
def test_the_source_a_component_names_is_there(one: Component) -> None:
    assert one.source is None or (ROOT / one.source).exists()


@each
def test_a_running_component_names_its_source_and_a_planned_one_has_no_process(one: Component) -> None:
    if one.planned:
        assert (one.part, one.source) == (None, None)
    else:
        assert one.source


@each
def test_data_flows_to_the_right_or_within_a_column_or_back_to_the_rejected_topic(one: Component) -> None:
    for source in one.upstream:
        backwards = LAYERS.index(component(source).layer) > LAYERS.index(one.layer)
        assert not backwards or one.id == "rejected"


def test_nothing_is_downstream_of_itself() -> None:
    assert [one for one in IDS if one in downstream_of(one)] == []


def test_the_dashboard_is_fed_by_the_speed_path_and_not_by_the_batch_path() -> None:
    assert upstream_of("dashboard") >= {"simulator", "events", "kpis", "loader", "speed"}
    assert "archive" not in upstream_of("dashboard")
    assert downstream_of("speed") == {"dashboard"}


def test_up_and_downstream_are_two_views_of_the_same_edges() -> None:
    for a in IDS:
        for b in downstream_of(a):
            assert a in upstream_of(b)
    assert {("events", "kpis"), ("events", "archive")} <= set(edges())


def test_an_unknown_component_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no component is called 'kafak'") as caught:
        downstream_of("kafak")
    assert "simulator" in caught.value.cure


def test_a_component_cannot_be_changed_no_mutate() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        component("events").title = "other"  # type: ignore[misc]


def test_every_supervised_part_stands_behind_a_component() -> None:
    from rtlib.services.parts import PART_NAMES

    shown = {one.part for one in ARCHITECTURE_COMPONENTS_LIST if one.part}
    assert shown == set(PART_NAMES) - {"receiver"}  # it stands in for Teams, and Teams is no part of the pipeline
