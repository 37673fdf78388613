"""Charts: service against people, cost against the quantile, and a day's shifts (plotly)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtlib.domains import Staffing
from rtlib.staffing.erlang_c import erlang_c
from rtlib.staffing.roster import Roster
from rtlib.staffing.whatif import DayDemand, WhatIf, what_if

if TYPE_CHECKING:
    import plotly.graph_objects as go

INK, BLUE, ORANGE, GREEN = "#333333", "#0072B2", "#D55E00", "#009E73"
LAYOUT = {"template": "plotly_white", "margin": {"l": 60, "r": 20, "t": 50, "b": 40}, "height": 380}


def service_chart(load: float, *, aht_seconds: float, within_seconds: float, target: float) -> go.Figure:
    """What each further agent adds: nothing, then almost everything, then nothing again."""
    import plotly.graph_objects as go

    agents = list(range(max(1, int(load) - 1), int(load) + 12))
    told = [erlang_c(load, one, aht_seconds=aht_seconds, within_seconds=within_seconds) for one in agents]
    figure = go.Figure()
    figure.add_scatter(x=agents, y=[one.service_level for one in told], name="taken in time", line={"color": BLUE})
    figure.add_scatter(x=agents, y=[one.occupancy for one in told], name="occupancy", line={"color": ORANGE})
    figure.add_hline(target, line={"dash": "dot", "color": INK}, annotation_text="the promise")
    figure.update_yaxes(tickformat=".0%", range=[0, 1.02])
    return figure.update_layout(**LAYOUT, title=f"{load:g} Erlangs").update_xaxes(title="agents", dtick=1)


def day_chart(demand: DayDemand, told: WhatIf, *, role: Staffing) -> go.Figure:
    """A day's people, above the contacts they are there for."""
    import plotly.graph_objects as go

    clock = _clock(demand.interval_minutes, len(demand.contacts))
    figure = go.Figure()
    figure.add_bar(x=clock, y=demand.at(0.5), name="contacts, median", marker_color="#CCCCCC")
    figure.add_scatter(
        x=clock, y=list(told.needed), name="people needed", line={"color": BLUE, "shape": "hv"}, yaxis="y2"
    )
    figure.update_layout(
        **LAYOUT, yaxis2={"overlaying": "y", "side": "right", "title": "people", "rangemode": "tozero"},
        title=f"planned for the {told.level:.0%} quantile: {told.paid:,.0f} {role.currency} paid, "
        f"{told.missing:,.0f} expected for hours too few, {told.cost:,.0f} together",
    )  # fmt: skip
    return figure.update_yaxes(title="contacts", selector={"side": None})


def cost_chart(role: Staffing, demand: DayDemand, levels: Sequence[float]) -> go.Figure:
    """What a day costs on average, for each quantile one may plan for: the cost of being wrong on either side."""
    import plotly.graph_objects as go

    told = [what_if(role, demand, level=level) for level in levels]
    best = what_if(role, demand)
    figure = go.Figure()
    figure.add_scatter(x=levels, y=[one.paid for one in told], name="paid", line={"color": GREEN})
    figure.add_scatter(x=levels, y=[one.missing for one in told], name="missing", line={"color": ORANGE})
    figure.add_scatter(x=levels, y=[one.cost for one in told], name="together", line={"color": BLUE, "width": 3})
    figure.add_vline(best.level, line={"dash": "dot", "color": INK}, annotation_text="what the costs ask for")
    figure.update_yaxes(title=role.currency, rangemode="tozero")
    return figure.update_layout(**LAYOUT, title="A day's cost").update_xaxes(title="planned quantile", tickformat=".0%")


def roster_chart(roster: Roster, needed: Sequence[int]) -> go.Figure:
    """Who is needed and who is there, interval by interval."""
    import plotly.graph_objects as go

    clock = _clock(roster.interval_minutes, len(roster.staffed))
    places = list(roster.opens)
    figure = go.Figure()
    figure.add_bar(x=[clock[one] for one in places], y=[roster.staffed[one] for one in places], name="on shift",
                   marker_color="#9ecae1")  # fmt: skip
    figure.add_scatter(x=[clock[one] for one in places], y=[needed[one] for one in places], name="needed",
                       line={"color": INK, "shape": "hvh"})  # fmt: skip
    shifts = sum(number for _, number in roster.shifts)
    title = f"{shifts} shifts, {roster.wages:,.0f} {roster.currency}, {roster.missing_hours(needed):g} hours left open"
    return figure.update_layout(**LAYOUT, title=title, bargap=0).update_yaxes(title="people")


def _clock(interval_minutes: int, count: int) -> list[str]:
    return [f"{place * interval_minutes // 60:02d}:{place * interval_minutes % 60:02d}" for place in range(count)]
