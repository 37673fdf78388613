"""Chart: lines and bands over time as inline SVG, in the colours of the page, light or dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from html import escape

from rtlib import formatting

WIDTH, HEIGHT = 900.0, 186.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 10.0, 22.0
HOURS = (1, 2, 3, 6, 12, 24)
MAX_PLAIN_AXIS_VALUE = 100_000  # larger values have an exponent
QUARTER = timedelta(minutes=15)  # the clocks of every zone show a whole hour at a multiple of it in UTC
HALF_LABEL = 22.0  # half the width of the widest label of the horizontal axis


@dataclass(frozen=True, slots=True)
class Line:
    """A line: a value for each time, None where there is none; ``style`` is a class of the style sheet."""

    name: str
    style: str
    times: Sequence[datetime]
    values: Sequence[float | None]
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """The area between two lines."""

    name: str
    style: str
    times: Sequence[datetime]
    low: Sequence[float]
    high: Sequence[float]


def chart(
    title: str, unit: str, layers: Sequence[Line | Band], *, now: datetime | None = None, zone: tzinfo = UTC
) -> str:
    """Draw layers on top of each other, the first at the bottom, with a legend.

    Args:
        title: The title; also the text for a screen reader.
        unit: The unit of the vertical axis, which begins at 0.
        layers: What to draw; if they contain no time, a sentence is shown instead.
        now: A time to mark with a vertical line if it is within the range.
        zone: The time zone of the labels.
    """
    times = [time for layer in layers for time in layer.times]
    if not times:
        return f'<div class="rt rt-chart"><h3>{escape(title)}</h3><p>Nothing to draw yet.</p></div>'
    frame = _Frame(min(times), max(times), max([1.0, *_tops(layers)]))
    parts = [*_grid(frame, zone), *(_drawn(layer, frame) for layer in layers), *_now(frame, now)]
    legend = "".join(f'<li><i class="{escape(layer.style)}"></i>{escape(layer.name)}</li>' for layer in layers)
    return (
        f'<div class="rt rt-chart"><h3>{escape(title)} <span class="rt-unit">{escape(unit)}</span></h3>'
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'
        f'<ul class="rt-legend">{legend}</ul></div>'
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    begin: datetime
    end: datetime
    top: float

    def x(self, time: datetime) -> float:
        span = max((self.end - self.begin).total_seconds(), 1.0)
        return LEFT + (time - self.begin).total_seconds() / span * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """The height of a value; a value that is not finite is drawn at the bottom."""
        value = formatting.finite(value) or 0.0
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


def _tops(layers: Sequence[Line | Band]) -> Iterator[float]:
    for layer in layers:
        values = layer.high if isinstance(layer, Band) else layer.values
        yield from (value for value in map(formatting.finite, values) if value is not None)


def _drawn(layer: Line | Band, frame: _Frame) -> str:
    if isinstance(layer, Band):
        upper, lower = (
            [f"{frame.x(at):.1f},{frame.y(value):.1f}" for at, value in zip(layer.times, edge, strict=True)]
            for edge in (layer.high, layer.low)
        )
        return f'<polygon class="{escape(layer.style)}" points="{" ".join([*upper, *reversed(lower)])}"/>'
    path, pen, height = "", "M", 0.0
    for at, value in zip(layer.times, layer.values, strict=True):
        if value is None or formatting.finite(value) is None:
            pen = "M"
            continue
        if layer.stepped and pen == "L":
            path += f"L{frame.x(at):.1f} {height:.1f}"
        height = frame.y(value)
        path += f"{pen}{frame.x(at):.1f} {height:.1f}"
        pen = "L"
    return f'<path class="{escape(layer.style)}" d="{path}"/>'


def _grid(frame: _Frame, zone: tzinfo) -> Iterator[str]:
    for value in _round_values(frame.top):
        y = frame.y(value)
        yield f'<path class="rt-rule" d="M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}"/>'
        yield f'<text x="{LEFT - 6:g}" y="{y + 4:.1f}" text-anchor="end">{_axis(value)}</text>'
    hours = (frame.end - frame.begin).total_seconds() / 3600
    step = next((candidate for candidate in HOURS if hours / candidate <= 10), 24)
    at = frame.begin.replace(minute=0, second=0, microsecond=0)
    while at <= frame.end:
        local = at.astimezone(zone)
        if at >= frame.begin and local.minute == 0 and local.hour % step == 0:
            label = f"{local:%a %d}" if local.hour == 0 else f"{local:%H:%M}"
            x = min(max(frame.x(at), LEFT + HALF_LABEL), WIDTH - RIGHT - HALF_LABEL)  # neither below the 0 nor cut off
            yield f'<text x="{x:.1f}" y="{HEIGHT - 6:g}" text-anchor="middle">{label}</text>'
        at += QUARTER


def _axis(value: float) -> str:
    """A number short enough for the axis, with all its digits as a tooltip."""
    return f"{formatting.format_number(value, longest=MAX_PLAIN_AXIS_VALUE)}<title>{formatting.whole(value)}</title>"


def _round_values(top: float) -> list[float]:
    """About four round values from 0 upwards."""
    size: float = 10 ** math.floor(math.log10(top / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if top / (size * factor) <= 5)
    return [step * number for number in range(int(top / step) + 1)]


def _now(frame: _Frame, now: datetime | None) -> Iterator[str]:
    if now is not None and frame.begin <= now <= frame.end:
        yield f'<path class="rt-now" d="M{frame.x(now):.1f} {TOP:g}V{HEIGHT - BOTTOM:g}"><title>now</title></path>'
