"""Tour: the first minute in the app, in six steps that a visitor can skip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path

import ipywidgets

from rtlib import private


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the tour.

    Attributes:
        title: What it is about.
        text: What to do and what to expect.
        node: The part of the graph that its button selects; empty for none.
        page: The page that its button opens; empty for none.
        button: The text of its button.
    """

    title: str
    text: str
    node: str = ""
    page: str = ""
    button: str = ""


STEPS = (
    Step(
        "What runs here",
        "Each box is a real process or a table on this machine. Events flow from left to right: a simulator, Kafka, "
        "Spark, a warehouse. The numbers are at most a few seconds old.",
    ),
    Step(
        "Select a box",
        "Click a box, or choose it from the list. The panel shows what it does, its numbers, and what breaks without "
        "it. Everything that feeds it, and everything that it feeds, lights up.",
        node="kpis",
        button="Select the KPI query",
    ),
    Step(
        "Break it",
        "With the KPI query selected, open 'Break it…' and press the red button. It kills Spark, the program that "
        "computes the KPIs. What would you expect of the events that arrive meanwhile?",
        node="kpis",
        button="Select the KPI query",
    ),
    Step(
        "Watch it come back",
        "The boxes of Spark turn red and their numbers are marked as old. The supervisor starts Spark again within "
        "seconds. It continues at its checkpoint and catches up: Kafka has kept the events.",
        node="events",
        button="Select the events topic",
    ),
    Step(
        "Prove that nothing was lost",
        "The simulator numbers its events. The ledger looks for each number in Kafka, in the warehouse and in the "
        "KPIs. Open the page and take the ledger: zero lost, zero doubled.",
        page="quality",
        button="Open Quality",
    ),
    Step(
        "Learn how it works",
        "The panel of each box names its lesson, a notebook that asks you to predict before you run it. Lesson 00 "
        "begins with this picture; rtlib lab opens the lessons.",
        page="graph",
        button="Back to the graph",
    ),
)


class Seen:
    """Remembers in the state folder that the tour was finished or skipped."""

    def __init__(self, home: Path) -> None:
        self._file = home / "app" / "tour-seen"

    def __bool__(self) -> bool:
        return self._file.exists()

    def remember(self) -> None:
        """Do not begin the tour by itself any more."""
        private.make_folder(self._file.parent)
        private.write(self._file, "")


class Tour:
    """A strip above the page with a step of the tour, and buttons to move through it.

    Args:
        select: Selects a part of the graph.
        open_page: Opens a page.
        finished: Called when the visitor has finished or skipped it.
        begin: Show it at once; otherwise only when the visitor asks for it.
    """

    def __init__(
        self,
        *,
        select: Callable[[str], None],
        open_page: Callable[[str], None],
        finished: Callable[[], None] = lambda: None,
        begin: bool = True,
    ) -> None:
        self._select, self._open_page, self._finished = select, open_page, finished
        self._number = 0
        self._text = ipywidgets.HTML()
        self._act = ipywidgets.Button()
        self._back = ipywidgets.Button(description="Back")
        self._next = ipywidgets.Button(description="Next")
        self._skip = ipywidgets.Button(description="Skip the tour")
        for button, clicked in (
            (self._act, self._acted),
            (self._back, lambda _: self._go(-1)),
            (self._next, lambda _: self._go(1)),
            (self._skip, lambda _: self._end()),
        ):
            button.on_click(clicked)
        buttons = ipywidgets.HBox([self._act, self._back, self._next, self._skip])
        self.widget = ipywidgets.HBox([self._text, buttons.add_class("rt-tour-buttons")]).add_class("rt-tour")
        self.opener = ipywidgets.Button(description="Tour", tooltip="Six steps through the app").add_class(
            "rt-tour-open"
        )
        self.opener.on_click(lambda _: self.begin())
        self.widget.layout.display = "none"
        if begin:
            self.begin()

    @property
    def step(self) -> Step:
        """The current step."""
        return STEPS[self._number]

    def begin(self) -> None:
        """Show the first step."""
        self._number = 0
        self.widget.layout.display = ""
        self._show()

    def _go(self, steps: int) -> None:
        if self._number + steps >= len(STEPS):
            self._end()
            return
        self._number = max(0, self._number + steps)
        self._show()

    def _acted(self, _: object) -> None:
        if self.step.page:
            self._open_page(self.step.page)
        if self.step.node:
            self._open_page("graph")
            self._select(self.step.node)

    def _end(self) -> None:
        self.widget.layout.display = "none"
        self._finished()

    def _show(self) -> None:
        step, last = self.step, self._number == len(STEPS) - 1
        self._text.value = (
            f'<div class="rt" role="status"><p><b>{self._number + 1} of {len(STEPS)}: {escape(step.title)}.</b> '
            f"{escape(step.text)}</p></div>"
        )
        self._act.description = step.button
        self._act.layout.display = "" if step.button else "none"
        self._back.disabled = self._number == 0
        self._next.description = "Finish" if last else "Next"
        self._skip.layout.display = "none" if last else ""
