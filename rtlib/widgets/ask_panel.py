"""Ask panel: a question, answered by the model if its answer is verified, else from the facts alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

import ipywidgets

from rtlib.errors import RtlibError

LEVELS = ("newcomer", "practitioner", "expert")


class Answer(Protocol):
    """An answer (``rtlib.pipeline.explanations.explainer.Explanation`` is one)."""

    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def why(self) -> str: ...  # noqa: D102
    @property
    def dollars(self) -> float | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Question:
    """A reader's question.

    Attributes:
        about: The id of a part, or the name of a KPI, an alert or a forecast.
        level: The reader's level, one of ``LEVELS``.
        language: The language of the answer.
        text: The question itself; empty for a general description.
    """

    about: str
    level: str
    language: str
    text: str


Ask = Callable[[Question], Answer]


class AskPanel:
    """A question and its answer: a drawer below the panel of every part, and the foot of a page.

    An answer may take several seconds, so a thread fetches it; only the answer to the latest question is shown.

    Args:
        ask: Answers a question.
        choices: (title, name) of the subjects to choose from; without them ``show`` sets the subject.
    """

    def __init__(self, ask: Ask, choices: Sequence[tuple[str, str]] = ()) -> None:
        self._ask, self._about, self._latest = ask, choices[0][1] if choices else "", 0
        self._level = ipywidgets.Dropdown(options=LEVELS, description="Reader of the answer")
        self._language = ipywidgets.Text("English", description="Language of the answer")
        self._text = ipywidgets.Text(placeholder="Your question; leave empty for a description", description="Question")
        self._button = ipywidgets.Button(description="Ask", tooltip="Ask about this")
        self._answer = ipywidgets.HTML()
        self._button.on_click(self._clicked)
        subject = ipywidgets.Dropdown(options=choices, description="Subject")
        subject.observe(lambda change: self.show(change["new"]), names="value")
        first_row = ipywidgets.HBox([*([subject] if choices else []), self._level, self._language])
        second_row = ipywidgets.HBox([self._text, self._button])
        self.widget = ipywidgets.VBox([first_row, second_row, self._answer]).add_class("rt-ask")

    @property
    def answer(self) -> str:
        """The answer shown, as HTML."""
        return str(self._answer.value)

    def show(self, about: str | None) -> bool:
        """Change the subject, and remove the answer about the previous one."""
        if about != self._about:
            self._about, self._latest, self._answer.value = about or "", self._latest + 1, ""
        return about is not None

    def _clicked(self, _: object) -> None:
        self._latest += 1
        question = Question(self._about, self._level.value, self._language.value or "English", self._text.value)
        self._answer.value = '<p class="rt rt-answer">Asking…</p>'
        threading.Thread(target=self._run, args=(question, self._latest), name="ask-panel", daemon=True).start()

    def _run(self, question: Question, number: int) -> None:
        try:
            html = answer_html(self._ask(question))
        except Exception as error:  # must be visible: otherwise "Asking…" would never go away
            text = str(error) if isinstance(error, RtlibError) else f"{type(error).__name__}: {error}"[:300]
            html = f'<p class="rt rt-answer" role="alert">No answer: {escape(text)}</p>'
        if number == self._latest:  # otherwise there is a newer question, or another subject
            self._answer.value = html


def answer_html(answer: Answer) -> str:
    """An answer as HTML, with its origin and, if the model's answer is not shown, the reason."""
    local = answer.source == "facts"
    origin = "Made from the live numbers, without a model." if local else f"By {answer.source}, verified."
    reason = f" The model: {answer.why}." if answer.why else ""
    cost = " The cost is unknown." if answer.dollars is None else ""
    cost = f" Cost: {answer.dollars:.5f} USD." if answer.dollars else cost
    return (
        f'<p class="rt rt-answer">{escape(answer.text)}</p><p class="rt rt-origin">{escape(origin + reason + cost)}</p>'
    )
