"""Canvas: the positions of the graph's elements and their cytoscape style; plain data, no widgets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import hypot
from typing import Any

from rtlib.components import LAYERS, Component
from rtlib.widgets.theme import CANVAS_FONT, DOWNSTREAM, GREY, INK, RUST, STATUS_STYLES, UPSTREAM

COLUMN, ROW = 170, 150  # distance between the centres of two cards, in the graph's units
WIDTH, HEIGHT = 150, 86  # large enough for every title in DejaVu Sans, the widest font in use
CORNER = 24  # of a path that turns beside a card
GROUND = "_ground"
TITLES = {"stream": "Stream compute", "models": "Marts and models"}

Place = tuple[float, float]
Rule = dict[str, Any]


def places(components: Sequence[Component]) -> dict[str, Place]:
    """The centre of each card: the layer is the column, the row is the height."""
    used = _layers(components)
    return {part.id: (used.index(part.layer) * COLUMN, part.row * ROW) for part in components}


def _layers(components: Sequence[Component]) -> list[str]:
    return [layer for layer in LAYERS if any(part.layer == layer for part in components)]


def elements(components: Sequence[Component]) -> Iterator[tuple[dict[str, Any], Place]]:
    """Every element as its data and its place: the ground, the titles of the columns, then four for each component.

    The ground is an invisible node behind all others. It receives the clicks that clear the selection, and gives the
    picture a fixed frame, so that fitting it to the page always gives the same positions.
    """
    at = places(components)
    left, right = min(x for x, _ in at.values()) - WIDTH / 2, max(x for x, _ in at.values()) + WIDTH / 2
    top, bottom = min(y for _, y in at.values()) - HEIGHT / 2 - 34, max(y for _, y in at.values()) + HEIGHT / 2
    size = {"width": right - left + 24, "height": bottom - top + 22}
    yield {"id": GROUND, "kind": "ground", **size}, ((left + right) / 2, (top + bottom) / 2)
    for column, layer in enumerate(_layers(components)):
        title = TITLES.get(layer, layer.capitalize())
        yield {"id": f"_{layer}", "kind": "layer", "title": title}, (column * COLUMN, top + 6)
    for part in components:
        x, y = at[part.id]
        yield {"id": part.id, "kind": "card"}, (x, y)
        yield {"id": f"{part.id}:number", "kind": "number"}, (x, y + 4)
        yield {"id": f"{part.id}:note", "kind": "note"}, (x, y + 27)
        yield {"id": f"{part.id}:badge", "kind": "badge"}, (x - WIDTH / 2 + 2, y - HEIGHT / 2 + 2)


def stylesheet(components: Sequence[Component]) -> list[Rule]:
    """The whole style of the graph; later rules override earlier ones."""
    return [*_base(), *_kinds(), *_statuses(), *_routes(components), *_flows(), *_focuses()]


# On a plate, because an edge may run behind its text.
_RATE: Rule = {
    "font_family": CANVAS_FONT, "font_size": 13, "font_weight": 600, "color": INK, "text_background_color": "#ffffff",
    "text_background_opacity": 0.92, "text_background_padding": "3px", "text_background_shape": "round-rectangle",
}  # fmt: skip


def _rule(selector: str, **style: Any) -> Rule:
    return {"selector": selector, "style": {name.replace("_", "-"): value for name, value in style.items()}}


def _base() -> list[Rule]:
    text = {"font_family": CANVAS_FONT, "text_valign": "center", "text_halign": "center", "color": INK}
    bare = {"shape": "rectangle", "background_opacity": 0, "border_width": 0, "width": 1, "height": 1}
    return [
        _rule("node", label="data(title)", events="no", overlay_opacity=0, **bare, **text),
        _rule("edge", label="data(rate)", events="yes", overlay_opacity=0, **_RATE),
    ]


def _kinds() -> list[Rule]:
    card = {"shape": "round-rectangle", "width": WIDTH, "height": HEIGHT, "background_opacity": 1, "events": "yes"}
    return [
        _rule('[kind="ground"]', events="yes", width="data(width)", height="data(height)", z_index=0),
        _rule('[kind="layer"]', font_size=14, font_weight=600, color=GREY),
        _rule('[kind="card"]', font_size=16, font_weight=600, text_margin_y=-21, z_index=10, **card),
        _rule('[kind="number"]', font_size=16.5, z_index=11),
        _rule('[kind="note"]', font_size=12, color=GREY, z_index=11, text_wrap="ellipsis", text_max_width=WIDTH - 8),
        _rule(
            '[kind="badge"]', width=20, height=20, background_opacity=1, font_size=13, font_weight=700,
            color="#ffffff", z_index=12,
        ),
    ]  # fmt: skip


def _statuses() -> list[Rule]:
    rules: list[Rule] = []
    for status, style in STATUS_STYLES.items():
        border = {"border_color": style.colour, "border_style": style.border, "border_width": style.width}
        rules.append(_rule(f'[kind="card"][status="{status.value}"]', background_color=style.fill, **border))
        rules.append(
            _rule(f'[kind="badge"][status="{status.value}"]', background_color=style.colour, shape=style.shape)
        )
    return [
        *rules,
        _rule('[kind="badge"][status="degraded"]', width=26, height=23, text_margin_y=3),
        _rule('[kind="badge"][status="unknown"]', width=25, height=25),
        _rule('[kind="badge"][status="planned"]', background_opacity=0),
        _rule('[kind="card"][status="planned"], [kind="card"][status="idle"]', color=GREY, text_margin_y=-9),
        _rule('[kind="note"][status="planned"], [kind="note"][status="idle"]', text_margin_y=-15),
        _rule('[kind="number"][stale="yes"]', color="#7b8694"),
        _rule('[kind="note"][stale="yes"], [kind="note"][status="stopped"]', color=RUST, font_weight=600),
    ]


def _routes(components: Sequence[Component]) -> list[Rule]:
    at = places(components)
    line = {"width": 2, "curve_style": "straight", "z_index": 1}
    arrow = {"target_arrow_shape": "triangle", "arrow_scale": 1.05}
    own = [_rule(f'edge[id="{a}>{b}"]', **route(at[a], at[b])) for a, b in _pairs(components)]
    return [_rule("edge", **line, **arrow), *own]


def _pairs(components: Sequence[Component]) -> list[tuple[str, str]]:
    return [(source, part.id) for part in components for source in part.upstream]


def route(start: Place, end: Place) -> dict[str, Any]:
    """The path of an edge: to the right as an S, within a column from edge to edge, to the left from below.

    An edge that passes whole columns uses the lane between two rows, so that it does not run behind their cards.
    """
    (x1, y1), (x2, y2) = start, end
    if x1 == x2:
        return {"source_endpoint": "180deg", "target_endpoint": "0deg"} if y2 > y1 else {
            "source_endpoint": "0deg", "target_endpoint": "180deg"
        }  # fmt: skip
    if x2 < x1:
        return {"source_endpoint": "180deg", "target_endpoint": "90deg", **_bent(start, end, [(x1, y2)])}
    sides = {"source_endpoint": "90deg", "target_endpoint": "270deg"}
    if x2 - x1 > COLUMN and y1 != y2:
        lane = y1 + (ROW if y2 > y1 else -ROW) / 2
        out, back = x1 + COLUMN / 2, x2 - COLUMN / 2
        near = CORNER if y2 > y1 else -CORNER
        corner = [(back - CORNER, lane), (back, lane), (back, lane + near)]  # tight: a card is beside it
        return {**sides, **_bent(start, end, [(out, y1), (out, lane), *corner, (back, y2)])}
    middle = (x1 + x2) / 2
    return sides if y1 == y2 else {**sides, **_bent(start, end, [(middle, y1), (middle, y2)])}


def _bent(start: Place, end: Place, through: Sequence[Place]) -> dict[str, Any]:
    """Control points in cytoscape's form: the share of the straight line, and the distance from it."""
    (ax, ay), (bx, by) = start, end
    dx, dy = bx - ax, by - ay
    length = hypot(dx, dy)
    along = [((x - ax) * dx + (y - ay) * dy) / length**2 for x, y in through]
    beside = [((x - ax) * -dy + (y - ay) * dx) / length for x, y in through]
    return {
        "curve_style": "unbundled-bezier",
        "edge_distances": "node-position",
        "control_point_weights": [round(weight, 4) for weight in along],
        "control_point_distances": [round(distance, 2) for distance in beside],
    }


def _flows() -> list[Rule]:
    looks: Mapping[str, tuple[str, str, float]] = {
        "flow": ("#7f93a8", "solid", 2.2),
        "still": ("#a3aebb", "dashed", 2.0),
        "planned": ("#b3bcc7", "dotted", 1.8),
    }
    return [
        _rule(f'edge[flow="{name}"]', line_color=colour, target_arrow_color=colour, line_style=style, width=width)
        for name, (colour, style, width) in looks.items()
    ]


def _focuses() -> list[Rule]:
    return [
        _rule('[focus="dim"]', opacity=0.22),
        _rule('[kind="card"][focus="self"]', border_color=INK, border_width=4, border_style="solid"),
        _rule('edge[focus="up"]', line_color=UPSTREAM, target_arrow_color=UPSTREAM, width=3.2, z_index=5),
        _rule('edge[focus="down"]', line_color=DOWNSTREAM, target_arrow_color=DOWNSTREAM, width=3.2, z_index=5),
    ]
