"""Report: pages and visuals as PBIR, the JSON format of Power BI reports. Pure.

Format: the schemas that each file names in ``$schema``. Only built-in visuals are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rtlib.bi.spec import MEASURES, PAGES, Page, Visual
from rtlib.bi.tmdl import identity

WIDTH, HEIGHT = 1280, 720
BASE = "https://developer.microsoft.com/json-schemas/fabric/item/report"
VERSIONS = {
    "report": "3.0.0",
    "page": "2.0.0",
    "pagesMetadata": "1.0.0",
    "visualContainer": "2.0.0",
    "versionMetadata": "1.0.0",
}
TYPES = {"card": "card", "line": "lineChart", "column": "clusteredColumnChart", "table": "tableEx", "slicer": "slicer"}
THEME = "rtlib.json"
# The app's colours, from the Okabe-Ito set; the background is white, as in the app's light theme.
COLOURS = ["#0068A8", "#007556", "#8A3F9C", "#B06A00", "#56B4E9", "#C2410C", "#5F6B7A", "#CC79A7"]


def files() -> dict[str, Any]:
    """Every file of the report's ``definition`` folder and its theme, by its path below the report's folder."""
    contents: dict[str, Any] = {
        "definition/version.json": {"$schema": _schema("versionMetadata"), "version": "2.0.0"},
        "definition/report.json": _report(),
        "definition/pages/pages.json": {
            "$schema": _schema("pagesMetadata"),
            "pageOrder": [page.name for page in PAGES],
            "activePageName": PAGES[0].name,
        },
        f"StaticResources/RegisteredResources/{THEME}": theme(),
    }
    for page in PAGES:
        contents[f"definition/pages/{page.name}/page.json"] = _page(page)
        for order, visual in enumerate(page.visuals):
            contents[f"definition/pages/{page.name}/visuals/{visual.name}/visual.json"] = _visual(visual, order)
    return contents


def theme() -> dict[str, Any]:
    """The theme of the app: the same colours and fonts."""
    return {
        "name": "rtlib",
        "dataColors": COLOURS,
        "background": "#FFFFFF",
        "foreground": "#1C2733",
        "tableAccent": "#0068A8",
        "good": "#007556",
        "neutral": "#8A5200",
        "bad": "#AB370A",
        "textClasses": {"label": {"fontFace": "Segoe UI", "fontSize": 11, "color": "#1C2733"}},
    }


def _schema(name: str) -> str:
    return f"{BASE}/definition/{name}/{VERSIONS[name]}/schema.json"


def _report() -> dict[str, Any]:
    imported = {"visual": VERSIONS["visualContainer"], "report": VERSIONS["report"], "page": VERSIONS["page"]}
    item = {"name": THEME, "path": THEME, "type": "CustomTheme"}
    return {
        "$schema": _schema("report"),
        "themeCollection": {
            "customTheme": {"name": THEME, "reportVersionAtImport": imported, "type": "RegisteredResources"}
        },
        "resourcePackages": [{"name": "RegisteredResources", "type": "RegisteredResources", "items": [item]}],
    }


def _page(page: Page) -> dict[str, Any]:
    content: dict[str, Any] = {
        "$schema": _schema("page"),
        "name": page.name,
        "displayName": page.title,
        "displayOption": "FitToPage",
        "height": HEIGHT,
        "width": WIDTH,
    }
    if page.refresh_seconds:
        refresh = {"show": _literal("true"), "duration": _literal(f"'00:00:{page.refresh_seconds:02d}'")}
        content["objects"] = {"pageRefresh": [{"properties": refresh}]}
    return content


def _visual(visual: Visual, order: int) -> dict[str, Any]:
    left, top, width, height = visual.place
    position = {"x": left, "y": top, "z": order, "height": height, "width": width, "tabOrder": order}
    roles = dict(_roles(visual))
    title = {"show": _literal("true"), "text": _literal(f"'{visual.title}'")}
    return {
        "$schema": _schema("visualContainer"),
        "name": visual.name,
        "position": position,
        "visual": {
            "visualType": TYPES[visual.kind],
            "query": {"queryState": {role: {"projections": fields} for role, fields in roles.items()}},
            "visualContainerObjects": {
                "title": [{"properties": title}],
                "general": [{"properties": {"altText": _literal(f"'{visual.title}'")}}],
            },
            "drillFilterOtherVisuals": True,
        },
    }


def _roles(visual: Visual) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    measures = [_measure(name) for name in visual.measures]
    columns = [_column(visual.table, name) for name in visual.columns]
    if visual.kind in ("card", "table", "slicer"):
        category = [_column(visual.table, visual.category)] if visual.category else []
        yield "Values", [*category, *columns, *measures]
        return
    if visual.category:
        yield "Category", [_column(visual.table, visual.category)]
    if visual.series:
        yield "Series", [_column(visual.table, visual.series)]
    yield "Y", measures


def _column(table: str, name: str) -> dict[str, Any]:
    field = {"Column": {"Expression": {"SourceRef": {"Entity": table}}, "Property": name}}
    return {"field": field, "queryRef": f"{table}.{name}", "nativeQueryRef": name}


def _measure(name: str) -> dict[str, Any]:
    table = next(measure.table for measure in MEASURES if measure.name == name)
    field = {"Measure": {"Expression": {"SourceRef": {"Entity": table}}, "Property": name}}
    return {"field": field, "queryRef": f"{table}.{name}", "nativeQueryRef": name}


def _literal(value: str) -> dict[str, Any]:
    return {"expr": {"Literal": {"Value": value}}}


def platform(kind: str, name: str) -> dict[str, Any]:
    """The ``.platform`` file of an item: ``Report`` or ``SemanticModel``."""
    schema = "https://developer.microsoft.com/json-schemas/fabric/gitIntegration/platformProperties/2.0.0/schema.json"
    return {
        "$schema": schema,
        "metadata": {"type": kind, "displayName": name},
        "config": {"version": "2.0", "logicalId": identity(kind, name)},
    }
