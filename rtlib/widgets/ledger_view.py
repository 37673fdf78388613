"""Ledger view: the ledger as a table, taken when a button is pressed."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets

from rtlib import ledger as ledgers
from rtlib.errors import RtlibError
from rtlib.ledger import Ledger, Verdict
from rtlib.widgets.theme import css

VERDICT_STYLES = {Verdict.RECONCILES: "healthy", Verdict.NOT_FINAL: "degraded", Verdict.DIFFERS: "stopped"}


def table(ledger: Ledger, *, verdict: str = "") -> str:
    """A ledger as HTML: the verdict, each count with its meaning, and every lost or doubled event.

    Args:
        ledger: The ledger.
        verdict: The verdict in other words than on the command line.
    """
    rows = "".join(
        f'<tr class="{"rt-wrong" if count and name in ("lost", "doubled") else ""}"><th>{escape(name.strip())}</th>'
        f"<td>{count:,}</td><td>{escape(meaning)}</td></tr>"
        for name, count, meaning in ledgers.rows(ledger)
    )
    events = [*ledger.lost_events, *ledger.doubled_events]
    findings = [f"{event.event_id or '?'} ({event.producer_id} #{event.sequence}): {event.why}" for event in events]
    findings += [*ledger.differences, *ledgers.waiting(ledger)]
    items = "".join(f"<li>{escape(finding)}</li>" for finding in findings)
    style = VERDICT_STYLES[ledger.verdict]
    return (
        f'<div class="rt rt-ledger"><p class="rt-banner rt-{style}">{escape(verdict or ledgers.verdict(ledger))}</p>'
        f"<table>{rows}</table><ul>{items}</ul></div>"
    )


def ledger_view(take: Callable[[], Ledger]) -> ipywidgets.Widget:
    """A button and the ledger below it; the first ledger is taken immediately.

    Args:
        take: Takes the ledger, for example ``lambda: rtlib.ledger.take(settings)``.
    """
    button, content = ipywidgets.Button(description="Take the ledger", icon=""), ipywidgets.HTML()

    def refresh(_: object = None) -> None:
        button.disabled = True
        try:
            content.value = table(take())
        except RtlibError as error:
            content.value = f'<p class="rt">{escape(str(error))}</p>'
        finally:
            button.disabled = False

    button.on_click(refresh)
    refresh()
    return ipywidgets.VBox([ipywidgets.HTML(css()), button, content])
