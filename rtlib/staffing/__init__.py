"""Staffing: from a forecast and a service target to people on shifts, with what it costs; pure functions."""

from rtlib.staffing.patience import agents_needed_a, erlang_a
from rtlib.staffing.requirement import (
    critical_fractile,
    hour_cost,
    paid_hour,
    people_needed,
    rostered,
    service_of,
)
from rtlib.staffing.roster import Roster, hedged_roster, opening, roster
from rtlib.staffing.shifts import Shift, shift_menu
from rtlib.staffing.waiting import Service, agents_needed, erlang_c, offered_load, p_blocked, p_wait

__all__ = [
    "Roster",
    "Service",
    "Shift",
    "agents_needed",
    "agents_needed_a",
    "critical_fractile",
    "erlang_a",
    "erlang_c",
    "hedged_roster",
    "hour_cost",
    "offered_load",
    "opening",
    "p_blocked",
    "p_wait",
    "paid_hour",
    "people_needed",
    "roster",
    "rostered",
    "service_of",
    "shift_menu",
]
