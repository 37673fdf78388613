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
from rtlib.bench.machine_speed import Pace, summary
from rtlib.validators import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUSTAINED = 8_000  # events per second that the whole pipeline should sustain on two cores
MEANS = (
    f"over the second half of each step neither path fell more than {LEVEL_SECONDS:g} s further behind, both had "
    f"everything within {BOUNDED_SECONDS:g} s of the last event, nothing was missing, and the sender kept its schedule"
)


@dataclass(frozen=True, slots=True)
class Ratio:
    """The ratio of two figures of the same run.

    Attributes:
        name: What is compared.
        definition: ``over`` divided by ``under``, in words.
        over, under: The two figures.
        unit: Their unit.
        wanted: The target of the ratio; None for a ratio without a target.
        bound: Whether the ratio should be ``at least`` or ``at most`` the target.
        because: The explanation of a missed target, from a profile of the same run.
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
        """The ratio; NaN if nothing was measured."""
        return self.over / self.under if self.under else float("nan")

    @property
    def holds(self) -> bool:
        """True if the ratio meets its target, or has none."""
        if self.wanted is None:
            return True
        return self.value >= self.wanted if self.bound == "at least" else self.value <= self.wanted

    @property
    def verdict(self) -> str:
        """The verdict in a word: ok, explained or MISSED; empty without a target."""
        if self.wanted is None:
            return ""
        return "ok" if self.holds else "explained" if self.because and math.isfinite(self.value) else "MISSED"


@dataclass(frozen=True, slots=True)
class Result:
    """All results of a run.

    Attributes:
        ratios: The ratios.
        steps: Steps of growing load.
        long_steps: Long steps, which decide the load that is sustained.
        burst: Events sent all at once.
        after: The load after the burst.
        paces: The speed of the machine during the run.
        machine: System, cores and Python.
        day: Date of the run.
    """

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
        """The highest rate of a sustained long step, in events per second; 0 without one."""
        return max((step.rate for step in self.long_steps if step.sustained), default=0.0)

    @property
    def holds(self) -> bool:
        """True if no ratio misses its target without an explanation, and the pipeline passed the load tests.

        Where load was raised, the pipeline has to sustain ``SUSTAINED``, catch up after the burst, and then keep up as
        before.
        """
        grown = not self.steps or self.sustained >= SUSTAINED
        caught_up = self.burst is None or self.burst.caught_up
        goes_on = self.after is None or self.after.sustained
        return grown and caught_up and goes_on and all(ratio.verdict != "MISSED" for ratio in self.ratios)

    def to_json(self) -> dict[str, Any]:
        """The whole result as plain data."""
        ratios = [
            {**asdict(ratio), "value": round(ratio.value, 3), "verdict": ratio.verdict, "holds": ratio.holds}
            for ratio in self.ratios
        ]
        steps = {name: [_step(step) for step in getattr(self, name)] for name in ("steps", "long_steps")}
        paces = [{"one": pace.single, "every": pace.all_cores} for pace in self.paces]
        verdict = {"sustained": self.sustained, "sustained_wanted": SUSTAINED, "sustained_means": MEANS}
        plain: dict[str, Any] = finite(
            {**asdict(self), "ratios": ratios, **steps, "paces": paces, **verdict, "holds": self.holds}
        )
        return plain


def _step(step: Step) -> dict[str, Any]:
    return {**asdict(step), "sustained": step.sustained}


def machine() -> str:
    """The machine in a few words: system, cores and Python."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def table(result: Result) -> str:
    """The ratios as text, each on a line with its definition below."""
    lines = []
    for ratio in result.ratios:
        target = f"{ratio.bound} {ratio.wanted:g}" if ratio.wanted is not None else ""
        figures = f"{ratio.over:,.1f} / {ratio.under:,.1f} {ratio.unit}"
        lines += [
            f"{ratio.name:<44} {ratio.value:>9.2f}  {figures:<36} {target:<14} {ratio.verdict}",
            f"    {ratio.definition}",
        ]
        lines += [f"    {ratio.because}"] if ratio.because else []
    pace = [f"pace: {summary(result.paces)}"] if result.paces else []
    return "\n".join([*lines, *_grown(result), *pace, f"{result.day}, {result.machine}"])


def _grown(result: Result) -> list[str]:
    if not result.steps:
        return []
    verdict = "ok" if result.sustained >= SUSTAINED else "MISSED"
    lines = [
        f"sustained: {result.sustained:,.0f} events/s by the whole pipeline, at least {SUSTAINED:,} {verdict}",
        f"    {MEANS}",
        *(_long(step) for step in result.long_steps),
    ]
    if burst := result.burst:
        lines.append(
            f"after {burst.rate * burst.seconds:,.0f} events at once: KPIs complete {burst.kpis_seconds:.1f} s and "
            f"archive {burst.archive_seconds:.1f} s after the last event, {burst.latency.missing} missing"
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
    """Write the table, the JSON and the plot into a folder."""
    paths = [plot(result, folder)]
    plain = json.dumps(result.to_json(), indent=1, allow_nan=False)
    for name, text in (("bench.txt", table(result)), ("bench.json", plain)):
        (folder / name).write_text(f"{text}\n")
        paths.append(folder / name)
    notify(f"written: {', '.join(path.name for path in paths)} in {folder}")


def plot(result: Result, folder: Path) -> Path:
    """Draw the ratios, and the latency over the load if it was measured; return the PNG file."""
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
    path = folder / "bench.png"
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def _bars(axes: Axes, ratios: Sequence[Ratio]) -> None:
    names = [ratio.name for ratio in ratios][::-1]
    values = [ratio.value for ratio in ratios][::-1]
    colours = ["#0b6fa4" if ratio.holds else "#b3470f" for ratio in ratios][::-1]
    bars = axes.barh(names, values, color=colours)
    axes.bar_label(bars, labels=[f"{value:,.2f}" for value in values], padding=3, fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.25)
    axes.set_xlabel("ratio (logarithmic)")
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _curve(axes: Axes, steps: Sequence[Step]) -> None:
    rates = [step.rate for step in steps]
    axes.plot(rates, [step.latency.p50_ms for step in steps], "o-", color="#0b6fa4", label="p50")
    axes.plot(rates, [step.latency.p99_ms for step in steps], "s--", color="#7a3b8f", label="p99")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("events per second")
    axes.set_ylabel("ms from event to KPI")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
