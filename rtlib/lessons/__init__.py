"""Lessons: helpers that a notebook calls in one line, so that the cell shows only its subject.

parameters       the parameters of every lesson and their check
parameter_types  the types of these parameters
guess            compares a reader's guess with the result
hidden_event     a ledger that fails on purpose
"""

from rtlib.lessons.guess import compare
from rtlib.lessons.hidden_event import ledger_without_one_event
from rtlib.lessons.parameters import PARAMETERS, check

__all__ = ["PARAMETERS", "check", "compare", "ledger_without_one_event"]
