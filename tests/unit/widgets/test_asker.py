"""The drawer for questions: shows only what was answered to the last one, and says where it came from."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.errors import ServiceError
from rtlib.widgets.asker import Asker, Question, answer


@dataclass
class Told:
    text: str = "It takes in 46 records a second."
    source: str = "gemini-3.8-flash"
    why: str = ""
    dollars: float | None = 0.00123


@retry(retry=retry_if_result(lambda seen: not seen), wait=wait_fixed(0.01), stop=stop_after_delay(5))
def until_said(asker: Asker, words: str) -> bool:
    return words in asker.said


def test_a_question_is_asked_with_its_level_and_answered_with_its_source() -> None:
    asked: list[Question] = []

    def ask(question: Question) -> Told:
        asked.append(question)
        return Told()

    asker = Asker(ask)
    assert asker.show("events")
    level, language = asker.widget.children[0].children
    text, button = asker.widget.children[1].children
    level.value, language.value, text.value = "expert", "French", "Is it slow?"
    button.click()
    assert until_said(asker, "By gemini-3.8-flash, checked. Asking cost 0.00123 USD.")
    assert asked == [Question("events", "expert", "French", "Is it slow?")]


def test_what_the_model_said_is_text_and_never_markup() -> None:
    told = answer(Told(text="<img src=x onerror=alert(1)>", why="<b>no</b>"))
    assert "<img" not in told and "<b>" not in told


def test_an_answer_about_another_part_is_not_shown() -> None:
    go, done = threading.Event(), threading.Event()

    def ask(question: Question) -> Told:
        go.wait(5)
        done.set()
        return Told()

    asker = Asker(ask)
    asker.show("events")
    asker.widget.children[1].children[1].click()
    asker.show("kpis")
    go.set()
    assert done.wait(5)
    (thread,) = [one for one in threading.enumerate() if one.name == "asker"] or [threading.current_thread()]
    if thread is not threading.current_thread():
        thread.join(5)
    assert asker.said == ""


def test_an_error_is_told_with_its_cure() -> None:
    def ask(question: Question) -> Told:
        raise ServiceError("the broker does not answer", cure="rtlib up")

    asker = Asker(ask)
    asker.show("events")
    asker.widget.children[1].children[1].click()
    assert until_said(asker, "rtlib up")


def test_with_choices_it_is_about_the_one_that_is_chosen() -> None:
    asked: list[str] = []

    def ask(question: Question) -> Told:
        asked.append(question.about)
        return Told(text=f"About {question.about}.")

    asker = Asker(ask, [("Orders", "kpi:orders"), ("Mean wait", "kpi:wait_minutes")])
    choice = asker.widget.children[0].children[0]
    button = asker.widget.children[1].children[1]
    button.click()
    assert until_said(asker, "About kpi:orders.")
    choice.value = "kpi:wait_minutes"
    assert asker.said == ""
    button.click()
    assert until_said(asker, "About kpi:wait_minutes.")
    assert asked == ["kpi:orders", "kpi:wait_minutes"]


def test_the_whole_pipeline_has_nothing_to_ask() -> None:
    assert not Asker(lambda question: Told()).show(None)


def test_an_error_that_nobody_foresaw_is_told_too_and_the_page_does_not_ask_for_ever() -> None:
    def ask(question: Question) -> Told:
        raise ValueError("<odd>")

    asker = Asker(ask)
    asker.show("events")
    asker.widget.children[1].children[1].click()
    assert until_said(asker, "No answer: ValueError: &lt;odd&gt;")


def test_a_cost_that_is_not_known_is_said_to_be_so_and_none_is_not_mentioned() -> None:
    assert "What asking cost is not known." in answer(Told(dollars=None))
    assert "cost" not in answer(Told(dollars=0.0))
