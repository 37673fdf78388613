"""Charts: service against people, cost against the quantile, and a day's shifts (plotly)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtlib.domains import Staffing
from rtlib.errors import ConfigError
from rtlib.staffing.erlang_c import erlang_c
from rtlib.staffing.roster import Roster
from rtlib.staffing.shifts import clock_of_day
from rtlib.staffing.whatif import DayDemand, WhatIf, what_if

if TYPE_CHECKING:
    import plotly.graph_objects as go

INK, BLUE, ORANGE, GREEN = "#333333", "#0072B2", "#D55E00", "#009E73"
LAYOUT = {"template": "plotly_white", "margin": {"l": 60, "r": 20, "t": 50, "b": 40}, "height": 380}


def service_chart(load: float, *, aht_seconds: float, within_seconds: float, target: float) -> go.Figure:
    """Service level and occupancy by number of agents: a steep rise between two plateaus."""
    import plotly.graph_objects as go

    agents = list(range(max(1, int(load) - 1), int(load) + 12))
    services = [erlang_c(load, count, aht_seconds=aht_seconds, within_seconds=within_seconds) for count in agents]
    figure = go.Figure()
    figure.add_scatter(
        x=agents, y=[service.service_level for service in services], name="answered in time", line={"color": BLUE}
    )
    figure.add_scatter(
        x=agents, y=[service.occupancy for service in services], name="occupancy", line={"color": ORANGE}
    )
    figure.add_hline(target, line={"dash": "dot", "color": INK}, annotation_text="target")
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return figure.update_layout(**LAYOUT, title=f"{load:g} Erlangs").update_xaxes(title="agents", dtick=1)


def day_chart(demand: DayDemand, scenario: WhatIf, *, role: Staffing) -> go.Figure:
    """The people of a day above its contacts."""
    import plotly.graph_objects as go

    clock = _clock(demand.interval_minutes, len(demand.contacts), None)
    figure = go.Figure()
    figure.add_bar(x=clock, y=demand.at(0.5), name="contacts, median", marker_color="#CCCCCC")
    figure.add_scatter(
        x=clock, y=list(scenario.needed), name="people needed", line={"color": BLUE, "shape": "hv"}, yaxis="y2"
    )
    figure.update_layout(
        **LAYOUT, yaxis2={"overlaying": "y", "side": "right", "title": "people", "rangemode": "tozero"},
        title=f"planned for the {scenario.level:.0%} quantile: {scenario.paid:,.0f} {role.currency} in wages, "
        f"{scenario.missing:,.0f} expected for missing hours, {scenario.cost:,.0f} in all",
    )  # fmt: skip
    figure.update_xaxes(title="local time")
    return figure.update_yaxes(title="contacts", selector={"side": None})


def cost_chart(role: Staffing, demand: DayDemand, levels: Sequence[float]) -> go.Figure:
    """Average cost of a day by planned quantile: wages, missing hours, and their sum."""
    import plotly.graph_objects as go

    scenarios = [what_if(role, demand, level=level) for level in levels]
    best = what_if(role, demand)
    figure = go.Figure()
    figure.add_scatter(x=levels, y=[scenario.paid for scenario in scenarios], name="wages", line={"color": GREEN})
    figure.add_scatter(
        x=levels, y=[scenario.missing for scenario in scenarios], name="missing hours", line={"color": ORANGE}
    )
    costs = [scenario.cost for scenario in scenarios]
    figure.add_scatter(x=levels, y=costs, name="sum", line={"color": BLUE, "width": 3})
    figure.add_vline(best.level, line={"dash": "dot", "color": INK}, annotation_text="best for these costs")
    figure.update_yaxes(title=role.currency, rangemode="tozero")
    return figure.update_layout(**LAYOUT, title="A day's cost").update_xaxes(title="planned quantile", tickformat=".0%")


def roster_chart(
    roster: Roster, needed: Sequence[int], *, clock: Sequence[int] | None = None, place: str = ""
) -> go.Figure:
    """People needed and people on shift, by interval.

    Args:
        roster: The shifts of a day.
        needed: People needed, by interval.
        clock: What the clock shows at the begin of each interval, in minutes after midnight, as in ``roster``.
        place: Where the clock is, for the title of the axis.

    Raises:
        ConfigError: The day is not one of 24 hours, and there is no ``clock``.
    """
    import plotly.graph_objects as go

    times = _clock(roster.interval_minutes, len(roster.staffed), clock)
    slots = list(roster.opens)
    figure = go.Figure()
    figure.add_bar(x=[times[slot] for slot in slots], y=[roster.staffed[slot] for slot in slots], name="on shift",
                   marker_color="#9ecae1")  # fmt: skip
    figure.add_scatter(x=[times[slot] for slot in slots], y=[needed[slot] for slot in slots], name="needed",
                       line={"color": INK, "shape": "hvh"})  # fmt: skip
    shifts = sum(count for _, count in roster.shifts)
    title = f"{shifts} shifts, {roster.wages:,.0f} {roster.currency}, {roster.missing_hours(needed):g} hours uncovered"
    return (
        figure.update_layout(**LAYOUT, title=title, bargap=0)
        .update_yaxes(title="people")
        .update_xaxes(title=f"time in {place}" if place else "local time")
    )


def _clock(interval_minutes: int, count: int, clock: Sequence[int] | None) -> list[str]:
    """The time at which each interval begins; in a repeated hour the second pass is marked, for an axis of its own."""
    shown = clock_of_day(interval_minutes) if clock is None else clock
    if len(shown) != count:
        raise ConfigError(
            f"a day of {count} intervals is drawn with a clock of {len(shown)}",
            cure="pass clock: what the clock shows at the begin of each interval",
        )
    texts = [f"{minutes // 60:02d}:{minutes % 60:02d}" for minutes in shown]
    return [f"{text} again" if text in texts[:place] else text for place, text in enumerate(texts)]
