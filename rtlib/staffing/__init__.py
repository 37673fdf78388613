"""Staffing: from a forecast and a service target to people on shifts and their cost; pure functions."""

from rtlib.staffing.erlang_a import agents_needed_a, erlang_a
from rtlib.staffing.erlang_c import Service, agents_needed, erlang_b, erlang_c, offered_load, p_wait
from rtlib.staffing.requirement import (
    critical_fractile,
    newsvendor_costs,
    paid_hour,
    people_needed,
    rostered,
    service_of,
)
from rtlib.staffing.roster import Roster, hedged_roster, roster
from rtlib.staffing.shifts import Shift, opening, shift_menu

__all__ = [
    "Roster",
    "Service",
    "Shift",
    "agents_needed",
    "agents_needed_a",
    "critical_fractile",
    "erlang_a",
    "erlang_b",
    "erlang_c",
    "hedged_roster",
    "newsvendor_costs",
    "offered_load",
    "opening",
    "p_wait",
    "paid_hour",
    "people_needed",
    "roster",
    "rostered",
    "service_of",
    "shift_menu",
]
