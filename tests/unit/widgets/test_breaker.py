"""The button that breaks things, and the ledger as a table."""

from __future__ import annotations

import threading

from ipywidgets import Button, Dropdown

from rtlib import ledger
from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.errors import ServiceError
from rtlib.faults import MENU
from rtlib.widgets.breaker import Breaker, Tell, by_component
from rtlib.widgets.proof import ledger_view, table
from support.ledgers import evidence_of, good_ledger, held_by, run_of


def parts(breaker: Breaker) -> tuple[Dropdown, Button]:
    choice, button = breaker.widget.children[0].children
    return choice, button


def press(breaker: Breaker) -> None:
    """Press the button and wait until the fault is over."""
    parts(breaker)[1].click()
    for thread in threading.enumerate():
        if thread.name == "fault":
            thread.join(10)


def test_a_node_with_faults_offers_them_with_what_to_expect() -> None:
    breaker = Breaker(lambda name, tell: "")
    breaker.show("events")
    choice, _ = parts(breaker)
    assert [name for _, name in choice.options] == [one.name for one in by_component()["events"]]
    assert MENU["kill-broker"].expect.split(",")[0] in breaker.said
    choice.value = "disk-full"
    assert "cannot write to its log" in breaker.said


def test_a_node_without_faults_offers_none() -> None:
    breaker = Breaker(lambda name, tell: "")
    without = {one.id for one in ARCHITECTURE_COMPONENTS_LIST} - by_component().keys()
    for node in [*sorted(without), None]:
        assert not breaker.show(node)


def test_pressing_the_button_does_the_chosen_fault_and_tells_what_happened() -> None:
    asked: list[str] = []

    def hurt(name: str, tell: Tell) -> str:
        asked.append(name)
        tell("watching <b>closely</b>")
        return "It came back after 7.5 s."

    breaker = Breaker(hurt)
    breaker.show("registry")
    press(breaker)
    assert asked == ["kill-registry"]
    assert "It came back after 7.5 s." in breaker.said
    assert not parts(breaker)[1].disabled


def test_what_a_fault_says_on_its_way_is_shown_as_text() -> None:
    seen: list[str] = []

    def hurt(name: str, tell: Tell) -> str:
        tell("<script>")
        seen.append(breaker.said)
        return ""

    breaker = Breaker(hurt)
    breaker.show("registry")
    press(breaker)
    assert "Now: &lt;script&gt;" in seen[0]


def test_while_a_fault_runs_the_button_does_nothing_more() -> None:
    begun, go_on, times = threading.Event(), threading.Event(), list[str]()

    def hurt(name: str, tell: Tell) -> str:
        times.append(name)
        begun.set()
        go_on.wait(10)
        return "over"

    breaker = Breaker(hurt)
    breaker.show("registry")
    parts(breaker)[1].click()
    assert begun.wait(10)
    parts(breaker)[1].click()
    breaker.show("events")
    assert [name for _, name in parts(breaker)[0].options] == ["kill-registry", "schema-break"]
    go_on.set()
    press(breaker)
    assert times[0] == "kill-registry"


def test_a_fault_that_cannot_be_done_says_why_and_what_to_do() -> None:
    def hurt(name: str, tell: Tell) -> str:
        raise ServiceError("the registry is not running here", cure="rtlib up")

    breaker = Breaker(hurt)
    breaker.show("registry")
    press(breaker)
    assert "is not running here" in breaker.said
    assert "rtlib up" in breaker.said


def test_the_ledger_is_a_table_with_a_verdict() -> None:
    html = table(good_ledger())
    assert "nothing lost, nothing doubled" in html
    assert html.count("<tr") == len(ledger.rows(good_ledger()))
    assert "rt-wrong" not in html


def test_a_lost_event_is_named_in_the_table() -> None:
    evidence = evidence_of(run_of())
    held = held_by(evidence)
    name = sorted(held)[0]
    held[name].remove(3)
    taken = ledger.judge(evidence, held)
    assert taken.lost_events[0].event_id in table(taken)
    assert "rt-wrong" in table(taken)
    assert "rt-stopped" in table(taken)


def test_a_ledger_that_is_not_final_yet_is_neither_good_nor_bad() -> None:
    evidence = evidence_of(run_of(), archived=300)
    html = table(ledger.judge(evidence, held_by(evidence)))
    assert "rt-degraded" in html
    assert "NOT FINAL YET" in html
    assert "from offset 300 on: in Kafka and not yet in RAW" in html


def test_a_ledger_that_cannot_be_taken_says_why() -> None:
    def take() -> ledger.Ledger:
        raise ServiceError("the broker does not answer", cure="rtlib up")

    view = ledger_view(take)
    assert "the broker does not answer" in view.children[-1].value
