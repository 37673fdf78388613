"""Report: the ratios as a table, as JSON, and as a plot."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rtlib.bench.load_step import BOUNDED_SECONDS, LEVEL_SECONDS, Step
from rtlib.bench.machine_speed import Pace, told
from rtlib.validators import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUSTAINED = 8_000  # events per second that the whole pipeline should sustain on two cores
MEANS = (
    f"over the second half of each step neither path fell more than {LEVEL_SECONDS:g} s further behind, both had "
    f"everything within {BOUNDED_SECONDS:g} s of the last event, nothing was missing, and the sender kept its times"
)


@dataclass(frozen=True, slots=True)
class Ratio:
    """One ratio of two figures of the same run.

    Attributes:
        name: What is compared.
        definition: ``over`` divided by ``under``, in words.
        over, under: The two figures.
        unit: Theirs.
        wanted: What it should be.
        bound: ``at least`` or ``at most`` that; None for a figure that is only told.
        because: What a profile of the same run says about it; one that is not as wanted is then explained.
    """

    name: str
    definition: str
    over: float
    under: float
    unit: str
    wanted: float | None = None
    bound: Literal["at least", "at most"] | None = None
    because: str = ""

    @property
    def value(self) -> float:
        """The ratio; not a number where nothing was measured."""
        return self.over / self.under if self.under else float("nan")

    @property
    def holds(self) -> bool:
        """True when it is as wanted, or nothing is wanted of it."""
        if self.wanted is None:
            return True
        return self.value >= self.wanted if self.bound == "at least" else self.value <= self.wanted

    @property
    def verdict(self) -> str:
        """Whether it is as wanted, in a word: ok, explained or MISSED; empty when nothing is wanted of it."""
        if self.wanted is None:
            return ""
        return "ok" if self.holds else "explained" if self.because and math.isfinite(self.value) else "MISSED"


@dataclass(frozen=True, slots=True)
class Result:
    """All of one run: the ratios, the steps of growing load, the long steps that decide what is sustained, what came
    all at once, the load after it, the machine, and how fast it was now and then."""

    ratios: tuple[Ratio, ...]
    steps: tuple[Step, ...] = ()
    long_steps: tuple[Step, ...] = ()
    burst: Step | None = None
    after: Step | None = None
    paces: tuple[Pace, ...] = ()
    machine: str = field(default_factory=lambda: machine())
    day: str = field(default_factory=lambda: date.today().isoformat())

    @property
    def sustained(self) -> float:
        """The highest rate, in events per second, at which no path fell behind in a long step; 0 without one."""
        return max((one.rate for one in self.long_steps if one.sustained), default=0.0)

    @property
    def holds(self) -> bool:
        """True when every ratio is as wanted, or a profile says why not; and, where load was raised, the pipeline
        sustains as much as it should, catches up after a burst, and then goes on as before."""
        grown = not self.steps or self.sustained >= SUSTAINED
        whole = self.burst is None or self.burst.caught_up
        goes_on = self.after is None or self.after.sustained
        return grown and whole and goes_on and all(one.verdict != "MISSED" for one in self.ratios)

    def to_json(self) -> dict[str, Any]:
        """Everything, as plain data."""
        ratios = [
            {**asdict(one), "value": round(one.value, 3), "verdict": one.verdict, "holds": one.holds}
            for one in self.ratios
        ]
        steps = {name: [_step(one) for one in getattr(self, name)] for name in ("steps", "long_steps")}
        verdict = {"sustained": self.sustained, "sustained_wanted": SUSTAINED, "sustained_means": MEANS}
        everything: dict[str, Any] = finite({**asdict(self), "ratios": ratios, **steps, **verdict, "holds": self.holds})
        return everything


def _step(one: Step) -> dict[str, Any]:
    return {**asdict(one), "sustained": one.sustained}


def machine() -> str:
    """The machine in a few words: its system, its cores, Python and Java are told elsewhere."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def table(result: Result) -> str:
    """The ratios as text, one a line, with what each means below it."""
    lines = []
    for one in result.ratios:
        wanted = f"{one.bound} {one.wanted:g}" if one.wanted is not None else ""
        figures = f"{one.over:,.1f} / {one.under:,.1f} {one.unit}"
        lines += [
            f"{one.name:<44} {one.value:>9.2f}  {figures:<36} {wanted:<14} {one.verdict}",
            f"    {one.definition}",
        ]
        lines += [f"    {one.because}"] if one.because else []
    pace = [f"pace: {told(result.paces)}"] if result.paces else []
    return "\n".join([*lines, *_grown(result), *pace, f"{result.day}, {result.machine}"])


