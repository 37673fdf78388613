"""The tallies: a run's file tells what was sent, and makes the very same records again."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest

from rtlib.config import Settings
from rtlib.domains import load_domain
from rtlib.errors import ServiceError
from rtlib.pipeline.audit.tallies import Run, runs, write_run
from rtlib.simulator import Simulator, TallyKeeper

START = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)


def sent_run(run: str, *, count: int, closed: bool = True) -> Run:
    simulator = Simulator(
        load_domain("curbside"), seed=3, start=START, rate=80, duplicate_share=0.2, run=run, hot_site="oakland-3rd-st"
    )
    keeper = TallyKeeper()
    for sent in islice(simulator.records(), count):
        keeper.add(sent)
    return Run(simulator, keeper.tally(), closed)


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    written = [sent_run("a", count=50), sent_run("b", count=20, closed=False)]
    for run in written:
        write_run(settings, run)
    assert runs(settings) == written


def test_a_run_that_was_read_makes_the_same_bytes_again(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    run = sent_run("a", count=300)
    write_run(settings, run)
    again = list(runs(settings)[0].records())
    assert len(again) == 300
    assert [one.payload for one in again] == [one.payload for one in islice(run.simulator.records(), 300)]


def test_the_runs_of_another_domain_are_not_counted(tmp_path: Path) -> None:
    write_run(Settings(home=tmp_path), sent_run("a", count=5))
    assert runs(Settings(home=tmp_path, domain="iot")) == []


def test_two_runs_are_added_up() -> None:
    one, two = sent_run("a", count=50).tally, sent_run("b", count=20).tally
    both = one + two
    assert (both.records, both.duplicates) == (70, one.duplicates + two.duplicates)
    assert both.last_sequence == {**one.last_sequence, **two.last_sequence}


@pytest.mark.parametrize("torn", ["", "{", "{}", "[]", '{"simulator": {"start": "now"}}', "\0\0"])
def test_a_damaged_file_of_a_run_is_named_with_the_cure(tmp_path: Path, torn: str) -> None:
    settings = Settings(home=tmp_path)
    write_run(settings, sent_run("a", count=5))
    write_run(settings, sent_run("b", count=5))
    path = tmp_path / "tally" / settings.domain / "a.json"
    path.write_text(torn)
    with pytest.raises(ServiceError, match=r"a\.json is damaged") as damaged:
        runs(settings)
    assert damaged.value.cure.startswith(f"mv {path} {path}.torn")
    path.rename(f"{path}.torn")
    assert [run.name for run in runs(settings)] == ["b"]
