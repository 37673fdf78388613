"""The fault panel: offers the faults of a part, runs one at a time, and reports what happened."""

from __future__ import annotations

import threading

from ipywidgets import Button, Dropdown

from rtlib.components import ARCHITECTURE_COMPONENTS_LIST
from rtlib.errors import ServiceError
from rtlib.faults import MENU
from rtlib.notify import Notify
from rtlib.widgets.fault_panel import FaultPanel, by_component


def controls(panel: FaultPanel) -> tuple[Dropdown, Button]:
    choice, button = panel.widget.children[0].children
    return choice, button


def wait_for_fault() -> None:
    for thread in threading.enumerate():
        if thread.name == "fault":
            thread.join(10)


def press(panel: FaultPanel) -> None:
    """Press the button and wait until the fault is over."""
    controls(panel)[1].click()
    wait_for_fault()


def test_a_node_with_faults_offers_them_with_the_expected_effect() -> None:
    panel = FaultPanel(lambda name, notify: "")
    panel.show("events")
    choice, _ = controls(panel)
    assert [name for _, name in choice.options] == [fault.name for fault in by_component()["events"]]
    assert MENU["kill-broker"].expect.split(",")[0] in panel.text
    choice.value = "disk-full"
    assert "cannot write to its log" in panel.text


def test_a_node_without_faults_offers_none() -> None:
    panel = FaultPanel(lambda name, notify: "")
    without_faults = {part.id for part in ARCHITECTURE_COMPONENTS_LIST} - by_component().keys()
    for node in [*sorted(without_faults), None]:
        assert not panel.show(node)


def test_the_button_runs_the_selected_fault_and_shows_the_report() -> None:
    injected: list[str] = []

    def inject(name: str, notify: Notify) -> str:
        injected.append(name)
        notify("watching <b>closely</b>")
        return "It came back after 7.5 s."

    panel = FaultPanel(inject)
    panel.show("registry")
    press(panel)
    assert injected == ["kill-registry"]
    assert "It came back after 7.5 s." in panel.text
    assert not controls(panel)[1].disabled


def test_the_progress_of_a_fault_is_shown_as_text() -> None:
    shown: list[str] = []

    def inject(name: str, notify: Notify) -> str:
        notify("<script>")
        shown.append(panel.text)
        return ""

    panel = FaultPanel(inject)
    panel.show("registry")
    press(panel)
    assert "Now: &lt;script&gt;" in shown[0]


def test_the_button_is_inactive_while_a_fault_runs() -> None:
    started, released, injected = threading.Event(), threading.Event(), list[str]()

    def inject(name: str, notify: Notify) -> str:
        injected.append(name)
        started.set()
        released.wait(10)
        return "over"

    panel = FaultPanel(inject)
    panel.show("registry")
    controls(panel)[1].click()
    assert started.wait(10)
    controls(panel)[1].click()
    panel.show("events")
    assert [name for _, name in controls(panel)[0].options] == ["kill-registry", "schema-break"]
    released.set()
    wait_for_fault()
    assert injected == ["kill-registry"]


def test_a_fault_that_cannot_be_injected_shows_the_reason_and_the_cure() -> None:
    def inject(name: str, notify: Notify) -> str:
        raise ServiceError("the registry is not running here", cure="rtlib up")

    panel = FaultPanel(inject)
    panel.show("registry")
    press(panel)
    assert "is not running here" in panel.text
    assert "rtlib up" in panel.text
