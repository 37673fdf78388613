"""Asker: a question, answered by the model if its answer is verified, else from the facts alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Protocol

import ipywidgets

from rtlib.errors import RtlibError

LEVELS = ("newcomer", "practitioner", "expert")


class Told(Protocol):
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
    """What somebody wants to know: of which part or subject, for whom, in which language; ``text`` may be empty."""

    about: str
    level: str
    language: str
    text: str


Ask = Callable[[Question], Told]


class AskPanel:
    """A question and its answer: a drawer below the panel of every part, and the foot of a page.

    An answer may take some seconds, so it is fetched in a thread; what was asked last is what is shown.

    Args:
        ask: Answers a question.
        choices: (title, name) of what can be asked about, to choose from; without it ``show`` tells.
    """

    def __init__(self, ask: Ask, choices: Sequence[tuple[str, str]] = ()) -> None:
        self._ask, self._about, self._asked = ask, choices[0][1] if choices else "", 0
        self._level = ipywidgets.Dropdown(options=LEVELS, description="Who reads the answer")
        self._language = ipywidgets.Text("English", description="Language of the answer")
        self._text = ipywidgets.Text(
            placeholder="Your question; empty asks what it is and how it is", description="Question"
        )
        self._button = ipywidgets.Button(description="Ask", tooltip="Ask about this")
        self._said = ipywidgets.HTML()
        self._button.on_click(self._clicked)
        chosen = ipywidgets.Dropdown(options=choices, description="What it is about")
        chosen.observe(lambda change: self.show(change["new"]), names="value")
        first = ipywidgets.HBox([*([chosen] if choices else []), self._level, self._language])
        self.widget = ipywidgets.VBox([first, ipywidgets.HBox([self._text, self._button]), self._said])
        self.widget.add_class("rt-asker")

    @property
    def said(self) -> str:
        """The answer, as HTML."""
        return str(self._said.value)

    def show(self, about: str | None) -> bool:
        """Turn to a part or a subject; the answer about another is taken away."""
        if about != self._about:
            self._about, self._asked, self._said.value = about or "", self._asked + 1, ""
        return about is not None

    def _clicked(self, _: object) -> None:
        self._asked += 1
        question = Question(self._about, self._level.value, self._language.value or "English", self._text.value)
        self._said.value = '<p class="rt rt-answer">Asking…</p>'
        threading.Thread(target=self._run, args=(question, self._asked), name="asker", daemon=True).start()

    def _run(self, question: Question, number: int) -> None:
        try:
            told = answer(self._ask(question))
        except Exception as error:  # it must be seen: "Asking…" would stand there for ever
            said = str(error) if isinstance(error, RtlibError) else f"{type(error).__name__}: {error}"[:300]
            told = f'<p class="rt rt-answer" role="alert">No answer: {escape(said)}</p>'
        if number == self._asked:  # else somebody has asked again, or has turned to another part
            self._said.value = told


def answer(told: Told) -> str:
    """An answer as HTML, with its origin and, if the model's answer is not shown, the reason."""
    made = "made from the live numbers, without a model" if told.source == "facts" else f"by {told.source}, verified"
    why = f" The model: {told.why}." if told.why else ""
    cost = " The cost is unknown." if told.dollars is None else ""
    cost = f" Cost: {told.dollars:.5f} USD." if told.dollars else cost
    return (
        f'<p class="rt rt-answer">{escape(told.text)}</p>'
        f'<p class="rt rt-origin">{escape(made[0].upper() + made[1:])}.{escape(why + cost)}</p>'
    )
