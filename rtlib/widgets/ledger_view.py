"""Proof: the ledger as a table, taken at the press of a button."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import ipywidgets

from rtlib import ledger as ledgers
from rtlib.errors import RtlibError
from rtlib.ledger import Ledger, Verdict
from rtlib.widgets.theme import css

TONES = {Verdict.RECONCILES: "healthy", Verdict.NOT_FINAL: "degraded", Verdict.DIFFERS: "stopped"}


def table(ledger: Ledger) -> str:
    """A ledger as HTML: each count with its meaning, what is lost or doubled by name, and the verdict."""
    rows = "".join(
        f'<tr class="{"rt-wrong" if count and name in ("lost", "doubled") else ""}"><th>{escape(name.strip())}</th>'
        f"<td>{count:,}</td><td>{escape(what)}</td></tr>"
        for name, count, what in ledgers.rows(ledger)
    )
    entries = [*ledger.lost_events, *ledger.doubled_events]
    named = [f"{one.event_id or '?'} ({one.producer_id} #{one.sequence}): {one.why}" for one in entries]
    wrong = "".join(f"<li>{escape(one)}</li>" for one in [*named, *ledger.differences, *ledgers.waiting(ledger)])
    tone = TONES[ledger.verdict]
    return (
        f'<div class="rt rt-ledger"><p class="rt-banner rt-{tone}">{escape(ledgers.verdict(ledger))}</p>'
        f"<table>{rows}</table><ul>{wrong}</ul></div>"
    )


def ledger_view(take: Callable[[], Ledger]) -> ipywidgets.Widget:
    """A button and the ledger below it; it is taken once at the start.

    Args:
        take: Takes the ledger, as ``lambda: rtlib.ledger.take(settings)``.
    """
    button, shown = ipywidgets.Button(description="Take the ledger", icon=""), ipywidgets.HTML()

    def refresh(_: object = None) -> None:
        button.disabled = True
        try:
            shown.value = table(take())
        except RtlibError as error:
            shown.value = f'<p class="rt">{escape(str(error))}</p>'
        finally:
            button.disabled = False

    button.on_click(refresh)
    refresh()
    return ipywidgets.VBox([ipywidgets.HTML(css()), button, shown])
