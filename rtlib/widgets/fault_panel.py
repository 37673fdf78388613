"""Fault panel: a button that injects a fault into a part, with the expected effect before and the report after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from html import escape

import ipywidgets

from rtlib.errors import RtlibError
from rtlib.faults import MENU, Fault
from rtlib.notify import Notify

Inject = Callable[[str, Notify], str]


def by_component(catalog: Mapping[str, Fault] = MENU) -> dict[str, list[Fault]]:
    """The faults of each node, by the node's id."""
    faults: dict[str, list[Fault]] = {}
    for fault in catalog.values():
        faults.setdefault(fault.component, []).append(fault)
    return faults


class FaultPanel:
    """A drawer below the panel of a node: the choice of fault, the button, and the text about the fault.

    A fault takes a while, so it runs in a thread; only one runs at a time.

    Args:
        inject: Runs the fault with this name; receives a callback for progress, and returns a report.
    """

    def __init__(self, inject: Inject) -> None:
        self._inject = inject
        self._faults = by_component()
        self._busy = threading.Lock()
        self._choice = ipywidgets.Dropdown(options=[], description="Fault")
        self._button = ipywidgets.Button(description="Break it", tooltip="Inject this fault into the running pipeline")
        self._text = ipywidgets.HTML()
        self._choice.observe(self._show_expected_effect, names="value")
        self._button.on_click(self._clicked)
        row = ipywidgets.HBox([self._choice, self._button])
        self.widget = ipywidgets.VBox([row, self._text]).add_class("rt-fault")
        self.show(None)

    def show(self, component: str | None) -> bool:
        """Offer the faults of a node; False for a node without faults."""
        faults: Sequence[Fault] = self._faults.get(component or "", ())
        if faults and not self._busy.locked():
            self._choice.options = [(fault.title, fault.name) for fault in faults]
            self._choice.value = faults[0].name
            self._show_expected_effect(None)
        return bool(faults)

    @property
    def text(self) -> str:
        """The text below the button, as HTML."""
        return str(self._text.value)

    def _show_expected_effect(self, _: object) -> None:
        if self._choice.value and not self._busy.locked():
            self._show_text(MENU[self._choice.value].expect)

    def _show_text(self, text: str) -> None:
        self._text.value = f'<p class="rt rt-expect">{escape(text)}</p>'

    def _clicked(self, _: object) -> None:
        if self._choice.value and self._busy.acquire(blocking=False):
            self._button.disabled = True
            threading.Thread(target=self._run, args=(self._choice.value,), name="fault", daemon=True).start()

    def _run(self, name: str) -> None:
        expected = MENU[name].expect

        def notify(line: str) -> None:
            self._show_text(f"{expected}  — Now: {line.strip()}")

        try:
            self._show_text(self._inject(name, notify))
        except RtlibError as error:
            self._show_text(str(error))
        finally:
            self._button.disabled = False
            self._busy.release()
