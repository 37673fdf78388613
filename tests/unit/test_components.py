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

IDS = [component.id for component in ARCHITECTURE_COMPONENTS_LIST]
each = pytest.mark.parametrize("node", ARCHITECTURE_COMPONENTS_LIST, ids=IDS)


def test_ids_are_unique() -> None:
    assert len(set(IDS)) == len(IDS)


def test_no_two_nodes_have_the_same_position() -> None:
    places = [(node.layer, node.row) for node in ARCHITECTURE_COMPONENTS_LIST]
    assert len(set(places)) == len(places)


@each
def test_a_component_describes_its_purpose_and_its_failure_in_whole_sentences(node: Component) -> None:
    for text in (node.plain, node.breaks):
        assert text[0].isupper()
        assert text.endswith(".")
        assert len(text) < 300


@each
def test_a_component_belongs_to_a_layer_and_reads_from_other_components(node: Component) -> None:
    assert node.layer in LAYERS
    assert set(node.upstream) <= set(IDS) - {node.id}


@each
def test_the_source_of_a_component_exists(node: Component) -> None:
    assert node.source is None or (ROOT / node.source).exists()


@each
def test_a_running_component_names_its_source_and_a_planned_one_has_no_process(node: Component) -> None:
    if node.planned:
        assert (node.part, node.source) == (None, None)
    else:
        assert node.source


@each
def test_data_flows_to_the_right_or_within_a_column_or_back_to_the_rejected_topic(node: Component) -> None:
    for source in node.upstream:
        backwards = LAYERS.index(component(source).layer) > LAYERS.index(node.layer)
        assert not backwards or node.id == "rejected"


def test_nothing_is_downstream_of_itself() -> None:
    assert [node_id for node_id in IDS if node_id in downstream_of(node_id)] == []


def test_the_dashboard_is_fed_by_the_speed_path_and_not_by_the_batch_path() -> None:
    assert upstream_of("dashboard") >= {"simulator", "events", "kpis", "loader", "speed"}
    assert "archive" not in upstream_of("dashboard")
    assert downstream_of("speed") == {"dashboard", "explain"}


def test_up_and_downstream_are_two_views_of_the_same_edges() -> None:
    for source in IDS:
        for target in downstream_of(source):
            assert source in upstream_of(target)
    assert {("events", "kpis"), ("events", "archive")} <= set(edges())


def test_an_unknown_component_is_refused_with_all_ids() -> None:
    with pytest.raises(ConfigError, match="there is no component 'kafak'") as caught:
        downstream_of("kafak")
    assert "simulator" in caught.value.cure


def test_a_component_cannot_be_changed_no_mutate() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        component("events").title = "other"  # type: ignore[misc]


def test_every_supervised_part_belongs_to_a_component() -> None:
    from rtlib.services.parts import PART_NAMES

    shown = {node.part for node in ARCHITECTURE_COMPONENTS_LIST if node.part}
    assert shown == set(PART_NAMES) - {"receiver"}  # a stand-in for Teams, which is outside the pipeline
