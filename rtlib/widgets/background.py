"""Background: work that a button starts in a thread, once at a time, with its progress and result as text."""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape

import ipywidgets

from rtlib.errors import RtlibError
from rtlib.notify import Notify


class WorkButton:
    """A button, and its progress; the button is disabled while its work runs.

    Args:
        description: The text on the button.
        tooltip: What it does.
        work: Receives a callback for progress lines; returns the result as HTML.
        expect: What will happen, shown before the first press, as HTML.
        begins: The first progress line.

    Attributes:
        button: The button.
        text: The expected effect, the progress, and then the result, as HTML.
    """

    def __init__(
        self, description: str, tooltip: str, work: Callable[[Notify], str], *, expect: str, begins: str
    ) -> None:
        self._work, self._expect, self._begins, self._busy = work, expect, begins, threading.Lock()
        self.button = ipywidgets.Button(description=description, tooltip=tooltip).add_class("rt-work-button")
        self.text = ipywidgets.HTML(expect).add_class("rt-work-text")
        self.button.on_click(lambda _: self._clicked())

    def _clicked(self) -> None:
        if self._busy.acquire(blocking=False):
            self.button.disabled = True
            threading.Thread(target=self._run, name="work-button", daemon=True).start()

    def _run(self) -> None:
        try:
            self._progress(self._begins)
            self.text.value = self._work(self._progress)
        except Exception as error:  # the button must work again, and the error must be visible
            words = error.what if isinstance(error, RtlibError) else f"{type(error).__name__}: {error}"[:300]
            self.text.value = (
                f'{self._expect}<div class="rt"><p class="rt-failed" role="alert">{escape(words)}</p></div>'
            )
        finally:
            self.button.disabled = False
            self._busy.release()

    def _progress(self, line: str) -> None:
        bar = '<progress aria-label="Progress"></progress>'
        now = f'<div class="rt"><p class="rt-working" role="status">{bar} {escape(line.strip())}</p></div>'
        self.text.value = f"{self._expect}{now}"
