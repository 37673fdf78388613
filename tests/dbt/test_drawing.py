"""The models that dbt builds, as they are drawn from its manifest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rtlib.config import load_settings
from rtlib.errors import ConfigError
from rtlib.pipeline.dbt import BuildReport, DbtLineage, lineage
from rtlib.transform.records import NodeResult
from rtlib.widgets.dbt_lineage import CARD_HEIGHT, HEIGHT, WIDTH, Models, _lines, _places, drawing


@pytest.fixture(scope="module")
def project(parsed: Callable[[], Path]) -> DbtLineage:
    return lineage(load_settings(home=parsed()))


def report(**about: object) -> BuildReport:
    fields = {"status": "success", "rows": 1234, "touched": 5, "seconds": 0.1, "tests": 3, "tests_passed": 3, **about}
    node = NodeResult(name="interval_load", kind="model", layer="MARTS", materialized="incremental", **fields)  # type: ignore[arg-type]
    return BuildReport("build", "x", datetime(2026, 3, 2, 12, tzinfo=UTC), 4.0, nodes=(node,))


def test_every_source_model_and_exposure_is_drawn_once_inside_and_apart(project: DbtLineage) -> None:
    html, places = drawing(project, None), _places(project)
    assert html.count("<rect") == len(project.nodes)
    assert html.count("<path") == len(project.edges) > 20
    for left, top, wide in places.values():
        assert 0 <= left < left + wide <= WIDTH
        assert 0 <= top < top + CARD_HEIGHT <= HEIGHT
    columns = {left: sorted(top for at, top, _ in places.values() if at == left) for left, _, _ in places.values()}
    for tops in columns.values():
        assert all(below - above >= CARD_HEIGHT for above, below in zip(tops, tops[1:], strict=False))


def test_rows_flow_from_left_to_right(project: DbtLineage) -> None:
    places = _places(project)
    assert all(places[edge.upstream][0] < places[edge.downstream][0] for edge in project.edges)


def test_a_model_says_its_rows_and_its_tests(project: DbtLineage) -> None:
    html = drawing(project, report())
    assert "1,234 rows · 3/3 ✓" in html
    assert "rt-wrong" not in html


def test_a_model_whose_test_failed_stands_out(project: DbtLineage) -> None:
    assert drawing(project, report(tests_passed=2)).count("rt-wrong") == 1


def test_the_drawer_is_offered_for_dbt_alone_and_reads_off_the_kernel(project: DbtLineage) -> None:
    loaded = threading.Event()

    def load() -> tuple[DbtLineage, None]:
        loaded.set()
        return project, None

    drawer = Models(load)
    assert not drawer.show("events")
    assert not loaded.is_set()
    assert drawer.show("dbt")
    assert loaded.wait(10)
    with drawer._busy:
        assert "interval_load" in drawer.widget.value


def test_a_project_that_cannot_be_read_says_why() -> None:
    def load() -> tuple[DbtLineage, None]:
        raise ConfigError("the dbt project cannot be read", cure="rtlib dbt build")

    drawer = Models(load)
    drawer.show("dbt")
    with drawer._busy:
        assert "rtlib dbt build" in drawer.widget.value


def test_a_long_name_is_broken_where_its_words_meet() -> None:
    assert _lines("speed_batch_reconciliation") == ["speed_batch_", "reconciliation"]
    assert _lines("int_kind_intervals") == ["int_kind_intervals"]