def _grown(result: Result) -> list[str]:
    if not result.steps:
        return []
    verdict = "ok" if result.sustained >= SUSTAINED else "MISSED"
    lines = [
        f"sustained: {result.sustained:,.0f} events/s by the whole pipeline, at least {SUSTAINED:,} {verdict}",
        f"    {MEANS}",
        *(_long(one) for one in result.long_steps),
    ]
    if burst := result.burst:
        lines.append(
            f"after {burst.rate * burst.seconds:,.0f} events at once: KPIs complete {burst.kpis_seconds:.1f} s and "
            f"archive {burst.archive_seconds:.1f} s after the last was sent, {burst.latency.missing} missing"
        )
    if after := result.after:
        lines.append(f"after that {after.rate:,.0f} events/s: p50 {after.latency.p50_ms:,.0f} ms, {_verdict(after)}")
    return lines


def _long(step: Step) -> str:
    return (
        f"    {step.rate:,.0f} events/s for {step.seconds:.0f} s: archive {step.archive_rise:+.1f} s and KPIs "
        f"{step.kpis_rise:+.1f} s over the second half; {step.archive_seconds:.1f} s and {step.kpis_seconds:.1f} s "
        f"behind at the end, {_verdict(step)}"
    )


def _verdict(step: Step) -> str:
    return "ok" if step.sustained else f"MISSED: {' and '.join(step.troubles)}"


def save(result: Result, folder: Path, *, notify: Callable[[str], None]) -> None:
    """Write the table, the JSON and the plots into a folder."""
    paths = plot(result, folder)
    plain = json.dumps(result.to_json(), indent=1, allow_nan=False)
    for name, text in (("bench.txt", table(result)), ("bench.json", plain)):
        (folder / name).write_text(f"{text}\n")
        paths.append(folder / name)
    notify(f"written: {', '.join(path.name for path in paths)} in {folder}")


def plot(result: Result, folder: Path) -> list[Path]:
    """Draw the ratios, and the latency over the load where it was measured; return the files, SVG and PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(1, 2 if result.steps else 1, figsize=(11 if result.steps else 7, 4.5), squeeze=False)
    _bars(axes[0][0], result.ratios)
    if result.steps:
        _curve(axes[0][1], result.steps)
    figure.suptitle(f"rtlib bench, {result.day}, {result.machine}", fontsize=10)
    figure.tight_layout()
    paths = [folder / f"bench.{kind}" for kind in ("svg", "png")]
    for path in paths:
        figure.savefig(path, dpi=130, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)
    return paths


def _bars(axes: Axes, ratios: Sequence[Ratio]) -> None:
    names = [one.name for one in ratios][::-1]
    values = [one.value for one in ratios][::-1]
    colours = ["#0b6fa4" if one.holds else "#b3470f" for one in ratios][::-1]
    bars = axes.barh(names, values, color=colours)
    axes.bar_label(bars, labels=[f"{value:,.2f}" for value in values], padding=3, fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_xlabel("ratio (logarithmic)")
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes: Axes, steps: Sequence[Step]) -> None:
    rates = [one.rate for one in steps]
    axes.plot(rates, [one.latency.p50_ms for one in steps], "o-", color="#0b6fa4", label="p50")
    axes.plot(rates, [one.latency.p99_ms for one in steps], "s--", color="#7a3b8f", label="p99")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("events per second")
    axes.set_ylabel("ms from event to KPI")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
