"""Drawers: content that opens below the panel of a part, each behind a button beside the list of parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import ipywidgets


class Drawer(Protocol):
    """Content that opens below the panel."""

    widget: ipywidgets.Widget

    def show(self, component: str | None) -> bool:
        """Show the content for a part (None: the whole pipeline); False if there is none."""


class Drawers:
    """One button for each drawer; at most one drawer is open, because the panel has little room on a projector.

    Args:
        drawers: The drawers, by the text of their button.
    """

    def __init__(self, drawers: Mapping[str, Drawer]) -> None:
        self._drawers = {ipywidgets.ToggleButton(description=text): drawer for text, drawer in drawers.items()}
        for button, drawer in self._drawers.items():
            drawer.widget.add_class("rt-drawer")
            button.observe(self._toggled, names="value")
        self.buttons = ipywidgets.HBox(list(self._drawers)).add_class("rt-openers")
        self.show(None)

    @property
    def widgets(self) -> list[ipywidgets.Widget]:
        """The content of all drawers, to be laid out below the panel."""
        return [drawer.widget for drawer in self._drawers.values()]

    def show(self, component: str | None) -> None:
        """Show every drawer's content for a part; a drawer without content closes and its button disappears."""
        for button, drawer in self._drawers.items():
            has_content = drawer.show(component)
            button.layout.display = "" if has_content else "none"
            button.value = button.value and has_content
            self._open_or_close(button)

    def _toggled(self, change: dict[str, Any]) -> None:
        for button in self._drawers:
            if change["new"] and button is not change["owner"]:
                button.value = False
        self._open_or_close(change["owner"])

    def _open_or_close(self, button: ipywidgets.ToggleButton) -> None:
        self._drawers[button].widget.layout.display = "" if button.value else "none"
