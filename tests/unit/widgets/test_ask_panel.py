"""The ask panel shows only the answer to the latest question, and its origin."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import ipywidgets
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from rtlib.errors import ServiceError
from rtlib.widgets.ask_panel import AskPanel, Question, answer_html


@dataclass
class Answer:
    text: str = "It takes in 46 records a second."
    source: str = "gemini-3.8-flash"
    why: str = ""
    dollars: float | None = 0.00123


@retry(retry=retry_if_result(lambda shown: not shown), wait=wait_fixed(0.01), stop=stop_after_delay(5))
def wait_for_answer(panel: AskPanel, text: str) -> bool:
    return text in panel.answer


def ask_button(panel: AskPanel) -> ipywidgets.Button:
    return panel.widget.children[1].children[1]


def test_a_question_is_passed_on_with_its_level_and_its_answer_shows_the_source() -> None:
    questions: list[Question] = []

    def ask(question: Question) -> Answer:
        questions.append(question)
        return Answer()

    panel = AskPanel(ask)
    assert panel.show("events")
    level, language = panel.widget.children[0].children
    text, button = panel.widget.children[1].children
    level.value, language.value, text.value = "expert", "French", "Is it slow?"
    button.click()
    assert wait_for_answer(panel, "By gemini-3.8-flash, verified. Cost: 0.00123 USD.")
    assert questions == [Question("events", "expert", "French", "Is it slow?")]


def test_the_text_of_an_answer_is_never_markup() -> None:
    html = answer_html(Answer(text="<img src=x onerror=alert(1)>", why="<b>no</b>"))
    assert "<img" not in html and "<b>" not in html


def test_an_answer_about_another_part_is_not_shown() -> None:
    released, answered = threading.Event(), threading.Event()

    def ask(question: Question) -> Answer:
        released.wait(5)
        answered.set()
        return Answer()

    panel = AskPanel(ask)
    panel.show("events")
    ask_button(panel).click()
    panel.show("kpis")
    released.set()
    assert answered.wait(5)
    for thread in threading.enumerate():
        if thread.name == "ask-panel":
            thread.join(5)
    assert panel.answer == ""


def test_an_error_is_shown_with_its_cure() -> None:
    def ask(question: Question) -> Answer:
        raise ServiceError("the broker does not answer", cure="rtlib up")

    panel = AskPanel(ask)
    panel.show("events")
    ask_button(panel).click()
    assert wait_for_answer(panel, "rtlib up")


def test_with_choices_the_question_is_about_the_selected_subject() -> None:
    subjects: list[str] = []

    def ask(question: Question) -> Answer:
        subjects.append(question.about)
        return Answer(text=f"About {question.about}.")

    panel = AskPanel(ask, [("Orders", "kpi:orders"), ("Mean wait", "kpi:wait_minutes")])
    choice, button = panel.widget.children[0].children[0], ask_button(panel)
    button.click()
    assert wait_for_answer(panel, "About kpi:orders.")
    choice.value = "kpi:wait_minutes"
    assert panel.answer == ""
    button.click()
    assert wait_for_answer(panel, "About kpi:wait_minutes.")
    assert subjects == ["kpi:orders", "kpi:wait_minutes"]


def test_the_whole_pipeline_offers_no_questions() -> None:
    assert not AskPanel(lambda question: Answer()).show(None)


def test_an_unexpected_error_is_shown_instead_of_waiting_without_end() -> None:
    def ask(question: Question) -> Answer:
        raise ValueError("<odd>")

    panel = AskPanel(ask)
    panel.show("events")
    ask_button(panel).click()
    assert wait_for_answer(panel, "No answer: ValueError: &lt;odd&gt;")


def test_an_unknown_cost_is_reported_as_unknown_and_a_cost_of_nothing_is_left_out() -> None:
    assert "The cost is unknown." in answer_html(Answer(dollars=None))
    assert "ost" not in answer_html(Answer(dollars=0.0))
