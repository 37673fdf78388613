"""Drawers: what can be opened below the panel of a part, each behind a button beside the list of parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import ipywidgets


class Drawer(Protocol):
    """Something that can be opened below the panel."""

    widget: ipywidgets.Widget

    def show(self, component: str | None) -> bool:
        """Turn to a part (None: the whole pipeline); False where there is nothing to open."""


class Drawers:
    """One button for each drawer; at most one is open, for the panel has little room on a projector.

    Args:
        drawers: By the words on the button.
    """

    def __init__(self, drawers: Mapping[str, Drawer]) -> None:
        self._drawers = {ipywidgets.ToggleButton(description=words): one for words, one in drawers.items()}
        for button, drawer in self._drawers.items():
            drawer.widget.add_class("rt-drawer")
            button.observe(self._toggled, names="value")
        self.buttons = ipywidgets.HBox(list(self._drawers)).add_class("rt-openers")
        self.show(None)

    @property
    def widgets(self) -> list[ipywidgets.Widget]:
        """What is opened, to be laid below the panel."""
        return [drawer.widget for drawer in self._drawers.values()]

    def show(self, component: str | None) -> None:
        """Turn every drawer to a part; one that has nothing for it is closed and loses its button."""
        for button, drawer in self._drawers.items():
            offered = drawer.show(component)
            button.layout.display = "" if offered else "none"
            button.value = button.value and offered
            self._lay(button)

    def _toggled(self, change: dict[str, Any]) -> None:
        for button in self._drawers:
            if change["new"] and button is not change["owner"]:
                button.value = False
        self._lay(change["owner"])

    def _lay(self, button: ipywidgets.ToggleButton) -> None:
        self._drawers[button].widget.layout.display = "" if button.value else "none"
