"""Look: the colours, symbols and styles that graph, cards and panel share; told by more than colour alone."""

from __future__ import annotations

from dataclasses import dataclass

from rtlib.graph import Severity
from rtlib.records import Status


@dataclass(frozen=True, slots=True)
class Colours:
    """Line, fill and text of something with a status."""

    line: str
    fill: str
    text: str


# The lines are from Okabe and Ito's palette, which colour-blind people can tell apart ("Color Universal Design",
# 2008); fills are light and texts dark, so that a node reads the same on a light and on a dark page.
COLOURS = {
    Status.HEALTHY: Colours("#009E73", "#e3f5ef", "#0b3d2f"),
    Status.DEGRADED: Colours("#E69F00", "#fdf3dc", "#4d3600"),
    Status.STOPPED: Colours("#D55E00", "#fce8dc", "#5a2700"),
    Status.UNKNOWN: Colours("#7b8494", "#eef0f3", "#3a4250"),
    Status.PLANNED: Colours("#a9b1bd", "#f7f8fa", "#6a7380"),
}
SYMBOLS = {
    Status.HEALTHY: "●",
    Status.DEGRADED: "▲",
    Status.STOPPED: "■",
    Status.UNKNOWN: "?",
    Status.PLANNED: "○",
}
SEVERITY = {
    Severity.GOOD: ("#009E73", "✓ good"),
    Severity.WATCH: ("#E69F00", "▲ watch"),
    Severity.ACT: ("#D55E00", "■ act"),
    Severity.NONE: ("#7b8494", ""),
}

CSS = """
<style>
.rt { font-family: system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--jp-ui-font-color1, #1f2733);
      line-height: 1.4; font-size: 14px; }
.rt h1 { font-size: 20px; font-weight: 650; margin: 0; }
.rt h2 { font-size: 18px; font-weight: 650; margin: 0 0 2px; }
.rt h3 { font-size: 11px; font-weight: 650; letter-spacing: .06em; text-transform: uppercase; margin: 7px 0 1px;
         color: var(--jp-ui-font-color2, #5b6675); }
.rt p { margin: 0 0 4px; }
.rt .top { display: flex; align-items: baseline; gap: 16px; height: 30px; overflow: hidden; white-space: nowrap; }
.rt .say { overflow: hidden; text-overflow: ellipsis; font-size: 14px; }
.rt .badge { display: inline-block; padding: 1px 9px; border-radius: 10px; font-size: 12.5px; border: 1.5px solid; }
.rt .cards { display: flex; gap: 10px; height: 92px; }
.rt .card { flex: 1 1 0; min-width: 0; border: 1px solid var(--jp-border-color2, #d9dee5); border-left: 5px solid;
            border-radius: 6px; padding: 6px 10px; overflow: hidden; background: var(--jp-layout-color1, #fff); }
.rt .card .name { font-size: 12.5px; color: var(--jp-ui-font-color2, #5b6675); white-space: nowrap; }
.rt .card .row { display: flex; align-items: flex-end; justify-content: space-between; gap: 6px; }
.rt .card .value { font-size: 23px; font-weight: 650; white-space: nowrap; font-variant-numeric: tabular-nums; }
.rt .card .unit, .rt .age { font-size: 12px; font-weight: 400; color: var(--jp-ui-font-color2, #5b6675); }
.rt .old { color: var(--jp-ui-font-color3, #9aa3af) !important; }
.rt table.kpis { border-collapse: collapse; width: 100%; }
.rt table.kpis td { padding: 1px 0; vertical-align: middle; text-align: left;
                     white-space: nowrap; height: 22px; line-height: 1.2; }
.rt table.kpis td.value { font-size: 15px; font-weight: 600; font-variant-numeric: tabular-nums; padding-left: 8px; }
.rt table.kpis td.age { text-align: right; width: 64px; }
.rt.panel { padding: 0 6px 0 4px; font-size: 13.5px; }
.rt.legend { padding: 2px 0 0 8px; font-size: 12.5px; display: flex; gap: 18px; }
.rt svg { display: block; }
.rt-graph .custom-widget, .rt-graph > * { border: none !important; resize: none !important; }
.rt-graph { border: 1px solid var(--jp-border-color2, #d9dee5); border-radius: 8px; background: #fff; }
</style>
"""
