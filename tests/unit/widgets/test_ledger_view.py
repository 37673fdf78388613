"""The ledger as a table: verdict, counts, and the name of every lost event."""

from __future__ import annotations

from rtlib import ledger
from rtlib.errors import ServiceError
from rtlib.widgets.ledger_view import ledger_view, table
from support.ledgers import evidence_of, good_ledger, held_by, run_of


def test_the_ledger_is_a_table_with_a_verdict() -> None:
    html = table(good_ledger())
    assert "nothing lost, nothing doubled" in html
    assert html.count("<tr") == len(ledger.rows(good_ledger()))
    assert "rt-wrong" not in html


def test_a_lost_event_is_named_in_the_table() -> None:
    evidence = evidence_of(run_of())
    held = held_by(evidence)
    held[min(held)].remove(3)
    incomplete = ledger.judge(evidence, held)
    html = table(incomplete)
    assert incomplete.lost_events[0].event_id in html
    assert "rt-wrong" in html
    assert "rt-stopped" in html


def test_a_ledger_that_is_not_final_is_shown_as_neither_good_nor_bad() -> None:
    evidence = evidence_of(run_of(), archived=300)
    html = table(ledger.judge(evidence, held_by(evidence)))
    assert "rt-degraded" in html
    assert "NOT FINAL YET" in html
    assert "from offset 300 on: in Kafka and not yet in RAW" in html


def test_a_ledger_that_cannot_be_taken_shows_the_error() -> None:
    def take() -> ledger.Ledger:
        raise ServiceError("the broker does not answer", cure="rtlib up")

    view = ledger_view(take)
    assert "the broker does not answer" in view.children[-1].value
