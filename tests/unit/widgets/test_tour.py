"""The tour through the app."""

from __future__ import annotations

from pathlib import Path

from rtlib.components import component
from rtlib.widgets.pages import TITLES
from rtlib.widgets.tour import STEPS, Seen, Tour


class Visit:
    """A tour, and what it asked of the app."""

    def __init__(self, *, begin: bool = True) -> None:
        self.calls: list[str] = []
        self.tour = Tour(
            select=lambda node: self.calls.append(f"select {node}"),
            open_page=lambda page: self.calls.append(f"open {page}"),
            finished=lambda: self.calls.append("finished"),
            begin=begin,
        )

    @property
    def is_shown(self) -> bool:
        return bool(self.tour.widget.layout.display != "none")


def test_every_step_leads_to_a_part_or_a_page_that_exists() -> None:
    assert len(STEPS) == 6
    for step in STEPS:
        assert not step.node or component(step.node)
        assert not step.page or step.page in TITLES
        assert bool(step.button) == bool(step.node or step.page)


def test_next_leads_through_all_steps_and_the_last_finishes() -> None:
    visit = Visit()
    for number in range(1, len(STEPS) + 1):
        assert f"{number} of {len(STEPS)}" in visit.tour._text.value
        visit.tour._next.click()
    assert not visit.is_shown
    assert visit.calls == ["finished"]


def test_back_returns_to_the_step_before_and_not_beyond_the_first() -> None:
    visit = Visit()
    assert visit.tour._back.disabled
    visit.tour._next.click()
    visit.tour._back.click()
    assert visit.tour.step is STEPS[0]


def test_the_tour_can_be_skipped_and_begun_again() -> None:
    visit = Visit()
    visit.tour._next.click()
    visit.tour._skip.click()
    assert (visit.is_shown, visit.calls) == (False, ["finished"])
    visit.tour.opener.click()
    assert visit.is_shown and visit.tour.step is STEPS[0]


def test_the_button_of_a_step_selects_its_part_or_opens_its_page() -> None:
    visit = Visit()
    visit.tour._next.click()
    visit.tour._act.click()
    assert visit.calls == ["open graph", "select kpis"]
    while visit.tour.step.page != "quality":
        visit.tour._next.click()
    visit.tour._act.click()
    assert visit.calls[-1] == "open quality"


def test_a_tour_that_was_finished_before_is_not_shown() -> None:
    assert not Visit(begin=False).is_shown


def test_that_the_tour_was_seen_is_remembered_in_the_state_folder(tmp_path: Path) -> None:
    assert not Seen(tmp_path)
    Seen(tmp_path).remember()
    assert Seen(tmp_path)
