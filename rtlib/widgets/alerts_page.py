"""Calls: the page of alerts: messages, what one can do about them, the mutes that hold, and the cards themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Protocol

import ipywidgets

from rtlib import formatting
from rtlib.errors import RtlibError
from rtlib.widgets.ask_panel import Ask, AskPanel

UNSENT = "undelivered"


class Outbox(Protocol):
    """What the page reads and does (``rtlib.pipeline.page_data.PageData`` is one)."""

    @property
    def receiver(self) -> str | None: ...  # noqa: D102
    def alerts(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def mutes(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def acknowledge(self, key: str) -> None: ...  # noqa: D102
    def mute(self, site: str, rule: str, *, hours: float) -> None: ...  # noqa: D102
    def unmute(self, site: str, rule: str) -> None: ...  # noqa: D102
    def send_again(self, key: str) -> None: ...  # noqa: D102


class AlertsPage:
    """The page of alerts: the newest messages, buttons that see to one, and the cards as they look there.

    Args:
        shown: Where to read, and what the buttons do.
        changed: Called after a button, so that the list is read again.
        ask: Answers questions about the alert that is chosen.
    """

    def __init__(self, shown: Outbox, *, changed: Callable[[], None], ask: Ask | None = None) -> None:
        self._shown, self._changed = shown, changed
        self._rows: list[dict[str, Any]] = []
        self.trouble = ipywidgets.HTML()
        self._choice = ipywidgets.Dropdown(options=[("No alert yet", "")], description="Alert")
        self._seen = ipywidgets.Button(description="Acknowledge", tooltip="Somebody has seen to this alert")
        self._mute = ipywidgets.Button(description="Mute for 1 hour", tooltip="Call nobody for this rule at this site")
        self._again = ipywidgets.Button(description="Send again", tooltip="The card did not arrive: send it once more")
        self._list, self._muted = ipywidgets.HTML(), ipywidgets.VBox([])
        self._mutes: list[dict[str, Any]] = []
        self._filling = False
        self._seen.on_click(lambda _: self._do(lambda row: shown.acknowledge(row["alert_key"])))
        self._mute.on_click(lambda _: self._do(lambda row: shown.mute(row["site"], row["rule"], hours=1)))
        self._again.on_click(lambda _: self._do(lambda row: shown.send_again(row["alert_key"])))
        bar = ipywidgets.HBox([self._choice, self._seen, self._mute, self._again]).add_class("rt-calls-bar")
        rows = [bar, self.trouble, self._muted, self._list]
        self._asker = AskPanel(ask) if ask else None
        if self._asker:
            rows.append(self._asker.widget)
        self._choice.observe(lambda _: self._turn(), names="value")
        self._turn()
        left = ipywidgets.VBox(rows).add_class("rt-calls-list")
        self.widget = ipywidgets.HBox([left, ipywidgets.HTML(_frame(shown.receiver)).add_class("rt-calls-cards")])

    def read(self) -> str:
        """Show the newest messages; returns what is wrong, which is nothing."""
        self._rows = self._shown.alerts()
        self._list.value = messages(self._rows)
        raised = [one for one in self._rows if one["change"] == "raised" and one["acknowledged_at"] is None]
        self._fill([(f"{one['title']}, {one['raised_at']:%H:%M}", one["alert_key"]) for one in raised])
        self._offer()
        self._show_mutes(self._shown.mutes())
        return ""

    def _fill(self, options: list[tuple[str, str]]) -> None:
        """Put these alerts to choose from; the one that is chosen stays so while it is among them."""
        options, chosen = options or [("No alert to see to", "")], self._choice.value
        if tuple(self._choice.options) == tuple(options):
            return
        self._filling = True  # new options choose the first of them for a moment, which would take an answer away
        try:
            self._choice.options = options
            self._choice.value = chosen if chosen in [key for _, key in options] else options[0][1]
        finally:
            self._filling = False
        self._turn()

    def _offer(self) -> None:
        """Let only those buttons be pressed that would do something to the chosen alert."""
        row = self._chosen()
        self._seen.disabled = self._mute.disabled = row is None
        self._again.disabled = row is None or row["status"] != UNSENT

    def _show_mutes(self, mutes: list[dict[str, Any]]) -> None:
        """A line and a button for each mute that holds; nothing is made anew while they are the same."""
        if mutes != self._mutes:
            self._mutes, self._muted.children = mutes, [self._mute_line(one) for one in mutes]

    def _mute_line(self, mute: Mapping[str, Any]) -> ipywidgets.HBox:
        told = ipywidgets.HTML(f'<div class="rt">{escape(mute["title"])}: muted until {mute["until"]:%H:%M} UTC</div>')
        button = ipywidgets.Button(description="Unmute", tooltip=f"Call people again: {mute['title']}")
        button.on_click(lambda _: self._try(lambda: self._shown.unmute(mute["site"], mute["rule"])))
        return ipywidgets.HBox([told, button]).add_class("rt-calls-bar").add_class("rt-calls-mute")

    def _chosen(self) -> dict[str, Any] | None:
        return next((one for one in self._rows if one["alert_key"] == self._choice.value), None)

    def _turn(self) -> None:
        if self._filling:
            return
        self._offer()
        if self._asker is None:
            return
        key = self._choice.value
        self._asker.show(f"alert:{key}" if key else None)
        self._asker.widget.layout.display = "" if key else "none"

    def _do(self, work: Callable[[dict[str, Any]], None]) -> None:
        row = self._chosen()
        if row is not None:
            self._try(lambda: work(row))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self.trouble.value = failed(error)
        else:
            self._changed()  # after a failure too this would read the list, and the words would be gone at once


def failed(error: Exception) -> str:
    """What could not be read or done, in the error's own words if it is one of ours."""
    told = str(error) if isinstance(error, RtlibError) else f"{type(error).__name__}: {error}"[:300]
    return f'<p class="rt rt-trouble" role="alert">{escape(told)}</p>'


