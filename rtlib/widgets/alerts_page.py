"""Alerts page: the newest alerts and buttons to handle them, the active mutes, and the cards of the channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import ipywidgets

from rtlib import formatting
from rtlib.alerts import RuleLevel
from rtlib.errors import RtlibError
from rtlib.faults import MENU
from rtlib.notify import Notify
from rtlib.widgets.alert_rules import rules_html
from rtlib.widgets.ask_panel import Ask, AskPanel
from rtlib.widgets.background import WorkButton
from rtlib.widgets.fault_panel import Inject

SURGE = MENU["surge"]
SURGE_BEGINS = "the surge runs; watch the bars below, then the channel on the right"
UNDELIVERED = "undelivered"


class Outbox(Protocol):
    """What the page reads and does (``rtlib.pipeline.page_data.PageData`` is one)."""

    @property
    def receiver(self) -> str | None: ...  # noqa: D102
    @property
    def time_zone(self) -> str: ...  # noqa: D102
    def alerts(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def mutes(self) -> list[dict[str, Any]]: ...  # noqa: D102
    def nearness(self) -> tuple[RuleLevel, ...]: ...  # noqa: D102
    def acknowledge(self, key: str) -> None: ...  # noqa: D102
    def mute(self, site: str, rule: str, *, hours: float) -> None: ...  # noqa: D102
    def unmute(self, site: str, rule: str) -> None: ...  # noqa: D102
    def send_again(self, key: str) -> None: ...  # noqa: D102


class AlertsPage:
    """The page of alerts.

    Args:
        outbox: Where to read the alerts, and what the buttons do.
        changed: Called after a button has changed something, to read the list again.
        ask: Answers questions about the selected alert.
        inject: Runs a fault of the catalog; without it there is no button for a surge.

    Attributes:
        widget: The page.
        surge: The button that makes a surge; None without ``inject``.
        trouble: The error of the last read or button, as HTML.
        ask_panel: The question and answer about the selected alert; None without ``ask``.
    """

    def __init__(
        self, outbox: Outbox, *, changed: Callable[[], None], ask: Ask | None = None, inject: Inject | None = None
    ) -> None:
        self._outbox, self._changed = outbox, changed
        self._rows: list[dict[str, Any]] = []
        self._mutes: list[dict[str, Any]] = []
        self._filling = False
        self.trouble = ipywidgets.HTML()
        self.ask_panel = AskPanel(ask) if ask else None
        self._choice = ipywidgets.Dropdown(options=[("No alert yet", "")], description="Alert")
        self._acknowledge = ipywidgets.Button(
            description="Acknowledge", tooltip="Record that a person is dealing with this alert"
        )
        self._mute = ipywidgets.Button(description="Mute for 1 hour", tooltip="Send no card for this rule at this site")
        self._send_again = ipywidgets.Button(description="Send again", tooltip="The card was not delivered: retry")
        self._list = ipywidgets.HTML('<div class="rt"><p>Alerts and rules are being read.</p></div>')
        self._rules, self._mute_list = ipywidgets.HTML(), ipywidgets.VBox([])
        self.surge = _surge_button(inject) if inject else None
        self._acknowledge.on_click(lambda _: self._do(lambda row: outbox.acknowledge(row["alert_key"])))
        self._mute.on_click(lambda _: self._do(lambda row: outbox.mute(row["site"], row["rule"], hours=1)))
        self._send_again.on_click(lambda _: self._do(lambda row: outbox.send_again(row["alert_key"])))
        self._choice.observe(lambda _: self._selection_changed(), names="value")
        self.widget = self._laid_out()
        self._bar.layout.display = "none"
        self._selection_changed()

    def _laid_out(self) -> ipywidgets.Widget:
        buttons = [self._acknowledge, self._mute, self._send_again]
        self._bar = ipywidgets.HBox([self._choice, *buttons]).add_class("rt-alerts-bar")
        rows = [self._bar, self.trouble, self._mute_list, self._list]
        if self.ask_panel:
            rows.append(self.ask_panel.widget)
        if self.surge:
            rows.append(ipywidgets.HBox([self.surge.button, self.surge.text]).add_class("rt-surge"))
        rows.append(self._rules)
        left = ipywidgets.VBox(rows).add_class("rt-alerts-list")
        cards = ipywidgets.HTML(_cards_frame(self._outbox.receiver)).add_class("rt-alerts-cards")
        return ipywidgets.HBox([left, cards])

    def read(self) -> str:
        """Show the newest alerts; returns the error text, which is empty because errors are raised."""
        self._rows = self._outbox.alerts()
        zone = self._outbox.time_zone
        self._list.value = alert_table(self._rows, zone)
        self._bar.layout.display = "" if self._rows else "none"  # without an alert there is nothing to handle
        self._rules.value = rules_html(self._outbox.nearness())
        raised = [row for row in self._rows if row["change"] == "raised" and row["acknowledged_at"] is None]
        times = [formatting.local_time(row["raised_at"], zone) for row in raised]
        self._fill([(f"{row['title']}, {time}", row["alert_key"]) for row, time in zip(raised, times, strict=True)])
        self._enable_buttons()
        self._show_mutes(self._outbox.mutes())
        return ""

    def _fill(self, options: list[tuple[str, str]]) -> None:
        """Set the alerts to choose from; the selected alert stays selected while it is among them."""
        options, selected = options or [("No open alert", "")], self._choice.value
        if tuple(self._choice.options) == tuple(options):
            return
        self._filling = True  # new options select the first for a moment, which would remove an answer
        try:
            self._choice.options = options
            self._choice.value = selected if selected in [key for _, key in options] else options[0][1]
        finally:
            self._filling = False
        self._selection_changed()

    def _enable_buttons(self) -> None:
        """Enable the buttons that would have an effect on the selected alert."""
        row = self._selected()
        self._acknowledge.disabled = self._mute.disabled = row is None
        self._send_again.disabled = row is None or row["status"] != UNDELIVERED

    def _show_mutes(self, mutes: list[dict[str, Any]]) -> None:
        """Show a line and a button for each active mute; unchanged mutes keep their widgets."""
        if mutes != self._mutes:
            self._mutes, self._mute_list.children = mutes, [self._mute_line(mute) for mute in mutes]

    def _mute_line(self, mute: Mapping[str, Any]) -> ipywidgets.HBox:
        until = formatting.local_time(mute["until"], self._outbox.time_zone)
        text = f"{escape(mute['title'])}: muted until {escape(until)}"
        button = ipywidgets.Button(description="Unmute", tooltip=f"Send cards again: {mute['title']}")
        button.on_click(lambda _: self._try(lambda: self._outbox.unmute(mute["site"], mute["rule"])))
        line = ipywidgets.HBox([ipywidgets.HTML(f'<div class="rt">{text}</div>'), button])
        return line.add_class("rt-alerts-bar").add_class("rt-alerts-mute")

    def _selected(self) -> dict[str, Any] | None:
        return next((row for row in self._rows if row["alert_key"] == self._choice.value), None)

    def _selection_changed(self) -> None:
        if self._filling:
            return
        self._enable_buttons()
        if self.ask_panel is None:
            return
        key = self._choice.value
        self.ask_panel.show(f"alert:{key}" if key else None)
        self.ask_panel.widget.layout.display = "" if key else "none"

    def _do(self, action: Callable[[dict[str, Any]], None]) -> None:
        row = self._selected()
        if row is not None:
            self._try(lambda: action(row))

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception as error:
            self.trouble.value = error_html(error)
        else:
            self._changed()  # only on success: reading the list again would remove the error at once


def _surge_button(inject: Inject) -> WorkButton:
    """The button for the fault of the catalog that raises an alert."""

    def run(notify: Notify) -> str:
        def progress(line: str) -> None:
            if SURGE.expect not in line:  # it is on the page already
                notify(line)

        return f'<div class="rt"><p>{escape(inject(SURGE.name, progress))}</p></div>'

    expect = f'<div class="rt"><p>{escape(SURGE.expect)}</p></div>'
    return WorkButton(
        "Make a surge", "Send a surge of events to a site, to see an alert", run, expect=expect, begins=SURGE_BEGINS
    )


def error_html(error: Exception) -> str:
    """An error as HTML: the message of an error of ours, else the type and the message."""
    text = str(error) if isinstance(error, RtlibError) else f"{type(error).__name__}: {error}"[:300]
    return f'<p class="rt rt-trouble" role="alert">{escape(text)}</p>'


def alert_table(rows: Sequence[Mapping[str, Any]], zone: str) -> str:
    """The newest alerts as an HTML table, with times in a time zone (IANA)."""
    if not rows:
        return (
            '<div class="rt"><h2>No alert so far</h2><p>No site has stayed beyond a threshold. An alert appears here, '
            "and its card on the right.</p></div>"
        )
    clock = ZoneInfo(zone)
    body = "".join(
        f'<tr class="rt-{escape(row["change"])}"><td>{row["judged_at"].astimezone(clock):%H:%M}</td>'
        f"<td>{_urgency(row)}</td>"
        f'<td>{escape(row["title"])}</td><td title="{_all_digits(row)}">{escape(_value(row))}</td>'
        f"<td>{escape(_delivery(row))}</td></tr>"
        for row in rows
    )
    place = escape(formatting.place_of(zone))
    head = f"<tr><th>{place} time</th><th></th><th>What</th><th>Value</th><th>Card</th></tr>"
    return f'<div class="rt"><table class="rt-table">{head}{body}</table></div>'


def _cards_frame(receiver: str | None) -> str:
    if receiver is None:
        return '<p class="rt">The cards are in your Teams channel.</p>'
    return f'<iframe src="{escape(receiver)}" title="The cards, as the channel shows them"></iframe>'


def _urgency(row: Mapping[str, Any]) -> str:
    if row["change"] == "recovered":
        return "✓ over"
    return "▲ look" if row["severity"] == "warning" else "■ act now"


def _value(row: Mapping[str, Any]) -> str:
    if row["evidence"].get("unmeasured_since"):
        return "no longer measured"
    return formatting.format_quantity(row["value"], row["unit"])


def _all_digits(row: Mapping[str, Any]) -> str:
    return "" if row["evidence"].get("unmeasured_since") else formatting.whole(row["value"])


def _delivery(row: Mapping[str, Any]) -> str:
    acknowledged = ", acknowledged" if row["acknowledged_at"] else ""
    return f"{row['status']}{': ' + row['reason'] if row['reason'] else ''}{acknowledged}"
