"""Breaker: the button that hurts a part of the pipeline, with what to expect before and what happened after."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from html import escape

import ipywidgets

from rtlib.errors import RtlibError
from rtlib.faults import MENU, Fault
from rtlib.notify import Notify

Hurt = Callable[[str, Notify], str]


def by_component(menu: Mapping[str, Fault] = MENU) -> dict[str, list[Fault]]:
    """The faults of each node."""
    found: dict[str, list[Fault]] = {}
    for fault in menu.values():
        found.setdefault(fault.component, []).append(fault)
    return found


class FaultPanel:
    """A row of the panel: which fault, the button, and below it what is said of it.

    A fault takes a while, so it runs in a thread of its own; only one runs at a time.

    Args:
        hurt: Does the fault with this name; is given what to tell progress to, and returns what happened.
    """

    def __init__(self, hurt: Hurt) -> None:
        self._hurt = hurt
        self._faults = by_component()
        self._busy = threading.Lock()
        self._choice = ipywidgets.Dropdown(options=[], description="What to break")
        self._button = ipywidgets.Button(description="Break it", tooltip="Do this to the running pipeline")
        self._said = ipywidgets.HTML()
        self._choice.observe(self._explain, names="value")
        self._button.on_click(self._clicked)
        row = ipywidgets.HBox([self._choice, self._button])
        self.widget = ipywidgets.VBox([row, self._said]).add_class("rt-breaker")
        self.show(None)

    def show(self, component: str | None) -> bool:
        """Offer the faults of a node; False for a node that has none."""
        faults: Sequence[Fault] = self._faults.get(component or "", ())
        if faults and not self._busy.locked():
            self._choice.options = [(one.title, one.name) for one in faults]
            self._choice.value = faults[0].name
            self._explain(None)
        return bool(faults)

    @property
    def said(self) -> str:
        """What stands below the button, as HTML."""
        return str(self._said.value)

    def _explain(self, _: object) -> None:
        if self._choice.value and not self._busy.locked():
            self._tell(MENU[self._choice.value].expect)

    def _tell(self, text: str) -> None:
        self._said.value = f'<p class="rt rt-expect">{escape(text)}</p>'

    def _clicked(self, _: object) -> None:
        if self._choice.value and self._busy.acquire(blocking=False):
            self._button.disabled = True
            threading.Thread(target=self._run, args=(self._choice.value,), name="fault", daemon=True).start()

    def _run(self, name: str) -> None:
        expected, seen = MENU[name].expect, list[str]()

        def notify(line: str) -> None:
            seen.append(line.strip())
            self._tell(f"{expected}  — Now: {seen[-1]}")

        try:
            self._tell(self._hurt(name, notify))
        except RtlibError as error:
            self._tell(str(error))
        finally:
            self._button.disabled = False
            self._busy.release()
