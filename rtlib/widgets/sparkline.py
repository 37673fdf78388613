"""Sparkline: the last values of a reading as a small inline SVG."""

from __future__ import annotations

from collections.abc import Sequence

from rtlib import formatting

WIDTH, HEIGHT, EDGE = 100.0, 24.0, 2.0


def sparkline(values: Sequence[float | None], *, dim: bool = False) -> str:
    """Draw values as a line scaled to its frame; a gap stays a gap, and a constant series is a line in the middle.

    Args:
        values: Oldest first; None where nothing was measured.
        dim: Whether the numbers are old.
    """
    # A quarter of each value, because the difference of two huge values may be infinite.
    quarters = [None if value is None else value / 4 for value in map(formatting.finite, values)]
    lines = "".join(_line(run) for run in _runs(_points(quarters)))
    css = "rt-spark rt-old" if dim else "rt-spark"
    return (
        f'<svg class="{css}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" aria-hidden="true">'
        f"{lines}</svg>"
    )


def _points(values: Sequence[float | None]) -> list[tuple[float, float] | None]:
    measured = [value for value in values if value is not None]
    if not measured:
        return []
    low, span = min(measured), max(measured) - min(measured)
    step = WIDTH / max(1, len(values) - 1)
    middle, room = HEIGHT / 2, HEIGHT - 2 * EDGE
    return [
        None if value is None else (index * step, HEIGHT - EDGE - (value - low) / span * room if span else middle)
        for index, value in enumerate(values)
    ]


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if len(run) > 1]


def _line(run: Sequence[tuple[float, float]]) -> str:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in run)
    return f'<polyline points="{points}" vector-effect="non-scaling-stroke"/>'
