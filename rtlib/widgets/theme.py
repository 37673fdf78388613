"""Theme: the colour, symbol, shape, border and word of each status and severity; never colour alone.

The hues are the Okabe-Ito set, which colour-blind people can distinguish ("Color Universal Design", 2008), darkened
behind text so that they are legible on a projector.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rtlib.domains import Severity
from rtlib.records import Status
from rtlib.services.voila import SHARE


@dataclass(frozen=True, slots=True)
class StatusStyle:
    """How a status is drawn.

    Attributes:
        word: The text beside the symbol.
        symbol: The character inside the badge.
        colour: Of badge and border, as #rrggbb.
        fill: Of the card, as #rrggbb.
        shape: Of the badge on the graph, as cytoscape names it.
        border: Of the card: solid, dashed, dotted or double.
        width: Of the border, in pixels.
    """

    word: str
    symbol: str
    colour: str
    fill: str
    shape: str
    border: str
    width: float


STATUS_STYLES: Mapping[Status, StatusStyle] = {
    Status.HEALTHY: StatusStyle("healthy", "✓", "#00805f", "#f2faf7", "ellipse", "solid", 1.6),
    Status.DEGRADED: StatusStyle("degraded", "!", "#b06a00", "#fff5df", "triangle", "solid", 3.5),
    Status.STOPPED: StatusStyle("stopped", "×", "#c2410c", "#fdeae1", "octagon", "double", 5),
    Status.UNKNOWN: StatusStyle("unknown", "?", "#5f6b7a", "#f1f3f5", "diamond", "dotted", 2.5),
    Status.IDLE: StatusStyle("idle", "○", "#5f6b7a", "#ffffff", "ellipse", "solid", 1.4),
    Status.PLANNED: StatusStyle("planned", "", "#8a94a3", "#ffffff", "ellipse", "dashed", 1.4),
}
SEVERITY: Mapping[Severity, str] = {
    Severity.GOOD: "✓ good",
    Severity.WATCH: "▲ watch",
    Severity.ACT: "■ act now",
    Severity.NONE: "",
}
INK, GREY, RUST = "#1c2733", "#5f6b7a", "#9a3412"
UPSTREAM, DOWNSTREAM = "#0068a8", "#8a3f9c"
HERE = Path(__file__).parent
# Fonts differ in width between machines, so text that fits on one is cut on another; the app therefore ships its font.
# A canvas keeps the widths that it measured first: it has the font only in Voilà, whose page loads it before painting.
CANVAS_FONT = '"rtlib page", "Segoe UI", "Helvetica Neue", Arial, sans-serif'
FONT = f'"rtlib cell", {CANVAS_FONT}'
FONT_FILE = SHARE / "voila" / "templates" / "rtlib" / "static" / "roboto.woff2"


@cache
def css() -> str:
    """The style of everything around the canvas, including the font, as a ``<style>`` element."""
    font = f"data:font/woff2;base64,{b64encode(FONT_FILE.read_bytes()).decode('ascii')}"
    face = f'@font-face {{ font-family: "rtlib cell"; font-weight: 100 900; src: url("{font}") format("woff2"); }}'
    family = f".rt-app, .rt-ledger {{ --jp-ui-font-family: {FONT}; font-family: {FONT}; }}"
    return f"<style>{face}\n{family}\n{(HERE / 'style.css').read_text(encoding='utf-8')}</style>"


def badge(status: Status) -> str:
    """The symbol of a status on its colour; an outline for a planned part."""
    return f'<span class="rt-badge rt-{status.value}" aria-hidden="true">{STATUS_STYLES[status].symbol}</span>'
