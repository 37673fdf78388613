"""The drawers below the panel: one open at a time, and no button for what a part does not have."""

from __future__ import annotations

import ipywidgets

from rtlib.widgets.drawers import Drawers


class Box:
    def __init__(self, *parts: str) -> None:
        self.widget, self.parts = ipywidgets.VBox(), parts

    def show(self, component: str | None) -> bool:
        return component in self.parts

    @property
    def is_open(self) -> bool:
        return self.widget.layout.display != "none"


def test_a_drawer_opens_by_its_button_and_closes_by_it() -> None:
    box = Box("events")
    drawers = Drawers({"Break it…": box})
    drawers.show("events")
    (button,) = drawers.buttons.children
    assert not box.is_open
    button.value = True
    assert box.is_open
    button.value = False
    assert not box.is_open


def test_a_part_without_anything_to_open_has_no_button_and_its_drawer_closes() -> None:
    box = Box("events")
    drawers = Drawers({"Break it…": box})
    (button,) = drawers.buttons.children
    assert button.layout.display == "none"
    drawers.show("events")
    assert button.layout.display == ""
    button.value = True
    drawers.show("dashboard")
    assert button.layout.display == "none"
    assert not box.is_open
    drawers.show("events")
    assert not box.is_open


def test_opening_one_drawer_closes_the_other() -> None:
    first_box, second_box = Box("events"), Box("events")
    drawers = Drawers({"Break it…": first_box, "Explain…": second_box})
    drawers.show("events")
    first, second = drawers.buttons.children
    first.value = True
    second.value = True
    assert not first_box.is_open
    assert second_box.is_open
    assert not first.value


def test_an_open_drawer_stays_open_for_a_part_that_has_it_too() -> None:
    box = Box("events", "loader")
    drawers = Drawers({"Break it…": box})
    drawers.show("events")
    drawers.buttons.children[0].value = True
    drawers.show("loader")
    assert box.is_open