def messages(rows: Sequence[Mapping[str, Any]]) -> str:
    """The newest messages as a table."""
    if not rows:
        return '<div class="rt"><p>Nobody was called yet: no KPI stayed behind its threshold.</p></div>'
    told = "".join(
        f'<tr class="rt-{escape(one["change"])}"><td>{one["judged_at"]:%H:%M}</td><td>{_word(one)}</td>'
        f'<td>{escape(one["title"])}</td><td title="{_whole(one)}">{escape(_value(one))}</td>'
        f"<td>{escape(_delivery(one))}</td></tr>"
        for one in rows
    )
    head = "<tr><th>UTC</th><th></th><th>What</th><th>Value</th><th>Card</th></tr>"
    return f'<div class="rt"><table class="rt-table">{head}{told}</table></div>'


def _frame(receiver: str | None) -> str:
    if receiver is None:
        return '<p class="rt">The cards are in your Teams channel.</p>'
    return f'<iframe src="{escape(receiver)}" title="The cards, as the channel shows them"></iframe>'


def _word(row: Mapping[str, Any]) -> str:
    if row["change"] == "recovered":
        return "✓ over"
    return "▲ look" if row["severity"] == "warning" else "■ act now"


def _value(row: Mapping[str, Any]) -> str:
    gone = row["evidence"].get("unmeasured_since")
    return "no longer measured" if gone else formatting.format_quantity(row["value"], row["unit"])


def _whole(row: Mapping[str, Any]) -> str:
    return "" if row["evidence"].get("unmeasured_since") else formatting.whole(row["value"])


def _delivery(row: Mapping[str, Any]) -> str:
    seen = ", seen to" if row["acknowledged_at"] else ""
    return f"{row['status']}{': ' + row['reason'] if row['reason'] else ''}{seen}"
